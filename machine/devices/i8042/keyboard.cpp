#include "machine/devices/i8042/keyboard.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {

constexpr u8 acknowledge = 0xFA, resend = 0xFE, self_test_passed = 0xAA, echo = 0xEE;
constexpr u8 first_command = 0xED;
constexpr u64 self_test_time = 300'000'000;  // ns; the manual: 300 to 500 ms
constexpr unsigned longest_sequence = 8;     // Pause

enum Command : u8 {
  SetIndicators = 0xED,
  Echo = 0xEE,
  ScanSet = 0xF0,
  ReadId = 0xF2,
  SetTypematic = 0xF3,
  Enable = 0xF4,
  DefaultDisable = 0xF5,
  SetDefault = 0xF6,
  AllTypematic = 0xF7,
  AllMakeBreak = 0xF8,
  AllMake = 0xF9,
  AllTypematicMakeBreak = 0xFA,
  KeyTypematic = 0xFB,
  KeyMakeBreak = 0xFC,
  KeyMake = 0xFD,
  Resend = 0xFE,
  Reset = 0xFF
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
  if (byte == Resend) {
    const u8 last = state_.last_sent;
    state_.replies.clear();
    return state_.replies.push(last);
  }
  state_.replies.clear();  // a new command ends the reply to the one before
  if (state_.awaits_parameter_of != 0 && byte < first_command) return parameter(byte);
  state_.awaits_parameter_of = 0;
  switch (byte) {
    case SetIndicators:
    case ScanSet:
    case SetTypematic:
    case KeyTypematic:
    case KeyMakeBreak:
    case KeyMake:
      state_.awaits_parameter_of = byte;
      break;
    case Echo:
      return state_.replies.push(echo);
    case ReadId:
      return state_.replies.push({acknowledge, 0xAB, 0x83});
    case Enable:
      state_.keys.clear();
      state_.scanning = true;
      break;
    case DefaultDisable:
      set_defaults();
      state_.scanning = false;
      break;
    case SetDefault:
      set_defaults();
      break;
    case AllTypematic:
    case AllMake:
      set_breaks(false);
      break;
    case AllMakeBreak:
    case AllTypematicMakeBreak:
      set_breaks(true);
      break;
    case Reset:
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
    case SetIndicators:
      state_.indicators = byte & 0x07;
      break;
    case ScanSet:
      if (byte == 0) return state_.replies.push({acknowledge, state_.scan_set});
      if (byte > 3) return state_.replies.push(resend);
      state_.keys.clear();
      state_.scan_set = byte;
      break;
    case SetTypematic:
      state_.typematic = byte & 0x7F;
      break;
    case KeyTypematic:
    case KeyMake:
    case KeyMakeBreak:
      state_.no_break[byte / 8] = with_bit(state_.no_break[byte / 8], byte % 8, command != KeyMakeBreak);
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
