// The 32 exceptions by name, what the CPU pushes with each, and who has to answer for it (SDM vol. 3A table 6-1).
#pragma once

#include <optional>
#include <string_view>

#include "kernel/core/format.hpp"

namespace pulse {

/// What the CPU pushes with it. Zero: always 0.
enum class ErrorCode : u8 { None, Zero, Selector, PageFault, ControlProtection, Other };

struct Exception {
  std::string_view mnemonic, name;  ///< "#PF", "page fault"; the mnemonic may be empty
  ErrorCode error = ErrorCode::None;
};

/// `vector`: 0 to 31. One that the architecture reserves is a "reserved exception".
[[nodiscard]] const Exception& exception_of(u64 vector);

/// "page fault (#PF, vector 14)".
void put_exception(TextSink& out, u64 vector);

/// The signal that a program gets for it (Linux, arch/x86/kernel/traps.c has the same). Nothing: it is not the
/// program's doing, wherever it came: a machine check, a double fault, a vector that no CPU uses.
[[nodiscard]] std::optional<u32> signal_of_exception(u64 vector);

}  // namespace pulse
