// The I/O APIC as our images use it (82093AA data sheet).
#pragma once

#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace io_apic {

constexpr word page = 0xFEC00000;
constexpr u32 masked = 0x10000, level = 0x8000, active_low = 0x2000;

inline volatile u32* registers() { return reinterpret_cast<volatile u32*>(page); }
inline void write(u8 index, u32 value) {
  *reinterpret_cast<volatile u32*>(page) = index;
  *reinterpret_cast<volatile u32*>(page + 0x10) = value;
}
inline u32 read(u8 index) {
  *reinterpret_cast<volatile u32*>(page) = index;
  return *reinterpret_cast<volatile u32*>(page + 0x10);
}
/// The low half of a pin's entry; the destination is APIC id 0, as after reset.
inline void write_entry(u8 pin, u32 low) { write(static_cast<u8>(0x10 + 2 * pin), low); }

/// Both chips reachable. The local APIC is on; the 8259s stay masked.
inline void start() {
  map_devices();
  apic::write(apic::spurious_vector, 0x1FF);
}

}  // namespace io_apic
