#include "apps/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>

#include "machine/devices/i8042/us_layout.hpp"

namespace vitrine {

namespace {

/// Digits with at most nine decimals: exact, where a double would not be.
struct Decimal {
  u64 whole = 0;
  u64 billionths = 0;
};

/// Takes a decimal number from the front of `text`. False if there is none, or it is too large.
bool take_decimal(std::string_view& text, Decimal& value) {
  const auto whole = std::from_chars(text.data(), text.data() + text.size(), value.whole);
  if (whole.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(whole.ptr - text.data()));
  if (!text.starts_with('.')) return true;
  text.remove_prefix(1);
  u64 unit = 100'000'000;
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value.billionths += unit * static_cast<u64>(text.front() - '0');
    unit /= 10;
    any = true;
    text.remove_prefix(1);
  }
  return any;
}

/// value * unit, rounded down; false when it does not fit.
bool scale(const Decimal& value, u64 unit, u64& result) {
  const u128 product =
      static_cast<u128>(value.whole) * unit + static_cast<u128>(value.billionths) * unit / 1'000'000'000;
  result = static_cast<u64>(product);
  return product <= std::numeric_limits<u64>::max();
}

struct Unit {
  std::string_view name;
  u64 size;
};

Parsed<std::vector<u64>> parse_keys_between_pauses(std::string_view text) {
  const auto keys = scan_codes_for(text);
  if (keys) return *keys;
  const std::string_view rest = text.substr(std::min(keys.error().position, text.size()));
  switch (keys.error().problem) {
    case LayoutProblem::UnknownCharacter:
      return std::unexpected("no key of a US keyboard makes one of these characters");
    case LayoutProblem::UnknownName:
      return std::unexpected(fmt::format("there is no key {}", rest.substr(0, rest.find('>') + 1)));
    case LayoutProblem::Unclosed:
      break;
  }
  return std::unexpected("'<' begins the name of a key and has no '>'; <lt> is the character");
}

}  // namespace

Parsed<u64> parse_size(std::string_view text) {
  static constexpr std::array<Unit, 6> units = {
      {{"", 1}, {"K", u64{1} << 10}, {"M", u64{1} << 20}, {"G", u64{1} << 30}, {"T", u64{1} << 40}, {"B", 1}}};
  Decimal value;
  std::string_view rest = text;
  if (!take_decimal(rest, value)) return std::unexpected("it is not a size; write it like 256M or 1G");
  std::string suffix(rest);
  if (!suffix.empty() && suffix[0] >= 'a' && suffix[0] <= 'z') suffix[0] = static_cast<char>(suffix[0] - 'a' + 'A');
  if (suffix.size() > 1 && (suffix.substr(1) == "B" || suffix.substr(1) == "iB")) suffix.resize(1);
  for (const Unit& unit : units) {
    u64 bytes = 0;
    if (suffix != unit.name) continue;
    if (!scale(value, unit.size, bytes)) return std::unexpected("it is too large");
    return bytes;
  }
  return std::unexpected(fmt::format("\"{}\" is no unit of size; K, M and G are", rest));
}

Parsed<u64> parse_duration(std::string_view text) {
  static constexpr std::array<Unit, 6> units = {{{"ns", 1},
                                                 {"us", 1'000},
                                                 {"ms", 1'000'000},
                                                 {"s", 1'000'000'000},
                                                 {"min", 60'000'000'000},
                                                 {"h", 3'600'000'000'000}}};
  Decimal value;
  std::string_view rest = text;
  if (!take_decimal(rest, value)) return std::unexpected("it is not a time; write it like 10s or 500ms");
  if (rest.empty()) return std::unexpected(fmt::format("it has no unit; write it like {}s or {}ms", text, text));
  for (const Unit& unit : units) {
    u64 nanoseconds = 0;
    if (rest != unit.name) continue;
    if (!scale(value, unit.size, nanoseconds)) return std::unexpected("it is too long");
    return nanoseconds;
  }
  return std::unexpected(fmt::format("\"{}\" is no unit of time; ns, us, ms, s, min and h are", rest));
}

Parsed<u64> parse_date(std::string_view text) {
  const auto bad = [] { return std::unexpected(std::string("it is not a date; write it like 2026-01-01T12:00:00")); };
  if (text.ends_with('Z')) text.remove_suffix(1);
  std::array<int, 6> parts = {0, 1, 1, 0, 0, 0};
  static constexpr std::array<std::string_view, 6> separators = {"-", "-", "T ", ":", ":", ""};
  std::size_t count = 0;
  while (count < parts.size() && !text.empty()) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), parts[count]);
    if (parsed.ec != std::errc() || parts[count] < 0) return bad();
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (!text.empty()) {
      if (separators[count].find(text.front()) == std::string_view::npos) return bad();
      text.remove_prefix(1);
      if (text.empty()) return bad();
    }
    ++count;
  }
  if (!text.empty() || (count != 3 && count != 5 && count != 6)) return bad();
  using namespace std::chrono;
  const year_month_day date(year(parts[0]), month(static_cast<unsigned>(parts[1])),
                            day(static_cast<unsigned>(parts[2])));
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) return bad();
  if (parts[0] < 1970 || parts[0] > 2099) return std::unexpected("the clock chip shows the years 1970 to 2099 only");
  const auto moment = sys_days(date) + hours(parts[3]) + minutes(parts[4]) + seconds(parts[5]);
  return static_cast<u64>(duration_cast<seconds>(moment.time_since_epoch()).count());
}

Parsed<u64> parse_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative ? 1 : 0);
  const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
  if (hex) digits.remove_prefix(2);
  u64 value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (parsed.ec == std::errc::result_out_of_range) return std::unexpected("it is too large");
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
    return std::unexpected("it is not a number");
  }
  return negative ? ~value + 1 : value;
}

namespace {

/// "5 -3 1": what stands behind <mouse.
Parsed<u64> parse_motion(std::string_view text) {
  constexpr std::string_view form = "write it like <mouse 5 -3 1>: right, up, buttons (1 left, 2 right, 4 middle)";
  i64 numbers[3] = {};
  std::size_t count = 0;
  for (; !text.empty() && count < std::size(numbers); ++count) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const auto number = parse_number(text.substr(0, end));
    if (!number) return std::unexpected(fmt::format("<mouse>: {}", form));
    numbers[count] = static_cast<i64>(*number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const auto fits = [](i64 value) { return value >= -0x8000 && value <= 0x7FFF; };
  if (!text.empty() || count < 2 || !fits(numbers[0]) || !fits(numbers[1]) || numbers[2] < 0 || numbers[2] > 7)
    return std::unexpected(fmt::format("<mouse>: {}", form));
  return static_cast<u64>(static_cast<u16>(numbers[0])) | static_cast<u64>(static_cast<u16>(numbers[1])) << 16 |
         static_cast<u64>(numbers[2]) << 40;
}

/// What "<wait 2s>" and "<mouse 5 -3>" mean, without the brackets.
Parsed<KeyStroke> parse_action(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::string_view rest = text.substr(space + 1);
  if (text.substr(0, space) == "mouse") {
    const auto motion = parse_motion(rest);
    if (!motion) return std::unexpected(motion.error());
    return KeyStroke{.motion = *motion};
  }
  const auto pause = parse_duration(rest);
  if (!pause) return std::unexpected(fmt::format("<wait {}>: {}", rest, pause.error()));
  return KeyStroke{.pause = *pause};
}

}  // namespace

Parsed<std::vector<KeyStroke>> parse_keys(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    static constexpr std::string_view letters = "nteb\\";
    static constexpr std::string_view characters = "\n\t\x1B\b\\";
    const std::size_t which = letters.find(text[++i]);
    if (which == std::string_view::npos) {
      return std::unexpected(fmt::format("\"\\{}\" is no key; \\n, \\t, \\e, \\b and \\\\ are", text[i]));
    }
    plain += characters[which];
  }
  std::vector<KeyStroke> strokes;
  std::string_view rest = plain;
  for (;;) {
    const std::size_t at = std::min(rest.find("<wait "), rest.find("<mouse "));
    const auto typed = parse_keys_between_pauses(rest.substr(0, at));
    if (!typed) return std::unexpected(typed.error());
    for (const u64 scan_codes : *typed) strokes.push_back({.scan_codes = scan_codes});
    if (at == std::string_view::npos) return strokes;
    rest.remove_prefix(at + 1);
    const std::size_t end = rest.find('>');
    if (end == std::string_view::npos) return std::unexpected("a '<' has no '>'; write <wait 2s>, <mouse 5 -3 1>");
    const auto action = parse_action(rest.substr(0, end));
    if (!action) return std::unexpected(action.error());
    strokes.push_back(*action);
    rest.remove_prefix(end + 1);
  }
}

namespace {

/// Takes what stands before the next comma from the front of `rest`.
std::string_view take_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(','));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

/// MCA error code (SDM vol. 3B, table 15-9).
constexpr u64 internal_parity_error = 5;

}  // namespace

Parsed<Input> parse_hardware_error(std::string_view text) {
  std::string_view rest = text;
  const auto time = parse_duration(take_word(rest));
  if (!time) return std::unexpected(time.error());
  Input error{.time = Tick(*time), .kind = InputKind::MachineCheck, .value = internal_parity_error};
  while (!rest.empty()) {
    const std::string_view word = take_word(rest);
    if (word == "uncorrected") {
      error.value |= uncorrected_error;
      continue;
    }
    const auto cpu = word.starts_with("cpu=") ? parse_number(word.substr(4)) : Parsed<u64>(std::unexpected(""));
    if (!cpu || *cpu >= 64) {
      return std::unexpected(
          "behind the time there may be cpu=N (0 to 63) and uncorrected, as in 2s,cpu=1,uncorrected");
    }
    error.port = static_cast<u8>(*cpu);
  }
  return error;
}

Parsed<Input> parse_nmi(std::string_view text) {
  static constexpr std::array<std::string_view, 3> sources = {"io-check", "system-error", "button"};
  std::string_view rest = text;
  const auto time = parse_duration(take_word(rest));
  if (!time) return std::unexpected(time.error());
  const auto* const source = rest.empty() ? &sources.back() : std::ranges::find(sources, rest);
  if (source == sources.end()) {
    return std::unexpected("behind the time there may be io-check, system-error or button, as in 2s,io-check");
  }
  return Input{.time = Tick(*time), .kind = InputKind::Nmi, .value = static_cast<u64>(source - sources.begin()) + 1};
}

Parsed<DieTemperature::Cooling> parse_cooling(std::string_view text) {
  constexpr std::string_view form = "write it like ambient=45,rise=60, in degrees Celsius";
  using Cooling = DieTemperature::Cooling;
  struct Word {
    std::string_view name;
    u32 Cooling::* value;
    u32 most;
  };
  static constexpr std::array<Word, 2> words = {{{"ambient", &Cooling::ambient, Cooling::most_ambient},
                                                 {"rise", &Cooling::rise_at_full_load, Cooling::most_rise}}};
  Cooling cooling;
  if (text.empty()) return std::unexpected(std::string(form));
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view number = take_word(rest);
    const std::string_view name = number.substr(0, number.find('='));
    const auto* const word = std::ranges::find(words, name, &Word::name);
    number.remove_prefix(std::min(number.size(), name.size() + 1));
    Decimal degrees;
    if (word == words.end() || !take_decimal(number, degrees) || !number.empty()) {
      return std::unexpected(std::string(form));
    }
    u64 value = 0;
    if (!scale(degrees, 1000, value) || value > word->most) {
      return std::unexpected(fmt::format("{} is 0 to {} degrees", word->name, word->most / 1000));
    }
    cooling.*(word->value) = static_cast<u32>(value);
  }
  return cooling;
}

SymbolFile parse_symbol_file(const std::string& text) {
  const std::size_t at = text.rfind('@');
  if (at != std::string::npos) {
    if (const auto offset = parse_number(std::string_view(text).substr(at + 1))) return {text.substr(0, at), *offset};
  }
  return {text, 0};
}

}  // namespace vitrine
