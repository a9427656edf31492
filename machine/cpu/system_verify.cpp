// LAR, LSL, VERR, VERW, ARPL: questions about descriptors (SDM vol. 2). They fault only for their operand, never for
// the descriptor; the answer is in ZF.
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/instructions_system.hpp"

namespace vitrine {

namespace {

void set_zero_flag(Cpu& cpu, bool value) {
  const u32 flags = cpu.state.flags();
  cpu.state.set_status_flags(value ? flags | flag::zero : flags & ~flag::zero);
}

/// A bit per system descriptor type that the instruction accepts (SDM vol. 2, tables of LAR and LSL).
constexpr u32 of(u8 type) { return 1u << type; }
constexpr u32 limit_types = of(system_type::tss16) | of(system_type::ldt) | of(system_type::tss16_busy) |
                            of(system_type::tss32) | of(system_type::tss32_busy);
constexpr u32 limit_types_long = of(system_type::ldt) | of(system_type::tss32) | of(system_type::tss32_busy);
constexpr u32 rights_types =
    limit_types | of(system_type::call_gate16) | of(system_type::task_gate) | of(system_type::call_gate32);
constexpr u32 rights_types_long = limit_types_long | of(system_type::call_gate32);

/// Finds the descriptor if selector and privilege let it be seen. `Fault` only when the table's page faults.
Lookup visible(Cpu& cpu, u16 selector, u32 types, u32 types_long, Descriptor& descriptor) {
  if (null_selector(selector)) return Lookup::PastLimit;
  const Lookup lookup = find_descriptor(cpu, selector, descriptor);
  if (lookup != Lookup::Found) return lookup;
  if (descriptor.system()) {
    const u32 accepted = cpu.state.long_mode() ? types_long : types;
    if ((accepted >> descriptor.type() & 1) == 0) return Lookup::PastLimit;
  } else if (descriptor.code() && descriptor.conforming()) {
    return Lookup::Found;
  }
  const bool reachable = cpu.cpl <= descriptor.dpl() && rpl_of(selector) <= descriptor.dpl();
  return reachable ? Lookup::Found : Lookup::PastLimit;
}

void write_result(Cpu& cpu, const Operation& operation, u32 value) {
  if (operation.operand_size == 2) {
    write_register<u16>(cpu, operation.first, static_cast<u16>(value));
  } else {
    write_register<u64>(cpu, operation.first, value);
  }
}

bool protected_only(Cpu& cpu) {
  if (!cpu.state.real_or_v86()) return true;
  cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  return false;
}

template <SelectorIn S>
Outcome verify(Cpu& cpu, const Operation& operation, bool (*accepts)(const Descriptor&)) {
  u16 selector;
  Descriptor descriptor;
  if (!protected_only(cpu) || !read_selector<S>(cpu, operation, operation.first, selector)) return Outcome::Fault;
  const Lookup lookup = visible(cpu, selector, 0, 0, descriptor);
  if (lookup == Lookup::Fault) return Outcome::Fault;
  set_zero_flag(cpu, lookup == Lookup::Found && accepts(descriptor));
  return Outcome::Next;
}

}  // namespace

template <SelectorIn S>
Outcome load_access_rights(Cpu& cpu, const Operation& operation) {
  u16 selector;
  Descriptor descriptor;
  if (!protected_only(cpu) || !read_selector<S>(cpu, operation, operation.second, selector)) return Outcome::Fault;
  const Lookup lookup = visible(cpu, selector, rights_types, rights_types_long, descriptor);
  if (lookup == Lookup::Fault) return Outcome::Fault;
  if (lookup == Lookup::Found) write_result(cpu, operation, static_cast<u32>(descriptor.raw >> 32) & 0x00FFFF00);
  set_zero_flag(cpu, lookup == Lookup::Found);
  return Outcome::Next;
}

template <SelectorIn S>
Outcome load_segment_limit(Cpu& cpu, const Operation& operation) {
  u16 selector;
  Descriptor descriptor;
  if (!protected_only(cpu) || !read_selector<S>(cpu, operation, operation.second, selector)) return Outcome::Fault;
  const Lookup lookup = visible(cpu, selector, limit_types, limit_types_long, descriptor);
  if (lookup == Lookup::Fault) return Outcome::Fault;
  if (lookup == Lookup::Found) write_result(cpu, operation, descriptor.limit());
  set_zero_flag(cpu, lookup == Lookup::Found);
  return Outcome::Next;
}

template <SelectorIn S>
Outcome verify_read(Cpu& cpu, const Operation& operation) {
  return verify<S>(cpu, operation, [](const Descriptor& descriptor) { return descriptor.readable(); });
}

template <SelectorIn S>
Outcome verify_write(Cpu& cpu, const Operation& operation) {
  return verify<S>(cpu, operation, [](const Descriptor& descriptor) { return descriptor.writable_data(); });
}

template <SelectorIn S>
Outcome adjust_privilege(Cpu& cpu, const Operation& operation) {
  if (!protected_only(cpu)) return Outcome::Fault;
  const u8 wanted = rpl_of(read_register<u16>(cpu, operation.second));
  bool raised = false;
  const auto adjust = [&](u16 selector) {
    raised = rpl_of(selector) < wanted;
    return raised ? static_cast<u16>((selector & ~3) | wanted) : selector;
  };
  if constexpr (S == SelectorIn::Memory) {
    // Only a selector that changes is written: else the operand may stand where nothing may be.
    u16 selector;
    if (!read_memory<Address::General>(cpu, operation, selector)) return Outcome::Fault;
    const u16 adjusted = adjust(selector);
    if (raised && !write_memory<Address::General>(cpu, operation, adjusted)) return Outcome::Fault;
  } else {
    write_register<u16>(cpu, operation.first, adjust(read_register<u16>(cpu, operation.first)));
  }
  set_zero_flag(cpu, raised);
  return Outcome::Next;
}

template Outcome load_access_rights<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome load_access_rights<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome load_segment_limit<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome load_segment_limit<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome verify_read<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome verify_read<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome verify_write<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome verify_write<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome adjust_privilege<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome adjust_privilege<SelectorIn::Memory>(Cpu&, const Operation&);

}  // namespace vitrine
