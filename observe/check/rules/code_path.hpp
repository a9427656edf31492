// Ways through the guest's code as the CPU would run it now: loops around a HLT, waits for a word.
//
// Reads memory without effects (peek_memory). Code segments that don't start at 0 are taken as if they did, which is
// right for relative branches.
#pragma once

#include <optional>
#include <vector>

#include "observe/check/code_walk.hpp"

namespace vitrine {

/// The shortest way from the instruction at `from` to the one at `to`, which is not part of it: at most `most`
/// instructions, over both sides of branches, into direct calls and back. A return out of the function where it began
/// takes its address from the stack, which must be as it is before `from`. Empty: there is none, or none is seen.
[[nodiscard]] std::vector<GuestInstruction> find_path(const Cpu& cpu, u64 from, u64 to, std::size_t most);

/// May the instruction stand in a wait that nothing but memory can end?
[[nodiscard]] bool only_computes(const GuestInstruction& instruction);

[[nodiscard]] bool reads(const ZydisDecodedOperand& operand);
[[nodiscard]] bool writes(const ZydisDecodedOperand& operand);
/// An operand in memory, LEA's apart.
[[nodiscard]] bool in_memory(const ZydisDecodedOperand& operand);
/// A bit for each general register that the instruction writes.
[[nodiscard]] u32 written_registers(const GuestInstruction& instruction);
/// A bit for each general register that the operand's address is made of.
[[nodiscard]] u32 address_registers(const ZydisDecodedOperand& operand);
/// Where the operand in memory is, with the registers as they are now. Linear.
[[nodiscard]] u64 linear_address(const Cpu& cpu, const GuestInstruction& instruction,
                                 const ZydisDecodedOperand& operand);
/// The first bytes (at most 8) of RAM there; empty if they can't be read.
[[nodiscard]] std::optional<u64> peek_word(const Cpu& cpu, u64 linear, unsigned size);

}  // namespace vitrine
