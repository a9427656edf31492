// futex(2): threads that wait for a word of their program's memory to change.
#pragma once

#include "kernel/core/result.hpp"
#include "kernel/core/timer_queue.hpp"
#include "kernel/memory/address_space.hpp"

namespace pulse {

/// Blocks while the word is `expected`. TryAgain: it is another already. TimedOut, RestartAlways, BadAddress.
[[nodiscard]] Result<void> futex_wait(AddressSpace& space, u64 address, u32 expected, u64 deadline, u32 bits = ~u32{0});
/// Wakes at most `most` waiters; how many it were. Invalid: no address of a word, or no bits.
Result<u32> futex_wake(AddressSpace& space, u64 address, u32 most, u32 bits = ~u32{0});
/// Wakes `most`, and lets up to `moved` others wait for the word at `to` from now on.
[[nodiscard]] Result<u32> futex_requeue(AddressSpace& space, u64 address, u32 most, u32 moved, u64 to);

}  // namespace pulse
