// Near JMP, Jcc, CALL, RET, LOOP, JCXZ (SDM vol. 2). Far ones are in transfer.cpp.
#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"
#include "machine/cpu/stack_fault.hpp"

namespace vitrine {

namespace {

/// How wide RIP is where the branch stands; with the operand size it decides how targets wrap.
enum class Width : u8 { Ip16, Ip32, Ip64 };

template <Width W>
VITRINE_INLINE u64 wrap(u64 target) {
  if constexpr (W == Width::Ip64) return target;
  return W == Width::Ip32 ? static_cast<u32>(target) : static_cast<u16>(target);
}

/// May a near branch go there? SDM vol. 2: #GP(0) if the target is past CS.limit or not canonical.
template <Width W>
VITRINE_INLINE bool reachable(const Cpu& cpu, u64 target) {
  if constexpr (W == Width::Ip64) return static_cast<u64>(static_cast<i64>(target << 16) >> 16) == target;
  return target <= cpu.state.segments[cs].limit;
}

template <Width W>
VITRINE_INLINE Outcome jump_to(Cpu& cpu, u64 target) {
  if (!reachable<W>(cpu, target)) [[unlikely]] {
    return cpu.raise(vector::general_protection, 0,
                     W == Width::Ip64 ? FailedCheck::NonCanonical : FailedCheck::SegmentLimit, target);
  }
  cpu.state.rip = target;
  return Outcome::Jump;
}

template <Width W>
[[clang::preserve_none]] void jmp_direct(Cpu& cpu, const Operation* operation) {
  const u64 target = wrap<W>(cpu.state.gpr[block_rip_slot] + operation->immediate);
  if constexpr (W != Width::Ip64) {
    if (target > cpu.state.segments[cs].limit) [[unlikely]] {
      cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, target);
      [[clang::musttail]] return leave_fault(cpu, operation);
    }
  }
  cpu.state.rip = target;
  [[clang::musttail]] return follow_link(cpu, operation + 1);
}

/// RIP of the instruction behind a branch that was not taken.
template <Width W>
VITRINE_INLINE u64 fall_through(const Cpu& cpu, const Operation& operation) {
  if constexpr (W == Width::Ip64) return cpu.state.gpr[block_rip_slot] + operation.offset + operation.length;
  return following_rip(cpu, operation);
}

template <u8 Code, Width W>
[[clang::preserve_none]] void jcc(Cpu& cpu, const Operation* operation) {
  if (condition<Code>(cpu.state.status)) {
    [[clang::musttail]] return jmp_direct<W>(cpu, operation);
  }
  cpu.state.rip = fall_through<W>(cpu, *operation);
  [[clang::musttail]] return follow_link(cpu, operation + 2);
}

enum class Loop : u8 { Always, WhileEqual, WhileNotEqual, IfZero };

template <Loop Kind, class Counter, Width W>
[[clang::preserve_none]] void loop(Cpu& cpu, const Operation* operation) {
  const Counter old = read_register<Counter>(cpu, rcx * 8);
  bool taken;
  if constexpr (Kind == Loop::IfZero) {
    taken = old == 0;
  } else {
    const Counter count = static_cast<Counter>(old - 1);
    const bool zero = (cpu.state.status & status_bit::zero) != 0;
    taken = count != 0 && (Kind == Loop::Always || zero == (Kind == Loop::WhileEqual));
    if (taken && !reachable<W>(cpu, wrap<W>(cpu.state.gpr[block_rip_slot] + operation->immediate))) [[unlikely]] {
      [[clang::musttail]] return jmp_direct<W>(cpu, operation);  // raises; the counter stays
    }
    write_register<Counter>(cpu, rcx * 8, count);
  }
  if (taken) {
    [[clang::musttail]] return jmp_direct<W>(cpu, operation);
  }
  cpu.state.rip = fall_through<W>(cpu, *operation);
  [[clang::musttail]] return follow_link(cpu, operation + 2);
}

template <Width W, class T>
[[clang::preserve_none]] void call_direct(Cpu& cpu, const Operation* operation) {
  const u64 target = wrap<W>(cpu.state.gpr[block_rip_slot] + operation->immediate);
  if (!reachable<W>(cpu, target)) [[unlikely]] {
    jump_to<W>(cpu, target);
    [[clang::musttail]] return leave_fault(cpu, operation);
  }
  if (!push<T>(cpu, *operation, static_cast<T>(cpu.state.gpr[block_rip_slot] + operation->offset + operation->length)))
      [[unlikely]] {
    [[clang::musttail]] return leave_fault(cpu, operation);
  }
  cpu.state.rip = target;
  [[clang::musttail]] return follow_link(cpu, operation + 1);
}

template <Width W, class T>
Outcome jmp_register(Cpu& cpu, const Operation& operation) {
  return jump_to<W>(cpu, read_register<T>(cpu, operation.first));
}
template <Width W, class T, Address A>
Outcome jmp_memory(Cpu& cpu, const Operation& operation) {
  T target;
  return read_memory<A>(cpu, operation, target) ? jump_to<W>(cpu, target) : Outcome::Fault;
}

template <Width W, class T>
VITRINE_INLINE Outcome call_to(Cpu& cpu, const Operation& operation, T target) {
  if (!reachable<W>(cpu, target)) [[unlikely]]
    return jump_to<W>(cpu, target);
  if (!push<T>(cpu, operation, static_cast<T>(following_rip(cpu, operation)))) return stack_refused(cpu);
  cpu.state.rip = target;
  return Outcome::Jump;
}
template <Width W, class T>
Outcome call_register(Cpu& cpu, const Operation& operation) {
  return call_to<W, T>(cpu, operation, read_register<T>(cpu, operation.first));
}
template <Width W, class T, Address A>
Outcome call_memory(Cpu& cpu, const Operation& operation) {
  T target;
  return read_memory<A>(cpu, operation, target) ? call_to<W, T>(cpu, operation, target) : Outcome::Fault;
}

template <Width W, class T>
Outcome ret(Cpu& cpu, const Operation& operation) {
  T target;
  if (!read_stack<T>(cpu, operation, 0, target)) return Outcome::Fault;
  const Outcome outcome = jump_to<W>(cpu, target);
  if (outcome == Outcome::Jump)
    set_stack_pointer(cpu, cpu.state.gpr[rsp] + sizeof(T) + static_cast<u16>(operation.immediate));
  return outcome;
}

/// `pick(width, zero)`: the width of RIP and the operand's type. In 64-bit mode both are 64 bits (SDM vol. 2, JMP: an
/// operand-size prefix is ignored).
template <class Pick>
Handler by_width(const Decoded& decoded, const Operation& operation, Pick&& pick) {
  if (decoded.mode.is64()) return pick(std::integral_constant<Width, Width::Ip64>{}, u64{});
  if (operation.operand_size == 4) return pick(std::integral_constant<Width, Width::Ip32>{}, u32{});
  return pick(std::integral_constant<Width, Width::Ip16>{}, u16{});
}

Handler select_call_or_jump(const Decoded& decoded, const Operation& operation, bool is_call) {
  return by_width(decoded, operation, [&](auto width, auto zero) -> Handler {
    using T = decltype(zero);
    constexpr Width w = width.value;
    if (decoded.immediate(0)) return is_call ? call_direct<w, T> : jmp_direct<w>;
    if (!decoded.memory(0)) return is_call ? handle<call_register<w, T>> : handle<jmp_register<w, T>>;
    return by_address(decoded, [&](auto address) -> Handler {
      return is_call ? handle<call_memory<w, T, address.value>> : handle<jmp_memory<w, T, address.value>>;
    });
  });
}

template <Loop Kind>
Handler select_loop(const Decoded& decoded, const Operation& operation) {
  return by_width(decoded, operation, [&](auto width, auto) -> Handler {
    switch (operation.address_size) {
      case 2:
        return loop<Kind, u16, width.value>;
      case 4:
        return loop<Kind, u32, width.value>;
      default:
        return loop<Kind, u64, width.value>;
    }
  });
}

}  // namespace

Selection select_flow_group(const Decoded& decoded, Operation& operation) {
  const auto direct = [](Handler handler) { return Selection{handler, true, true}; };
  const bool is_far = decoded.instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL: {
      if (is_far) return {};
      const bool is_call = decoded.mnemonic() == ZYDIS_MNEMONIC_CALL;
      return {select_call_or_jump(decoded, operation, is_call), true, decoded.immediate(0)};
    }
    case ZYDIS_MNEMONIC_RET:
      if (is_far) return {};
      return {by_width(decoded, operation,
                       [](auto width, auto zero) -> Handler { return handle<ret<width.value, decltype(zero)>>; }),
              true, false};
    case ZYDIS_MNEMONIC_LOOP:
      return direct(select_loop<Loop::Always>(decoded, operation));
    case ZYDIS_MNEMONIC_LOOPE:
      return direct(select_loop<Loop::WhileEqual>(decoded, operation));
    case ZYDIS_MNEMONIC_LOOPNE:
      return direct(select_loop<Loop::WhileNotEqual>(decoded, operation));
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
      return direct(select_loop<Loop::IfZero>(decoded, operation));
    default:
      break;
  }
  if (decoded.instruction.meta.category != ZYDIS_CATEGORY_COND_BR) return {};
  return direct(by_condition(decoded.instruction.opcode & 15, [&](auto code) -> Handler {
    return by_width(decoded, operation, [&](auto width, auto) -> Handler { return jcc<code.value, width.value>; });
  }));
}

}  // namespace vitrine
