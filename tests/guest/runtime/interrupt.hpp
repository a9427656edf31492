// Handlers without the runtime's stubs: the gate leads straight to a function of the image, whose IRET is its own, so
// that what is said of a handler names the image's file and line.
#pragma once

#include "tests/guest/runtime/pic.hpp"

/// What the CPU pushed; error codes are not for these handlers.
struct InterruptFrame {
  word ip, cs, flags, sp, ss;
};
/// A handler: INTERRUPT_HANDLER(keyboard_handler) { ... }
#define INTERRUPT_HANDLER(name) \
  extern "C" [[gnu::interrupt, gnu::noinline]] void name(InterruptFrame* frame [[maybe_unused]])
using InterruptHandler = void (*)(InterruptFrame*);

inline void set_irq_handler(u8 irq, InterruptHandler handler, u8 base = irq_base) {
  set_gate_target(static_cast<u8>(base + irq), reinterpret_cast<const void*>(handler));
}

/// Runs this many million instructions, two to a turn: on Vitrine a million takes 1 ms.
inline void spend_millions(u32 millions) {
  u32 turns = millions * 500000;
  asm volatile("1: dec %0; jnz 1b" : "+r"(turns)::"cc");
}
/// The same with interrupts let in.
inline void spend_millions_with_interrupts(u32 millions) {
  interrupts_on();
  spend_millions(millions);
  interrupts_off();
}

/// Counter 0 of the 8254 (IRQ 0). Mode 0: one interrupt when the count is over; mode 2: one each `count` pulses.
inline void pit_start(u8 mode, u16 count) {
  out8(0x43, static_cast<u8>(0x30 | mode << 1));
  out8(0x40, static_cast<u8>(count));
  out8(0x40, static_cast<u8>(count >> 8));
}
