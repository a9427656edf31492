// The tick: what the timer's interrupt does.
#pragma once

#include "kernel/core/time.hpp"

namespace pulse {

struct Frame;

/// What interrupts: the PIT on line 0, or the timer of each CPU's local APIC.
enum class TickSource : u8 { Pit, LocalApic };
enum class Idle : u8 { Ticks, Tickless };
/// Polled, the same timer interrupts nobody: the kernel looks whether it has run out when it is idle, which it is
/// without HLT then, and on its way back to a program from a call (but the quickest), a fault or an interrupt. A
/// program that computes is not pre-empted.
enum class TickService : u8 { Interrupts, Polled };
/// Starts the timer at `hz` (19..10000; others are brought into the range).
void start_tick(u32 hz, Idle idle, TickSource source, TickService service);
/// The same on another CPU, by its own local APIC.
void start_tick_here();
extern bool ticks_are_polled;
/// The tick, if the timer has run out since the last look. Interrupts are off.
void look_at_timer(Frame& frame);
/// Waits for an interrupt, with IF clear before and after; with a polled timer, for a moment only.
void wait_for_event();
/// The local APIC's timer interrupted.
void local_tick(Frame& frame);
/// The idle thread's: waits for an interrupt, with IF clear before and after. Tickless, the timer is set to when
/// something is due, so that an idle machine is interrupted only when there is something to do.
void wait_idle();

}  // namespace pulse
