// x87 instructions that move between registers: FLD ST(i), FST, FXCH, FCMOVcc, constants, sign changes, the stack
// pointer. And the map of the x87 opcodes.
//
// Manual: Intel SDM vol. 1 §8.3.2, §8.3.4, vol. 2 and appendix B. The doubled opcodes of the 8087 are kept.
#include "machine/cpu/x87.hpp"

namespace vitrine {
namespace {

VITRINE_INLINE void clear_c1(Cpu& cpu) { cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1); }

Outcome fld(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  const Float80& source = st(cpu, operation.first);
  if (!is_valid(cpu, operation.first)) [[unlikely]] {
    if (!stack_fault(cpu, StackFault::Underflow)) return Outcome::Next;
    push_stack(cpu);
    set_indefinite(st(cpu, 0));
    return Outcome::Next;
  }
  if (is_valid(cpu, 7)) [[unlikely]]
    return overflow_push(cpu);
  clear_c1(cpu);
  push_stack(cpu);
  copy(st(cpu, 0), source);
  return Outcome::Next;
}

template <unsigned Pops>
Outcome fst(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0)) [[unlikely]]
    return underflow_into(cpu, operation.first, Pops);
  clear_c1(cpu);
  copy(st(cpu, operation.first), st(cpu, 0));
  mark_valid(cpu, operation.first);
  pop_stack(cpu, Pops);
  return Outcome::Next;
}

Outcome fxch(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  Float80 &top = st(cpu, 0), &other = st(cpu, operation.first);
  if (!is_valid(cpu, 0) || !is_valid(cpu, operation.first)) [[unlikely]] {
    if (!stack_fault(cpu, StackFault::Underflow)) return Outcome::Next;
    if (!is_valid(cpu, 0)) set_indefinite(top);
    if (!is_valid(cpu, operation.first)) set_indefinite(other);
    mark_valid(cpu, 0);
    mark_valid(cpu, operation.first);
  } else {
    clear_c1(cpu);
  }
  Float80 held;
  copy(held, top);
  copy(top, other);
  copy(other, held);
  return Outcome::Next;
}

// FCMOVcc: the flags as CpuState::status has them.
inline constexpr u16 carry_flag = 0x0100, parity_flag = 0x0400, zero_flag = 0x4000;
template <u16 Flags, bool Wanted>
Outcome fcmov(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0) || !is_valid(cpu, operation.first)) [[unlikely]]
    return underflow_into(cpu, 0, 0);
  if (((cpu.state.status & Flags) != 0) == Wanted) copy(st(cpu, 0), st(cpu, operation.first));
  return Outcome::Next;
}

// Constants are rounded as the control word says (SDM vol. 1 §8.3.4); the host does it.
#define VITRINE_CONSTANT(name, text)                                               \
  Outcome name(Cpu& cpu, const Operation& operation) {                             \
    if (!x87_usable(cpu)) [[unlikely]]                                             \
      return refuse_x87(cpu, operation);                                           \
    note_instruction(cpu, operation);                                              \
    if (is_valid(cpu, 7)) [[unlikely]]                                             \
      return overflow_push(cpu);                                                   \
    clear_c1(cpu);                                                                 \
    push_stack(cpu);                                                               \
    asm volatile(text "\n\tfstpt %0" : "=m"(st(cpu, 0)) : : VITRINE_X87_CLOBBERS); \
    return Outcome::Next;                                                          \
  }
VITRINE_CONSTANT(fld1, "fld1")
VITRINE_CONSTANT(fldl2t, "fldl2t")
VITRINE_CONSTANT(fldl2e, "fldl2e")
VITRINE_CONSTANT(fldpi, "fldpi")
VITRINE_CONSTANT(fldlg2, "fldlg2")
VITRINE_CONSTANT(fldln2, "fldln2")
VITRINE_CONSTANT(fldz, "fldz")

enum class Sign : u8 { Change, Clear };
template <Sign S>
Outcome change_sign(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  if (!is_valid(cpu, 0)) [[unlikely]]
    return underflow_into(cpu, 0, 0);
  clear_c1(cpu);
  u16& sign_exponent = st(cpu, 0).sign_exponent;
  sign_exponent = S == Sign::Change ? sign_exponent ^ 0x8000 : sign_exponent & 0x7FFF;
  return Outcome::Next;
}

template <unsigned Step>
Outcome move_top(Cpu& cpu, const Operation& operation) {  // FINCSTP, FDECSTP: tags stay
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  clear_c1(cpu);
  cpu.state.fpu.top = (cpu.state.fpu.top + Step) & 7;
  return Outcome::Next;
}

template <unsigned Pops>
Outcome ffree(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  clear_c1(cpu);
  mark_empty(cpu, operation.first);
  pop_stack(cpu, Pops);
  return Outcome::Next;
}

Outcome fnop(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  note_instruction(cpu, operation);
  return Outcome::Next;
}

Handler constant(unsigned rm) {
  constexpr Handler handlers[8] = {&handle<fld1>,   &handle<fldl2t>, &handle<fldl2e>, &handle<fldpi>,
                                   &handle<fldlg2>, &handle<fldln2>, &handle<fldz>,   nullptr};
  return handlers[rm];
}

}  // namespace

Handler select_x87_move(const Decoded&, unsigned opcode, unsigned reg, unsigned rm) {
  switch (opcode << 8 | reg) {
    case 0xD900:
      return &handle<fld>;
    case 0xD901:
    case 0xDD01:
    case 0xDF01:
      return &handle<fxch>;
    case 0xD902:
      return rm == 0 ? &handle<fnop> : nullptr;
    case 0xD903:
    case 0xDD03:
    case 0xDF02:
    case 0xDF03:
      return &handle<fst<1>>;
    case 0xDD02:
      return &handle<fst<0>>;
    case 0xD904:
      return rm == 0 ? &handle<change_sign<Sign::Change>> : rm == 1 ? &handle<change_sign<Sign::Clear>> : nullptr;
    case 0xD905:
      return constant(rm);
    case 0xD906:
      return rm == 6 ? &handle<move_top<7>> : rm == 7 ? &handle<move_top<1>> : nullptr;
    case 0xDD00:
      return &handle<ffree<0>>;
    case 0xDF00:
      return &handle<ffree<1>>;
    case 0xDA00:
      return &handle<fcmov<carry_flag, true>>;
    case 0xDA01:
      return &handle<fcmov<zero_flag, true>>;
    case 0xDA02:
      return &handle<fcmov<carry_flag | zero_flag, true>>;
    case 0xDA03:
      return &handle<fcmov<parity_flag, true>>;
    case 0xDB00:
      return &handle<fcmov<carry_flag, false>>;
    case 0xDB01:
      return &handle<fcmov<zero_flag, false>>;
    case 0xDB02:
      return &handle<fcmov<carry_flag | zero_flag, false>>;
    case 0xDB03:
      return &handle<fcmov<parity_flag, false>>;
    default:
      return nullptr;
  }
}

Selection select_x87(const Decoded& decoded, Operation& operation) {
  if (Selection selection = select_fpu_state(decoded, operation); selection.handler != nullptr) return selection;
  const ZydisDecodedInstruction& instruction = decoded.instruction;
  const unsigned opcode = instruction.opcode;
  if (instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || instruction.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT ||
      opcode < 0xD8 || opcode > 0xDF) {
    return {};
  }
  const unsigned mod = instruction.raw.modrm.mod, reg = instruction.raw.modrm.reg, rm = instruction.raw.modrm.rm;
  operation.immediate = (opcode & 7) << 8 | mod << 6 | reg << 3 | rm;
  operation.first = static_cast<RegisterByte>(rm);
  Handler handler = nullptr;
  const auto otherwise = [&handler](auto&& select) {
    if (handler == nullptr) handler = select();
  };
  if (mod != 3) otherwise([&] { return select_x87_memory(decoded, opcode, reg); });
  if (mod == 3) {
    otherwise([&] { return select_x87_move(decoded, opcode, reg, rm); });
    if (opcode == 0xD9) {
      otherwise([&] { return select_x87_top(reg, rm); });
      otherwise([&] { return select_x87_transcendental(reg, rm); });
    }
  }
  otherwise([&] { return select_x87_compare(decoded, opcode, reg, rm); });
  if (mod != 3 || opcode == 0xD8 || opcode == 0xDC || opcode == 0xDE) {
    otherwise([&] { return select_x87_arithmetic(decoded, opcode, reg); });
  }
  return {.handler = handler};
}

}  // namespace vitrine
