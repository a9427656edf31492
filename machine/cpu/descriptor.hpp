// Descriptors of GDT, LDT and IDT, and the checks that all loads of segment registers share.
//
// Manual: Intel SDM vol. 3A §3.4.5, §3.5, §5 (privilege), §6.11 (gates).
//
// A "prepare" function checks everything and fills in a Segment; nothing of the CPU changes (but for the accessed bit
// in memory) until the caller assigns it. On false the fault is set.
#pragma once

#include "machine/cpu/cpu.hpp"

namespace vitrine {

struct Descriptor {
  u64 raw = 0;
  u32 upper = 0;    ///< bits 95..64 of a 16-byte descriptor
  u64 address = 0;  ///< linear, of the descriptor itself

  [[nodiscard]] u64 base() const { return (raw >> 16 & 0xFFFFFF) | (raw >> 56) << 24 | static_cast<u64>(upper) << 32; }
  [[nodiscard]] u32 limit() const {
    const u32 value = static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xF0000));
    return (raw >> 55 & 1) != 0 ? value << 12 | 0xFFF : value;
  }
  [[nodiscard]] u16 attributes() const { return static_cast<u16>(raw >> 40 & 0xF0FF); }
  [[nodiscard]] u8 type() const { return raw >> 40 & 0xF; }
  [[nodiscard]] bool system() const { return (raw >> 44 & 1) == 0; }
  [[nodiscard]] u8 dpl() const { return raw >> 45 & 3; }
  [[nodiscard]] bool present() const { return (raw >> 47 & 1) != 0; }
  [[nodiscard]] bool code() const { return !system() && (type() & 8) != 0; }
  [[nodiscard]] bool conforming() const { return (type() & 4) != 0; }
  [[nodiscard]] bool writable_data() const { return !system() && (type() & 0xA) == 2; }
  [[nodiscard]] bool readable() const { return !system() && (type() & 0xA) != 8; }
  [[nodiscard]] bool long_mode() const { return (raw >> 53 & 1) != 0; }
  [[nodiscard]] bool big() const { return (raw >> 54 & 1) != 0; }

  // As a gate (SDM vol. 3A figures 5-8, 6-2, 6-8).
  [[nodiscard]] u16 gate_selector() const { return static_cast<u16>(raw >> 16); }
  [[nodiscard]] u64 gate_offset() const {
    return (raw & 0xFFFF) | (raw >> 32 & 0xFFFF0000) | static_cast<u64>(upper) << 32;
  }
  [[nodiscard]] u8 gate_parameters() const { return raw >> 32 & 0x1F; }
  [[nodiscard]] u8 gate_stack_table() const { return raw >> 32 & 7; }
};

/// Types of system descriptors (SDM vol. 3A table 3-2).
namespace system_type {
inline constexpr u8 tss16 = 1, ldt = 2, tss16_busy = 3, call_gate16 = 4, task_gate = 5, interrupt_gate16 = 6,
                    trap_gate16 = 7, tss32 = 9, tss32_busy = 11, call_gate32 = 12, interrupt_gate32 = 14,
                    trap_gate32 = 15;
}

[[nodiscard]] inline bool null_selector(u16 selector) { return (selector & ~3) == 0; }
[[nodiscard]] inline u8 rpl_of(u16 selector) { return selector & 3; }

enum class Lookup : u8 {
  Found,
  PastLimit,  ///< past the table's limit, or in an LDT when there is none
  Fault,      ///< the table's page faulted; the fault is set
};

/// Reads the 8 bytes that a selector names. Null selectors are the caller's business.
[[nodiscard]] Lookup find_descriptor(Cpu& cpu, u16 selector, Descriptor& descriptor);
/// In long mode a system descriptor has 16 bytes: reads the second half. PastLimit also if its type bits are not 0.
[[nodiscard]] Lookup widen_descriptor(Cpu& cpu, u16 selector, Descriptor& descriptor);
/// As find_descriptor, but reports anything else than Found as `fault_vector`(selector).
[[nodiscard]] bool require_descriptor(Cpu& cpu, u16 selector, u8 fault_vector, Descriptor& descriptor);

/// Raises `fault_vector`(selector) and returns false.
[[nodiscard]] bool refuse(Cpu& cpu, u8 fault_vector, u16 selector, FailedCheck check);

/// Sets the accessed bit of a code or data descriptor in memory, and in `descriptor`.
[[nodiscard]] bool mark_accessed(Cpu& cpu, Descriptor& descriptor);

[[nodiscard]] Segment make_segment(u16 selector, const Descriptor& descriptor);
[[nodiscard]] Segment make_real_segment(const Segment& old, u16 selector);
[[nodiscard]] Segment make_v86_segment(u16 selector);
/// DS, ES, FS or GS holding a null selector.
[[nodiscard]] Segment make_null_segment(const Segment& old, u16 selector);
/// SS holding a null selector, as in 64-bit mode.
[[nodiscard]] Segment make_null_stack(u8 privilege, u16 selector);

/// MOV, POP, Lxx: any segment register but CS, in any mode.
[[nodiscard]] bool prepare_segment(Cpu& cpu, SegmentIndex index, u16 selector, Segment& segment);
/// SS for code of privilege `privilege`. `bad_vector`: #GP, or #TS when the selector came from a TSS.
[[nodiscard]] bool prepare_stack(Cpu& cpu, u16 selector, u8 privilege, u8 bad_vector, Segment& segment);
/// A conforming or non-conforming code segment to which control goes without a change of privilege.
[[nodiscard]] bool check_code_same_privilege(Cpu& cpu, u16 selector, const Descriptor& descriptor, u8 requested);

/// Is the instruction pointer good for this code segment? Else #GP(0).
[[nodiscard]] bool check_target(Cpu& cpu, const Descriptor& code, u64 target);

}  // namespace vitrine
