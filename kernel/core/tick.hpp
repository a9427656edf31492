// The tick: what the timer's interrupt does.
#pragma once

#include "kernel/core/time.hpp"

namespace pulse {

struct Frame;

/// What interrupts: the PIT on line 0, or the timer of each CPU's local APIC.
enum class TickSource : u8 { Pit, LocalApic };
enum class Idle : u8 { Ticks, Tickless };
/// Starts the timer at `hz` (19..10000; others are brought into the range) .
void start_tick(u32 hz, Idle idle, TickSource source);
/// The same on another CPU, by its own local APIC.
void start_tick_here();
/// The local APIC's timer interrupted.
void local_tick(Frame& frame);
/// The idle thread's: waits for an interrupt, with IF clear before and after. Tickless, the timer is set to when
/// something is due, so that an idle machine is interrupted only when there is something to do.
void wait_idle();

}  // namespace pulse
