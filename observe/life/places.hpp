// How people call the parts of the machine, and what a device's cause for an interrupt means to them.
#pragma once

#include <string>
#include <string_view>

#include "base/types.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// "keyboard", "first 8259", "CPU 0", "COM1": a source of the ledger; `line` tells apart what one chip does on two
/// lines
/// (-1: not known). A name that we don't know stays as it is.
[[nodiscard]] std::string device_title(std::string_view source, int line = -1);
/// "the keyboard", but "COM1" and "CPU 0".
[[nodiscard]] std::string with_article(const std::string& title);
/// The title of a record's source.
[[nodiscard]] std::string place_of(u16 source, int line, const TraceHeader& header);
/// What happened in the device, as a clause: "a byte from the keyboard is in its output buffer". `cause` is what
/// Record::detail of Raised says, or Record::extra of Withheld.
[[nodiscard]] std::string cause_clause(std::string_view source, u64 cause);
/// "handler+0x12 (file.c:34)", without the parameters of C++, or the bare address in hexadecimal.
[[nodiscard]] std::string code_place(u64 address, const Symboliser* symbols);

}  // namespace vitrine
