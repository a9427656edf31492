// SYSENTER, SYSEXIT, SYSCALL, SYSRET, SWAPGS and the FS and GS bases (SDM vol. 2; vol. 3A §5.8.7, §5.8.8).
//
// SYSCALL exists in 64-bit mode only, as on every CPU that calls itself GenuineIntel.
#include <utility>

#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

Segment flat_code(u16 selector, u8 privilege, bool long_mode) {
  const u32 attributes = (long_mode ? 0xA09Bu : 0xC09Bu) | privilege << 5;
  return {
      .selector = selector, .base = 0, .limit = 0xFFFFFFFF, .attributes = static_cast<u16>(attributes), .usable = true};
}
Segment flat_stack(u16 selector, u8 privilege) {
  const u32 attributes = 0xC093u | privilege << 5;
  return {
      .selector = selector, .base = 0, .limit = 0xFFFFFFFF, .attributes = static_cast<u16>(attributes), .usable = true};
}

using Crossing = void (CpuProbe::*)(const Cpu&, u64);

/// The last step: the new code and stack. `crossing`: what the probe is told.
void enter(Cpu& cpu, const Operation& operation, const Segment& code, const Segment& stack, u64 target,
           Crossing crossing) {
  const u64 address = cpu.rip_of(operation);
  if (cpu.probe != nullptr) cpu.sync(&operation);
  cpu.state.segments[cs] = code;
  cpu.state.segments[ss] = stack;
  cpu.state.rip = target;
  cpu.update_mode();
  if (cpu.probe != nullptr) (cpu.probe->*crossing)(cpu, address);
}

Outcome protection(Cpu& cpu, FailedCheck check) { return cpu.raise(vector::general_protection, 0, check); }

/// The clock is needed only when IF changes.
void flag_changed(Cpu& cpu, const Operation& operation, bool was_set, u64 address) {
  if (cpu.state.has(flag::interrupt) == was_set) return;
  cpu.sync(&operation);
  cpu.interrupt_flag_changed(was_set, address);
}

}  // namespace

Outcome sysenter(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  if (!state.protected_mode()) return protection(cpu, FailedCheck::Undefined);
  const u16 selector = static_cast<u16>(state.sysenter_cs & 0xFFFC);
  if (selector == 0) return protection(cpu, FailedCheck::SelectorNull);
  const u64 address = cpu.rip_of(operation);
  const bool was_set = state.has(flag::interrupt);
  state.other_flags &= ~(flag::interrupt | flag::virtual_8086 | flag::resume);
  flag_changed(cpu, operation, was_set, address);
  const bool wide = state.long_mode();
  state.gpr[rsp] = wide ? state.sysenter_esp : static_cast<u32>(state.sysenter_esp);
  enter(cpu, operation, flat_code(selector, 0, wide), flat_stack(static_cast<u16>(selector + 8), 0),
        wide ? state.sysenter_eip : static_cast<u32>(state.sysenter_eip), &CpuProbe::entered_kernel);
  return Outcome::JumpStop;
}

Outcome sysexit(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  const u16 selector = static_cast<u16>(state.sysenter_cs & 0xFFFC);
  if (!state.protected_mode() || cpu.cpl != 0) return protection(cpu, FailedCheck::Privileged);
  if (selector == 0) return protection(cpu, FailedCheck::SelectorNull);
  const bool wide = operation.operand_size == 8;
  if (wide && (!canonical(state.gpr[rdx]) || !canonical(state.gpr[rcx])))
    return protection(cpu, FailedCheck::NonCanonical);
  const u64 target = wide ? state.gpr[rdx] : static_cast<u32>(state.gpr[rdx]);
  state.gpr[rsp] = wide ? state.gpr[rcx] : static_cast<u32>(state.gpr[rcx]);
  const u16 offset = wide ? 32 : 16;
  enter(cpu, operation, flat_code(static_cast<u16>((selector + offset) | 3), 3, wide),
        flat_stack(static_cast<u16>((selector + offset + 8) | 3), 3), target, &CpuProbe::left_kernel);
  return Outcome::JumpStop;
}

Outcome syscall(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  if ((state.efer & efer_bit::sce) == 0 || !cpu.mode.is64())
    return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  const u64 address = cpu.rip_of(operation);
  state.gpr[rcx] = following_rip(cpu, operation);
  state.gpr[r11] = state.flags() & ~flag::resume;
  const bool was_set = state.has(flag::interrupt);
  const u32 masked = static_cast<u32>(state.syscall_mask) | flag::resume;
  state.set_flags(state.flags() & ~masked);
  flag_changed(cpu, operation, was_set, address);
  const u16 selector = static_cast<u16>(state.star >> 32 & 0xFFFC);
  enter(cpu, operation, flat_code(selector, 0, true), flat_stack(static_cast<u16>(selector + 8), 0), state.lstar,
        &CpuProbe::entered_kernel);
  return cpu.stepping() || cpu.attention() ? Outcome::JumpStop : Outcome::Jump;
}

Outcome sysret(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  if ((state.efer & efer_bit::sce) == 0 || !cpu.mode.is64())
    return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  if (cpu.cpl != 0) return protection(cpu, FailedCheck::Privileged);
  const bool wide = operation.operand_size == 8;
  if (wide && !canonical(state.gpr[rcx])) return protection(cpu, FailedCheck::NonCanonical);
  const u64 address = cpu.rip_of(operation);
  const bool was_set = state.has(flag::interrupt);
  state.set_flags(static_cast<u32>(state.gpr[r11]) & 0x3C7FD7 & ~(flag::resume | flag::virtual_8086));
  flag_changed(cpu, operation, was_set, address);
  const auto base = static_cast<u16>(state.star >> 48);
  const auto selector = static_cast<u16>((wide ? base + 16 : base) | 3);
  enter(cpu, operation, flat_code(selector, 3, wide), flat_stack(static_cast<u16>((base + 8) | 3), 3),
        wide ? state.gpr[rcx] : static_cast<u32>(state.gpr[rcx]), &CpuProbe::left_kernel);
  return cpu.stepping() || cpu.attention() ? Outcome::JumpStop : Outcome::Jump;
}

Outcome swap_gs(Cpu& cpu, const Operation& operation) {
  if (!cpu.mode.is64()) return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  if (!privileged(cpu)) return Outcome::Fault;
  std::swap(cpu.state.segments[gs].base, cpu.state.kernel_gs_base);
  if (cpu.probe != nullptr) tell_gs_changed(cpu, operation, CpuProbe::GsChange::Swapped);
  return Outcome::Next;
}

namespace {
bool base_access_allowed(Cpu& cpu) {
  if (cpu.mode.is64() && (cpu.state.cr4 & cr4_bit::fsgsbase) != 0) return true;
  cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  return false;
}
}  // namespace

template <BaseOf B>
Outcome read_base(Cpu& cpu, const Operation& operation) {
  if (!base_access_allowed(cpu)) return Outcome::Fault;
  const u64 base = cpu.state.segments[static_cast<u8>(B)].base;
  write_register<u64>(cpu, operation.first, operation.operand_size == 8 ? base : static_cast<u32>(base));
  return Outcome::Next;
}

template <BaseOf B>
Outcome write_base(Cpu& cpu, const Operation& operation) {
  if (!base_access_allowed(cpu)) return Outcome::Fault;
  const u64 value =
      operation.operand_size == 8 ? read_register<u64>(cpu, operation.first) : read_register<u32>(cpu, operation.first);
  if (!canonical(value)) return cpu.raise(vector::general_protection, 0, FailedCheck::NonCanonical, value);
  cpu.state.segments[static_cast<u8>(B)].base = value;
  if (B == BaseOf::Gs && cpu.probe != nullptr && cpu.cpl == 0) {
    tell_gs_changed(cpu, operation, CpuProbe::GsChange::BaseWritten);
  }
  return Outcome::Next;
}

template Outcome read_base<BaseOf::Fs>(Cpu&, const Operation&);
template Outcome read_base<BaseOf::Gs>(Cpu&, const Operation&);
template Outcome write_base<BaseOf::Fs>(Cpu&, const Operation&);
template Outcome write_base<BaseOf::Gs>(Cpu&, const Operation&);

}  // namespace vitrine
