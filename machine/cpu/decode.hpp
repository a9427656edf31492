// From Zydis' view of an instruction to a handler: what the instruction files implement and translate.cpp calls.
//
// translate.cpp decodes with Zydis, fills in all fields of the Operation (operands, memory operand, sizes, immediate,
// prefixes) and asks one of the select functions for the handler. A select function may change fields of the Operation.
// It returns null for what it does not know, which raises #UD when it is executed.
#pragma once

#include <Zydis/Zydis.h>

#include "machine/cpu/access.hpp"

namespace vitrine {

struct Decoded {
  const ZydisDecodedInstruction& instruction;
  const ZydisDecodedOperand* operands;  ///< explicit ones first: instruction.operand_count_visible
  CodeMode mode;
  Address address;      ///< how the memory operand (if any) is addressed
  bool real_or_v86;     ///< the mode at decode time is real or virtual-8086 (CS limits checked elsewhere)
  bool probed = false;  ///< a probe is attached, which wants to know of loads of RSP

  [[nodiscard]] ZydisMnemonic mnemonic() const { return instruction.mnemonic; }
  [[nodiscard]] bool memory(unsigned operand) const { return operands[operand].type == ZYDIS_OPERAND_TYPE_MEMORY; }
  [[nodiscard]] bool reg(unsigned operand) const { return operands[operand].type == ZYDIS_OPERAND_TYPE_REGISTER; }
  [[nodiscard]] bool immediate(unsigned operand) const {
    return operands[operand].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  }
  /// Bytes of an operand.
  [[nodiscard]] unsigned size(unsigned operand) const { return operands[operand].size / 8; }
  [[nodiscard]] bool has(ZydisInstructionAttributes attribute) const {
    return (instruction.attributes & attribute) != 0;
  }
};

/// What follows an instruction in its block.
struct Selection {
  Handler handler = nullptr;
  bool ends_block = false;  ///< its outcome is never Next (or it must be the last)
  bool links = false;       ///< a direct branch: two link slots follow (taken, not taken)
};

/// Asks the four below. What CPUID does not announce has no handler (cpuid_test.cpp).
Selection select_instruction(const Decoded& decoded, Operation& operation);  // translate.cpp
Selection select_integer(const Decoded& decoded, Operation& operation);      // integer_*.cpp
Selection select_system(const Decoded& decoded, Operation& operation);       // system_*.cpp
Selection select_vector(const Decoded& decoded, Operation& operation);       // sse_*.cpp, mmx
Selection select_x87(const Decoded& decoded, Operation& operation);          // x87_*.cpp

/// Picks the instance of a template for the decoded addressing: `by_address(decoded, [](auto a) { return
/// &handle<f<a.value>>; })`.
template <class Pick>
Handler by_address(const Decoded& decoded, Pick&& pick) {
  switch (decoded.address) {
    case Address::Flat64:
      return pick(std::integral_constant<Address, Address::Flat64>{});
    case Address::Flat32:
      return pick(std::integral_constant<Address, Address::Flat32>{});
    case Address::General:
      return pick(std::integral_constant<Address, Address::General>{});
  }
  return nullptr;
}

/// Picks by operand size in bytes: `by_size(4, [](auto zero) { using T = decltype(zero); ... })`.
template <class Pick>
Handler by_size(unsigned bytes, Pick&& pick) {
  switch (bytes) {
    case 1:
      return pick(u8{});
    case 2:
      return pick(u16{});
    case 4:
      return pick(u32{});
    case 8:
      return pick(u64{});
    default:
      return nullptr;
  }
}

}  // namespace vitrine
