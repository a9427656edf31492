// futex(2): threads that wait for a word of their program's memory to change.
#pragma once

#include "kernel/core/result.hpp"
#include "kernel/core/timer_queue.hpp"
#include "kernel/memory/address_space.hpp"

namespace pulse {

/// A word that threads wait for: of one address space, or of memory that several map (its file, and the place in it).
struct FutexWord {
  const void* of = nullptr;
  u64 place = 0;
  Ref<Node> file = {};  ///< that file: while somebody waits, no other one gets its address
  bool operator==(const FutexWord&) const = default;
};
enum class FutexScope : u8 { OwnProcess, AnyProcess };
/// Invalid: `address` is not that of a word.
[[nodiscard]] Result<FutexWord> futex_word(AddressSpace& space, u64 address, FutexScope scope);

/// Blocks while the word is `expected`. TryAgain: it is another already. TimedOut, RestartAlways, BadAddress.
[[nodiscard]] Result<void> futex_wait(const FutexWord& word, u64 address, u32 expected, u64 deadline,
                                      u32 bits = ~u32{0});
/// Wakes at most `most` waiters; how many it were. Invalid: no bits.
Result<u32> futex_wake(const FutexWord& word, u32 most, u32 bits = ~u32{0});
/// Wakes `most`, and lets up to `moved` others wait for `to` from now on.
[[nodiscard]] Result<u32> futex_requeue(const FutexWord& word, u32 most, u32 moved, const FutexWord& to);

}  // namespace pulse
