#include "kernel/core/known_parameters.hpp"

#include <algorithm>
#include <iterator>

namespace pulse {

namespace {

enum class Kind : u8 {
  Word,    ///< stands alone
  Text,    ///< any
  Number,  ///< `least` to `most`
  OneOf,   ///< the words of `choices`, separated by commas
  SomeOf,  ///< a list of them
};

struct Known {
  std::string_view name;
  Kind kind;
  std::string_view choices = {};
  u64 least = 0, most = 0;
};

constexpr Known known_parameters[] = {
    {"console", Kind::OneOf, "tty0,ttyS0"},
    {"cpus", Kind::Number, {}, 1, 64},
    {"demonstrate", Kind::Text},
    {"disk", Kind::OneOf, "dma,pio,none"},
    {"fuzz", Kind::Number, {}, 0, ~u64{0}},  // these three are user/stress's
    {"hz", Kind::Number, {}, 19, 10'000},
    {"init", Kind::Text},
    {"loglevel", Kind::Number, {}, 0, 7},
    {"mount", Kind::Text},
    {"no-remap", Kind::Word},
    {"polled", Kind::SomeOf, "timer,serial,keyboard,mouse,rtc,disk,all"},
    {"ramdisk", Kind::Text},
    {"routing", Kind::OneOf, "8259,ioapic,msi"},
    {"scheduling", Kind::OneOf, "cooperative,preemptive"},
    {"seed", Kind::Number, {}, 0, ~u64{0}},
    {"stress", Kind::Number, {}, 0, ~u64{0}},
    {"tables", Kind::OneOf, "acpi,mp"},
    {"tickless", Kind::Word},
    {"timer", Kind::OneOf, "pit,apic"},
    {"trace-calls", Kind::Word},
    {"x2apic", Kind::Word},
};

/// Takes what stands before the first comma off `list`.
std::string_view next_of(std::string_view& list) {
  const std::size_t end = std::min(list.find(','), list.size());
  const std::string_view first = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  return first;
}

bool is_among(std::string_view word, std::string_view choices) {
  while (!choices.empty()) {
    if (next_of(choices) == word) return true;
  }
  return false;
}

bool is_number_between(std::string_view word, u64 least, u64 most) {
  char line[32] = "n=";
  if (word.size() > sizeof line - 3) return false;
  std::ranges::copy(word, line + 2);
  const auto number = Parameters({line, word.size() + 2}).number("n");
  return number && *number >= least && *number <= most;
}

bool is_right(const Known& known, std::string_view value) {
  switch (known.kind) {
    case Kind::Word:
      return false;
    case Kind::Text:
      return !value.empty();
    case Kind::Number:
      return is_number_between(value, known.least, known.most);
    case Kind::OneOf:
      return is_among(value, known.choices);
    case Kind::SomeOf:
      if (value.empty()) return false;
      while (!value.empty()) {
        if (!is_among(next_of(value), known.choices)) return false;
      }
      return true;
  }
  return true;
}

void describe(const Known& known, TextSink& out) {
  switch (known.kind) {
    case Kind::Word:
      return format(out, "{}, without a value", known.name);
    case Kind::Text:
      return format(out, "{}= and a value", known.name);
    case Kind::Number:
      return format(out, "{}= and a number from {} to {}", known.name, known.least, known.most);
    case Kind::OneOf:
      return format(out, "{}= and one of {}", known.name, known.choices);
    case Kind::SomeOf:
      return format(out, "{}= and some of {}", known.name, known.choices);
  }
}

}  // namespace

void check_parameters(const Parameters& parameters, ParameterComplaints& complaints) {
  std::string_view rest = parameters.line();
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    const std::size_t name_end = std::min(word.find('='), word.size());
    const bool has_value = name_end < word.size();
    const auto* const known = std::ranges::find(known_parameters, word.substr(0, name_end), &Known::name);
    if (known == std::end(known_parameters)) {
      complaints.add(word, {});
      continue;
    }
    const bool right = has_value ? is_right(*known, word.substr(name_end + 1)) : known->kind == Kind::Word;
    if (right) continue;
    char buffer[96];
    BufferSink wanted(buffer);
    describe(*known, wanted);
    complaints.add(word, wanted.text());
  }
}

}  // namespace pulse
