// Words for what devices and controllers tell of themselves: registers, switches, threads.
#pragma once

#include <string>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/symboliser.hpp"

namespace vitrine {

/// The register of a DeviceProgrammed record in the field's words: "IER", "8042 configuration byte". `line` tells apart
/// what one chip does on two lines.
[[nodiscard]] std::string_view register_name(DeviceRegister which, u8 line);
/// Of a ControllerProgrammed record: "vector base (ICW2)".
[[nodiscard]] std::string_view register_name(ControllerRegister which);
/// A cause of Withheld in one word with hyphens, as in the JSON output.
[[nodiscard]] std::string_view withheld_name(WithheldCause cause);
/// Which switch of `source` keeps the line low, as a clause: "IER bit 0 (received data) is clear". The record's kind is
/// Withheld.
[[nodiscard]] std::string withheld_clause(const Record& record, std::string_view source);
/// " since 0.001234567, by 0x1234 main (a.c:5)"; " since power-on" if there is neither.
[[nodiscard]] std::string setting_text(const Record& record, const Symboliser* symbols);
/// The bytes of a ThreadNamed record; what is no ASCII letter, digit or sign becomes '?'.
[[nodiscard]] std::string printable_thread_name(const Record& record);
/// A DeviceProgrammed or ControllerProgrammed record without who and where: "IER goes from 0x00 to 0x05".
[[nodiscard]] std::string programmed_text(const Record& record);

}  // namespace vitrine
