// Descriptors of GDT, LDT and IDT, and the checks that all loads of segment registers share.
//
// Manual: Intel SDM vol. 3A §3.4.5, §3.5, §5 (privilege), §6.11 (gates).
//
// A "prepare" function checks everything and fills in a Segment; nothing of the CPU changes (but for the accessed bit
// in memory) until the caller assigns it. On false the fault is set.
#pragma once

#include "machine/cpu/access.hpp"
#include "machine/cpu/system.hpp"

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

/// Raises `fault_vector`(selector) and returns false.
[[nodiscard]] bool refuse(Cpu& cpu, u8 fault_vector, u16 selector, FailedCheck check);
/// The same for a lookup that found nothing, unless its fault is set already.
[[nodiscard]] bool refuse_lookup(Cpu& cpu, u16 selector, u8 fault_vector, Lookup lookup);

/// Reads the 8 bytes that a selector names. Null selectors are the caller's business.
[[nodiscard]] inline Lookup find_descriptor(Cpu& cpu, u16 selector, Descriptor& descriptor) {
  const bool local = (selector & 4) != 0;
  if (local && !cpu.state.ldtr.usable) return Lookup::PastLimit;
  const u64 base = local ? cpu.state.ldtr.base : cpu.state.gdtr.base;
  const u32 limit = local ? cpu.state.ldtr.limit : cpu.state.gdtr.limit;
  const u32 offset = selector & 0xFFF8u;
  if (offset + 7 > limit) return Lookup::PastLimit;
  descriptor = {};
  descriptor.address = base + offset;
  if (!cpu.state.long_mode()) descriptor.address = static_cast<u32>(descriptor.address);
  return cpu.read_system(descriptor.address, &descriptor.raw, 8) ? Lookup::Found : Lookup::Fault;
}
/// In long mode a system descriptor has 16 bytes: reads the second half. PastLimit also if its type bits are not 0.
[[nodiscard]] Lookup widen_descriptor(Cpu& cpu, u16 selector, Descriptor& descriptor);
/// As find_descriptor, but reports anything else than Found as `fault_vector`(selector).
[[nodiscard]] inline bool require_descriptor(Cpu& cpu, u16 selector, u8 fault_vector, Descriptor& descriptor) {
  const Lookup lookup = find_descriptor(cpu, selector, descriptor);
  return lookup == Lookup::Found || refuse_lookup(cpu, selector, fault_vector, lookup);
}

/// Sets the accessed bit of a code or data descriptor in memory, and in `descriptor`.
[[nodiscard]] inline bool mark_accessed(Cpu& cpu, Descriptor& descriptor) {
  if (descriptor.system() || (descriptor.type() & 1) != 0) return true;
  descriptor.raw |= u64{1} << 40;
  const u8 access_byte = static_cast<u8>(descriptor.raw >> 40);
  return cpu.write_system(descriptor.address + 5, &access_byte, 1);
}

[[nodiscard]] inline Segment make_segment(u16 selector, const Descriptor& descriptor) {
  return {.selector = selector,
          .base = descriptor.base(),
          .limit = descriptor.limit(),
          .attributes = descriptor.attributes(),
          .usable = true};
}
/// Do the selector and the GDT, as it is now, say of `loaded` what it was made of? Then loading it again changes
/// nothing. False is always right: then the long way looks.
[[nodiscard]] inline bool still_loaded(const Cpu& cpu, const Segment& loaded, u16 selector) {
  const bool in_table = (selector & 4) == 0 && !null_selector(selector) && (selector | 7u) <= cpu.state.gdtr.limit;
  if (selector != loaded.selector || !in_table) return false;
  const u64 address = cpu.state.gdtr.base + (selector & 0xFFF8u);
  const u8* host = cpu.system_pointer(address, sizeof(u64), Access::Read);
  if (host == nullptr) return false;
  Descriptor descriptor;
  std::memcpy(&descriptor.raw, host, sizeof descriptor.raw);
  return make_segment(selector, descriptor) == loaded;
}
/// May 64-bit code at this CPL go on in the code segment, or on the stack, that is loaded, wherever `selector` came
/// from? Of the code only the simplest case: present, accessed, not conforming.
[[nodiscard]] inline bool same_code64(const Cpu& cpu, u16 selector) {
  const Segment& loaded = cpu.state.segments[cs];
  constexpr u16 looked_at = 0x60FD, wanted = 0x2099;
  return cpu.mode.is64() && (loaded.attributes & looked_at) == (wanted | cpu.cpl << 5) && rpl_of(selector) == cpu.cpl &&
         still_loaded(cpu, loaded, selector);
}
[[nodiscard]] inline bool same_stack64(const Cpu& cpu, u16 selector) {
  const Segment& loaded = cpu.state.segments[ss];
  constexpr u16 looked_at = 0x00FB, wanted = 0x0093;  // present, accessed, writable data
  return cpu.mode.is64() && (loaded.attributes & looked_at) == (wanted | cpu.cpl << 5) && rpl_of(selector) == cpu.cpl &&
         still_loaded(cpu, loaded, selector);
}
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

/// Raises what check_target() found, and returns false.
[[nodiscard]] bool refuse_target(Cpu& cpu, const Descriptor& code, u64 target);
/// Is the instruction pointer good for this code segment? Else #GP(0).
[[nodiscard]] inline bool check_target(Cpu& cpu, const Descriptor& code, u64 target) {
  const bool code64 = cpu.state.long_mode() && code.long_mode();
  if (code64 ? canonical(target) : target <= code.limit()) return true;
  return refuse_target(cpu, code, target);
}

}  // namespace vitrine
