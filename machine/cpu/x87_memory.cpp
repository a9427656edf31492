// x87 loads from and stores to memory in all formats.
//
// Manual: Intel SDM vol. 1 §8.3.3, vol. 2. A store whose unmasked exception is found before the result is there writes
// nothing and doesn't pop.
#include "machine/cpu/x87.hpp"

namespace vitrine {
namespace {

/// 80 bits as they lie in memory.
struct [[gnu::packed]] Extended {
  u64 mantissa;
  u16 sign_exponent;
};
static_assert(sizeof(Extended) == 10);

// --- loads
// ------------------------------------------------------------------------------------------------------------

#define VITRINE_LOAD(name, type, text)                                                            \
  struct name {                                                                                   \
    using Bits = type;                                                                            \
    VITRINE_INLINE static u16 run(const type& in, Float80& out) {                                 \
      u16 status;                                                                                 \
      VITRINE_X87_MASKED("", text " %[in]", "fstpt %[out]", [out] "=m"(out), [in] "m"(in));       \
      return status;                                                                              \
    }                                                                                             \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const type& in, Float80& out) { \
      u16 status;                                                                                 \
      VITRINE_X87_STRICT("", text " %[in]", "fstpt %[out]", [out] "=m"(out), [in] "m"(in));       \
      return status;                                                                              \
    }                                                                                             \
  };
VITRINE_LOAD(LoadSingle, u32, "flds")
VITRINE_LOAD(LoadDouble, u64, "fldl")
VITRINE_LOAD(LoadShort, u16, "filds")
VITRINE_LOAD(LoadLong, u32, "fildl")
VITRINE_LOAD(LoadQuad, u64, "fildll")
VITRINE_LOAD(LoadDecimal, Extended, "fbld")

template <class Op, Address A>
Outcome load(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  typename Op::Bits source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (is_valid(cpu, 7)) [[unlikely]]
    return overflow_push(cpu);
  if (x87_strict(cpu)) [[unlikely]] {
    // An unmasked denormal leaves the stack alone (SDM vol. 1 §8.5.2); AMD's FPUs push the value all the same.
    Float80 value;
    if (!finish(cpu, Op::run_strict(strict_control(cpu), running_control(cpu), source, value))) return Outcome::Next;
    push_stack(cpu);
    copy(st(cpu, 0), value);
  } else {
    push_stack(cpu);
    finish(cpu, Op::run(source, st(cpu, 0)));
  }
  return Outcome::Next;
}

/// FLD m80: bits as they are, no exception.
template <Address A>
Outcome load_extended(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  Extended source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (is_valid(cpu, 7)) [[unlikely]]
    return overflow_push(cpu);
  cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1);
  push_stack(cpu);
  Float80& target = st(cpu, 0);
  target.mantissa = source.mantissa;
  target.sign_exponent = source.sign_exponent;
  return Outcome::Next;
}

// --- stores
// -----------------------------------------------------------------------------------------------------------
// Instructions that pop on the host too leave the operand there if an unmasked exception stops them: FFREE drops it.

#define VITRINE_STORE(name, type, text, unload, indefinite_value)                                       \
  struct name {                                                                                         \
    using Bits = type;                                                                                  \
    static constexpr type indefinite = indefinite_value;                                                \
    VITRINE_INLINE static u16 run(const Float80& in, type& out) {                                       \
      u16 status;                                                                                       \
      VITRINE_X87_MASKED("fldt %[in]", text " %[out]", unload, [out] "=m"(out), [in] "m"(in));          \
      return status;                                                                                    \
    }                                                                                                   \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const Float80& in, type& out) {       \
      u16 status;                                                                                       \
      VITRINE_X87_STRICT("fldt %[in]", text " %[out]", "ffree %%st(0)", [out] "+m"(out), [in] "m"(in)); \
      return status;                                                                                    \
    }                                                                                                   \
  };
VITRINE_STORE(StoreSingle, u32, "fsts", "fstp %%st(0)", 0xFFC00000)
VITRINE_STORE(StoreDouble, u64, "fstl", "fstp %%st(0)", 0xFFF8000000000000)
VITRINE_STORE(StoreShort, u16, "fistps", "", 0x8000)
VITRINE_STORE(StoreLong, u32, "fistpl", "", 0x80000000)
VITRINE_STORE(StoreQuad, u64, "fistpll", "", 0x8000000000000000)
VITRINE_STORE(TruncateShort, u16, "fisttps", "", 0x8000)
VITRINE_STORE(TruncateLong, u32, "fisttpl", "", 0x80000000)
VITRINE_STORE(TruncateQuad, u64, "fisttpll", "", 0x8000000000000000)
constexpr Extended decimal_indefinite{0xC000000000000000, 0xFFFF};
VITRINE_STORE(StoreDecimal, Extended, "fbstp", "", decimal_indefinite)

/// The host's sticky flags belong to an instruction that didn't happen.
[[gnu::cold]] Outcome forget_flags() {
  asm volatile("fnclex" : : : "memory");
  return Outcome::Fault;
}

template <class Op, unsigned Pops, Address A>
Outcome store(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  typename Op::Bits value = Op::indefinite;
  const bool empty = !is_valid(cpu, 0);
  u16 status = x87_bit::invalid;
  if (!empty) [[likely]] {
    status = x87_strict(cpu) ? Op::run_strict(strict_control(cpu), running_control(cpu), st(cpu, 0), value)
                             : Op::run(st(cpu, 0), value);
  }
  const bool stores = !stopped_by(cpu, status, x87_bit::flags & ~x87_bit::precision);
  if (stores && !write_memory<A>(cpu, operation, value)) [[unlikely]]
    return forget_flags();
  note_memory<A>(cpu, operation);
  if (empty) [[unlikely]] {
    stack_fault(cpu, StackFault::Underflow);
  } else {
    finish(cpu, status);
  }
  if (stores) pop_stack(cpu, Pops);
  return Outcome::Next;
}

template <Address A>
Outcome store_extended(Cpu& cpu, const Operation& operation) {  // FSTP m80
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  const bool empty = !is_valid(cpu, 0);
  Extended value{st(cpu, 0).mantissa, st(cpu, 0).sign_exponent};
  if (empty) [[unlikely]]
    value = decimal_indefinite;  // the same bits
  const bool stores = !empty || !stopped_by(cpu, x87_bit::invalid, x87_bit::invalid);
  if (stores && !write_memory<A>(cpu, operation, value)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (empty) [[unlikely]] {
    stack_fault(cpu, StackFault::Underflow);
  } else {
    cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1);
  }
  if (stores) pop_stack(cpu);
  return Outcome::Next;
}

template <class Op>
Handler loads(const Decoded& decoded) {
  return by_address(decoded, [](auto a) { return &handle<load<Op, a.value>>; });
}
template <class Op, unsigned Pops>
Handler stores(const Decoded& decoded) {
  return by_address(decoded, [](auto a) { return &handle<store<Op, Pops, a.value>>; });
}

}  // namespace

Handler select_x87_memory(const Decoded& decoded, unsigned opcode, unsigned reg) {
  switch (opcode << 8 | reg) {
    case 0xD900:
      return loads<LoadSingle>(decoded);
    case 0xD902:
      return stores<StoreSingle, 0>(decoded);
    case 0xD903:
      return stores<StoreSingle, 1>(decoded);
    case 0xDB00:
      return loads<LoadLong>(decoded);
    case 0xDB01:
      return stores<TruncateLong, 1>(decoded);
    case 0xDB02:
      return stores<StoreLong, 0>(decoded);
    case 0xDB03:
      return stores<StoreLong, 1>(decoded);
    case 0xDB05:
      return by_address(decoded, [](auto a) { return &handle<load_extended<a.value>>; });
    case 0xDB07:
      return by_address(decoded, [](auto a) { return &handle<store_extended<a.value>>; });
    case 0xDD00:
      return loads<LoadDouble>(decoded);
    case 0xDD01:
      return stores<TruncateQuad, 1>(decoded);
    case 0xDD02:
      return stores<StoreDouble, 0>(decoded);
    case 0xDD03:
      return stores<StoreDouble, 1>(decoded);
    case 0xDF00:
      return loads<LoadShort>(decoded);
    case 0xDF01:
      return stores<TruncateShort, 1>(decoded);
    case 0xDF02:
      return stores<StoreShort, 0>(decoded);
    case 0xDF03:
      return stores<StoreShort, 1>(decoded);
    case 0xDF04:
      return loads<LoadDecimal>(decoded);
    case 0xDF05:
      return loads<LoadQuad>(decoded);
    case 0xDF06:
      return stores<StoreDecimal, 1>(decoded);
    case 0xDF07:
      return stores<StoreQuad, 1>(decoded);
    default:
      return nullptr;
  }
}

}  // namespace vitrine
