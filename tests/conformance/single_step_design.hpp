// Where an 8086 or an 80286 and a processor of today differ by design, in real mode.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "machine/cpu/fault_chain.hpp"
#include "tests/conformance/moo.hpp"

namespace vitrine::conformance {

enum class Chip { I8086, I80286 };

/// What our CPU made of a test.
struct Ours {
  std::array<u16, moo::register_count> registers{};
  std::optional<u8> fault;  ///< the exception that it raised
  FailedCheck check{};      ///< why
};

/// Does it repeat: REP, REPE or REPNE before a string instruction?
[[nodiscard]] bool has_repeat_prefix(const MooTest& test);
/// Flags that today's manual leaves undefined after this instruction are 0 in it. `name`: opcode as the files have it.
[[nodiscard]] u16 manual_flags_mask(const std::string& name, const MooTest& test);
/// Where the test left flags in memory: an interrupt frame, or what PUSHF pushed.
[[nodiscard]] std::optional<u32> pushed_flags_address(const MooTest& test, Chip chip);
/// The reason, as a phrase; empty: there is none, ours is wrong.
[[nodiscard]] std::string_view design_difference(Chip chip, const std::string& name, const MooTest& test,
                                                 const Ours& ours);

}  // namespace vitrine::conformance
