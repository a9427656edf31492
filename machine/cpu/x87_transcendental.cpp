// F2XM1, FYL2X, FYL2XP1, FSIN, FCOS, FSINCOS, FPTAN, FPATAN.
//
// Manual: Intel SDM vol. 1 §8.3.8-8.3.10, vol. 2 (the tables of special operands). Hosts differ in the last bit, so
// these are computed here. Angles are reduced by the x87's 66-bit pi, as the manual documents; the reduction itself is
// exact. What the manual leaves undefined: F2XM1 of |x| > 1 gives x back (+-infinity: +infinity, -1); FYL2XP1 works for
// any x > -1.
#include "machine/cpu/x87_real.hpp"

namespace vitrine {
namespace {

using namespace real;

enum class Kind : u8 { Zero, Number, Infinity, NaN, Unsupported };

Kind kind_of(const Float80& value) {
  const unsigned exponent = value.sign_exponent & 0x7FFF;
  if (exponent == 0) return value.mantissa == 0 ? Kind::Zero : Kind::Number;
  if ((value.mantissa & integer_bit) == 0) return Kind::Unsupported;
  if (exponent != 0x7FFF) return Kind::Number;
  return value.mantissa << 1 == 0 ? Kind::Infinity : Kind::NaN;
}
bool negative(const Float80& value) { return (value.sign_exponent & 0x8000) != 0; }
bool denormal(const Float80& value) { return (value.sign_exponent & 0x7FFF) == 0 && value.mantissa != 0; }

void set_float(Float80& out, bool minus, unsigned exponent, u64 mantissa) {
  out.mantissa = mantissa;
  out.sign_exponent = static_cast<u16>((minus ? 0x8000u : 0u) | exponent);
}
void set_zero(Float80& out, bool minus) { set_float(out, minus, 0, 0); }
void set_infinity(Float80& out, bool minus) { set_float(out, minus, 0x7FFF, integer_bit); }
void set_one(Float80& out, bool minus) { set_float(out, minus, 0x3FFF, integer_bit); }

void invalid(X87Result& result) {
  result.status |= x87_bit::invalid;
  set_indefinite(result.value);
  set_indefinite(result.second);
}

bool is_special(Kind kind) { return kind == Kind::NaN || kind == Kind::Unsupported; }

/// Which NaN comes through is settled by FADD, which is the same everywhere.
void propagate(const Cpu& cpu, const Float80& a, const Float80& b, X87Result& result) {
  const u16 own = strict_control(cpu), running = running_control(cpu);
  u16 status;
  VITRINE_X87_STRICT("fldt %[b]\n\tfldt %[a]", "fadd %%st(1), %%st",
                     "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(result.value), [a] "m"(a)VITRINE_COMMA[b] "m"(b));
  result.status |= status & x87_bit::invalid;
  copy(result.second, result.value);
}

void deliver(const Cpu& cpu, const Real& value, X87Result& result) {
  round_to_float(cpu, value, result.value, result.status);
}

// --- angles --------------------------------------------------------------------------------------------------------

/// pi as the x87 has it: 66 bits, in units of 2^-64. As a number of units of 2^-65 it is pi/2.
constexpr u128 half_pi_q65 = wide(3, 0x243F6A8885A308D3);

struct Angle {
  Real rest;  ///< within pi/4 of zero
  unsigned quadrant;
};

/// |x| < 2^63
Angle reduce(const Float80& x) {
  const int exponent = (x.sign_exponent & 0x7FFF) - 16383;
  if (exponent < -2) {
    Real rest = from_float(x);
    rest.negative = false;
    return {rest, 0};
  }
  const u128 units = u128{x.mantissa} << (exponent + 2);  // of 2^-65
  u128 quotient = units / half_pi_q65, rest = units % half_pi_q65;
  bool minus = false;
  if (rest > half_pi_q65 / 2) {
    rest = half_pi_q65 - rest;
    minus = true;
    ++quotient;
  }
  return {normalised(rest, 127 - 65, minus), static_cast<unsigned>(quotient & 3)};
}

bool out_of_range(const Float80& x) { return (x.sign_exponent & 0x7FFF) >= 16383 + 63; }

Real sine_of(const Angle& angle, bool minus) {
  Real result = (angle.quadrant & 1) == 0 ? sine(angle.rest) : cosine(angle.rest);
  result.negative ^= minus ^ ((angle.quadrant & 2) != 0);
  return result;
}
Real cosine_of(const Angle& angle) { return sine_of({angle.rest, (angle.quadrant + 1) & 3}, false); }

enum class Trigonometric : u8 { Sine, Cosine, Both, Tangent };

/// Value is ST(0)'s new value; Both and Tangent push `second`.
void trigonometric(const Cpu& cpu, Trigonometric what, const Float80& x, X87Result& result) {
  const Kind kind = kind_of(x);
  if (is_special(kind)) return propagate(cpu, x, x, result);
  if (kind == Kind::Infinity) return invalid(result);
  set_one(result.second, false);
  if (kind == Kind::Zero) {
    if (what == Trigonometric::Cosine) {
      set_one(result.value, false);
    } else {
      copy(result.value, x);
    }
    return;
  }
  if (out_of_range(x)) {
    result.status |= x87_bit::c2;
    return;
  }
  if (denormal(x)) result.status |= x87_bit::denormal;
  const Angle angle = reduce(x);
  switch (what) {
    case Trigonometric::Sine:
      return deliver(cpu, sine_of(angle, negative(x)), result);
    case Trigonometric::Cosine:
      return deliver(cpu, cosine_of(angle), result);
    case Trigonometric::Tangent: {
      const Real quotient = divide(sine_of(angle, negative(x)), cosine_of(angle));
      // A tiny angle's tangent lies a hair above it; the quotient of the two hairs may lie below.
      return deliver(cpu,
                     angle.quadrant == 0 && angle.rest.exponent < -40
                         ? Real{angle.rest.mantissa | 1, angle.rest.exponent, angle.rest.negative != negative(x)}
                         : just_above(quotient),
                     result);
    }
    case Trigonometric::Both:
      round_to_float(cpu, cosine_of(angle), result.second, result.status);
      result.status &= static_cast<u16>(~x87_bit::c1);
      return deliver(cpu, sine_of(angle, negative(x)), result);
  }
}

// --- powers and logarithms -----------------------------------------------------------------------------------------

void power_minus_one(const Cpu& cpu, const Float80& x, X87Result& result) {  // F2XM1
  const Kind kind = kind_of(x);
  if (is_special(kind)) return propagate(cpu, x, x, result);
  const int exponent = (x.sign_exponent & 0x7FFF) - 16383;
  if (kind == Kind::Infinity && negative(x)) return set_one(result.value, true);
  if (kind != Kind::Number || exponent > 0 || (exponent == 0 && x.mantissa != integer_bit)) {
    return copy(result.value, x);
  }
  if (exponent == 0) {  // 2^1 - 1 = 1, 2^-1 - 1 = -1/2
    return negative(x) ? set_float(result.value, true, 0x3FFE, integer_bit) : set_one(result.value, false);
  }
  if (denormal(x)) result.status |= x87_bit::denormal;
  deliver(cpu, exponential_minus_one(multiply(from_float(x), ln2)), result);
}

/// log2 of a positive number; zero for 1.
Real logarithm(const Real& x) {
  // x = m * 2^e with m in [3/4, 3/2): |log2 m| stays below 0.6, and no digits cancel when e is not 0.
  const bool upper = (x.mantissa >> 126) == 3;
  const int whole = upper ? x.exponent + 1 : x.exponent;
  // s = (m-1)/(m+1); if upper, m is half the mantissa's value.
  const u128 half_mantissa = x.mantissa >> 1;
  Real part{};
  if (upper) {
    const u128 below_one = (u128{0} - x.mantissa);  // 2 - value, so 1 - m in Q128
    const Real difference = normalised(below_one, -1, true);
    const Real sum = normalised(half_mantissa + one_q127, 0, false);  // m + 1 in Q127: m = mantissa / 2^128
    if (below_one != 0) part = logarithm_of_ratio(divide(difference, sum));
  } else {
    const Real difference = normalised(x.mantissa - one_q127, 0, false);
    const Real sum = normalised(half_mantissa + (one_q127 >> 1), 1, false);  // in Q126
    if (x.mantissa != one_q127) part = logarithm_of_ratio(divide(difference, sum));
  }
  if (whole == 0) return part;
  const u128 magnitude = static_cast<u128>(whole < 0 ? -whole : whole) << 110;
  const u128 fraction = to_fixed(part, 110);
  const bool adds = part.negative == (whole < 0);
  Real result = normalised(adds ? magnitude + fraction : magnitude - fraction, 127 - 110, whole < 0);
  if (part.mantissa != 0) result.mantissa |= 1;
  return result;
}

bool is_one(const Float80& x) { return x.sign_exponent == 0x3FFF && x.mantissa == integer_bit; }

/// The sign of log2(x) for x > 0, x != 1.
bool logarithm_negative(const Float80& x) { return (x.sign_exponent & 0x7FFF) < 0x3FFF; }

void multiply_logarithm(const Cpu& cpu, const Float80& x, const Float80& y, X87Result& result) {  // FYL2X
  const Kind kind_x = kind_of(x), kind_y = kind_of(y);
  if (is_special(kind_x) || is_special(kind_y)) return propagate(cpu, x, y, result);
  if (kind_x == Kind::Zero) {
    if (kind_y == Kind::Zero) return invalid(result);
    if (kind_y == Kind::Number) {
      result.status |= x87_bit::zero_divide;
      if (denormal(y)) result.status |= x87_bit::denormal;
    }
    return set_infinity(result.value, !negative(y));
  }
  if (negative(x)) return invalid(result);
  if (kind_x == Kind::Infinity) {
    if (kind_y == Kind::Zero) return invalid(result);
    if (denormal(y)) result.status |= x87_bit::denormal;
    return set_infinity(result.value, negative(y));
  }
  if (kind_y == Kind::Infinity) {
    if (is_one(x)) return invalid(result);
    if (denormal(x)) result.status |= x87_bit::denormal;
    return set_infinity(result.value, negative(y) != logarithm_negative(x));
  }
  if (denormal(x) || denormal(y)) result.status |= x87_bit::denormal;
  if (is_one(x)) return set_zero(result.value, negative(y));
  if (kind_y == Kind::Zero) return set_zero(result.value, negative(y) != logarithm_negative(x));
  const Real number = from_float(x);
  Real product = multiply(logarithm(number), from_float(y));
  if (number.mantissa != one_q127) product.mantissa |= 1;  // no power of two: the logarithm is irrational
  deliver(cpu, product, result);
}

void multiply_logarithm_plus_one(const Cpu& cpu, const Float80& x, const Float80& y, X87Result& result) {  // FYL2XP1
  const Kind kind_x = kind_of(x), kind_y = kind_of(y);
  if (is_special(kind_x) || is_special(kind_y)) return propagate(cpu, x, y, result);
  if (kind_x == Kind::Infinity) {
    if (negative(x) || kind_y == Kind::Zero) return invalid(result);
    if (denormal(y)) result.status |= x87_bit::denormal;
    return set_infinity(result.value, negative(y));
  }
  const bool sign = negative(x) != negative(y);
  if (kind_y == Kind::Infinity) {
    if (kind_x == Kind::Zero) return invalid(result);
    if (denormal(x)) result.status |= x87_bit::denormal;
    return set_infinity(result.value, sign);
  }
  if (denormal(x) || denormal(y)) result.status |= x87_bit::denormal;
  if (kind_x == Kind::Zero || kind_y == Kind::Zero) return set_zero(result.value, sign);
  const int exponent = (x.sign_exponent & 0x7FFF) - 16383;
  const Real number = from_float(x);
  Real log;
  if (exponent < -2) {
    // 1 + x = (1+s)/(1-s) with s = x/(2+x).
    const u128 fixed = to_fixed(number, 126);
    const u128 two = one_q127;  // in Q126
    const Real sum = normalised(negative(x) ? two - fixed : two + fixed, 1, false);
    log = logarithm_of_ratio(divide(number, sum));
  } else if (!negative(x)) {
    // Beyond 2^63, 1 is less than half of the last place, and a hair decides.
    const int places = 125 - (exponent < 0 ? 0 : exponent);
    const Real sum = exponent < 63 ? normalised(to_fixed(number, places) + (u128{1} << places), 127 - places, false)
                                   : Real{number.mantissa | 1, number.exponent, false};
    log = logarithm(sum);
  } else {
    if (exponent >= 0) return invalid(result);  // x <= -1
    log = logarithm(normalised(one_q127 - to_fixed(number, 127), 0, false));
  }
  Real product = multiply(log, from_float(y));
  product.mantissa |= 1;
  deliver(cpu, product, result);
}

// --- the angle of a point ------------------------------------------------------------------------------------------

/// numerator/4 * pi, rounded; inexact.
void quarters_of_pi(const Cpu& cpu, unsigned numerator, bool minus, X87Result& result) {
  Real value = multiply(pi, normalised(numerator, 127, false));
  value.exponent -= 2;
  value.negative = minus;
  deliver(cpu, just_above(value), result);
}

void arctangent_of_ratio(const Cpu& cpu, const Float80& x, const Float80& y, X87Result& result) {  // FPATAN
  const Kind kind_x = kind_of(x), kind_y = kind_of(y);
  if (is_special(kind_x) || is_special(kind_y)) return propagate(cpu, x, y, result);
  if (denormal(x) || denormal(y)) result.status |= x87_bit::denormal;
  const bool minus = negative(y);
  if (kind_y == Kind::Infinity) {
    return quarters_of_pi(cpu, kind_x != Kind::Infinity ? 2 : negative(x) ? 3 : 1, minus, result);
  }
  if (kind_y == Kind::Zero || kind_x == Kind::Infinity) {
    return negative(x) ? quarters_of_pi(cpu, 4, minus, result) : set_zero(result.value, minus);
  }
  if (kind_x == Kind::Zero) return quarters_of_pi(cpu, 2, minus, result);

  Real adjacent = from_float(x), opposite = from_float(y);
  adjacent.negative = opposite.negative = false;
  const bool steep = opposite.exponent > adjacent.exponent ||
                     (opposite.exponent == adjacent.exponent && opposite.mantissa > adjacent.mantissa);
  const Real ratio = steep ? divide(adjacent, opposite) : divide(opposite, adjacent);
  Real angle = arctangent(ratio);
  if (steep || negative(x)) {
    // pi/2 - a, pi/2 + a or pi - a, in Q125.
    const u128 base = pi.mantissa >> (steep ? 2 : 1);
    const u128 part = to_fixed(angle, 125);
    const bool adds = steep && negative(x);
    angle = just_above(normalised(adds ? base + part : base - part, 2, false));
  }
  angle.negative = minus;
  deliver(cpu, angle, result);
}

// --- the instructions ----------------------------------------------------------------------------------------------

void set_c2(Cpu& cpu, u16 status) {
  cpu.state.fpu.status = static_cast<u16>((cpu.state.fpu.status & ~x87_bit::c2) | (status & x87_bit::c2));
}

using TopFunction = void (*)(const Cpu&, const Float80&, X87Result&);
template <TopFunction F>
Outcome on_top(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0)) [[unlikely]]
    return underflow_into(cpu, 0, 0);
  X87Result result;
  F(cpu, st(cpu, 0), result);
  if (finish(cpu, result.status)) copy(st(cpu, 0), result.value);
  return Outcome::Next;
}

template <Trigonometric T>
Outcome trigonometric_instruction(Cpu& cpu, const Operation& operation) {
  constexpr bool pushes = T == Trigonometric::Both || T == Trigonometric::Tangent;
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  const bool empty = !is_valid(cpu, 0);
  if (empty || (pushes && is_valid(cpu, 7))) [[unlikely]] {
    set_c2(cpu, 0);
    if (!stack_fault(cpu, empty ? StackFault::Underflow : StackFault::Overflow)) return Outcome::Next;
    set_indefinite(st(cpu, 0));
    mark_valid(cpu, 0);
    if constexpr (pushes) {
      push_stack(cpu);
      set_indefinite(st(cpu, 0));
    }
    return Outcome::Next;
  }
  X87Result result;
  trigonometric(cpu, T, st(cpu, 0), result);
  set_c2(cpu, result.status);
  if (!finish(cpu, result.status) || (result.status & x87_bit::c2) != 0) return Outcome::Next;
  copy(st(cpu, 0), result.value);
  if constexpr (pushes) {
    push_stack(cpu);
    copy(st(cpu, 0), result.second);
  }
  return Outcome::Next;
}

using PairFunction = void (*)(const Cpu&, const Float80&, const Float80&, X87Result&);
template <PairFunction F>
Outcome on_pair(Cpu& cpu, const Operation& operation) {  // of ST(0) and ST(1), into ST(1), then pop
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0) || !is_valid(cpu, 1)) [[unlikely]]
    return underflow_into(cpu, 1, 1);
  X87Result result;
  F(cpu, st(cpu, 0), st(cpu, 1), result);
  if (!finish(cpu, result.status)) return Outcome::Next;
  copy(st(cpu, 1), result.value);
  pop_stack(cpu);
  return Outcome::Next;
}

}  // namespace

Handler select_x87_transcendental(unsigned reg, unsigned rm) {
  switch (reg << 4 | rm) {
    case 0x60:
      return &handle<on_top<power_minus_one>>;
    case 0x61:
      return &handle<on_pair<multiply_logarithm>>;
    case 0x62:
      return &handle<trigonometric_instruction<Trigonometric::Tangent>>;
    case 0x63:
      return &handle<on_pair<arctangent_of_ratio>>;
    case 0x71:
      return &handle<on_pair<multiply_logarithm_plus_one>>;
    case 0x73:
      return &handle<trigonometric_instruction<Trigonometric::Both>>;
    case 0x76:
      return &handle<trigonometric_instruction<Trigonometric::Sine>>;
    case 0x77:
      return &handle<trigonometric_instruction<Trigonometric::Cosine>>;
    default:
      return nullptr;
  }
}

}  // namespace vitrine
