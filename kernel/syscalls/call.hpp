// System calls: one function each, by Linux's numbers for x86-64.
#pragma once

#include <string_view>

#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/process.hpp"
#include "kernel/core/result.hpp"

namespace pulse {

/// The arguments of a call (System V ABI, AMD64 supplement §A.2).
struct Call {
  Frame& frame;
  u64 a, b, c, d, e, f;

  explicit Call(Frame& from)
      : frame(from), a(from.rdi), b(from.rsi), c(from.rdx), d(from.r10), e(from.r8), f(from.r9) {}
  [[nodiscard]] Process& process() const { return current_process(); }
};

using CallResult = Result<u64>;
using CallFunction = CallResult (*)(Call& call);

/// A call that is answered at once: it runs with interrupts off and without the lock around the kernel, and may touch
/// nothing but what its own thread and process keep in a single word.
using QuickCallFunction = u64 (*)(const Thread& thread);

struct CallEntry {
  u16 number = 0;
  std::string_view name;
  CallFunction function = nullptr;
  QuickCallFunction quick = nullptr;  ///< instead of `function`
};
/// What each file of this folder brings.
[[nodiscard]] std::span<const CallEntry> process_calls();
[[nodiscard]] std::span<const CallEntry> scheduling_calls();
[[nodiscard]] std::span<const CallEntry> machine_calls();
[[nodiscard]] std::span<const CallEntry> identity_calls();
[[nodiscard]] std::span<const CallEntry> limit_calls();
[[nodiscard]] std::span<const CallEntry> log_calls();
[[nodiscard]] std::span<const CallEntry> clock_calls();
[[nodiscard]] std::span<const CallEntry> memory_calls();
[[nodiscard]] std::span<const CallEntry> event_calls();
[[nodiscard]] std::span<const CallEntry> file_calls();
[[nodiscard]] std::span<const CallEntry> path_calls();
[[nodiscard]] std::span<const CallEntry> status_calls();
[[nodiscard]] std::span<const CallEntry> directory_calls();
[[nodiscard]] std::span<const CallEntry> mount_calls();
[[nodiscard]] std::span<const CallEntry> poll_calls();
[[nodiscard]] std::span<const CallEntry> signal_calls();
[[nodiscard]] std::span<const CallEntry> time_calls();

/// Puts them into the table by number. Once, at boot.
void register_calls();

/// For calls that succeed with 0.
[[nodiscard]] inline CallResult done(const Result<void>& result) {
  if (!result) return fail(result.error());
  return u64{0};
}

}  // namespace pulse
