// What the interrupt sanitizer found: plain data, and its words.
#pragma once

#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/life/life.hpp"

namespace vitrine {

enum class FindingSeverity : u8 { Note, Warning, Error };
[[nodiscard]] std::string_view severity_name(FindingSeverity severity);  ///< "note", "warning", "error"

/// One mistake at one place.
struct Finding {
  std::string rule;  ///< id of the catalogue, e.g. "missing-eoi"; docs/rules/ID.md
  FindingSeverity severity{};
  u64 time = 0;          ///< virtual nanoseconds, of the first time
  u64 instructions = 0;  ///< retired at that moment
  u8 cpu = 0;
  u64 address = 0;       ///< linear address of the code to blame: one report for each (rule, address, subject)
  int line = -1;         ///< IRQ line, if it is about one
  int vector = -1;       ///< vector, if it is about one
  u64 id = 0;            ///< the request whose life is shown; 0: none
  std::string sentence;  ///< one sentence, the cause first. Addresses are written as {address}: see Words
  std::vector<std::string> evidence;  ///< further sentences: who set what, when; old and new values
  Life life;                          ///< a copy, as it was when the rule fired; filled in by the sanitizer from `id`
  u64 count = 1;                      ///< how often at this place
};

/// In a finding's sentences an address stands as "@{0xffffffff81000010}": the printer puts name, file and line there.
[[nodiscard]] std::string address_mark(u64 address);
/// Replaces the marks by "name (file.c:12)" or by the bare address.
[[nodiscard]] std::string resolve_marks(const std::string& text, const Symboliser* symbols);

}  // namespace vitrine
