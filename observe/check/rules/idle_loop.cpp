#include "observe/check/rules/idle_loop.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace vitrine {

namespace {

constexpr std::size_t longest_loop = 48;
constexpr std::size_t most_words = 4;

bool is_ordered(ZydisMnemonic mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_JB:
    case ZYDIS_MNEMONIC_JBE:
    case ZYDIS_MNEMONIC_JNB:
    case ZYDIS_MNEMONIC_JNBE:
    case ZYDIS_MNEMONIC_JL:
    case ZYDIS_MNEMONIC_JLE:
    case ZYDIS_MNEMONIC_JNL:
    case ZYDIS_MNEMONIC_JNLE:
    case ZYDIS_MNEMONIC_JS:
    case ZYDIS_MNEMONIC_JNS:
      return true;
    default:
      return false;
  }
}

/// Follows values from memory into registers and flags along one path.
class PathReader {
 public:
  explicit PathReader(const std::vector<GuestInstruction>& path) : path_(path) {}

  /// Indices of reads that a branch depends on, with the branch's kind.
  struct Decision {
    std::size_t read = 0;  // index in the path
    const ZydisDecodedOperand* operand = nullptr;
    bool ordered = false;
  };
  std::vector<Decision> decisions() {
    for (std::size_t i = 0; i < path_.size(); ++i) step(i);
    return std::move(decisions_);
  }

 private:
  struct Origin {
    std::size_t read = 0;
    const ZydisDecodedOperand* operand = nullptr;
  };

  void step(std::size_t index) {
    const GuestInstruction& instruction = path_[index];
    if (instruction.decoded.meta.category == ZYDIS_CATEGORY_COND_BR) {
      if (!flags_) return;
      const bool ordered = is_ordered(instruction.decoded.mnemonic);
      std::erase_if(decisions_, [&](const Decision& old) { return old.operand == flags_->operand; });
      decisions_.push_back({.read = flags_->read, .operand = flags_->operand, .ordered = ordered});
      return;
    }
    std::optional<Origin> origin;
    bool writes_flags = false;
    for (const ZydisDecodedOperand& operand : instruction.all_operands()) {
      const bool hidden_stack =
          operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && operand.type == ZYDIS_OPERAND_TYPE_MEMORY;
      if (in_memory(operand) && reads(operand) && !hidden_stack) {
        origin = Origin{.read = index, .operand = &operand};
      } else if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && reads(operand) && !origin) {
        if (const auto slot = general_register(operand.reg.value)) origin = registers_[*slot];
      }
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && writes(operand) &&
          ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_FLAGS) {
        writes_flags = true;
      }
    }
    for (u8 slot = 0; slot < registers_.size(); ++slot) {
      if ((written_registers(instruction) >> slot & 1) != 0) registers_[slot] = origin;
    }
    if (writes_flags) flags_ = origin;
  }

  const std::vector<GuestInstruction>& path_;
  std::array<std::optional<Origin>, 16> registers_;
  std::optional<Origin> flags_;
  std::vector<Decision> decisions_;
};

}  // namespace

IdleLoop idle_loop_around(const Cpu& cpu, u64 halt) {
  IdleLoop loop{.halt = halt};
  const auto instruction = GuestCode(cpu, cpu.mode.code_size()).decode(halt);
  if (!instruction) return loop;
  const std::vector<GuestInstruction> path = find_path(cpu, instruction->next(), halt, longest_loop);
  if (path.empty()) return loop;
  loop.endless = std::ranges::none_of(path, [](const GuestInstruction& each) {
    return each.decoded.meta.category == ZYDIS_CATEGORY_COND_BR || each.decoded.meta.category == ZYDIS_CATEGORY_CALL;
  });
  loop.clears_interrupts = std::ranges::any_of(
      path, [](const GuestInstruction& each) { return each.decoded.mnemonic == ZYDIS_MNEMONIC_CLI; });
  for (const PathReader::Decision& decision : PathReader(path).decisions()) {
    u32 changed = 0;  // registers that no longer hold what they held at the read
    for (std::size_t i = decision.read; i < path.size(); ++i) changed |= written_registers(path[i]);
    if ((address_registers(*decision.operand) & changed) != 0 || loop.words.size() == most_words) continue;
    IdleWord word{.linear = linear_address(cpu, path[decision.read], *decision.operand),
                  .size = decision.operand->size / 8u,
                  .read_at = path[decision.read].address,
                  .ordered = decision.ordered};
    if (!peek_word(cpu, word.linear, word.size)) continue;
    for (std::size_t i = decision.read + 1; i < path.size(); ++i) word.gap.push_back(path[i].address);
    word.gap.push_back(halt);
    loop.words.push_back(std::move(word));
  }
  return loop;
}

}  // namespace vitrine
