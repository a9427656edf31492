#include "observe/check/code_walk.hpp"

#include "machine/cpu/probe.hpp"

namespace vitrine {

namespace {

constexpr unsigned longest_instruction = 15;
constexpr u64 page_size = 4096;

/// As many bytes at `linear` as are there: a page may be the last one.
unsigned peek_some(const Cpu& cpu, u64 linear, u8 (&bytes)[longest_instruction]) {
  if (peek_memory(cpu, linear, bytes)) return longest_instruction;
  const auto rest = static_cast<unsigned>(page_size - linear % page_size);
  if (rest >= longest_instruction) return 0;
  return peek_memory(cpu, linear, std::span(bytes, rest)) ? rest : 0;
}

int vector_number(ZydisRegister reg) {
  const ZydisRegisterClass kind = ZydisRegisterGetClass(reg);
  return kind == ZYDIS_REGCLASS_XMM || kind == ZYDIS_REGCLASS_YMM ? ZydisRegisterGetId(reg) : -1;
}

/// Does some register operand, hidden ones too, have one of these actions and meet `test`?
template <class Test>
bool any_register(const GuestInstruction& instruction, ZydisOperandActions actions, Test&& test) {
  for (const ZydisDecodedOperand& operand : instruction.all_operands()) {
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && (operand.actions & actions) != 0 && test(operand.reg.value))
      return true;
  }
  return false;
}

CodeFlow flow_of(const ZydisDecodedInstruction& decoded, bool direct) {
  switch (decoded.meta.category) {
    case ZYDIS_CATEGORY_CALL:
      return CodeFlow::Call;
    case ZYDIS_CATEGORY_COND_BR:
      return CodeFlow::Branch;
    case ZYDIS_CATEGORY_UNCOND_BR:
      return direct ? CodeFlow::Jump : CodeFlow::Leave;
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSRET:
      return CodeFlow::Leave;
    default:
      return decoded.mnemonic == ZYDIS_MNEMONIC_UD2 ? CodeFlow::Leave : CodeFlow::On;
  }
}

}  // namespace

std::optional<u8> general_register(ZydisRegister name) {
  switch (ZydisRegisterGetClass(name)) {
    case ZYDIS_REGCLASS_GPR8: {
      // AH, CH, DH and BH stand between BL and SPL.
      const auto number = static_cast<unsigned>(name - ZYDIS_REGISTER_AL);
      return static_cast<u8>(number < 4 ? number : number - 4);
    }
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return static_cast<u8>(ZydisRegisterGetId(name));
    default:
      return std::nullopt;
  }
}

bool GuestInstruction::writes_general(u8 slot) const {
  return any_register(*this, ZYDIS_OPERAND_ACTION_MASK_WRITE,
                      [slot](ZydisRegister reg) { return general_register(reg) == slot; });
}

bool GuestInstruction::reads_vector(u8 number) const {
  return any_register(*this, ZYDIS_OPERAND_ACTION_MASK_READ,
                      [number](ZydisRegister reg) { return vector_number(reg) == number; });
}

bool GuestInstruction::writes_vector(u8 number) const {
  return any_register(*this, ZYDIS_OPERAND_ACTION_MASK_WRITE,
                      [number](ZydisRegister reg) { return vector_number(reg) == number; });
}

bool GuestInstruction::uses_vectors() const {
  constexpr ZydisOperandActions any = ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_MASK_WRITE;
  return any_register(*this, any, [](ZydisRegister reg) {
    return vector_number(reg) >= 0 || ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_MMX;
  });
}

bool GuestInstruction::is_x87() const {
  return decoded.meta.isa_ext == ZYDIS_ISA_EXT_X87 || decoded.meta.isa_ext == ZYDIS_ISA_EXT_MMX;
}

GuestCode::GuestCode(const Cpu& cpu, u8 code_size) : cpu_(cpu), code_size_(code_size) {
  switch (code_size) {
    case CodeMode::code64:
      ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
      break;
    case CodeMode::code32:
      ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
      break;
    default:
      ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
      break;
  }
}

std::optional<GuestInstruction> GuestCode::decode(u64 linear) const {
  u8 bytes[longest_instruction];
  const unsigned count = peek_some(cpu_, linear, bytes);
  GuestInstruction result;
  result.address = linear;
  if (count == 0 || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, bytes, count, &result.decoded, result.operands))) {
    return std::nullopt;
  }
  if (result.direct()) {
    result.target = result.next() + result.operands[0].imm.value.u;
    if (code_size_ != CodeMode::code64) result.target = static_cast<u32>(result.target);
  }
  result.flow = flow_of(result.decoded, result.direct());
  return result;
}

std::string general_register_name(u8 slot, bool wide) {
  static constexpr const char* names[] = {"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"};
  if (slot >= 8) return "R" + std::to_string(slot);
  return std::string(wide ? "R" : "E") + names[slot];
}

}  // namespace vitrine
