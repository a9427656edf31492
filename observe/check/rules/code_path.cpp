#include "observe/check/rules/code_path.hpp"

#include <algorithm>

#include "observe/check/rules/contains.hpp"

namespace vitrine {

namespace {

constexpr std::size_t most_states = 256;

unsigned slot_bytes(const Cpu& cpu) {
  if (cpu.mode.is64()) return 8;
  return cpu.mode.code_size() == CodeMode::code32 ? 4 : 2;
}

u64 wrap(const Cpu& cpu, u64 linear) { return cpu.mode.is64() ? linear : static_cast<u32>(linear); }

/// A place on a way through the code.
struct WayPoint {
  GuestInstruction instruction;
  std::size_t parent = 0;
  std::size_t length = 0;  ///< instructions up to and with this one
  std::vector<u64> callers;
  i64 stack = 0;  ///< bytes from the stack pointer at the beginning to the one before this instruction
  bool stack_known = true;
};

struct Successor {
  u64 address = 0;
  bool calls = false, returns = false;
};

std::vector<Successor> successors(const Cpu& cpu, const WayPoint& point) {
  const GuestInstruction& instruction = point.instruction;
  switch (instruction.decoded.meta.category) {
    case ZYDIS_CATEGORY_COND_BR: {
      std::vector<Successor> both = {{.address = instruction.next()}};
      if (instruction.direct()) both.push_back({.address = instruction.target});
      return both;
    }
    case ZYDIS_CATEGORY_UNCOND_BR:
      if (instruction.direct()) return {{.address = instruction.target}};
      return {};
    case ZYDIS_CATEGORY_CALL:
      if (instruction.direct()) return {{.address = instruction.target, .calls = true}};
      return {};
    case ZYDIS_CATEGORY_RET: {
      if (instruction.decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR) return {};
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
      if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_HLT || instruction.decoded.mnemonic == ZYDIS_MNEMONIC_UD2)
        return {};
      return {{.address = instruction.next()}};
  }
}

/// What the instruction does to the stack pointer, calls and returns apart.
void move_stack(const Cpu& cpu, WayPoint& point) {
  const GuestInstruction& instruction = point.instruction;
  if ((written_registers(instruction) & (1u << rsp)) == 0) return;
  const auto slot = static_cast<i64>(slot_bytes(cpu));
  switch (instruction.decoded.mnemonic) {
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
        point.stack += instruction.decoded.mnemonic == ZYDIS_MNEMONIC_ADD ? amount : -amount;
        return;
      }
      break;
    default:
      break;
  }
  point.stack_known = false;
}

}  // namespace

std::vector<GuestInstruction> find_path(const Cpu& cpu, u64 from, u64 to, std::size_t most) {
  std::vector<WayPoint> points;
  std::vector<std::pair<u64, std::size_t>> visited;  // address and depth of calls
  const auto visit = [&](u64 address, std::size_t depth) {
    const std::pair<u64, std::size_t> place(address, depth);
    if (contains(visited, place)) return false;
    visited.push_back(place);
    return true;
  };
  const GuestCode code(cpu, cpu.mode.code_size());
  const auto first = code.decode(from);
  if (!first) return {};
  points.push_back({.instruction = *first, .length = 1});
  visit(from, 0);
  for (std::size_t at = 0; at < points.size() && points.size() < most_states; ++at) {
    for (const Successor& each : successors(cpu, points[at])) {
      if (each.address == to && points[at].length <= most) {
        std::vector<GuestInstruction> path;
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
      const auto decoded = code.decode(each.address);
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

u32 written_registers(const GuestInstruction& instruction) {
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

u64 linear_address(const Cpu& cpu, const GuestInstruction& instruction, const ZydisDecodedOperand& operand) {
  const auto value = [&](ZydisRegister name) -> u64 {
    if (name == ZYDIS_REGISTER_RIP || name == ZYDIS_REGISTER_EIP) return instruction.next();
    const auto slot = general_register(name);
    return slot ? cpu.state.gpr[*slot] : 0;
  };
  u64 offset =
      value(operand.mem.base) + value(operand.mem.index) * operand.mem.scale + static_cast<u64>(operand.mem.disp.value);
  if (instruction.decoded.address_width == 32) offset = static_cast<u32>(offset);
  if (instruction.decoded.address_width == 16) offset = static_cast<u16>(offset);
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

bool only_computes(const GuestInstruction& instruction) {
  switch (instruction.decoded.meta.category) {
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_RDRAND:
    case ZYDIS_CATEGORY_RDSEED:
    case ZYDIS_CATEGORY_STRINGOP:
      return false;
    default:
      break;
  }
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_CPUID:
      return false;
    default:
      break;
  }
  // Another register could count the rounds.
  return std::ranges::all_of(instruction.all_operands(), [](const ZydisDecodedOperand& operand) {
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !writes(operand)) return true;
    const ZydisRegisterClass kind = ZydisRegisterGetClass(operand.reg.value);
    return kind == ZYDIS_REGCLASS_FLAGS || kind == ZYDIS_REGCLASS_IP || general_register(operand.reg.value).has_value();
  });
}

}  // namespace vitrine
