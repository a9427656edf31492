// The local APIC as our images use it (SDM vol. 3, ch. 10).
#pragma once

#include "tests/guest/runtime/devices.hpp"

namespace apic {

constexpr word page = 0xFEE00000;
enum Register : u32 {
  id = 0x20,
  version = 0x30,
  task_priority = 0x80,
  processor_priority = 0xA0,
  eoi = 0xB0,
  logical_destination = 0xD0,
  destination_format = 0xE0,
  spurious_vector = 0xF0,
  in_service = 0x100,
  trigger_mode = 0x180,
  requests = 0x200,
  error_status = 0x280,
  command_low = 0x300,
  command_high = 0x310,
  lvt_timer = 0x320,
  lvt_thermal = 0x330,
  lvt_performance = 0x340,
  lvt_lint0 = 0x350,
  lvt_lint1 = 0x360,
  lvt_error = 0x370,
  initial_count = 0x380,
  current_count = 0x390,
  divide = 0x3E0,
};
constexpr u32 masked = 0x10000, periodic = 0x20000, tsc_deadline = 0x40000;
constexpr u32 msr_base = 0x1B, msr_tsc_deadline = 0x6E0, msr_x2apic = 0x800;
constexpr u32 to_self = 1u << 18, to_all = 2u << 18, to_others = 3u << 18, asserted = 1u << 14, logical = 1u << 11;
constexpr u32 mode_nmi = 4u << 8, mode_init = 5u << 8, mode_start_up = 6u << 8;
constexpr u8 divide_by_1 = 0xB;

/// For what a finding shall name the image's own line of.
inline volatile u32* registers() { return reinterpret_cast<volatile u32*>(page); }
inline u32 read(u32 offset) { return *reinterpret_cast<volatile u32*>(page + offset); }
inline void write(u32 offset, u32 value) { *reinterpret_cast<volatile u32*>(page + offset) = value; }
/// The bit of a vector in IRR, ISR or TMR.
inline bool has(u32 set, u8 vector) { return (read(set + (vector >> 5) * 0x10) >> (vector & 31) & 1) != 0; }
inline void end_of_interrupt() { write(eoi, 0); }
inline void send(u32 command, u32 destination = 0) {
  write(command_high, destination << 24);
  write(command_low, command);
}

/// Makes it reachable. All LVT entries are masked, and it is enabled with spurious vector FFh.
inline void start() {
  map_devices();
  write(spurious_vector, 0x1FF);
  for (u32 entry = lvt_timer; entry <= lvt_error; entry += 0x10) write(entry, masked);
  write(task_priority, 0);
}

}  // namespace apic
