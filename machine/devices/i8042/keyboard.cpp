#include "machine/devices/i8042/keyboard.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {

constexpr u8 acknowledge = 0xFA, resend = 0xFE, self_test_passed = 0xAA, echo = 0xEE;
constexpr u8 first_command = 0xED;
constexpr u64 self_test_time = 300'000'000;  // ns; the manual: 300 to 500 ms
constexpr unsigned longest_sequence = 8;     // Pause

enum Command : u8 {
  command_set_indicators = 0xED,
  command_echo = 0xEE,
  command_scan_set = 0xF0,
  command_read_id = 0xF2,
  command_set_typematic = 0xF3,
  command_enable = 0xF4,
  command_default_disable = 0xF5,
  command_set_default = 0xF6,
  command_all_typematic = 0xF7,
  command_all_make_break = 0xF8,
  command_all_make = 0xF9,
  command_all_typematic_make_break = 0xFA,
  command_key_typematic = 0xFB,
  command_key_make_break = 0xFC,
  command_key_make = 0xFD,
  command_resend = 0xFE,
  command_reset = 0xFF
};

}  // namespace

Keyboard::State::State() {
  for (unsigned code = 0; code < 256; ++code) {
    if (!set_three_sends_break_by_default(static_cast<u8>(code))) {
      no_break[code / 8] |= static_cast<u8>(1 << code % 8);
    }
  }
}

void Keyboard::State::exchange(Archive& archive) {
  archive(scan_set, scanning, indicators, typematic, awaits_parameter_of, last_sent, self_test_end, no_break, replies,
          keys);
  if (scan_set < 1 || scan_set > 3) {
    archive.refuse(Archive::Error::BadValue);
    scan_set = 2;
  }
}

u8 Keyboard::take_byte() {
  const u8 byte = state_.replies.empty() ? state_.keys.pop() : state_.replies.pop();
  if (byte != resend) state_.last_sent = byte;
  return byte;
}

void Keyboard::finish_self_test() {
  state_ = State{};
  state_.replies.push(self_test_passed);
}

bool Keyboard::ready_for_key() const {
  return state_.scanning && state_.self_test_end == never && state_.replies.empty() &&
         state_.awaits_parameter_of == 0 && state_.keys.count + longest_sequence <= buffer_size;
}

void Keyboard::set_defaults() {
  const bool scanning = state_.scanning;
  state_ = State{};
  state_.scanning = scanning;
}

void Keyboard::set_breaks(bool sent) { state_.no_break.fill(sent ? 0x00 : 0xFF); }

void Keyboard::command(u8 byte, Tick now) {
  if (state_.self_test_end != never) return;
  if (byte == command_resend) {
    const u8 last = state_.last_sent;
    state_.replies.clear();
    return state_.replies.push(last);
  }
  state_.replies.clear();  // a new command ends the reply to the one before
  if (state_.awaits_parameter_of != 0 && byte < first_command) return parameter(byte);
  state_.awaits_parameter_of = 0;
  switch (byte) {
    case command_set_indicators:
    case command_scan_set:
    case command_set_typematic:
    case command_key_typematic:
    case command_key_make_break:
    case command_key_make:
      state_.awaits_parameter_of = byte;
      break;
    case command_echo:
      return state_.replies.push(echo);
    case command_read_id:
      return state_.replies.push({acknowledge, 0xAB, 0x83});
    case command_enable:
      state_.keys.clear();
      state_.scanning = true;
      break;
    case command_default_disable:
      set_defaults();
      state_.scanning = false;
      break;
    case command_set_default:
      set_defaults();
      break;
    case command_all_typematic:
    case command_all_make:
      set_breaks(false);
      break;
    case command_all_make_break:
    case command_all_typematic_make_break:
      set_breaks(true);
      break;
    case command_reset:
      state_.keys.clear();
      state_.scanning = false;
      state_.self_test_end = now + self_test_time;
      break;
    default:
      return state_.replies.push(resend);
  }
  state_.replies.push(acknowledge);
}

void Keyboard::parameter(u8 byte) {
  const u8 command = state_.awaits_parameter_of;
  state_.awaits_parameter_of = 0;
  switch (command) {
    case command_set_indicators:
      state_.indicators = byte & 0x07;
      break;
    case command_scan_set:
      if (byte == 0) return state_.replies.push({acknowledge, state_.scan_set});
      if (byte > 3) return state_.replies.push(resend);
      state_.keys.clear();
      state_.scan_set = byte;
      break;
    case command_set_typematic:
      state_.typematic = byte & 0x7F;
      break;
    case command_key_typematic:
    case command_key_make:
    case command_key_make_break:
      state_.no_break[byte / 8] = with_bit(state_.no_break[byte / 8], byte % 8, command != command_key_make_break);
      state_.awaits_parameter_of = command;  // more keys may follow, until the next command
      break;
    default:
      break;
  }
  state_.replies.push(acknowledge);
}

void Keyboard::key(u64 scan_bytes) {
  if (!state_.scanning) return;
  ByteQueue<16> sequence;
  if (state_.scan_set == 3) {
    key_in_set_three(scan_bytes, sequence);
  } else {
    SetOneTranslator translator;
    for (; scan_bytes != 0; scan_bytes >>= 8) {
      const u8 byte = static_cast<u8>(scan_bytes);
      if (state_.scan_set == 2) {
        sequence.push(byte);
      } else if (const auto code = translator.translate(byte)) {
        sequence.push(*code);
      }
    }
  }
  append(sequence);
}

void Keyboard::append(const ByteQueue<16>& sequence) {
  if (state_.keys.count > buffer_size) return;  // the overrun code is in its place
  if (state_.keys.count + sequence.count > buffer_size) {
    state_.keys.push(state_.scan_set == 1 ? 0xFF : 0x00);
    return;
  }
  for (ByteQueue<16> rest = sequence; !rest.empty();) state_.keys.push(rest.pop());
}

void Keyboard::key_in_set_three(u64 scan_bytes, ByteQueue<16>& out) const {
  bool extended = false;
  bool released = false;
  for (; scan_bytes != 0; scan_bytes >>= 8) {
    const u8 byte = static_cast<u8>(scan_bytes);
    if (byte == 0xE1) return out.push(0x62);  // Pause: one sequence for both, in set 2
    if (byte == 0xE0) {
      extended = true;
      continue;
    }
    if (byte == 0xF0) {
      released = true;
      continue;
    }
    const u8 code = set_three_code(extended, byte);
    const bool has_break = !bit(state_.no_break[code / 8], code % 8);
    if (code != 0 && !released) out.push(code);
    if (code != 0 && released && has_break) out.push({0xF0, code});
    extended = released = false;
  }
}

}  // namespace vitrine
