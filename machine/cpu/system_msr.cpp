// RDMSR, WRMSR, the time-stamp counter, RDRAND and RDSEED (SDM vol. 2; registers: vol. 4 §2.1).
#include "base/bits.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/misc_enable.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

namespace msr {
constexpr u32 time_stamp = 0x10, platform_id = 0x17, feature_control = 0x3A, apic_base = 0x1B, tsc_adjust = 0x3B,
              bios_sign_id = 0x8B, mtrr_cap = 0xFE, sysenter_cs = 0x174, sysenter_esp = 0x175, sysenter_eip = 0x176,
              misc_enable = 0x1A0, mtrr_variable_first = 0x200, mtrr_variable_last = 0x20F, mtrr_fix_64k = 0x250,
              mtrr_fix_16k_first = 0x258, mtrr_fix_16k_last = 0x259, mtrr_fix_4k_first = 0x268,
              mtrr_fix_4k_last = 0x26F, pat = 0x277, mtrr_default = 0x2FF, efer = 0xC0000080, star = 0xC0000081,
              lstar = 0xC0000082, cstar = 0xC0000083, syscall_mask = 0xC0000084, fs_base = 0xC0000100,
              gs_base = 0xC0000101, kernel_gs_base = 0xC0000102, tsc_aux = 0xC0000103;
}

/// Eight variable ranges, fixed ranges, write combining (SDM vol. 3A §11.11.1).
constexpr u64 mtrr_capabilities = 8 | 1u << 8 | 1u << 10;
/// Microcode revision, in the upper half of IA32_BIOS_SIGN_ID: recent enough for every erratum that kernels know of.
constexpr u64 microcode_revision = u64{0x219} << 32;
constexpr u64 misc_enable_writable =
    1 | 1u << 3 | 1u << 16 | 1u << 18 | 1u << 22 | 1u << 23 | misc_enable_bit::no_execute_disable;

enum class Refusal : u8 { None, Unknown, Value };

u64 time_stamp(const Cpu& cpu) { return cpu.context.clock.now().value + cpu.state.tsc_offset; }

int fixed_range_index(u32 number) {
  if (number == msr::mtrr_fix_64k) return 0;
  if (number >= msr::mtrr_fix_16k_first && number <= msr::mtrr_fix_16k_last)
    return static_cast<int>(1 + number - msr::mtrr_fix_16k_first);
  if (number >= msr::mtrr_fix_4k_first && number <= msr::mtrr_fix_4k_last)
    return static_cast<int>(3 + number - msr::mtrr_fix_4k_first);
  return -1;
}

/// Memory types 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, and 7 UC- in the PAT (SDM vol. 3A table 11-10).
bool memory_types_valid(u64 value, bool page_attributes) {
  for (unsigned i = 0; i < 8; ++i) {
    const u64 type = value >> (8 * i) & 0xFF;
    if (type > 7 || type == 2 || type == 3 || (type == 7 && !page_attributes)) return false;
  }
  return true;
}

bool read_register_of_model(const Cpu& cpu, u32 number, u64& value) {
  const CpuState& state = cpu.state;
  if (cpu.apic != nullptr && cpu.performance.read(number, cpu.progress(), value) == PerformanceMonitor::Answer::Done) {
    return true;
  }
  if (cpu.machine_checks.read(number, value) == MachineCheck::Answer::Done) return true;
  if (const int index = fixed_range_index(number); index >= 0) {
    value = state.mtrr_fixed[static_cast<unsigned>(index)];
    return true;
  }
  if (number >= msr::mtrr_variable_first && number <= msr::mtrr_variable_last) {
    value = state.mtrr_variable[number - msr::mtrr_variable_first];
    return true;
  }
  switch (number) {
    case msr::time_stamp:
      value = time_stamp(cpu);
      return true;
    case msr::platform_id:
      value = 0;
      return true;
    case msr::feature_control:
      value = 1;
      return true;  // locked, VMX off
    case msr::tsc_adjust:
      value = state.tsc_adjust;
      return true;
    case msr::bios_sign_id:
      value = microcode_revision;
      return true;
    case msr::mtrr_cap:
      value = mtrr_capabilities;
      return true;
    case msr::sysenter_cs:
      value = state.sysenter_cs;
      return true;
    case msr::sysenter_esp:
      value = state.sysenter_esp;
      return true;
    case msr::sysenter_eip:
      value = state.sysenter_eip;
      return true;
    case msr::misc_enable:
      value = state.misc_enable | (cpu.apic != nullptr ? misc_enable_bit::performance_monitor : 0);
      return true;
    case msr::pat:
      value = state.pat;
      return true;
    case msr::mtrr_default:
      value = state.mtrr_default;
      return true;
    case msr::efer:
      value = state.efer;
      return true;
    case msr::star:
      value = state.star;
      return true;
    case msr::lstar:
      value = state.lstar;
      return true;
    case msr::cstar:
      value = state.cstar;
      return true;
    case msr::syscall_mask:
      value = state.syscall_mask;
      return true;
    case msr::fs_base:
      value = state.segments[fs].base;
      return true;
    case msr::gs_base:
      value = state.segments[gs].base;
      return true;
    case msr::kernel_gs_base:
      value = state.kernel_gs_base;
      return true;
    case msr::tsc_aux:
      value = state.tsc_aux;
      return true;
    default:
      return false;
  }
}

/// An address register: refuses what is not canonical.
Refusal write_address(u64& into, u64 value) {
  if (!canonical(value)) return Refusal::Value;
  into = value;
  return Refusal::None;
}

Refusal write_efer(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  constexpr u64 writable = efer_bit::sce | efer_bit::lme | efer_bit::nxe;
  if ((value & ~(writable | efer_bit::lma)) != 0) return Refusal::Value;
  if (((value ^ state.efer) & efer_bit::lme) != 0 && state.paging()) return Refusal::Value;
  if ((value & efer_bit::nxe) != 0 && (state.misc_enable & misc_enable_bit::no_execute_disable) != 0)
    return Refusal::Value;
  const bool nx_changes = ((value ^ state.efer) & efer_bit::nxe) != 0;
  state.efer = (value & writable) | (state.efer & efer_bit::lma);
  if (nx_changes) cpu.flush_tlb();
  return Refusal::None;
}

/// A write of either register moves both (SDM vol. 3B §17.17.3).
void move_time_stamp(Cpu& cpu, u64 by) {
  cpu.state.tsc_offset += by;
  cpu.state.tsc_adjust += by;
  if (cpu.apic != nullptr) cpu.apic->tsc_offset_changed(cpu.state.tsc_offset);
}

template <class Answer>
Refusal refusal_of(Answer answer) {
  return answer == Answer::Done ? Refusal::None : answer == Answer::Refused ? Refusal::Value : Refusal::Unknown;
}

/// A new setting of a counter: the run loop asks again when the next one runs over.
Refusal write_performance(Cpu& cpu, u32 number, u64 value) {
  if (cpu.apic == nullptr || !PerformanceMonitor::owns(number)) return Refusal::Unknown;
  cpu.count_performance();
  const Refusal refusal = refusal_of(cpu.performance.write(number, value));
  if (refusal == Refusal::None) cpu.device_accessed = true;
  return refusal;
}

Refusal write_register_of_model(Cpu& cpu, u32 number, u64 value) {
  CpuState& state = cpu.state;
  if (const Refusal refusal = write_performance(cpu, number, value); refusal != Refusal::Unknown) return refusal;
  if (const Refusal refusal = refusal_of(cpu.machine_checks.write(number, value)); refusal != Refusal::Unknown) {
    return refusal;
  }
  if (const int index = fixed_range_index(number); index >= 0) {
    if (!memory_types_valid(value, false)) return Refusal::Value;
    state.mtrr_fixed[static_cast<unsigned>(index)] = value;
    return Refusal::None;
  }
  if (number >= msr::mtrr_variable_first && number <= msr::mtrr_variable_last) {
    if ((value >> physical_address_bits) != 0) return Refusal::Value;
    state.mtrr_variable[number - msr::mtrr_variable_first] = value;
    return Refusal::None;
  }
  switch (number) {
    case msr::time_stamp:
      move_time_stamp(cpu, value - time_stamp(cpu));
      return Refusal::None;
    case msr::tsc_adjust:
      move_time_stamp(cpu, value - state.tsc_adjust);
      return Refusal::None;
    case msr::bios_sign_id:
      return Refusal::None;  // written with 0 before CPUID and a read (SDM vol. 3A §9.11.7.1)
    case msr::sysenter_cs:
      state.sysenter_cs = static_cast<u32>(value);
      return Refusal::None;
    case msr::sysenter_esp:
      return write_address(state.sysenter_esp, value);
    case msr::sysenter_eip:
      return write_address(state.sysenter_eip, value);
    case msr::misc_enable:
      state.misc_enable = (state.misc_enable & ~misc_enable_writable) | (value & misc_enable_writable);
      return Refusal::None;
    case msr::pat:
      if (!memory_types_valid(value, true)) return Refusal::Value;
      state.pat = value;
      return Refusal::None;
    case msr::mtrr_default:
      if ((value & ~u64{0xCFF}) != 0 || !memory_types_valid(value & 0xFF, false)) return Refusal::Value;
      state.mtrr_default = value;
      return Refusal::None;
    case msr::efer:
      return write_efer(cpu, value);
    case msr::star:
      state.star = value;
      return Refusal::None;
    case msr::lstar:
      return write_address(state.lstar, value);
    case msr::cstar:
      return write_address(state.cstar, value);
    case msr::syscall_mask:
      state.syscall_mask = static_cast<u32>(value);
      return Refusal::None;
    case msr::fs_base:
      return write_address(state.segments[fs].base, value);
    case msr::gs_base:
      return write_address(state.segments[gs].base, value);
    case msr::kernel_gs_base:
      return write_address(state.kernel_gs_base, value);
    case msr::tsc_aux:
      if ((value >> 32) != 0) return Refusal::Value;
      state.tsc_aux = value;
      return Refusal::None;
    default:
      return Refusal::Unknown;
  }
}

void write_pair(Cpu& cpu, u64 value) {
  cpu.state.gpr[rax] = static_cast<u32>(value);
  cpu.state.gpr[rdx] = value >> 32;
}

bool time_stamp_allowed(Cpu& cpu) {
  if (cpu.cpl == 0 || (cpu.state.cr4 & cr4_bit::tsd) == 0) return true;
  cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  return false;
}

void tell_gs_write(Cpu& cpu, const Operation& operation) {
  const auto number = static_cast<u32>(cpu.state.gpr[rcx]);
  if (number == msr::gs_base) tell_gs_changed(cpu, operation, CpuProbe::GsChange::BaseWritten);
  if (number == msr::kernel_gs_base) tell_gs_changed(cpu, operation, CpuProbe::GsChange::KernelBaseWritten);
}

}  // namespace

Outcome read_msr(Cpu& cpu, const Operation& operation) {
  if (!privileged(cpu)) return Outcome::Fault;
  cpu.sync(&operation);
  u64 value = 0;
  const auto number = static_cast<u32>(cpu.state.gpr[rcx]);
  const bool had_attention = cpu.attention();
  const auto local = cpu.apic != nullptr ? cpu.apic->read_msr(number, value) : LocalInterrupts::MsrResult::NotMine;
  if (local == LocalInterrupts::MsrResult::Refused ||
      (local == LocalInterrupts::MsrResult::NotMine && !read_register_of_model(cpu, number, value))) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Undefined);
  }
  write_pair(cpu, value);
  // A reading of the core's temperature may raise the APIC's thermal interrupt.
  if (cpu.attention() != had_attention || cpu.pending_init) return Outcome::Stop;
  return Outcome::Next;
}

Outcome write_msr(Cpu& cpu, const Operation& operation) {
  if (!privileged(cpu)) return Outcome::Fault;
  cpu.sync(&operation);
  const u64 value = static_cast<u32>(cpu.state.gpr[rax]) | cpu.state.gpr[rdx] << 32;
  const auto number = static_cast<u32>(cpu.state.gpr[rcx]);
  const Tick due = cpu.context.events.next_due();
  switch (cpu.apic != nullptr ? cpu.apic->write_msr(number, value) : LocalInterrupts::MsrResult::NotMine) {
    case LocalInterrupts::MsrResult::Done:
      cpu.local_apic_done(due);
      if (number == msr::apic_base) cpu.flush_tlb();  // another page may be the APIC's now
      return Outcome::Stop;
    case LocalInterrupts::MsrResult::Refused:
      return cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue, value);
    case LocalInterrupts::MsrResult::NotMine:
      break;
  }
  switch (write_register_of_model(cpu, number, value)) {
    case Refusal::None:
      cpu.local_apic_done(due);  // the TSC has a deadline
      if (cpu.probe != nullptr) tell_gs_write(cpu, operation);
      return Outcome::Stop;
    case Refusal::Unknown:
      return cpu.raise(vector::general_protection, 0, FailedCheck::Undefined);
    case Refusal::Value:
      return cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue, value);
  }
  return Outcome::Next;
}

Outcome read_time_stamp(Cpu& cpu, const Operation& operation) {
  if (!time_stamp_allowed(cpu)) return Outcome::Fault;
  cpu.sync(&operation);
  write_pair(cpu, time_stamp(cpu));
  return Outcome::Next;
}

Outcome read_time_stamp_and_processor(Cpu& cpu, const Operation& operation) {
  if (read_time_stamp(cpu, operation) == Outcome::Fault) return Outcome::Fault;
  cpu.state.gpr[rcx] = static_cast<u32>(cpu.state.tsc_aux);
  return Outcome::Next;
}

Outcome read_performance_counter(Cpu& cpu, const Operation& operation) {
  if (cpu.cpl != 0 && cpu.state.protected_mode() && (cpu.state.cr4 & cr4_bit::pce) == 0) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  }
  cpu.sync(&operation);
  u64 value = 0;
  const auto index = static_cast<u32>(cpu.state.gpr[rcx]);
  if (cpu.apic == nullptr || !cpu.performance.read_counter(index, cpu.progress(), value)) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Undefined);
  }
  write_pair(cpu, value);
  return Outcome::Next;
}

template <class T>
Outcome random_number(Cpu& cpu, const Operation& operation) {
  // SplitMix64 (Steele, Lea, Flood 2014): any seed is as good as any other, 0 included.
  cpu.state.random += 0x9E3779B97F4A7C15;
  u64 value = cpu.state.random;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  write_register<T>(cpu, operation.first, static_cast<T>(value ^ value >> 31));
  cpu.state.set_status_flags(flag::carry);
  return Outcome::Next;
}

template Outcome random_number<u16>(Cpu&, const Operation&);
template Outcome random_number<u32>(Cpu&, const Operation&);
template Outcome random_number<u64>(Cpu&, const Operation&);

}  // namespace vitrine
