// Control and debug registers, caches and translations (SDM vol. 2, MOV CR, MOV DR; vol. 3A §2.5, §4.1, §9.8; vol. 3B
// §17.2).
#include "base/bits.hpp"
#include "machine/cpu/debug_status.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

constexpr u64 cr0_defined = cr0_bit::pe | cr0_bit::mp | cr0_bit::em | cr0_bit::ts | cr0_bit::et | cr0_bit::ne |
                            cr0_bit::wp | cr0_bit::am | cr0_bit::nw | cr0_bit::cd | cr0_bit::pg;
constexpr u64 cr4_defined = cr4_bit::vme | cr4_bit::pvi | cr4_bit::tsd | cr4_bit::de | cr4_bit::pse | cr4_bit::pae |
                            cr4_bit::mce | cr4_bit::pge | cr4_bit::pce | cr4_bit::osfxsr | cr4_bit::osxmmexcpt |
                            cr4_bit::umip | cr4_bit::fsgsbase | cr4_bit::osxsave | cr4_bit::smep | cr4_bit::smap;

bool refuse_value(Cpu& cpu, u64 value) {
  cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue, value);
  return false;
}

/// Is PAE paging (not 4-level) in use with these register values?
bool uses_directory_pointers(u64 cr0, u64 cr4, u64 efer) {
  return (cr0 & cr0_bit::pg) != 0 && (cr4 & cr4_bit::pae) != 0 && (efer & efer_bit::lme) == 0;
}

bool set_cr3(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  if (cpu.mode.is64() && (value >> physical_address_bits) != 0) return refuse_value(cpu, value);
  if (uses_directory_pointers(state.cr0, state.cr4, state.efer) && !load_page_directory_pointers(cpu, value)) {
    return refuse_value(cpu, value);
  }
  state.cr3 = value;
  cpu.flush_tlb_non_global();
  return true;
}

bool set_cr4(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  if ((value & ~cr4_defined) != 0) return refuse_value(cpu, value);
  if (state.long_mode() && (value & cr4_bit::pae) == 0) return refuse_value(cpu, value);
  const u64 changed = state.cr4 ^ value;
  constexpr u64 paging_bits = cr4_bit::pse | cr4_bit::pae | cr4_bit::pge | cr4_bit::smep | cr4_bit::smap;
  if ((changed & (cr4_bit::pae | cr4_bit::pge | cr4_bit::pse | cr4_bit::smep)) != 0 &&
      uses_directory_pointers(state.cr0, value, state.efer) && !load_page_directory_pointers(cpu, state.cr3)) {
    return refuse_value(cpu, value);
  }
  state.cr4 = value;
  if ((changed & paging_bits) != 0) cpu.flush_tlb();
  cpu.update_mode();
  return true;
}

/// A value as the instruction moves it: 64 bits in 64-bit mode, else 32.
u64 moved(const Cpu& cpu, RegisterByte number) {
  return cpu.mode.is64() ? read_register<u64>(cpu, number) : read_register<u32>(cpu, number);
}
void move_into(Cpu& cpu, RegisterByte number, u64 value) {
  if (cpu.mode.is64()) {
    write_register<u64>(cpu, number, value);
  } else {
    write_register<u32>(cpu, number, static_cast<u32>(value));
  }
}

/// DR4 and DR5 are DR6 and DR7 unless CR4.DE is set (SDM vol. 3B §17.2.2).
bool debug_register(Cpu& cpu, unsigned operand, unsigned& number) {
  number = operand;
  if (number > 7 || ((number == 4 || number == 5) && (cpu.state.cr4 & cr4_bit::de) != 0)) {
    cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
    return false;
  }
  if (number == 4 || number == 5) number += 2;
  if (!privileged(cpu)) return false;
  if (bit(cpu.state.dr[7], 13)) {  // GD: any access is a debug fault
    note_debug_reasons(cpu.state, u64{1} << 13);
    cpu.raise(vector::debug, FailedCheck::Privileged);
    return false;
  }
  return true;
}

}  // namespace

bool set_cr0(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  if ((value >> 32) != 0) return refuse_value(cpu, value);
  value = (value & cr0_defined) | cr0_bit::et;
  const bool pages = (value & cr0_bit::pg) != 0;
  if (pages && (value & cr0_bit::pe) == 0) return refuse_value(cpu, value);
  if ((value & cr0_bit::nw) != 0 && (value & cr0_bit::cd) == 0) return refuse_value(cpu, value);
  const u64 changed = state.cr0 ^ value;
  if ((changed & cr0_bit::pg) != 0 && (state.efer & efer_bit::lme) != 0) {
    // Into or out of IA-32e mode (SDM vol. 3A §9.8.5).
    if (pages && ((state.cr4 & cr4_bit::pae) == 0 || state.segments[cs].long_mode())) return refuse_value(cpu, value);
    if (!pages && cpu.mode.is64()) return refuse_value(cpu, value);
  }
  if ((changed & (cr0_bit::pg | cr0_bit::cd | cr0_bit::nw)) != 0 &&
      uses_directory_pointers(value, state.cr4, state.efer) && !load_page_directory_pointers(cpu, state.cr3)) {
    return refuse_value(cpu, value);
  }
  state.cr0 = value;
  if ((changed & cr0_bit::pg) != 0) {
    const bool long_mode = pages && (state.efer & efer_bit::lme) != 0;
    state.efer = long_mode ? state.efer | efer_bit::lma : state.efer & ~efer_bit::lma;
  }
  if ((changed & (cr0_bit::pg | cr0_bit::pe)) != 0) cpu.flush_tlb();
  if ((changed & value & cr0_bit::wp) != 0) cpu.write_protection_set();
  cpu.update_mode();
  return true;
}

Outcome read_control(Cpu& cpu, const Operation& operation) {
  if (!privileged(cpu)) return Outcome::Fault;
  const CpuState& state = cpu.state;
  switch (operation.second) {
    case 0:
      move_into(cpu, operation.first, state.cr0);
      break;
    case 2:
      move_into(cpu, operation.first, state.cr2);
      break;
    case 3:
      move_into(cpu, operation.first, state.cr3);
      break;
    case 4:
      move_into(cpu, operation.first, state.cr4);
      break;
    case 8:
      if (cpu.apic != nullptr) {
        cpu.sync(&operation);
        move_into(cpu, operation.first, cpu.apic->task_priority_class());
      } else {
        move_into(cpu, operation.first, state.cr8);
      }
      break;
    default:
      return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  }
  return Outcome::Next;
}

Outcome write_control(Cpu& cpu, const Operation& operation) {
  if (!privileged(cpu)) return Outcome::Fault;
  const u64 value = moved(cpu, operation.second);
  bool done = true;
  switch (operation.first) {
    case 0:
      done = set_cr0(cpu, value);
      break;
    case 2:
      cpu.state.cr2 = value;
      break;
    case 3:
      done = set_cr3(cpu, value);
      break;
    case 4:
      done = set_cr4(cpu, value);
      break;
    case 8:
      if (value > 15) return cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue, value);
      if (cpu.apic != nullptr) {
        cpu.sync(&operation);
        const Tick due = cpu.context.events.next_due();
        cpu.apic->set_task_priority_class(static_cast<u8>(value));
        cpu.local_apic_done(due);
      } else {
        cpu.state.cr8 = value;
      }
      break;
    default:
      return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  }
  return done ? Outcome::Stop : Outcome::Fault;
}

Outcome read_debug(Cpu& cpu, const Operation& operation) {
  unsigned number;
  if (!debug_register(cpu, operation.second, number)) return Outcome::Fault;
  move_into(cpu, operation.first, cpu.state.dr[number]);
  return Outcome::Next;
}

Outcome write_debug(Cpu& cpu, const Operation& operation) {
  unsigned number;
  if (!debug_register(cpu, operation.first, number)) return Outcome::Fault;
  u64 value = moved(cpu, operation.second);
  if (number >= 6) {
    if ((value >> 32) != 0) return cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue, value);
    // Fixed bits (SDM vol. 3B figure 17-1).
    value = number == 6 ? (value & 0xE00F) | 0xFFFF0FF0 : (value & 0xFFFF2BFF) | 0x400;
  }
  cpu.state.dr[number] = value;
  cpu.update_view();
  return Outcome::Stop;
}

Outcome clear_task_switched(Cpu& cpu, const Operation&) {
  if (!privileged(cpu)) return Outcome::Fault;
  cpu.state.cr0 &= ~cr0_bit::ts;
  return Outcome::Next;
}

Outcome invalidate_page(Cpu& cpu, const Operation& operation) {
  if (!privileged(cpu)) return Outcome::Fault;
  const u64 offset = effective_address<Address::General>(cpu, operation);
  const u64 base = cpu.mode.is64() && operation.segment < fs ? 0 : cpu.state.segments[operation.segment].base;
  u64 linear = base + offset;
  if (!cpu.mode.is64()) linear = static_cast<u32>(linear);
  if (canonical(linear)) cpu.flush_tlb_page(linear);
  return Outcome::Stop;
}

Outcome flush_caches(Cpu& cpu, const Operation&) { return privileged(cpu) ? Outcome::Next : Outcome::Fault; }

Outcome flush_line(Cpu& cpu, const Operation& operation) {
  // Like a read of one byte as far as faults go (SDM vol. 2, CLFLUSH).
  u64 linear;
  if (!operand_address<Address::General>(cpu, operation, 1, Access::Read, linear) ||
      !cpu.can_access(&operation, linear, 1, Access::Read)) {
    return Outcome::Fault;
  }
  return Outcome::Next;
}

Outcome get_extended_control(Cpu& cpu, const Operation&) {
  if ((cpu.state.cr4 & cr4_bit::osxsave) == 0) return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  if (static_cast<u32>(cpu.state.gpr[rcx]) != 0) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue);
  }
  cpu.state.gpr[rax] = static_cast<u32>(cpu.state.xcr0);
  cpu.state.gpr[rdx] = cpu.state.xcr0 >> 32;
  return Outcome::Next;
}

Outcome set_extended_control(Cpu& cpu, const Operation&) {
  if ((cpu.state.cr4 & cr4_bit::osxsave) == 0) return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  if (!privileged(cpu)) return Outcome::Fault;
  const u64 value = static_cast<u32>(cpu.state.gpr[rax]) | cpu.state.gpr[rdx] << 32;
  // XCR0: x87 must be set, SSE may be; nothing else is there.
  if (static_cast<u32>(cpu.state.gpr[rcx]) != 0 || (value & ~u64{3}) != 0 || (value & 1) == 0) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue, value);
  }
  cpu.state.xcr0 = value;
  return Outcome::Next;
}

}  // namespace vitrine
