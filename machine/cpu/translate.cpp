// From instruction bytes to operations: decodes a block once, with Zydis.
#include <algorithm>

#include "machine/cpu/decode.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

constexpr unsigned longest_instruction = 15;

Outcome undefined_opcode(Cpu& cpu, const Operation&) {
  return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
}
/// More than 15 bytes: SDM vol. 2 §2.3.11.
Outcome too_long(Cpu& cpu, const Operation&) {
  return cpu.raise(vector::general_protection, 0, FailedCheck::Undefined);
}

template <bool Is64>
[[clang::preserve_none]] void end_of_block(Cpu& cpu, const Operation* operation) {
  const u64 next = cpu.state.gpr[block_rip_slot] + operation->offset;
  // 16-bit code does not wrap at 64 KiB by itself: it runs into its limit (only branches cut EIP: SDM vol. 2, JMP).
  cpu.state.rip = Is64 ? next : static_cast<u32>(next);
  if constexpr (!Is64) {
    // The link may have been made under another base and limit.
    if (cpu.state.rip > cpu.state.segments[cs].limit) [[unlikely]] {
      [[clang::musttail]] return leave_link(cpu, operation + 1);
    }
  }
  [[clang::musttail]] return follow_link(cpu, operation + 1);
}

struct Decoder {
  ZydisDecoder zydis;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  explicit Decoder(CodeMode mode) {
    switch (mode.code_size()) {
      case CodeMode::code64:
        ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        break;
      case CodeMode::code32:
        ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LEGACY_32,
                         mode.has(CodeMode::stack32) ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
        break;
      default:
        ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LEGACY_16,
                         mode.has(CodeMode::stack32) ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
        break;
    }
    ZydisDecoderEnableMode(&zydis, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);  // BND* are NOPs where MPX is absent
    ZydisDecoderEnableMode(&zydis, ZYDIS_DECODER_MODE_CET,
                           ZYAN_FALSE);  // 3Eh before JMP and CALL overrides the segment
  }
};

RegisterByte register_number(ZydisRegister reg) {
  const ZydisRegisterClass kind = ZydisRegisterGetClass(reg);
  switch (kind) {
    case ZYDIS_REGCLASS_GPR8:
      if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
        return static_cast<RegisterByte>((reg - ZYDIS_REGISTER_AH) * 8 + 1);
      }
      if (reg <= ZYDIS_REGISTER_BL) return static_cast<RegisterByte>((reg - ZYDIS_REGISTER_AL) * 8);
      return static_cast<RegisterByte>((reg - ZYDIS_REGISTER_SPL + 4) * 8);
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return static_cast<RegisterByte>(ZydisRegisterGetId(reg) * 8);
    default:
      return static_cast<RegisterByte>(ZydisRegisterGetId(reg));
  }
}

u8 address_slot(ZydisRegister reg) {
  switch (reg) {
    case ZYDIS_REGISTER_NONE:
      return zero_slot;
    case ZYDIS_REGISTER_RIP:
    case ZYDIS_REGISTER_EIP:
      return block_rip_slot;
    default:
      return static_cast<u8>(ZydisRegisterGetId(reg));
  }
}

u8 segment_index(ZydisRegister reg) {
  switch (reg) {
    case ZYDIS_REGISTER_ES:
      return es;
    case ZYDIS_REGISTER_CS:
      return cs;
    case ZYDIS_REGISTER_SS:
      return ss;
    case ZYDIS_REGISTER_FS:
      return fs;
    case ZYDIS_REGISTER_GS:
      return gs;
    default:
      return ds;
  }
}

/// The segment of operands that are not visible: an override, else DS for string instructions and XLAT, SS for the
/// stack.
u8 hidden_segment(const ZydisDecodedInstruction& instruction) {
  if ((instruction.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS) != 0) return fs;
  if ((instruction.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS) != 0) return gs;
  if (instruction.machine_mode != ZYDIS_MACHINE_MODE_LONG_64) {
    if ((instruction.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS) != 0) return cs;
    if ((instruction.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_DS) != 0) return ds;
    if ((instruction.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_ES) != 0) return es;
    if ((instruction.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_SS) != 0) return ss;
  }
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
      return ss;
    default:
      return ds;
  }
}

void fill_operands(const Decoder& decoder, Operation& operation, Address& address, CodeMode mode) {
  const ZydisDecodedInstruction& instruction = decoder.instruction;
  operation.base = operation.index = zero_slot;
  operation.segment = hidden_segment(instruction);
  operation.operand_size = static_cast<u8>(instruction.operand_width / 8);
  operation.address_size = static_cast<u8>(instruction.address_width / 8);
  RegisterByte* numbers[] = {&operation.first, &operation.second, &operation.third};
  for (unsigned i = 0; i < instruction.operand_count_visible; ++i) {
    const ZydisDecodedOperand& operand = decoder.operands[i];
    switch (operand.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        if (i < 3) *numbers[i] = register_number(operand.reg.value);
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        operation.immediate = operand.imm.value.u;
        if (operand.imm.is_relative) operation.immediate += operation.offset + instruction.length;
        break;
      case ZYDIS_OPERAND_TYPE_MEMORY: {
        operation.base = address_slot(operand.mem.base);
        operation.index = address_slot(operand.mem.index);
        operation.scale = operand.mem.scale == 8 ? 3 : operand.mem.scale == 4 ? 2 : operand.mem.scale == 2 ? 1 : 0;
        operation.segment = segment_index(operand.mem.segment);
        i64 displacement = operand.mem.disp.has_displacement ? operand.mem.disp.value : 0;
        if (operation.base == block_rip_slot) displacement += operation.offset + instruction.length;
        operation.displacement = static_cast<i32>(displacement);
        if (instruction.raw.disp.size == 64) operation.immediate = static_cast<u64>(operand.mem.disp.value);
        break;
      }
      default:
        break;
    }
  }
  if ((instruction.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0) operation.extra |= prefix::lock;
  if ((instruction.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0) operation.extra |= prefix::repeat;
  if ((instruction.attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0) operation.extra |= prefix::repeat_not_zero;
  // A code segment can't be written, even a flat one: it is checked.
  const bool plain_segment = operation.segment < fs && (mode.is64() || operation.segment != cs);
  if (mode.is64()) {
    address = plain_segment && operation.address_size == 8 ? Address::Flat64 : Address::General;
  } else {
    address =
        mode.code_size() == CodeMode::code32 && mode.has(CodeMode::flat) && plain_segment && operation.address_size == 4
            ? Address::Flat32
            : Address::General;
  }
}

}  // namespace

Selection select_instruction(const Decoded& decoded, Operation& operation) {
  // No VEX in real-address and virtual-8086 mode (SDM vol. 2, 2.3.5).
  if (decoded.real_or_v86 && decoded.instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) return {};
  switch (decoded.instruction.meta.isa_set) {
    // Zydis knows these groups, CPUID does not announce them, and by category or name they look like others.
    case ZYDIS_ISA_SET_RTM:
    case ZYDIS_ISA_SET_KNCJKBR:
    case ZYDIS_ISA_SET_KNCV:
      return {};
    default:
      break;
  }
  Selection selection = select_integer(decoded, operation);
  if (selection.handler == nullptr) selection = select_system(decoded, operation);
  if (selection.handler == nullptr) selection = select_vector(decoded, operation);
  if (selection.handler == nullptr) selection = select_x87(decoded, operation);
  return selection;
}

namespace {

/// Does the instruction access memory through GS?
bool uses_gs(const Decoder& decoder) {
  if (decoder.instruction.mnemonic == ZYDIS_MNEMONIC_NOP) return false;
  const auto* end = decoder.operands + decoder.instruction.operand_count;
  return std::any_of(decoder.operands, end, [](const ZydisDecodedOperand& operand) {
    return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
           operand.mem.segment == ZYDIS_REGISTER_GS;
  });
}

}  // namespace

Block* Cpu::decode_block(u64 linear, u64 physical) {
  // The bytes: from this page; an instruction that reaches into the next one gets a block of its own.
  u8 gathered[2 * longest_instruction] = {};
  const MemoryBus::Page page = memory.page(PhysicalAddress(physical));
  const unsigned in_page = 4096 - (physical & 0xFFF);
  const u8* bytes = gathered;
  unsigned available = in_page;
  if (page.host != nullptr) {
    bytes = page.host + (physical & 0xFFF);
  } else {
    available = std::min(in_page, longest_instruction);
    for (unsigned i = 0; i < available; ++i) {
      gathered[i] = static_cast<u8>(memory.peek(PhysicalAddress(physical + i), AccessSize(1)));
    }
  }

  Decoder decoder(mode);
  Operation operations[most_block_instructions];
  Handler inner[most_block_instructions];
  bool any_inner = false;
  unsigned count = 0;
  unsigned offset = 0;
  u64 second_physical = ~u64{0};
  bool ended = false;
  bool links = false;
  const unsigned most = page.host != nullptr ? most_block_instructions : 1;
  while (!ended && count < most && offset < most_block_bytes && offset < available) {
    const u8* at = bytes + offset;
    unsigned left = std::min(available - offset, longest_instruction);
    ZyanStatus status = ZydisDecoderDecodeFull(&decoder.zydis, at, left, &decoder.instruction, decoder.operands);
    if (status == ZYDIS_STATUS_NO_MORE_DATA && left < longest_instruction) {
      if (count != 0) break;
      Translation second;
      const u64 next_page = mode.is64() ? (linear | 0xFFF) + 1 : static_cast<u32>((linear | 0xFFF) + 1);
      const MemoryView fetch_view = cpl == 3 ? MemoryView::User : MemoryView::Supervisor;
      if (!translate(next_page, Access::Execute, fetch_view, second)) return nullptr;
      second_physical = second.physical & ~u64{0xFFF};
      std::copy_n(at, left, gathered);
      for (unsigned i = left; i < longest_instruction; ++i) {
        gathered[i] = static_cast<u8>(memory.peek(PhysicalAddress(second.physical + i - left), AccessSize(1)));
      }
      at = gathered;
      left = longest_instruction;
      status = ZydisDecoderDecodeFull(&decoder.zydis, at, left, &decoder.instruction, decoder.operands);
      ended = true;
    }
    Operation& operation = operations[count];
    operation = Operation{};
    operation.offset = static_cast<u8>(offset);
    Selection selection;
    if (ZYAN_SUCCESS(status)) {
      operation.length = decoder.instruction.length;
      Address address{};
      fill_operands(decoder, operation, address, mode);
      selection = select_instruction(
          {decoder.instruction, decoder.operands, mode, address, state.real_or_v86(), probe != nullptr}, operation);
    }
    if (selection.handler == nullptr) {
      operation.length = operation.length != 0 ? operation.length : 1;
      const bool overlong = status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG || status == ZYDIS_STATUS_NO_MORE_DATA;
      selection = {overlong ? handle<too_long> : handle<undefined_opcode>, true, false};
    }
    operation.handler = inner[count] = selection.handler;
    if (probe != nullptr) [[unlikely]] {
      const bool gs_at_0 = !mode.has(CodeMode::user) && ZYAN_SUCCESS(status) && uses_gs(decoder);
      operation.handler = probing_handler(*this, linear + offset, gs_at_0, selection.handler);
      any_inner |= operation.handler != selection.handler;
    }
    links = selection.links;
    ended |= selection.ends_block;
    ++count;
    offset += operation.length;
  }

  // The inner handlers stand behind the operations.
  const unsigned inner_operations =
      any_inner ? (count * sizeof(Handler) + sizeof(Operation) - 1) / sizeof(Operation) : 0;
  Block* made = blocks.allocate(count + inner_operations);
  if (made == nullptr) {
    blocks.clear();
    link_slot = nullptr;
    ++generations[code_generation];
    ++generations[fetch_generation];
    for (JumpEntry& entry : jump_cache) entry = JumpEntry{};
    made = blocks.allocate(count + inner_operations);
  }
  made->physical = physical;
  made->second_physical = second_physical;
  made->mode = mode;
  made->bytes = static_cast<u8>(std::min(offset, 255u));
  made->count = static_cast<u8>(count);
  std::copy_n(operations, count, made->operations);
  if (any_inner) {
    auto* behind = reinterpret_cast<Handler*>(made->operations + count + block_tail_operations);
    std::copy_n(inner, count, behind);
    made->inner = behind;
  }
  if (!links) {
    Operation& end = made->operations[count];
    end.handler = mode.is64() ? end_of_block<true> : end_of_block<false>;
    end.offset = static_cast<u8>(offset);
  }
  if (page.host == nullptr) {
    made->physical = ~u64{0};  // devices are never cached: decoded anew each time
    return made;
  }
  const bool first_code = !any_code(physical);
  const bool first_second = made->crosses() && !any_code(second_physical);
  blocks.insert(made);
  if (first_code) protect_code(physical);
  if (first_second) protect_code(second_physical);
  return made;
}

}  // namespace vitrine
