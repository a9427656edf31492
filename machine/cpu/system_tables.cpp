// LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR, SMSW, LMSW (SDM vol. 2; UMIP: vol. 3A §2.5).
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// Bytes of a table's base in memory: 8 in 64-bit mode, else 4, of which a 16-bit operand size uses 3.
Outcome load_table(Cpu& cpu, const Operation& operation, TableRegister& table, ProbedTable which) {
  if (!privileged(cpu)) return Outcome::Fault;
  const bool wide = cpu.mode.is64();
  const u64 offset = effective_address<Address::General>(cpu, operation);
  const auto segment = static_cast<SegmentIndex>(operation.segment);
  u64 linear;
  u16 limit;
  u64 base = 0;
  u32 narrow = 0;
  if (!segment_to_linear(cpu, segment, offset, wide ? 10 : 6, Access::Read, linear) ||
      !read_linear(cpu, operation, linear, limit) ||
      !(wide ? read_linear(cpu, operation, linear + 2, base) : read_linear(cpu, operation, linear + 2, narrow))) {
    return Outcome::Fault;
  }
  if (!wide) base = operation.operand_size == 2 ? narrow & 0xFFFFFF : narrow;
  if (wide && !canonical(base)) return cpu.raise(vector::general_protection, 0, FailedCheck::NonCanonical, base);
  table = {.base = base, .limit = limit};
  if (cpu.probe != nullptr) tell_table_loaded(cpu, operation, which);
  return Outcome::Next;
}

/// SGDT, SIDT, SLDT, STR, SMSW are for privilege 0 only once CR4.UMIP is set.
bool mode_prevention_allows(Cpu& cpu) {
  if ((cpu.state.cr4 & cr4_bit::umip) == 0 || cpu.cpl == 0 || !cpu.state.protected_mode()) return true;
  cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  return false;
}

Outcome store_table(Cpu& cpu, const Operation& operation, const TableRegister& table) {
  if (!mode_prevention_allows(cpu)) return Outcome::Fault;
  const bool wide = cpu.mode.is64();
  const u64 offset = effective_address<Address::General>(cpu, operation);
  u64 linear;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, wide ? 10 : 6, Access::Write,
                         linear) ||
      !cpu.can_access(&operation, linear, wide ? 10 : 6, Access::Write)) {
    return Outcome::Fault;
  }
  const auto narrow = static_cast<u32>(table.base);
  const bool stored =
      write_linear(cpu, operation, linear, table.limit) &&
      (wide ? write_linear(cpu, operation, linear + 2, table.base) : write_linear(cpu, operation, linear + 2, narrow));
  return stored ? Outcome::Next : Outcome::Fault;
}

bool protected_only(Cpu& cpu) {
  if (!cpu.state.real_or_v86()) return true;
  cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  return false;
}

/// The descriptor of an LDT or TSS, with its upper half in long mode.
bool system_descriptor(Cpu& cpu, u16 selector, u32 types, FailedCheck wrong_type, Descriptor& descriptor) {
  if ((selector & 4) != 0) return refuse(cpu, vector::general_protection, selector, FailedCheck::SelectorPastLimit);
  if (!require_descriptor(cpu, selector, vector::general_protection, descriptor)) return false;
  if (!descriptor.system() || (types >> descriptor.type() & 1) == 0) {
    return refuse(cpu, vector::general_protection, selector, wrong_type);
  }
  if (cpu.state.long_mode()) {
    const Lookup lookup = widen_descriptor(cpu, selector, descriptor);
    if (lookup == Lookup::Fault) return false;
    if (lookup == Lookup::PastLimit) return refuse(cpu, vector::general_protection, selector, wrong_type);
  }
  if (!descriptor.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  if (cpu.state.long_mode() && !canonical(descriptor.base())) {
    return refuse(cpu, vector::general_protection, selector, FailedCheck::NonCanonical);
  }
  return true;
}

template <SelectorIn S>
Outcome store_word(Cpu& cpu, const Operation& operation, u64 value) {
  if constexpr (S == SelectorIn::Memory) {
    return write_memory<Address::General>(cpu, operation, static_cast<u16>(value)) ? Outcome::Next : Outcome::Fault;
  }
  switch (operation.operand_size) {
    case 2:
      write_register<u16>(cpu, operation.first, static_cast<u16>(value));
      break;
    case 4:
      write_register<u32>(cpu, operation.first, static_cast<u32>(value));
      break;
    default:
      write_register<u64>(cpu, operation.first, value);
      break;
  }
  return Outcome::Next;
}

}  // namespace

Outcome load_gdt(Cpu& cpu, const Operation& operation) {
  return load_table(cpu, operation, cpu.state.gdtr, ProbedTable::Gdt);
}
Outcome load_idt(Cpu& cpu, const Operation& operation) {
  return load_table(cpu, operation, cpu.state.idtr, ProbedTable::Idt);
}
Outcome store_gdt(Cpu& cpu, const Operation& operation) { return store_table(cpu, operation, cpu.state.gdtr); }
Outcome store_idt(Cpu& cpu, const Operation& operation) { return store_table(cpu, operation, cpu.state.idtr); }

template <SelectorIn S>
Outcome load_local_table(Cpu& cpu, const Operation& operation) {
  u16 selector;
  if (!protected_only(cpu) || !privileged(cpu) || !read_selector<S>(cpu, operation, operation.first, selector)) {
    return Outcome::Fault;
  }
  if (null_selector(selector)) {
    cpu.state.ldtr.selector = selector;
    cpu.state.ldtr.usable = false;
    return Outcome::Next;
  }
  Descriptor descriptor;
  if (!system_descriptor(cpu, selector, 1u << system_type::ldt, FailedCheck::SegmentType, descriptor))
    return Outcome::Fault;
  cpu.state.ldtr = make_segment(selector, descriptor);
  return Outcome::Next;
}

template <SelectorIn S>
Outcome load_task_register(Cpu& cpu, const Operation& operation) {
  u16 selector;
  if (!protected_only(cpu) || !privileged(cpu) || !read_selector<S>(cpu, operation, operation.first, selector)) {
    return Outcome::Fault;
  }
  if (null_selector(selector)) return cpu.raise(vector::general_protection, 0, FailedCheck::SelectorNull);
  const u32 types =
      cpu.state.long_mode() ? 1u << system_type::tss32 : 1u << system_type::tss32 | 1u << system_type::tss16;
  Descriptor descriptor;
  if (!system_descriptor(cpu, selector, types, FailedCheck::TssBad, descriptor)) return Outcome::Fault;
  descriptor.raw |= u64{2} << 40;  // busy
  const u8 access_byte = static_cast<u8>(descriptor.raw >> 40);
  if (!cpu.write_system(descriptor.address + 5, &access_byte, 1)) return Outcome::Fault;
  cpu.state.tr = make_segment(selector, descriptor);
  if (cpu.probe != nullptr) tell_table_loaded(cpu, operation, ProbedTable::TaskRegister);
  return Outcome::Next;
}

template <SelectorIn S>
Outcome store_local_table(Cpu& cpu, const Operation& operation) {
  if (!protected_only(cpu) || !mode_prevention_allows(cpu)) return Outcome::Fault;
  return store_word<S>(cpu, operation, cpu.state.ldtr.selector);
}

template <SelectorIn S>
Outcome store_task_register(Cpu& cpu, const Operation& operation) {
  if (!protected_only(cpu) || !mode_prevention_allows(cpu)) return Outcome::Fault;
  return store_word<S>(cpu, operation, cpu.state.tr.selector);
}

template <SelectorIn S>
Outcome store_machine_status(Cpu& cpu, const Operation& operation) {
  if (!mode_prevention_allows(cpu)) return Outcome::Fault;
  return store_word<S>(cpu, operation, cpu.state.cr0);
}

template <SelectorIn S>
Outcome load_machine_status(Cpu& cpu, const Operation& operation) {
  u16 value;
  if (!privileged(cpu) || !read_selector<S>(cpu, operation, operation.first, value)) return Outcome::Fault;
  // PE can be set but not cleared; MP, EM and TS are written.
  const u64 low = (value & 0xF) | (cpu.state.cr0 & cr0_bit::pe);
  return set_cr0(cpu, (cpu.state.cr0 & ~u64{0xF}) | low) ? Outcome::Stop : Outcome::Fault;
}

template Outcome load_local_table<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome load_local_table<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome load_task_register<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome load_task_register<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome store_local_table<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome store_local_table<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome store_task_register<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome store_task_register<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome store_machine_status<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome store_machine_status<SelectorIn::Memory>(Cpu&, const Operation&);
template Outcome load_machine_status<SelectorIn::Register>(Cpu&, const Operation&);
template Outcome load_machine_status<SelectorIn::Memory>(Cpu&, const Operation&);

}  // namespace vitrine
