// The I/O APIC and the local APIC behind it, as the sanitizer's kernels use them (82093AA data sheet; SDM vol. 3, ch.
// 10).
#pragma once

#include "tests/guest/runtime/interrupt.hpp"

namespace local_apic {

constexpr word page = 0xFEE00000;
constexpr u32 end_register = 0xB0, spurious_vector = 0xF0, in_service = 0x100, requests = 0x200, command_low = 0x300,
              command_high = 0x310;
constexpr u32 asserted = 1u << 14, mode_init = 5u << 8, mode_start_up = 6u << 8;

/// For what a finding shall name the image's own line of.
inline volatile u32* registers() { return reinterpret_cast<volatile u32*>(page); }
inline u32 read(u32 offset) { return *reinterpret_cast<volatile u32*>(page + offset); }
inline void write(u32 offset, u32 value) { *reinterpret_cast<volatile u32*>(page + offset) = value; }
/// The bit of a vector in IRR or ISR.
inline bool has(u32 set, u8 vector) { return (read(set + (vector >> 5) * 0x10) >> (vector & 31) & 1) != 0; }
inline void end_of_interrupt() { write(end_register, 0); }
inline void send(u32 command, u32 destination) {
  write(command_high, destination << 24);
  write(command_low, command);
}

}  // namespace local_apic

namespace io_apic {

constexpr word page = 0xFEC00000;
constexpr u32 masked = 0x10000, level = 0x8000, active_low = 0x2000;

inline volatile u32* registers() { return reinterpret_cast<volatile u32*>(page); }
inline void write(u8 index, u32 value) {
  *reinterpret_cast<volatile u32*>(page) = index;
  *reinterpret_cast<volatile u32*>(page + 0x10) = value;
}
/// The low half of a pin's entry; the destination is APIC id 0, as after reset.
inline void write_entry(u8 pin, u32 low) { write(static_cast<u8>(0x10 + 2 * pin), low); }

/// Both chips reachable: in 64-bit images they are outside the runtime's map. The local APIC is on; the 8259s stay
/// masked.
inline void start() {
#if GUEST_64
  alignas(4096) static u64 directory[512];
  for (word i = 0; i < 2; ++i) {
    const word each = i == 0 ? page : local_apic::page;
    directory[each >> 21 & 511] = (each & ~word{0x1FFFFF}) | 0x9B;  // 2 MiB, not cached
  }
  auto* const top = reinterpret_cast<u64*>(cr3() & ~word{0xFFF});
  auto* const pointers = reinterpret_cast<u64*>(top[0] & ~word{0xFFF});
  pointers[page >> 30] = reinterpret_cast<word>(directory) | 3;
  set_cr3(cr3());
#endif
  local_apic::write(local_apic::spurious_vector, 0x1FF);
}

}  // namespace io_apic
