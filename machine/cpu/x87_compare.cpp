// x87 comparisons: FCOM, FUCOM, FICOM, FTST, FXAM, FCOMI, FUCOMI and their popping forms.
//
// Manual: Intel SDM vol. 1 §8.3.6, vol. 2.
#include "machine/cpu/x87.hpp"

namespace vitrine {
namespace {

constexpr u16 result_bits = x87_bit::c0 | x87_bit::c2 | x87_bit::c3;

/// Enters C0, C2, C3 and flags; false if an unmasked exception leaves everything else alone.
bool finish_compare(Cpu& cpu, u16 status) {
  const bool done = finish(cpu, static_cast<u16>(status & ~x87_bit::c1));
  FpuState& fpu = cpu.state.fpu;
  // The condition code is set even when the exception is unmasked (it tells of no order).
  fpu.status = static_cast<u16>((fpu.status & ~result_bits) | (status & result_bits));
  return done;
}

/// Empty operand: masked, the result is "unordered".
Outcome compare_empty(Cpu& cpu, unsigned pops) {
  const bool masked = stack_fault(cpu, StackFault::Underflow);
  cpu.state.fpu.status |= result_bits;
  if (masked) pop_stack(cpu, pops);
  return Outcome::Next;
}

#define VITRINE_COMPARE(name, type, load, text, unload)                                                 \
  struct name {                                                                                         \
    using Source = type;                                                                                \
    VITRINE_INLINE static u16 run(const Float80& a, const type& b) {                                    \
      u16 status, unused;                                                                               \
      VITRINE_X87_MASKED(load, text, unload, [unused] "=m"(unused), [a] "m"(a)VITRINE_COMMA[b] "m"(b)); \
      return status;                                                                                    \
    }                                                                                                   \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const Float80& a, const type& b) {    \
      u16 status, unused;                                                                               \
      VITRINE_X87_STRICT(load, text, unload, [unused] "=m"(unused), [a] "m"(a)VITRINE_COMMA[b] "m"(b)); \
      return status;                                                                                    \
    }                                                                                                   \
  };
VITRINE_COMPARE(Ordered, Float80, "fldt %[b]\n\tfldt %[a]", "fcom %%st(1)", "fstp %%st(0)\n\tfstp %%st(0)")
VITRINE_COMPARE(Unordered, Float80, "fldt %[b]\n\tfldt %[a]", "fucom %%st(1)", "fstp %%st(0)\n\tfstp %%st(0)")
VITRINE_COMPARE(Single, u32, "fldt %[a]", "fcoms %[b]", "fstp %%st(0)")
VITRINE_COMPARE(Double, u64, "fldt %[a]", "fcoml %[b]", "fstp %%st(0)")
VITRINE_COMPARE(Short, u16, "fldt %[a]", "ficoms %[b]", "fstp %%st(0)")
VITRINE_COMPARE(Long, u32, "fldt %[a]", "ficoml %[b]", "fstp %%st(0)")
VITRINE_COMPARE(Zero, u16, "fldt %[a]", "ftst", "fstp %%st(0)")

template <class Op>
VITRINE_INLINE u16 run_compare(const Cpu& cpu, const Float80& a, const typename Op::Source& b) {
  if (x87_strict(cpu)) [[unlikely]]
    return Op::run_strict(strict_control(cpu), running_control(cpu), a, b);
  return Op::run(a, b);
}

template <class Op, unsigned Pops>
Outcome compare(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0) || !is_valid(cpu, operation.first)) [[unlikely]]
    return compare_empty(cpu, Pops);
  if (finish_compare(cpu, run_compare<Op>(cpu, st(cpu, 0), st(cpu, operation.first)))) pop_stack(cpu, Pops);
  return Outcome::Next;
}

template <class Op, unsigned Pops, Address A>
Outcome compare_memory(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  typename Op::Source source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (!is_valid(cpu, 0)) [[unlikely]]
    return compare_empty(cpu, Pops);
  if (finish_compare(cpu, run_compare<Op>(cpu, st(cpu, 0), source))) pop_stack(cpu, Pops);
  return Outcome::Next;
}

Outcome ftst(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0)) [[unlikely]]
    return compare_empty(cpu, 0);
  finish_compare(cpu, run_compare<Zero>(cpu, st(cpu, 0), 0));
  return Outcome::Next;
}

enum class Nans : u8 { Signal, Quiet };

/// FCOMI, FUCOMI: the result goes to ZF, PF, CF; OF, SF, AF are cleared.
/// The result in C3, C2, C0 is what these flags become.
template <Nans N, unsigned Pops>
Outcome compare_flags(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  u16 status = result_bits;
  if (!is_valid(cpu, 0) || !is_valid(cpu, operation.first)) [[unlikely]] {
    if (!stack_fault(cpu, StackFault::Underflow)) return Outcome::Next;
  } else {
    using Op = std::conditional_t<N == Nans::Signal, Ordered, Unordered>;
    status = run_compare<Op>(cpu, st(cpu, 0), st(cpu, operation.first));
    // C1 stays. An unmasked invalid leaves the flags alone (SDM vol. 2, FCOMI); AMD's FPUs write them all the same.
    const u16 kept = cpu.state.fpu.status & x87_bit::c1;
    if (!finish(cpu, static_cast<u16>((status & ~x87_bit::c1) | kept))) return Outcome::Next;
  }
  // C3, C2, C0 are bits 14, 10, 8 of the status word: just where SAHF takes ZF, PF, CF from, and CpuState::status has
  // them.
  cpu.state.status = static_cast<u16>((status & result_bits) | 0x0200);
  pop_stack(cpu, Pops);
  return Outcome::Next;
}

/// FXAM's classes in C3, C2, C0; C1 is the sign (SDM vol. 2, FXAM table 3-39).
Outcome fxam(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  const Float80& value = st(cpu, 0);
  const unsigned exponent = value.sign_exponent & 0x7FFF;
  const bool integer = (value.mantissa & integer_bit) != 0;
  u16 found;
  if (!is_valid(cpu, 0)) {
    found = x87_bit::c3 | x87_bit::c0;  // empty
  } else if (exponent == 0) {
    found = value.mantissa == 0 ? x87_bit::c3 : x87_bit::c3 | x87_bit::c2;  // zero, denormal
  } else if (!integer) {
    found = 0;  // unsupported
  } else if (exponent == 0x7FFF) {
    found = value.mantissa << 1 == 0 ? x87_bit::c2 | x87_bit::c0 : x87_bit::c0;  // infinity, NaN
  } else {
    found = x87_bit::c2;  // normal
  }
  if ((value.sign_exponent & 0x8000) != 0) found |= x87_bit::c1;
  FpuState& fpu = cpu.state.fpu;
  fpu.status = static_cast<u16>((fpu.status & ~x87_bit::conditions) | found);
  return Outcome::Next;
}

template <class Op, unsigned Pops>
Handler with_memory(const Decoded& decoded) {
  return by_address(decoded, [](auto a) { return &handle<compare_memory<Op, Pops, a.value>>; });
}

Handler compare_in_memory(const Decoded& decoded, unsigned opcode, unsigned reg) {
  if (reg != 2 && reg != 3) return nullptr;
  const bool pops = reg == 3;
  switch (opcode) {
    case 0xD8:
      return pops ? with_memory<Single, 1>(decoded) : with_memory<Single, 0>(decoded);
    case 0xDA:
      return pops ? with_memory<Long, 1>(decoded) : with_memory<Long, 0>(decoded);
    case 0xDC:
      return pops ? with_memory<Double, 1>(decoded) : with_memory<Double, 0>(decoded);
    case 0xDE:
      return pops ? with_memory<Short, 1>(decoded) : with_memory<Short, 0>(decoded);
    default:
      return nullptr;
  }
}

}  // namespace

Handler select_x87_compare(const Decoded& decoded, unsigned opcode, unsigned reg, unsigned rm) {
  if (decoded.instruction.raw.modrm.mod != 3) return compare_in_memory(decoded, opcode, reg);
  switch (opcode << 8 | reg) {
    case 0xD802:
    case 0xDC02:
      return &handle<compare<Ordered, 0>>;
    case 0xD803:
    case 0xDC03:
    case 0xDE02:
      return &handle<compare<Ordered, 1>>;
    case 0xDE03:
      return rm == 1 ? &handle<compare<Ordered, 2>> : nullptr;
    case 0xDA05:
      return rm == 1 ? &handle<compare<Unordered, 2>> : nullptr;
    case 0xDD04:
      return &handle<compare<Unordered, 0>>;
    case 0xDD05:
      return &handle<compare<Unordered, 1>>;
    case 0xDB05:
      return &handle<compare_flags<Nans::Quiet, 0>>;
    case 0xDB06:
      return &handle<compare_flags<Nans::Signal, 0>>;
    case 0xDF05:
      return &handle<compare_flags<Nans::Quiet, 1>>;
    case 0xDF06:
      return &handle<compare_flags<Nans::Signal, 1>>;
    case 0xD904:
      return rm == 4 ? &handle<ftst> : rm == 5 ? &handle<fxam> : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace vitrine
