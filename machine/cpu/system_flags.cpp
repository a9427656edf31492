// CLI, STI, PUSHF, POPF, HLT, STAC, CLAC (SDM vol. 2; virtual-8086 and protected-mode virtual interrupts: vol. 3B
// §20.3, §20.4).
//
// Kernels run these all the time: the usual case of each is a few instructions, whatever is rare stands apart.
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// CLI and STI without the right to IF: with VME (virtual-8086) or PVI (privilege 3) they change VIF.
bool has_virtual_flag(const Cpu& cpu) {
  if (cpu.state.v86()) return (cpu.state.cr4 & cr4_bit::vme) != 0;
  return (cpu.state.cr4 & cr4_bit::pvi) != 0 && cpu.cpl == 3;
}

[[gnu::noinline]] Outcome change_virtual_flag(Cpu& cpu, bool set) {
  if (!has_virtual_flag(cpu) || (set && cpu.state.has(flag::virtual_interrupt_pending))) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  }
  cpu.state.other_flags =
      set ? cpu.state.other_flags | flag::virtual_interrupt : cpu.state.other_flags & ~flag::virtual_interrupt;
  return Outcome::Next;
}

/// After IF was set at the end of `operation`: must the run loop look?
bool must_look(const Cpu& cpu) { return cpu.attention() || cpu.stepping(); }

/// The bits of FLAGS that POPF may change here; status flags and DF, TF, NT, AC, ID always.
constexpr u32 always_popped =
    flag::status | flag::trap | flag::direction | flag::nested_task | flag::alignment_check | flag::identification;

/// POPF in virtual-8086 mode with IOPL < 3 and VME: IF goes to VIF.
Outcome pop_virtual_flags(Cpu& cpu, const Operation& operation) {
  u16 image;
  if (!read_stack(cpu, operation, 0, image)) return Outcome::Fault;
  CpuState& state = cpu.state;
  if ((image & flag::trap) != 0 || ((image & flag::interrupt) != 0 && state.has(flag::virtual_interrupt_pending))) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  }
  set_stack_pointer(cpu, state.gpr[rsp] + 2);
  const u32 changed = always_popped & 0xFFFF;
  u32 flags = (state.flags() & ~changed) | (image & changed);
  flags = (image & flag::interrupt) != 0 ? flags | flag::virtual_interrupt : flags & ~flag::virtual_interrupt;
  state.set_flags(flags & ~flag::resume);
  return cpu.stepping() ? Outcome::Stop : Outcome::Next;
}

}  // namespace

Outcome clear_interrupt_flag(Cpu& cpu, const Operation& operation) {
  if (cpu.cpl > cpu.state.iopl()) [[unlikely]]
    return change_virtual_flag(cpu, false);
  if (!cpu.state.has(flag::interrupt)) return Outcome::Next;
  cpu.sync(&operation);
  cpu.state.other_flags &= ~flag::interrupt;
  cpu.interrupt_flag_changed(true, cpu.rip_of(operation));
  return Outcome::Next;
}

Outcome set_interrupt_flag(Cpu& cpu, const Operation& operation) {
  if (cpu.cpl > cpu.state.iopl()) [[unlikely]]
    return change_virtual_flag(cpu, true);
  if (cpu.state.has(flag::interrupt)) return Outcome::Next;
  cpu.sync(&operation);
  cpu.state.other_flags |= flag::interrupt;
  cpu.interrupt_flag_changed(false, cpu.rip_of(operation));
  // The shadow holds at one boundary: the one behind this instruction. An interrupt that comes later finds it gone.
  cpu.state.shadow_at = cpu.state.instructions + 1;
  if (!must_look(cpu)) return Outcome::Next;
  cpu.state.interrupt_shadow = true;
  return Outcome::Stop;
}

template <class T>
Outcome push_flags(Cpu& cpu, const Operation& operation) {
  u32 image = cpu.state.flags() & ~(flag::virtual_8086 | flag::resume);
  if (cpu.state.v86() && cpu.state.iopl() < 3) [[unlikely]] {
    if (sizeof(T) != 2 || (cpu.state.cr4 & cr4_bit::vme) == 0) {
      return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
    }
    image = (image & ~flag::interrupt) | flag::iopl | (cpu.state.has(flag::virtual_interrupt) ? flag::interrupt : 0);
  }
  return push<T>(cpu, operation, static_cast<T>(image)) ? Outcome::Next : Outcome::Fault;
}

template <class T>
Outcome pop_flags(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  if (state.v86() && state.iopl() < 3) [[unlikely]] {
    if (sizeof(T) == 2 && (state.cr4 & cr4_bit::vme) != 0) return pop_virtual_flags(cpu, operation);
    return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  }
  T wide;
  if (!pop(cpu, operation, wide)) return Outcome::Fault;
  const auto image = static_cast<u32>(wide);
  u32 writable = always_popped;
  if (cpu.cpl <= state.iopl()) writable |= flag::interrupt;
  if (cpu.cpl == 0) writable |= flag::iopl;
  if (sizeof(T) == 2) writable &= 0xFFFF;
  const u32 old = state.flags();
  state.set_flags(((old & ~writable) | (image & writable)) & ~flag::resume);
  const u32 changed = (old ^ state.other_flags) & (flag::interrupt | flag::trap | flag::alignment_check);
  if (changed == 0) return Outcome::Next;
  if ((changed & flag::alignment_check) != 0) cpu.update_view();
  if ((changed & flag::interrupt) != 0) {
    cpu.sync(&operation);
    cpu.interrupt_flag_changed((old & flag::interrupt) != 0, cpu.rip_of(operation));
    if (state.has(flag::interrupt) && must_look(cpu)) return Outcome::Stop;
  }
  return (changed & flag::trap) != 0 ? Outcome::Stop : Outcome::Next;
}

template Outcome push_flags<u16>(Cpu&, const Operation&);
template Outcome push_flags<u32>(Cpu&, const Operation&);
template Outcome push_flags<u64>(Cpu&, const Operation&);
template Outcome pop_flags<u16>(Cpu&, const Operation&);
template Outcome pop_flags<u32>(Cpu&, const Operation&);
template Outcome pop_flags<u64>(Cpu&, const Operation&);

Outcome pause(Cpu& cpu, const Operation&) {
  if (cpu.group.count == 1) return Outcome::Next;
  cpu.yielded = true;
  return Outcome::Stop;
}

Outcome halt(Cpu& cpu, const Operation& operation) {
  if (!privileged(cpu)) return Outcome::Fault;
  cpu.sync(&operation);
  cpu.state.halted = true;
  cpu.state.halted_since = cpu.context.clock.now().value;
  cpu.context.ledger.append({.address = cpu.rip_of(operation),
                             .kind = RecordKind::Halted,
                             .detail = static_cast<u8>(cpu.state.has(flag::interrupt) ? 1 : 0),
                             .source = cpu.context.source.value,
                             .privilege = cpu.cpl});
  if (cpu.probe != nullptr) {
    const bool behind_sti = cpu.state.shadow_at == cpu.state.instructions;
    cpu.probe->halted(cpu, cpu.rip_of(operation), behind_sti ? CpuProbe::HaltShadow::Sti : CpuProbe::HaltShadow::None);
  }
  return Outcome::Stop;
}

namespace {
Outcome change_user_page_access(Cpu& cpu, bool set) {
  if (cpu.cpl != 0) return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);  // CR4.SMAP plays no part
  cpu.state.other_flags =
      set ? cpu.state.other_flags | flag::alignment_check : cpu.state.other_flags & ~flag::alignment_check;
  cpu.update_view();
  return Outcome::Next;
}
}  // namespace

Outcome set_user_page_access(Cpu& cpu, const Operation&) { return change_user_page_access(cpu, true); }
Outcome clear_user_page_access(Cpu& cpu, const Operation&) { return change_user_page_access(cpu, false); }

}  // namespace vitrine
