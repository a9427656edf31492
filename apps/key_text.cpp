#include "apps/key_text.hpp"

#include <fmt/format.h>

#include <array>

namespace vitrine {

namespace {

constexpr u64 left_shift = 0x12;

/// Scan code set 2 of the US keyboard (IBM PS/2 Technical Reference, keyboard, table of scan code set 2). The
/// characters of a row stand in the order of its codes.
struct Row {
  std::string_view plain, shifted;
  std::array<u8, 26> codes;
};
constexpr std::array<Row, 5> rows = {{
    {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", {0x1C, 0x32, 0x21, 0x23, 0x24, 0x2B, 0x34, 0x33, 0x43,
                                                                  0x3B, 0x42, 0x4B, 0x3A, 0x31, 0x44, 0x4D, 0x15, 0x2D,
                                                                  0x1B, 0x2C, 0x3C, 0x2A, 0x1D, 0x22, 0x35, 0x1A}},
    {"1234567890", "!@#$%^&*()", {0x16, 0x1E, 0x26, 0x25, 0x2E, 0x36, 0x3D, 0x3E, 0x46, 0x45}},
    {"`-=[]\\;',./", "~_+{}|:\"<>?", {0x0E, 0x4E, 0x55, 0x54, 0x5B, 0x5D, 0x4C, 0x52, 0x41, 0x49, 0x4A}},
    {" \n\t\x1B\b", "", {0x29, 0x5A, 0x0D, 0x76, 0x66}},
    {"\r", "", {0x5A}},
}};

constexpr u64 release(u64 code) { return 0xF0 | code << 8; }

bool type(char character, std::vector<u64>& keys) {
  for (const Row& row : rows) {
    if (const std::size_t at = row.plain.find(character); at != std::string_view::npos) {
      keys.insert(keys.end(), {row.codes[at], release(row.codes[at])});
      return true;
    }
    if (const std::size_t at = row.shifted.find(character); at != std::string_view::npos) {
      keys.insert(keys.end(), {left_shift, row.codes[at], release(row.codes[at]), release(left_shift)});
      return true;
    }
  }
  return false;
}

}  // namespace

std::expected<std::vector<u64>, std::string> keys_for(std::string_view text) {
  std::vector<u64> keys;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char character = text[i];
    if (character == '\\' && i + 1 < text.size()) {
      switch (text[++i]) {
        case 'n':
        case 'r':
          character = '\n';
          break;
        case 't':
          character = '\t';
          break;
        case 'e':
          character = '\x1B';
          break;
        case 'b':
          character = '\b';
          break;
        case '\\':
          break;
        default:
          return std::unexpected(fmt::format("\"\\{}\" is no key; \\n, \\t, \\e, \\b and \\\\ are", text[i]));
      }
    }
    if (!type(character, keys)) {
      return std::unexpected(fmt::format("byte {:#04x} is on no key of a US keyboard", static_cast<u8>(character)));
    }
  }
  return keys;
}

}  // namespace vitrine
