#include "kernel/drivers/scan_codes.hpp"

namespace pulse {

namespace {

constexpr u8 released = 0x80, extended_code = 0xE0, pause_code = 0xE1;
enum Key : u8 {
  control_key = 0x1D,
  left_shift_key = 0x2A,
  right_shift_key = 0x36,
  alternate_key = 0x38,
  capitals_key = 0x3A,
  first_function_key = 0x3B,
  last_function_key = 0x44,
  keypad_begin = 0x47,
  keypad_end = 0x53,
  function_key_11 = 0x57,
  function_key_12 = 0x58,
};
constexpr char escape = 0x1B;

// The keys of a US keyboard by scan code; 0: none that types a character.
constexpr char plain[] =
    "\0\x1B"
    "1234567890-=\x7F\t"
    "qwertyuiop[]\r\0"
    "asdfghjkl;'`\0\\"
    "zxcvbnm,./\0*\0 ";
constexpr char shifted[] =
    "\0\x1B"
    "!@#$%^&*()_+\x7F\t"
    "QWERTYUIOP{}\r\0"
    "ASDFGHJKL:\"~\0|"
    "ZXCVBNM<>?\0*\0 ";
constexpr u8 keys = sizeof plain - 1;
static_assert(keys == 0x3A && sizeof shifted == sizeof plain);

constexpr std::string_view function_keys[] = {"\033[[A",  "\033[[B",  "\033[[C",  "\033[[D",  "\033[[E",  "\033[17~",
                                              "\033[18~", "\033[19~", "\033[20~", "\033[21~", "\033[23~", "\033[24~"};
// 47h to 53h of the keypad, and with E0 before them those of the keys beside it.
constexpr std::string_view moves[] = {"\033[1~", "\033[A",  "\033[5~", "-",       "\033[D",  "\033[G", "\033[C",
                                      "+",       "\033[4~", "\033[B",  "\033[6~", "\033[2~", "\033[3~"};

}  // namespace

std::string_view ScanCodes::character(u8 key) {
  const bool shift = left_shift_ || right_shift_;
  const bool letter = plain[key] >= 'a' && plain[key] <= 'z';
  char typed = (letter && capitals_ ? !shift : shift) ? shifted[key] : plain[key];
  if (typed == 0) return {};
  if (control_) {
    if (typed == ' ' || typed == '2' || typed == '@') {
      typed = 0;
    } else if (typed == '/' || typed == '-' || typed == '_') {
      typed = 0x1F;
    } else if ((typed >= '@' && typed <= '_') || (typed >= 'a' && typed <= 'z')) {
      typed &= 0x1F;
    }
  }
  typed_[0] = escape;
  typed_[1] = typed;
  return alternate_ ? std::string_view(typed_, 2) : std::string_view(typed_ + 1, 1);
}

std::string_view ScanCodes::feed(u8 code) {
  if (skip_ > 0) {
    --skip_;
    return {};
  }
  if (code == pause_code) {
    skip_ = 2;
    return {};
  }
  if (code == extended_code) {
    extended_ = true;
    return {};
  }
  const bool extended = extended_;
  extended_ = false;
  const bool down = (code & released) == 0;
  const u8 key = code & static_cast<u8>(~released);
  switch (key) {
    case left_shift_key:
      if (!extended) left_shift_ = down;  // E0 2A is no key: it stands around Print Screen
      return {};
    case right_shift_key:
      if (!extended) right_shift_ = down;
      return {};
    case control_key:
      control_ = down;
      return {};
    case alternate_key:
      alternate_ = down;
      return {};
    case capitals_key:
      if (down) capitals_ = !capitals_;
      return {};
    default:
      break;
  }
  if (!down) return {};
  if (key >= first_function_key && key <= last_function_key) return function_keys[key - first_function_key];
  if (key == function_key_11 || key == function_key_12) return function_keys[10 + key - function_key_11];
  if (key >= keypad_begin && key <= keypad_end) return moves[key - keypad_begin];
  if (key >= keys) return {};
  if (extended && plain[key] != '/' && plain[key] != '\r') return {};
  return character(key);
}

}  // namespace pulse
