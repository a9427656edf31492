// Reads the guest's code as it stands in memory now: what a rule asks of the instructions around an interrupt.
//
// Nothing here runs or changes anything; what can't be read or decoded ends a walk.
#pragma once

#include <Zydis/Zydis.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "machine/cpu/cpu.hpp"

namespace vitrine {

/// Where an instruction leads.
enum class CodeFlow : u8 {
  On,      ///< to the next one
  Jump,    ///< to `target`
  Branch,  ///< to `target` or to the next one
  Call,    ///< to `target` (0: not known) and, it is to be hoped, back
  Leave,   ///< elsewhere: returns, indirect jumps
};

struct GuestInstruction {
  u64 address = 0;  ///< linear
  u64 target = 0;   ///< linear, of a direct branch or call; else 0
  CodeFlow flow = CodeFlow::On;
  ZydisDecodedInstruction decoded;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  [[nodiscard]] u64 next() const { return address + decoded.length; }
  /// All of them, hidden ones too.
  [[nodiscard]] std::span<const ZydisDecodedOperand> all_operands() const { return {operands, decoded.operand_count}; }
  /// Has `target`.
  [[nodiscard]] bool direct() const {
    return decoded.operand_count > 0 && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative;
  }
  [[nodiscard]] bool is(ZydisMnemonic mnemonic) const { return decoded.mnemonic == mnemonic; }
  /// Is the general register `slot` (RegisterSlot, 0..15), or a part of it, written? Hidden operands count.
  [[nodiscard]] bool writes_general(u8 slot) const;
  /// The same for XMM0..XMM15.
  [[nodiscard]] bool reads_vector(u8 number) const;
  [[nodiscard]] bool writes_vector(u8 number) const;
  /// Does it use XMM, YMM or MM registers?
  [[nodiscard]] bool uses_vectors() const;
  [[nodiscard]] bool is_x87() const;
};

class GuestCode {
 public:
  /// `code_size`: CodeMode::code16, code32 or code64.
  GuestCode(const Cpu& cpu, u8 code_size);
  [[nodiscard]] std::optional<GuestInstruction> decode(u64 linear) const;

 private:
  const Cpu& cpu_;
  u8 code_size_;
  ZydisDecoder decoder_;
};

/// How a visitor of explore() wants to go on.
enum class Step : u8 { On, Stop, Found };
enum class Calls : u8 { StepOver, Stop };

/// Walks the code from `from` along direct jumps and both sides of branches, each instruction once, `most` in all.
/// `visit(instruction, state)` sees each with the state of the path that led there first. True: it said Found.
template <class State, class Visit>
bool explore(const GuestCode& code, u64 from, State initial, Calls calls, unsigned most, Visit&& visit) {
  std::vector<std::pair<u64, State>> open{{from, std::move(initial)}};
  std::vector<u64> seen;
  while (!open.empty()) {
    auto [address, state] = std::move(open.back());
    open.pop_back();
    while (seen.size() < most && std::ranges::find(seen, address) == seen.end()) {
      seen.push_back(address);
      const auto instruction = code.decode(address);
      if (!instruction) break;
      const Step step = visit(*instruction, state);
      if (step == Step::Found) return true;
      if (step == Step::Stop || instruction->flow == CodeFlow::Leave) break;
      if (instruction->flow == CodeFlow::Call && calls == Calls::Stop) break;
      if (instruction->flow == CodeFlow::Branch) open.emplace_back(instruction->target, state);
      address = instruction->flow == CodeFlow::Jump ? instruction->target : instruction->next();
    }
  }
  return false;
}

/// The last instruction on a way from `entry` to `end` that meets `test`; if there is none, one in a function that is
/// called on the way.
template <class Test>
std::optional<u64> last_on_the_way(const GuestCode& code, u64 entry, u64 end, Test&& test) {
  struct Way {
    u64 last = 0, called = 0;
  };
  constexpr unsigned most_of_handler = 512, most_of_function = 256;
  Way found;
  const bool arrived =
      explore(code, entry, Way{}, Calls::StepOver, most_of_handler, [&](const GuestInstruction& instruction, Way& way) {
        if (instruction.address == end) {
          found = way;
          return Step::Found;
        }
        if (test(instruction)) way.last = instruction.address;
        if (instruction.flow == CodeFlow::Call && instruction.target != 0) way.called = instruction.target;
        return Step::On;
      });
  if (!arrived) return std::nullopt;
  if (found.last != 0) return found.last;
  if (found.called == 0) return std::nullopt;
  std::optional<u64> inside;
  explore(code, found.called, 0, Calls::StepOver, most_of_function, [&](const GuestInstruction& instruction, int) {
    if (!test(instruction)) return Step::On;
    inside = instruction.address;
    return Step::Found;
  });
  return inside;
}

/// The slot (RegisterSlot, 0..15) of a general register or of a part of one; empty for all others.
[[nodiscard]] std::optional<u8> general_register(ZydisRegister name);

/// "RBX" in 64-bit code, "EBX" elsewhere.
[[nodiscard]] std::string general_register_name(u8 slot, bool wide);

}  // namespace vitrine
