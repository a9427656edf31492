// The floating-point units: who may use them, and how guest and host state go together.
//
// Manual: Intel SDM vol. 1 ch. 8, 10-12, vol. 3A §2.5 and ch. 13.
//
// An x86-64 host computes for the guest. While Cpu::run is active, the host's MXCSR holds the guest's rounding mode,
// DAZ and FTZ with every exception masked, and its sticky flags are flags that the guest has earned but that are not in
// state.fpu.mxcsr yet. The host's x87 control word holds the guest's rounding and precision control, everything masked.
// Code of ours that runs meanwhile uses no floating point but by asm statements made for it.
//
// Exceptions. SSE: with all of them masked, flags just accumulate in the host. If one is unmasked (Cpu::strict_fp),
// each operation starts with clear flags, and the guest's register is written only if none of the new flags is
// unmasked. x87: an operation that may raise an unmasked exception runs on the host with the guest's own masks; the
// host delivers nothing before its next waiting instruction, and by then the flags are read and cleared.
#pragma once

#include "machine/cpu/access.hpp"
#include "machine/cpu/decode.hpp"
#include "machine/cpu/fpu.hpp"

namespace vitrine {

// --- SSE ------------------------------------------------------------------------------------------------------------

namespace mxcsr_bit {
inline constexpr u32 flags = 0x3F, before_computation = 0x07, underflow = 0x10, daz = 0x40, masks = 0x1F80,
                     rounding = 0x6000, ftz = 0x8000, writable = 0xFFFF;
}

/// Brings state.fpu.mxcsr up to date (flags that the host has accumulated).
void collect_sse_flags(Cpu& cpu);
/// Replaces the guest's MXCSR; the caller has checked the reserved bits.
void load_mxcsr(Cpu& cpu, u32 value);

/// May an SSE instruction run? (SDM vol. 3A table 13-1; §2.5)
VITRINE_INLINE bool sse_usable(const Cpu& cpu) {
  return (cpu.state.cr0 & (cr0_bit::em | cr0_bit::ts)) == 0 && (cpu.state.cr4 & cr4_bit::osfxsr) != 0;
}
/// #UD or #NM: why sse_usable() said no.
[[gnu::cold]] void raise_sse_refusal(Cpu& cpu);
// The outcomes are constants here, so that handlers don't look at them twice.
VITRINE_INLINE Outcome refuse_sse(Cpu& cpu) {
  raise_sse_refusal(cpu);
  return Outcome::Fault;
}

// --- MMX and x87 -----------------------------------------------------------------------------------------------------

namespace x87_bit {
inline constexpr u16 invalid = 1, denormal = 2, zero_divide = 4, overflow = 8, underflow = 16, precision = 32,
                     stack_fault = 64, summary = 128, flags = 0x3F, busy = 0x8000, c0 = 0x100, c1 = 0x200, c2 = 0x400,
                     c3 = 0x4000, conditions = c0 | c1 | c2 | c3;
}

/// May an MMX instruction run, and is no x87 exception waiting?
VITRINE_INLINE bool mmx_usable(const Cpu& cpu) {
  return (cpu.state.cr0 & (cr0_bit::em | cr0_bit::ts)) == 0 && (cpu.state.fpu.status & x87_bit::summary) == 0;
}
/// #UD, #NM, #MF, or the wait for the interrupt that FERR# asks for.
enum class Waiting : u8 { Raised, RunsAgain };
[[gnu::cold]] Waiting raise_mmx_refusal(Cpu& cpu, const Operation& operation);
VITRINE_INLINE Outcome refuse_mmx(Cpu& cpu, const Operation& operation) {
  return raise_mmx_refusal(cpu, operation) == Waiting::Raised ? Outcome::Fault : Outcome::JumpStop;
}

/// May a waiting x87 instruction run?
VITRINE_INLINE bool x87_usable(const Cpu& cpu) { return mmx_usable(cpu); }
[[gnu::cold]] Waiting raise_x87_refusal(Cpu& cpu, const Operation& operation);
VITRINE_INLINE Outcome refuse_x87(Cpu& cpu, const Operation& operation) {
  return raise_x87_refusal(cpu, operation) == Waiting::Raised ? Outcome::Fault : Outcome::JumpStop;
}
/// An x87 exception is pending and a waiting instruction has come.
[[gnu::cold]] Waiting report_x87(Cpu& cpu, const Operation& operation);

/// Any MMX instruction but EMMS makes all registers valid and TOP 0 (SDM vol. 1 §9.5.1).
VITRINE_INLINE void enter_mmx(Cpu& cpu) {
  cpu.state.fpu.top = 0;
  cpu.state.fpu.valid = 0xFF;
}
VITRINE_INLINE u64 read_mm(const Cpu& cpu, u8 number) { return cpu.state.fpu.registers[number & 7].mantissa; }
VITRINE_INLINE void write_mm(Cpu& cpu, u8 number, u64 value) {
  FpuState::Register& target = cpu.state.fpu.registers[number & 7];
  target.mantissa = value;
  target.sign_exponent = 0xFFFF;
}

/// Status word as the guest reads it, TOP included.
VITRINE_INLINE u16 x87_status(const Cpu& cpu) {
  return static_cast<u16>(cpu.state.fpu.status | cpu.state.fpu.top << 11);
}
/// After control or status word were written: ES and B, FERR#, the host's control word and flags.
void x87_controls_changed(Cpu& cpu);
/// FNINIT's state (registers keep their contents).
void x87_initialise(Cpu& cpu);
/// The control word with which the host computes while everything is masked.
VITRINE_INLINE u16 host_x87_control(u16 guest) {
  // Precision control 01 is reserved: it works as 11 here. unverified: what hardware makes of it.
  const u16 precision = (guest & 0x300) == 0x100 ? 0x300 : guest & 0x300;
  return static_cast<u16>(0x7F | precision | (guest & 0xC00));
}

/// FXSAVE, XSAVE, FSAVE, FLDENV, FLDCW and their like, LDMXCSR, STMXCSR, EMMS.
Selection select_fpu_state(const Decoded& decoded, Operation& operation);

}  // namespace vitrine
