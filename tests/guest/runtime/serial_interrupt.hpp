// The serial port's interrupt through the I/O APIC, for images about its entry: the handler does all that one must.
#pragma once

#include "tests/guest/runtime/io_apic.hpp"

namespace serial {

constexpr u8 vector = 0x34, pin = 4;
constexpr u32 entry_low = 0x10 + 2 * pin, entry_high = entry_low + 1;  ///< registers of the I/O APIC
inline volatile u32 transmitted;                                       ///< how often the handler has run

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  apic::end_of_interrupt();
}

/// The APICs are ready and the handler has its gate; the entry is the image's to write.
inline void start() {
  io_apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(serial_handler));
}

}  // namespace serial
