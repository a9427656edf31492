// Values on the command line: sizes, times, dates. Each parser gives the value or the clause that says what is wrong.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "apps/run_options.hpp"
#include "base/types.hpp"

namespace vitrine {

template <class T>
using Parsed = std::expected<T, std::string>;

/// "256M": bytes, with the suffix K, M, G or T (powers of 1024), alone or followed by "B" or "iB".
[[nodiscard]] Parsed<u64> parse_size(std::string_view text);
/// "10s", "1.5ms": nanoseconds; units ns, us, ms, s, min, h.
[[nodiscard]] Parsed<u64> parse_duration(std::string_view text);
/// "2026-01-01", "2026-01-01T12:00:00" (UTC, a final Z is allowed): seconds since 1970. Years 1970 to 2099.
[[nodiscard]] Parsed<u64> parse_date(std::string_view text);
/// A number in decimal, or in hexadecimal after 0x; with a minus sign: its two's complement.
[[nodiscard]] Parsed<u64> parse_number(std::string_view text);

/// Text to type: what scan_codes_for() knows (plain text, <enter>, <ctrl-c>, ...), \n, \t, \e, \b, \\, pauses:
/// <wait 1.5s>, and the mouse: <mouse 5 -3 1>, right and up by so much (-32768 to 32767), with these buttons down (a
/// sum of 1 left, 2 right, 4 middle; without a number none).
[[nodiscard]] Parsed<std::vector<KeyStroke>> parse_keys(std::string_view text);

/// "2s,cpu=1,uncorrected": when, which CPU reports it (0), and whether it was corrected (it was).
[[nodiscard]] Parsed<Input> parse_hardware_error(std::string_view text);
/// "2s" (the button), "2s,io-check", "2s,system-error".
[[nodiscard]] Parsed<Input> parse_nmi(std::string_view text);

/// "ambient=45,rise=60.5": degrees Celsius of the air (0 to 90), and how much warmer a core gets that never halts (0 to
/// 150). Each may be left out.
[[nodiscard]] Parsed<DieTemperature::Cooling> parse_cooling(std::string_view text);

/// "System.map@0x1000000": a file, and what is to be added to its addresses (0 without @).
struct SymbolFile {
  std::string path;
  u64 offset = 0;
};
[[nodiscard]] SymbolFile parse_symbol_file(const std::string& text);

}  // namespace vitrine
