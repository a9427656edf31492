// How x87 instructions run: registers, stack faults, exceptions, and the host's FPU at work.
//
// Manual: Intel SDM vol. 1 ch. 8. Each operation loads its operands into the host's FPU, which has the guest's rounding
// and precision, runs the very instruction, reads the status word and stores 80 bits. While all exceptions are masked
// the host's sticky flags are the guest's. While one is unmasked, the operation runs between FNCLEX and FNCLEX with the
// guest's own control word: the host then does what hardware does with an unmasked exception (a scaled result, or
// none).
#pragma once

#include <utility>

#include "machine/cpu/floating.hpp"

namespace vitrine {

using Float80 = FpuState::Register;

inline constexpr u64 integer_bit = u64{1} << 63;

/// The real indefinite: what a masked invalid operation gives.
VITRINE_INLINE void set_indefinite(Float80& target) {
  target.mantissa = 0xC000000000000000;
  target.sign_exponent = 0xFFFF;
}

// --- the register stack --------------------------------------------------------------------------------------------
VITRINE_INLINE unsigned physical(const Cpu& cpu, unsigned i) { return (cpu.state.fpu.top + i) & 7; }
VITRINE_INLINE Float80& st(Cpu& cpu, unsigned i) { return cpu.state.fpu.registers[physical(cpu, i)]; }
VITRINE_INLINE bool is_valid(const Cpu& cpu, unsigned i) { return (cpu.state.fpu.valid >> physical(cpu, i) & 1) != 0; }
VITRINE_INLINE void mark_valid(Cpu& cpu, unsigned i) { cpu.state.fpu.valid |= static_cast<u8>(1u << physical(cpu, i)); }
VITRINE_INLINE void mark_empty(Cpu& cpu, unsigned i) {
  cpu.state.fpu.valid &= static_cast<u8>(~(1u << physical(cpu, i)));
}
VITRINE_INLINE void pop_stack(Cpu& cpu) {
  mark_empty(cpu, 0);
  cpu.state.fpu.top = (cpu.state.fpu.top + 1) & 7;
}
VITRINE_INLINE void pop_stack(Cpu& cpu, unsigned times) {
  for (unsigned i = 0; i < times; ++i) pop_stack(cpu);
}
/// Makes room; the caller writes ST(0).
VITRINE_INLINE void push_stack(Cpu& cpu) {
  cpu.state.fpu.top = (cpu.state.fpu.top - 1) & 7;
  mark_valid(cpu, 0);
}
/// Copies 80 bits as the host's FPU does, so that a load which follows its store finds the bytes at once.
VITRINE_INLINE void copy(Float80& to, const Float80& from) {
  to.mantissa = from.mantissa;
  to.sign_exponent = from.sign_exponent;
}

// --- exceptions ----------------------------------------------------------------------------------------------------

/// Some x87 exception is unmasked.
VITRINE_INLINE bool x87_strict(const Cpu& cpu) { return (cpu.state.fpu.control & x87_bit::flags) != x87_bit::flags; }
/// Enters the flags and C1 of an operation. False: an unmasked invalid, denormal or zero-divide, so that operands and
/// stack must stay as they are.
VITRINE_INLINE bool finish(Cpu& cpu, u16 host_status) {
  FpuState& fpu = cpu.state.fpu;
  fpu.status = static_cast<u16>((fpu.status & ~x87_bit::c1) | (host_status & (x87_bit::flags | x87_bit::c1)));
  const unsigned unmasked = host_status & ~fpu.control & x87_bit::flags;
  if (unmasked == 0) [[likely]]
    return true;
  fpu.status |= x87_bit::summary | x87_bit::busy;
  return (unmasked & (x87_bit::invalid | x87_bit::denormal | x87_bit::zero_divide)) == 0;
}
/// Would finish() return false?
VITRINE_INLINE bool stopped_by(const Cpu& cpu, u16 host_status, unsigned kinds) {
  return (host_status & ~cpu.state.fpu.control & kinds) != 0;
}
enum class StackFault : u8 { Underflow, Overflow };
/// A stack fault. True if it is masked: the result is the indefinite.
[[gnu::cold]] bool stack_fault(Cpu& cpu, StackFault kind);
/// Masked response of an operation on ST(target) whose operand is empty.
[[gnu::cold]] void set_underflow(Cpu& cpu, unsigned target, unsigned pops);
VITRINE_INLINE Outcome underflow_into(Cpu& cpu, unsigned target, unsigned pops) {
  set_underflow(cpu, target, pops);
  return Outcome::Next;
}
/// A push onto a register that is not empty: ST(0) is the indefinite then, if that is masked.
[[gnu::cold]] void set_overflow(Cpu& cpu);
VITRINE_INLINE Outcome overflow_push(Cpu& cpu) {
  set_overflow(cpu);
  return Outcome::Next;
}

// --- environment ---------------------------------------------------------------------------------------------------
// Operation::immediate of every x87 instruction holds its 11-bit opcode, Operation::first its ST(i).

VITRINE_INLINE void note_instruction(Cpu& cpu, const Operation& operation) {
  FpuState& fpu = cpu.state.fpu;
  fpu.instruction_pointer = current_rip(cpu, operation);
  fpu.instruction_selector = cpu.state.segments[cs].selector;
  fpu.opcode = static_cast<u16>(operation.immediate);
}
template <Address A>
VITRINE_INLINE void note_memory(Cpu& cpu, const Operation& operation) {
  note_instruction(cpu, operation);
  cpu.state.fpu.data_pointer = effective_address<A>(cpu, operation);
  cpu.state.fpu.data_selector = cpu.state.segments[operation.segment].selector;
}

/// The guest's control word as the host gets it for a strict operation.
VITRINE_INLINE u16 strict_control(const Cpu& cpu) {
  const u16 guest = cpu.state.fpu.control;
  return static_cast<u16>((host_x87_control(guest) & ~x87_bit::flags) | (guest & x87_bit::flags));
}
VITRINE_INLINE u16 running_control(const Cpu& cpu) { return host_x87_control(cpu.state.fpu.control); }

/// Run `body` on the host and give its status word. Masked: load, body, FNSTSW, store. Strict: the same between the
/// control words. Several outputs or inputs are joined by VITRINE_COMMA.
#define VITRINE_COMMA ,
#define VITRINE_X87_CLOBBERS "memory", "st", "st(1)", "st(2)"
#define VITRINE_X87_MASKED(load, body, store, outputs, inputs)   \
  asm volatile(load "\n\t" body "\n\tfnstsw %[status]\n\t" store \
               : [status] "=m"(status), outputs                  \
               : inputs                                          \
               : VITRINE_X87_CLOBBERS)
#define VITRINE_X87_STRICT(load, body, store, outputs, inputs)                             \
  asm volatile("fnclex\n\t" load "\n\tfldcw %[own]\n\t" body                               \
               "\n\tfnstsw %[status]\n\tfnclex\n\tfldcw %[running]\n\t" store "\n\tfnclex" \
               : [status] "=m"(status), outputs                                            \
               : [own] "m"(own), [running] "m"(running), inputs                            \
               : VITRINE_X87_CLOBBERS)

// --- own arithmetic ------------------------------------------------------------------------------------------------

/// What an operation of ours gives: bits of the status word (flags, C0-C3) and results.
struct X87Result {
  Float80 value;
  Float80 second;  ///< FSINCOS, FPTAN, FXTRACT: what is pushed
  u16 status = 0;
};

/// FPREM and FPREM1; C0, C3, C1 are quotient bits 2, 1, 0; C2: the reduction is partial.
enum class Remainder : u8 { Truncated, Nearest };
void x87_remainder(const Cpu& cpu, Remainder kind, const Float80& dividend, const Float80& divisor, X87Result& result);

// The files' parts of select_x87, by opcode byte (D8..DF) and the fields of ModRM.
Handler select_x87_arithmetic(const Decoded& decoded, unsigned opcode, unsigned reg);
Handler select_x87_top(unsigned reg, unsigned rm);             ///< D9 F0-FF with one or two operands on the top
Handler select_x87_transcendental(unsigned reg, unsigned rm);  ///< D9 F0-FF
Handler select_x87_compare(const Decoded& decoded, unsigned opcode, unsigned reg, unsigned rm);
Handler select_x87_move(const Decoded& decoded, unsigned opcode, unsigned reg, unsigned rm);
Handler select_x87_memory(const Decoded& decoded, unsigned opcode, unsigned reg);

}  // namespace vitrine
