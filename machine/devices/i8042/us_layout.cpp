#include "machine/devices/i8042/us_layout.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

namespace vitrine {

namespace {

struct Key {
  u8 code;
  bool extended = false;
};
constexpr Key left_shift{0x12}, left_ctrl{0x14}, left_alt{0x11}, left_win{0x1F, true};

struct Stroke {
  Key key;
  bool shifted;
};

struct Character {
  char plain, shifted;
  u8 code;
};
constexpr Character characters[] = {
    {'`', '~', 0x0E},   {'1', '!', 0x16},       {'2', '@', 0x1E},  {'3', '#', 0x26},   {'4', '$', 0x25},
    {'5', '%', 0x2E},   {'6', '^', 0x36},       {'7', '&', 0x3D},  {'8', '*', 0x3E},   {'9', '(', 0x46},
    {'0', ')', 0x45},   {'-', '_', 0x4E},       {'=', '+', 0x55},  {'[', '{', 0x54},   {']', '}', 0x5B},
    {';', ':', 0x4C},   {'\'', '"', 0x52},      {'\\', '|', 0x5D}, {',', '<', 0x41},   {'.', '>', 0x49},
    {'/', '?', 0x4A},   {'a', 'A', 0x1C},       {'b', 'B', 0x32},  {'c', 'C', 0x21},   {'d', 'D', 0x23},
    {'e', 'E', 0x24},   {'f', 'F', 0x2B},       {'g', 'G', 0x34},  {'h', 'H', 0x33},   {'i', 'I', 0x43},
    {'j', 'J', 0x3B},   {'k', 'K', 0x42},       {'l', 'L', 0x4B},  {'m', 'M', 0x3A},   {'n', 'N', 0x31},
    {'o', 'O', 0x44},   {'p', 'P', 0x4D},       {'q', 'Q', 0x15},  {'r', 'R', 0x2D},   {'s', 'S', 0x1B},
    {'t', 'T', 0x2C},   {'u', 'U', 0x3C},       {'v', 'V', 0x2A},  {'w', 'W', 0x1D},   {'x', 'X', 0x22},
    {'y', 'Y', 0x35},   {'z', 'Z', 0x1A},       {' ', ' ', 0x29},  {'\n', '\n', 0x5A}, {'\t', '\t', 0x0D},
    {'\b', '\b', 0x66}, {'\x1B', '\x1B', 0x76},
};

struct Named {
  std::string_view name;
  Key key;
};
constexpr Named names[] = {
    {"enter", {0x5A}},
    {"tab", {0x0D}},
    {"space", {0x29}},
    {"backspace", {0x66}},
    {"esc", {0x76}},
    {"up", {0x75, true}},
    {"down", {0x72, true}},
    {"left", {0x6B, true}},
    {"right", {0x74, true}},
    {"home", {0x6C, true}},
    {"end", {0x69, true}},
    {"pageup", {0x7D, true}},
    {"pagedown", {0x7A, true}},
    {"insert", {0x70, true}},
    {"delete", {0x71, true}},
    {"f1", {0x05}},
    {"f2", {0x06}},
    {"f3", {0x04}},
    {"f4", {0x0C}},
    {"f5", {0x03}},
    {"f6", {0x0B}},
    {"f7", {0x83}},
    {"f8", {0x0A}},
    {"f9", {0x01}},
    {"f10", {0x09}},
    {"f11", {0x78}},
    {"f12", {0x07}},
    {"capslock", {0x58}},
    {"numlock", {0x77}},
    {"scrolllock", {0x7E}},
    {"menu", {0x2F, true}},
};
// Keys whose sequences are of a kind of their own, first byte lowest.
constexpr u64 print_screen_down = 0x7CE0'12E0, print_screen_up = 0x12F0'E07C'F0E0, pause_down = 0x77F0'14F0'E177'14E1;

u64 down(Key key) { return key.extended ? 0xE0u | key.code << 8 : key.code; }
u64 up(Key key) { return key.extended ? 0xF0E0u | key.code << 16 : 0xF0u | key.code << 8; }

std::optional<Stroke> stroke_of(char c) {
  for (const Character& character : characters) {
    if (c == character.plain) return Stroke{{character.code}, false};
    if (c == character.shifted) return Stroke{{character.code}, true};
  }
  return std::nullopt;
}

void press(std::vector<u64>& out, const std::vector<Key>& modifiers, Key key) {
  for (const Key& modifier : modifiers) out.push_back(down(modifier));
  out.push_back(down(key));
  out.push_back(up(key));
  for (auto modifier = modifiers.rbegin(); modifier != modifiers.rend(); ++modifier) out.push_back(up(*modifier));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The part between the brackets.
bool press_named(std::vector<u64>& out, std::string_view name) {
  static constexpr struct {
    std::string_view prefix;
    Key key;
  } prefixes[] = {{"ctrl-", left_ctrl}, {"alt-", left_alt}, {"shift-", left_shift}, {"win-", left_win}};

  std::string folded(name);
  std::ranges::transform(folded, folded.begin(), lower);
  std::string_view rest = folded;
  std::vector<Key> modifiers;
  for (bool found = true; found;) {
    found = false;
    for (const auto& [prefix, key] : prefixes) {
      if (!rest.starts_with(prefix) || rest.size() == prefix.size()) continue;
      modifiers.push_back(key);
      rest.remove_prefix(prefix.size());
      found = true;
    }
  }
  if (rest == "lt") rest = "<";
  if (rest == "gt") rest = ">";
  if (rest.size() == 1) {
    const auto stroke = stroke_of(rest[0]);
    const bool alone = modifiers.empty() && rest[0] != '<' && rest[0] != '>';
    if (!stroke || alone) return false;
    if (stroke->shifted) modifiers.push_back(left_shift);
    press(out, modifiers, stroke->key);
    return true;
  }
  if (modifiers.empty() && rest == "printscreen") {
    out.insert(out.end(), {print_screen_down, print_screen_up});
    return true;
  }
  if (modifiers.empty() && rest == "pause") {
    out.push_back(pause_down);
    return true;
  }
  const auto* named = std::ranges::find(names, rest, &Named::name);
  if (named == std::end(names)) return false;
  press(out, modifiers, named->key);
  return true;
}

}  // namespace

std::expected<std::vector<u64>, LayoutError> scan_codes_for(std::string_view text) {
  std::vector<u64> out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '<') {
      const std::size_t end = text.find('>', at);
      if (end == std::string_view::npos) return std::unexpected(LayoutError{LayoutProblem::Unclosed, at});
      if (!press_named(out, text.substr(at + 1, end - at - 1))) {
        return std::unexpected(LayoutError{LayoutProblem::UnknownName, at});
      }
      at = end;
      continue;
    }
    const auto stroke = stroke_of(text[at]);
    if (!stroke) return std::unexpected(LayoutError{LayoutProblem::UnknownCharacter, at});
    if (stroke->shifted) {
      press(out, {left_shift}, stroke->key);
    } else {
      press(out, {}, stroke->key);
    }
  }
  return out;
}

}  // namespace vitrine
