#include "kernel/core/panic.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/core/assert.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/symbols.hpp"
#include "kernel/core/thread.hpp"
#include "kernel/core/time.hpp"

extern "C" const char kernel_text_begin[], kernel_text_end[];

namespace pulse {

namespace {

constexpr u8 panic_exit_value = 0x7F;
constexpr u16 debug_exit_port = 0xF4;

struct ConsoleSink final : TextSink {
  using TextSink::put;
  void put(char character) override { write_consoles({&character, 1}); }
};

void put_location(TextSink& out, u64 address) {
  format(out, "  {:#x}", address);
  u64 offset = 0;
  const std::string_view name = symbol_at(address, offset);
  if (!name.empty()) format(out, " {}+{:#x}", name, offset);
  out.put('\n');
}

void put_registers(TextSink& out, const Frame& frame) {
  const struct {
    std::string_view name;
    u64 value;
  } registers[] = {{"rax", frame.rax}, {"rbx", frame.rbx}, {"rcx", frame.rcx}, {"rdx", frame.rdx},   {"rsi", frame.rsi},
                   {"rdi", frame.rdi}, {"rbp", frame.rbp}, {"rsp", frame.rsp}, {"r8 ", frame.r8},    {"r9 ", frame.r9},
                   {"r10", frame.r10}, {"r11", frame.r11}, {"r12", frame.r12}, {"r13", frame.r13},   {"r14", frame.r14},
                   {"r15", frame.r15}, {"rip", frame.rip}, {"cs ", frame.cs},  {"flg", frame.flags}, {"ss ", frame.ss},
                   {"cr2", read_cr2()}};
  // Three of them fit into the 80 columns of a screen.
  unsigned column = 0;
  for (const auto& [name, value] : registers) {
    format(out, "{} {:016x}{}", name, value, ++column % 3 == 0 ? "\n" : "  ");
  }
}

/// When, where and who.
void put_circumstances(TextSink& out) {
  const PerCpu& cpu = this_cpu();
  const u64 microseconds = nanoseconds_since_boot() / 1000;
  format(out, "at {}.{:06} s on CPU {}", microseconds / 1'000'000, microseconds % 1'000'000, cpu.number);
  if (cpu.current != nullptr) {
    format(out, ", thread {} ({})", cpu.current->number, static_cast<const char*>(cpu.current->name));
  }
  if (cpu.interrupt_depth > 0) out.put(", in an interrupt's handler");
  out.put('\n');
}

bool is_kernel_stack(u64 address) { return address >= DIRECT_MAP && (address & 7) == 0; }

/// The lines of a back trace. What calls itself stands there once, with how often: its caller is what one looks for.
class BackTrace {
 public:
  explicit BackTrace(TextSink& out) : out_(&out) {}
  /// False: enough was said.
  bool add(u64 address) {
    if (address == last_) return ++repeats_ > 0;
    end();
    last_ = address;
    put_location(*out_, address);
    return ++lines_ < most_lines;
  }
  void end() {
    if (repeats_ > 0) format(*out_, "  (the same {} more times)\n", repeats_);
    repeats_ = 0;
  }

 private:
  static constexpr int most_lines = 32;
  TextSink* out_;
  u64 last_ = 0;
  u32 repeats_ = 0;
  int lines_ = 0;
};

/// Frame pointers, as long as they look like some.
void put_back_trace(BackTrace& trace, u64 frame_pointer) {
  while (is_kernel_stack(frame_pointer)) {
    const auto* slots = reinterpret_cast<const u64*>(frame_pointer);
    const u64 next = slots[0];
    const u64 address = slots[1];
    if (address < reinterpret_cast<u64>(kernel_text_begin) || address >= reinterpret_cast<u64>(kernel_text_end)) break;
    if (!trace.add(address) || next <= frame_pointer) break;
    frame_pointer = next;
  }
  trace.end();
}

bool panicking = false;

}  // namespace

void panic_with(const Frame* frame, std::string_view text, std::span<const FormatArgument> arguments) {
  interrupts_off();
  if (panicking) halt_for_good();
  panicking = true;
  stop_other_cpus();
  ConsoleSink out;
  out.put("\nPulse panics: ");
  format_arguments(out, text, arguments);
  out.put('\n');
  put_circumstances(out);
  if (frame != nullptr) put_registers(out, *frame);
  out.put("called by, innermost first:\n");
  BackTrace trace(out);
  if (frame != nullptr) (void)trace.add(frame->rip);
  put_back_trace(trace, frame != nullptr ? frame->rbp : reinterpret_cast<u64>(__builtin_frame_address(0)));
  out8(debug_exit_port, panic_exit_value);
  halt_for_good();
}

void assertion_failed(const char* condition, const char* file, int line) {
  panic("{} does not hold ({}:{})", condition, file, line);
}

}  // namespace pulse
