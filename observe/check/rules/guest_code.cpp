#include "observe/check/rules/guest_code.hpp"

#include <algorithm>

#include "observe/check/rules/contains.hpp"

namespace vitrine {

namespace {

constexpr std::size_t most_states = 256;
constexpr std::size_t longest_instruction = 15;

ZydisDecoder decoder_of(const Cpu& cpu) {
  ZydisDecoder decoder;
  switch (cpu.mode.code_size()) {
    case CodeMode::code64:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
      break;
    case CodeMode::code32:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
      break;
    default:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
      break;
  }
  return decoder;
}

unsigned slot_bytes(const Cpu& cpu) {
  if (cpu.mode.is64()) return 8;
  return cpu.mode.code_size() == CodeMode::code32 ? 4 : 2;
}

u64 wrap(const Cpu& cpu, u64 linear) { return cpu.mode.is64() ? linear : static_cast<u32>(linear); }

/// A place on a way through the code.
struct WayPoint {
  CodeInstruction instruction;
  std::size_t parent = 0;
  std::size_t length = 0;  ///< instructions up to and with this one
  std::vector<u64> callers;
  i64 stack = 0;  ///< bytes from the stack pointer at the beginning to the one before this instruction
  bool stack_known = true;
};

/// The branch's target, if it is direct.
std::optional<u64> direct_target(const Cpu& cpu, const CodeInstruction& instruction) {
  const ZydisDecodedOperand& operand = instruction.operands[0];
  if (operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !operand.imm.is_relative) return std::nullopt;
  return wrap(cpu, instruction.next() + static_cast<u64>(operand.imm.value.s));
}

struct Successor {
  u64 address = 0;
  bool calls = false, returns = false;
};

std::vector<Successor> successors(const Cpu& cpu, const WayPoint& point) {
  const CodeInstruction& instruction = point.instruction;
  switch (instruction.info.meta.category) {
    case ZYDIS_CATEGORY_COND_BR: {
      std::vector<Successor> both = {{.address = instruction.next()}};
      if (const auto target = direct_target(cpu, instruction)) both.push_back({.address = *target});
      return both;
    }
    case ZYDIS_CATEGORY_UNCOND_BR:
      if (const auto target = direct_target(cpu, instruction)) return {{.address = *target}};
      return {};
    case ZYDIS_CATEGORY_CALL:
      if (const auto target = direct_target(cpu, instruction)) return {{.address = *target, .calls = true}};
      return {};
    case ZYDIS_CATEGORY_RET: {
      if (instruction.info.meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR) return {};
      if (!point.callers.empty()) return {{.address = point.callers.back(), .returns = true}};
      if (!point.stack_known) return {};
      const u64 top = cpu.state.segments[ss].base + cpu.state.gpr[rsp] + static_cast<u64>(point.stack);
      const auto address = peek_word(cpu, wrap(cpu, top), slot_bytes(cpu));
      if (!address) return {};
      return {{.address = *address, .returns = true}};
    }
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
      return {};
    default:
      if (instruction.mnemonic() == ZYDIS_MNEMONIC_HLT || instruction.mnemonic() == ZYDIS_MNEMONIC_UD2) return {};
      return {{.address = instruction.next()}};
  }
}

/// What the instruction does to the stack pointer, calls and returns apart.
void move_stack(const Cpu& cpu, WayPoint& point) {
  const CodeInstruction& instruction = point.instruction;
  if ((written_registers(instruction) & (1u << rsp)) == 0) return;
  const auto slot = static_cast<i64>(slot_bytes(cpu));
  switch (instruction.mnemonic()) {
    case ZYDIS_MNEMONIC_PUSH:
      point.stack -= slot;
      return;
    case ZYDIS_MNEMONIC_POP:
      point.stack += slot;
      return;
    case ZYDIS_MNEMONIC_RET:
      point.stack += slot;
      return;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
      if (instruction.operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        const i64 amount = instruction.operands[1].imm.value.s;
        point.stack += instruction.mnemonic() == ZYDIS_MNEMONIC_ADD ? amount : -amount;
        return;
      }
      break;
    default:
      break;
  }
  point.stack_known = false;
}

}  // namespace

std::optional<CodeInstruction> decode_at(const Cpu& cpu, u64 linear) {
  u8 bytes[longest_instruction];
  std::size_t size = sizeof bytes;
  while (size != 0 && !peek_memory(cpu, linear, {bytes, size})) --size;  // the next page may be missing
  if (size == 0) return std::nullopt;
  const ZydisDecoder decoder = decoder_of(cpu);
  CodeInstruction instruction{.address = linear};
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, size, &instruction.info, instruction.operands))) {
    return std::nullopt;
  }
  return instruction;
}

std::vector<CodeInstruction> find_path(const Cpu& cpu, u64 from, u64 to, std::size_t most) {
  std::vector<WayPoint> points;
  std::vector<std::pair<u64, std::size_t>> visited;  // address and depth of calls
  const auto visit = [&](u64 address, std::size_t depth) {
    const std::pair<u64, std::size_t> place(address, depth);
    if (contains(visited, place)) return false;
    visited.push_back(place);
    return true;
  };
  const auto first = decode_at(cpu, from);
  if (!first) return {};
  points.push_back({.instruction = *first, .length = 1});
  visit(from, 0);
  for (std::size_t at = 0; at < points.size() && points.size() < most_states; ++at) {
    for (const Successor& each : successors(cpu, points[at])) {
      if (each.address == to && points[at].length <= most) {
        std::vector<CodeInstruction> path;
        for (std::size_t back = at;; back = points[back].parent) {
          path.push_back(points[back].instruction);
          if (back == 0) break;
        }
        std::ranges::reverse(path);
        return path;
      }
      if (points[at].length >= most) continue;
      WayPoint next = points[at];
      next.parent = at;
      ++next.length;
      if (each.calls) {
        next.callers.push_back(next.instruction.next());
      } else if (each.returns && !next.callers.empty()) {
        next.callers.pop_back();
      } else if (next.callers.empty()) {
        move_stack(cpu, next);
      }
      if (!visit(each.address, next.callers.size())) continue;
      const auto decoded = decode_at(cpu, each.address);
      if (!decoded) continue;
      next.instruction = *decoded;
      points.push_back(std::move(next));
    }
  }
  return {};
}

bool reads(const ZydisDecodedOperand& operand) { return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0; }
bool writes(const ZydisDecodedOperand& operand) { return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0; }

bool in_memory(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type == ZYDIS_MEMOP_TYPE_MEM;
}

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

u32 written_registers(const CodeInstruction& instruction) {
  u32 written = 0;
  for (const ZydisDecodedOperand& operand : instruction.all_operands()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !writes(operand)) continue;
    if (const auto slot = general_register(operand.reg.value)) written |= 1u << *slot;
  }
  return written;
}

u32 address_registers(const ZydisDecodedOperand& operand) {
  u32 used = 0;
  for (const ZydisRegister name : {operand.mem.base, operand.mem.index}) {
    if (const auto slot = general_register(name)) used |= 1u << *slot;
  }
  return used;
}

u64 linear_address(const Cpu& cpu, const CodeInstruction& instruction, const ZydisDecodedOperand& operand) {
  const auto value = [&](ZydisRegister name) -> u64 {
    if (name == ZYDIS_REGISTER_RIP || name == ZYDIS_REGISTER_EIP) return instruction.next();
    const auto slot = general_register(name);
    return slot ? cpu.state.gpr[*slot] : 0;
  };
  u64 offset =
      value(operand.mem.base) + value(operand.mem.index) * operand.mem.scale + static_cast<u64>(operand.mem.disp.value);
  if (instruction.info.address_width == 32) offset = static_cast<u32>(offset);
  if (instruction.info.address_width == 16) offset = static_cast<u16>(offset);
  SegmentIndex segment = ds;
  switch (operand.mem.segment) {
    case ZYDIS_REGISTER_ES:
      segment = es;
      break;
    case ZYDIS_REGISTER_CS:
      segment = cs;
      break;
    case ZYDIS_REGISTER_SS:
      segment = ss;
      break;
    case ZYDIS_REGISTER_FS:
      segment = fs;
      break;
    case ZYDIS_REGISTER_GS:
      segment = gs;
      break;
    default:
      break;
  }
  const bool based = !cpu.mode.is64() || segment == fs || segment == gs;  // SDM vol. 1, 3.4.4
  return wrap(cpu, offset + (based ? cpu.state.segments[segment].base : 0));
}

std::optional<u64> peek_word(const Cpu& cpu, u64 linear, unsigned size) {
  u64 value = 0;
  size = std::clamp(size, 1u, 8u);
  if (!peek_memory(cpu, linear, {reinterpret_cast<u8*>(&value), size})) return std::nullopt;
  return value;
}

}  // namespace vitrine
