// x87 addition, subtraction, multiplication, division, square root, rounding, scaling.
//
// Manual: Intel SDM vol. 1 §8.3.5, vol. 2.
#include "machine/cpu/x87.hpp"

namespace vitrine {
namespace {

// A number in memory as the instruction sees it.
enum class Format : u8 { Single, Double, Short, Long };
template <Format F>
using BitsOf = std::conditional_t<F == Format::Double, u64, std::conditional_t<F == Format::Short, u16, u32>>;

/// `a op b` with b in a register, and with b in memory in each of the formats.
#define VITRINE_ARITHMETIC(name, text, integer_text)                                                                  \
  struct name {                                                                                                       \
    VITRINE_INLINE static u16 run(const Float80& a, const Float80& b, Float80& out) {                                 \
      u16 status;                                                                                                     \
      VITRINE_X87_MASKED("fldt %[b]\n\tfldt %[a]", text " %%st(1), %%st",                                             \
                         "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));         \
      return status;                                                                                                  \
    }                                                                                                                 \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const Float80& a, const Float80& b, Float80& out) { \
      u16 status;                                                                                                     \
      VITRINE_X87_STRICT("fldt %[b]\n\tfldt %[a]", text " %%st(1), %%st",                                             \
                         "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));         \
      return status;                                                                                                  \
    }                                                                                                                 \
    template <Format F>                                                                                               \
    VITRINE_INLINE static u16 run(const Float80& a, const BitsOf<F>& b, Float80& out) {                               \
      u16 status;                                                                                                     \
      if constexpr (F == Format::Single) {                                                                            \
        VITRINE_X87_MASKED("fldt %[a]", text "s %[b]",                                                                \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      } else if constexpr (F == Format::Double) {                                                                     \
        VITRINE_X87_MASKED("fldt %[a]", text "l %[b]",                                                                \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      } else if constexpr (F == Format::Short) {                                                                      \
        VITRINE_X87_MASKED("fldt %[a]", integer_text "s %[b]",                                                        \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      } else {                                                                                                        \
        VITRINE_X87_MASKED("fldt %[a]", integer_text "l %[b]",                                                        \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      }                                                                                                               \
      return status;                                                                                                  \
    }                                                                                                                 \
    template <Format F>                                                                                               \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const Float80& a, const BitsOf<F>& b,               \
                                            Float80& out) {                                                           \
      u16 status;                                                                                                     \
      if constexpr (F == Format::Single) {                                                                            \
        VITRINE_X87_STRICT("fldt %[a]", text "s %[b]",                                                                \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      } else if constexpr (F == Format::Double) {                                                                     \
        VITRINE_X87_STRICT("fldt %[a]", text "l %[b]",                                                                \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      } else if constexpr (F == Format::Short) {                                                                      \
        VITRINE_X87_STRICT("fldt %[a]", integer_text "s %[b]",                                                        \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      } else {                                                                                                        \
        VITRINE_X87_STRICT("fldt %[a]", integer_text "l %[b]",                                                        \
                           "fstpt %[out]", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));                       \
      }                                                                                                               \
      return status;                                                                                                  \
    }                                                                                                                 \
  };
VITRINE_ARITHMETIC(Add, "fadd", "fiadd")
VITRINE_ARITHMETIC(Multiply, "fmul", "fimul")
VITRINE_ARITHMETIC(Subtract, "fsub", "fisub")
VITRINE_ARITHMETIC(SubtractReversed, "fsubr", "fisubr")
VITRINE_ARITHMETIC(Divide, "fdiv", "fidiv")
VITRINE_ARITHMETIC(DivideReversed, "fdivr", "fidivr")

enum class Form : u8 { IntoTop, IntoOther, IntoOtherPop };

template <class Op, Form F>
Outcome arithmetic(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  constexpr unsigned pops = F == Form::IntoOtherPop ? 1 : 0;
  const unsigned target = F == Form::IntoTop ? 0 : operation.first, source = F == Form::IntoTop ? operation.first : 0;
  if (!is_valid(cpu, 0) || !is_valid(cpu, operation.first)) [[unlikely]]
    return underflow_into(cpu, target, pops);
  if (x87_strict(cpu)) [[unlikely]] {
    Float80 result;
    const u16 status =
        Op::run_strict(strict_control(cpu), running_control(cpu), st(cpu, target), st(cpu, source), result);
    if (!finish(cpu, status)) return Outcome::Next;
    copy(st(cpu, target), result);
  } else {
    finish(cpu, Op::run(st(cpu, target), st(cpu, source), st(cpu, target)));
  }
  if constexpr (pops != 0) pop_stack(cpu);
  return Outcome::Next;
}

template <class Op, Format F, Address A>
Outcome arithmetic_memory(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  BitsOf<F> source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (!is_valid(cpu, 0)) [[unlikely]]
    return underflow_into(cpu, 0, 0);
  if (x87_strict(cpu)) [[unlikely]] {
    Float80 result;
    const u16 status =
        Op::template run_strict<F>(strict_control(cpu), running_control(cpu), st(cpu, 0), source, result);
    if (finish(cpu, status)) copy(st(cpu, 0), result);
  } else {
    finish(cpu, Op::template run<F>(st(cpu, 0), source, st(cpu, 0)));
  }
  return Outcome::Next;
}

template <class Op>
Handler pick_operation(const Decoded& decoded, unsigned opcode) {
  const bool memory = decoded.instruction.raw.modrm.mod != 3;
  switch (opcode) {
    case 0xD8:
      if (!memory) return &handle<arithmetic<Op, Form::IntoTop>>;
      return by_address(decoded, [](auto a) { return &handle<arithmetic_memory<Op, Format::Single, a.value>>; });
    case 0xDA:
      return by_address(decoded, [](auto a) { return &handle<arithmetic_memory<Op, Format::Long, a.value>>; });
    case 0xDC:
      if (!memory) return &handle<arithmetic<Op, Form::IntoOther>>;
      return by_address(decoded, [](auto a) { return &handle<arithmetic_memory<Op, Format::Double, a.value>>; });
    case 0xDE:
      if (!memory) return &handle<arithmetic<Op, Form::IntoOtherPop>>;
      return by_address(decoded, [](auto a) { return &handle<arithmetic_memory<Op, Format::Short, a.value>>; });
    default:
      return nullptr;
  }
}

// One operand, or ST(0) and ST(1), result in ST(0).
#define VITRINE_UNARY(name, text)                                                                 \
  struct name {                                                                                   \
    static constexpr unsigned operands = 1;                                                       \
    static u16 run(const Float80& a, const Float80&, Float80& out) {                              \
      u16 status;                                                                                 \
      VITRINE_X87_MASKED("fldt %[a]", text, "fstpt %[out]", [out] "=m"(out), [a] "m"(a));         \
      return status;                                                                              \
    }                                                                                             \
    static u16 run_strict(u16 own, u16 running, const Float80& a, const Float80&, Float80& out) { \
      u16 status;                                                                                 \
      VITRINE_X87_STRICT("fldt %[a]", text, "fstpt %[out]", [out] "=m"(out), [a] "m"(a));         \
      return status;                                                                              \
    }                                                                                             \
  };
VITRINE_UNARY(SquareRoot, "fsqrt")
VITRINE_UNARY(RoundToInteger, "frndint")

struct Scale {
  static constexpr unsigned operands = 2;
  static u16 run(const Float80& a, const Float80& b, Float80& out) {
    u16 status;
    VITRINE_X87_MASKED("fldt %[b]\n\tfldt %[a]", "fscale",
                       "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));
    return status;
  }
  static u16 run_strict(u16 own, u16 running, const Float80& a, const Float80& b, Float80& out) {
    u16 status;
    VITRINE_X87_STRICT("fldt %[b]\n\tfldt %[a]", "fscale",
                       "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(out), [a] "m"(a)VITRINE_COMMA[b] "m"(b));
    return status;
  }
};

template <class Op>
Outcome on_top(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0) || !is_valid(cpu, Op::operands - 1)) [[unlikely]]
    return underflow_into(cpu, 0, 0);
  Float80& top = st(cpu, 0);
  const Float80& other = st(cpu, Op::operands - 1);
  if (x87_strict(cpu)) [[unlikely]] {
    Float80 result;
    if (finish(cpu, Op::run_strict(strict_control(cpu), running_control(cpu), top, other, result))) copy(top, result);
  } else {
    finish(cpu, Op::run(top, other, top));
  }
  return Outcome::Next;
}

/// FXTRACT: ST(0) becomes the exponent, the significand is pushed.
Outcome fxtract(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  const bool empty = !is_valid(cpu, 0);
  if (empty || is_valid(cpu, 7)) {
    if (!stack_fault(cpu, empty ? StackFault::Underflow : StackFault::Overflow)) return Outcome::Next;
    set_indefinite(st(cpu, 0));
    mark_valid(cpu, 0);
    push_stack(cpu);
    set_indefinite(st(cpu, 0));
    return Outcome::Next;
  }
  const u16 own = strict_control(cpu), running = running_control(cpu);
  Float80 significand, exponent;
  u16 status;
  // If an unmasked exception stops the host, the second store finds an empty stack, which harms nothing.
  VITRINE_X87_STRICT(
      "fldt %[a]", "fxtract",
      "fstpt %[s]\n\tfstpt %[e]", [s] "=m"(significand)VITRINE_COMMA[e] "=m"(exponent), [a] "m"(st(cpu, 0)));
  if (!finish(cpu, status)) return Outcome::Next;
  copy(st(cpu, 0), exponent);
  push_stack(cpu);
  copy(st(cpu, 0), significand);
  return Outcome::Next;
}

template <Remainder R>
Outcome fprem(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  FpuState& fpu = cpu.state.fpu;
  if (!is_valid(cpu, 0) || !is_valid(cpu, 1)) [[unlikely]] {
    fpu.status &= static_cast<u16>(~x87_bit::c2);
    return underflow_into(cpu, 0, 0);
  }
  X87Result result;
  x87_remainder(cpu, R, st(cpu, 0), st(cpu, 1), result);
  if (!finish(cpu, result.status)) {
    fpu.status &= static_cast<u16>(~(x87_bit::c1 | x87_bit::c2));
    return Outcome::Next;
  }
  fpu.status = static_cast<u16>((fpu.status & ~x87_bit::conditions) | (result.status & x87_bit::conditions));
  copy(st(cpu, 0), result.value);
  return Outcome::Next;
}

}  // namespace

bool stack_fault(Cpu& cpu, StackFault kind) {
  FpuState& fpu = cpu.state.fpu;
  fpu.status &= static_cast<u16>(~x87_bit::c1);
  if (kind == StackFault::Overflow) fpu.status |= x87_bit::c1;
  fpu.status |= x87_bit::invalid | x87_bit::stack_fault;
  if ((fpu.control & x87_bit::invalid) != 0) return true;
  fpu.status |= x87_bit::summary | x87_bit::busy;
  return false;
}

void set_underflow(Cpu& cpu, unsigned target, unsigned pops) {
  if (!stack_fault(cpu, StackFault::Underflow)) return;
  set_indefinite(st(cpu, target));
  mark_valid(cpu, target);
  pop_stack(cpu, pops);
}

void set_overflow(Cpu& cpu) {
  if (!stack_fault(cpu, StackFault::Overflow)) return;
  push_stack(cpu);
  set_indefinite(st(cpu, 0));
}

Handler select_x87_arithmetic(const Decoded& decoded, unsigned opcode, unsigned reg) {
  // In DC and DE the register forms swap the direct and the reversed opcode.
  const bool swapped = decoded.instruction.raw.modrm.mod == 3 && opcode >= 0xDC;
  switch (swapped && reg >= 4 ? reg ^ 1 : reg) {
    case 0:
      return pick_operation<Add>(decoded, opcode);
    case 1:
      return pick_operation<Multiply>(decoded, opcode);
    case 4:
      return pick_operation<Subtract>(decoded, opcode);
    case 5:
      return pick_operation<SubtractReversed>(decoded, opcode);
    case 6:
      return pick_operation<Divide>(decoded, opcode);
    case 7:
      return pick_operation<DivideReversed>(decoded, opcode);
    default:
      return nullptr;
  }
}

Handler select_x87_top(unsigned reg, unsigned rm) {
  switch (reg << 4 | rm) {
    case 0x64:
      return &handle<fxtract>;
    case 0x65:
      return &handle<fprem<Remainder::Nearest>>;
    case 0x70:
      return &handle<fprem<Remainder::Truncated>>;
    case 0x72:
      return &handle<on_top<SquareRoot>>;
    case 0x74:
      return &handle<on_top<RoundToInteger>>;
    case 0x75:
      return &handle<on_top<Scale>>;
    default:
      return nullptr;
  }
}

}  // namespace vitrine
