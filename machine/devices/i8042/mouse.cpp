#include "machine/devices/i8042/mouse.hpp"

#include <algorithm>
#include <iterator>

#include "base/bits.hpp"

namespace vitrine {

namespace {

constexpr u8 acknowledge = 0xFA, resend = 0xFE, error = 0xFC, self_test_passed = 0xAA;
constexpr u64 self_test_time = 300'000'000;  // ns; the manual: 300 to 500 ms

enum Command : u8 {
  command_scaling_one_to_one = 0xE6,
  command_scaling_two_to_one = 0xE7,
  command_set_resolution = 0xE8,
  command_status_request = 0xE9,
  command_set_stream = 0xEA,
  command_read_data = 0xEB,
  command_reset_wrap = 0xEC,
  command_set_wrap = 0xEE,
  command_set_remote = 0xF0,
  command_read_id = 0xF2,
  command_set_rate = 0xF3,
  command_enable = 0xF4,
  command_disable = 0xF5,
  command_set_default = 0xF6,
  command_resend = 0xFE,
  command_reset = 0xFF
};

/// 2:1 scaling in stream mode (Technical Reference, "Mouse scaling").
i16 twice(i16 value) {
  static constexpr i16 small[] = {0, 1, 1, 3, 6, 9};
  const i16 magnitude = static_cast<i16>(value < 0 ? -value : value);
  const i16 scaled = magnitude <= 5 ? small[magnitude] : static_cast<i16>(2 * magnitude);
  return value < 0 ? static_cast<i16>(-scaled) : scaled;
}

/// A counter of nine bits stops at its end and says so.
void count(i16& counter, bool& overflow, int movement) {
  const int sum = counter + movement;
  const int kept = std::clamp(sum, -256, 255);
  counter = static_cast<i16>(kept);
  overflow = overflow || kept != sum;
}

}  // namespace

void Mouse::State::exchange(Archive& archive) {
  archive(reporting, remote, wrap, twice_scaling, resolution, rate, id, awaits_parameter_of, erred, last_rates, right,
          away, wheel, right_overflow, away_overflow, buttons, reported_buttons, next_report, self_test_end, queue,
          last_message);
  const bool counters_fit =
      right >= -256 && right <= 255 && away >= -256 && away <= 255 && wheel >= -128 && wheel <= 127;
  if (rate == 0 || !counters_fit) {
    archive.refuse(Archive::Error::BadValue);
    *this = {};
  }
}

void Mouse::finish_self_test() {
  const u8 buttons = state_.buttons;
  state_ = State{};
  state_.buttons = state_.reported_buttons = buttons;
  send({self_test_passed, 0x00});
}

void Mouse::send(std::initializer_list<u8> message) {
  state_.queue.clear();
  state_.queue.push(message);
  state_.last_message = state_.queue;
}

void Mouse::clear_counters() {
  state_.right = state_.away = state_.wheel = 0;
  state_.right_overflow = state_.away_overflow = false;
}

void Mouse::set_defaults() {
  state_.reporting = state_.remote = state_.wrap = state_.twice_scaling = false;
  state_.resolution = 2;
  state_.rate = 100;
}

void Mouse::refuse() {
  // The first bad byte asks for another, the second in a row is an error.
  const bool again = state_.erred;
  state_.erred = !again;
  state_.queue.clear();
  state_.queue.push(again ? error : resend);
}

void Mouse::command(u8 byte, Tick now) {
  if (state_.self_test_end != never) return;  // unverified: lost
  if (state_.wrap && byte != command_reset_wrap && byte != command_reset) return send({byte});
  if (byte == command_resend) {
    state_.queue = state_.last_message;
    return;
  }
  state_.queue.clear();  // a command ends the report that was under way
  if (state_.awaits_parameter_of != 0) return parameter(byte);
  const bool erred = state_.erred;
  state_.erred = false;
  switch (byte) {
    case command_scaling_one_to_one:
    case command_scaling_two_to_one:
      state_.twice_scaling = byte == command_scaling_two_to_one;
      break;
    case command_set_resolution:
    case command_set_rate:
      state_.awaits_parameter_of = byte;
      break;
    case command_status_request: {
      const u8 buttons = state_.buttons;
      const u8 flags = static_cast<u8>((state_.remote ? 0x40 : 0) | (state_.reporting ? 0x20 : 0) |
                                       (state_.twice_scaling ? 0x10 : 0) | (bit(buttons, 0) ? 0x04 : 0) |
                                       (bit(buttons, 2) ? 0x02 : 0) | (bit(buttons, 1) ? 0x01 : 0));
      return send({acknowledge, flags, state_.resolution, state_.rate});
    }
    case command_set_stream:
      state_.remote = false;
      clear_counters();
      break;
    case command_read_data:
      return send_report(true, false);
    case command_reset_wrap:
      state_.wrap = false;
      clear_counters();
      break;
    case command_set_wrap:
      state_.wrap = true;
      break;
    case command_set_remote:
      state_.remote = true;
      clear_counters();
      break;
    case command_read_id:
      return send({acknowledge, state_.id});
    case command_enable:
      state_.reporting = true;
      clear_counters();
      state_.next_report = now;
      break;
    case command_disable:
      state_.reporting = false;
      break;
    case command_set_default:
      set_defaults();
      clear_counters();
      break;
    case command_reset:
      state_.reporting = state_.wrap = false;
      state_.self_test_end = now + self_test_time;
      break;
    default:
      state_.erred = erred;
      return refuse();
  }
  send({acknowledge});
}

void Mouse::parameter(u8 byte) {
  const u8 command = state_.awaits_parameter_of;
  if (command == command_set_resolution) {
    if (byte > 3) return refuse();
    state_.resolution = byte;
  } else {
    static constexpr u8 rates[] = {10, 20, 40, 60, 80, 100, 200};
    if (std::ranges::find(rates, byte) == std::end(rates)) return refuse();
    state_.rate = byte;
    std::ranges::rotate(state_.last_rates, state_.last_rates.begin() + 1);
    state_.last_rates.back() = byte;
    if (state_.last_rates == std::array<u8, 3>{200, 100, 80}) state_.id = 3;
    if (state_.last_rates == std::array<u8, 3>{200, 200, 80} && state_.id == 3) state_.id = 4;
  }
  state_.awaits_parameter_of = 0;
  state_.erred = false;
  send({acknowledge});
}

void Mouse::move(const Motion& motion) {
  state_.buttons = motion.buttons & 0x1F;
  count(state_.right, state_.right_overflow, motion.right);
  count(state_.away, state_.away_overflow, motion.away);
  state_.wheel = static_cast<i16>(std::clamp(state_.wheel + motion.wheel, -128, 127));
}

bool Mouse::changed() const {
  const u8 seen_buttons = state_.id == 4 ? 0x1F : 0x07;
  return state_.right != 0 || state_.away != 0 || (state_.wheel != 0 && state_.id != 0) ||
         ((state_.buttons ^ state_.reported_buttons) & seen_buttons) != 0;
}

Tick Mouse::report_due() const {
  const bool streams = state_.reporting && !state_.remote && !state_.wrap && state_.self_test_end == never &&
                       state_.awaits_parameter_of == 0;
  return streams && state_.queue.empty() && changed() ? state_.next_report : never;
}

void Mouse::report(Tick now) {
  if (report_due() > now) return;
  send_report(false, state_.twice_scaling);
  state_.next_report = now + 1'000'000'000u / state_.rate;
}

void Mouse::send_report(bool after_acknowledge, bool scaled) {
  i16 right = state_.right, away = state_.away;
  bool right_overflow = state_.right_overflow, away_overflow = state_.away_overflow;
  if (scaled) {
    right = away = 0;
    count(right, right_overflow, twice(state_.right));
    count(away, away_overflow, twice(state_.away));
  }
  const u8 first = static_cast<u8>((away_overflow ? 0x80 : 0) | (right_overflow ? 0x40 : 0) | (away < 0 ? 0x20 : 0) |
                                   (right < 0 ? 0x10 : 0) | 0x08 | (state_.buttons & 0x07));
  ByteQueue<8> message;
  if (after_acknowledge) message.push(acknowledge);
  message.push({first, static_cast<u8>(right), static_cast<u8>(away)});
  if (state_.id != 0) {
    const int wheel = std::clamp<int>(state_.wheel, -8, 7);
    const u8 low = static_cast<u8>(wheel & 0x0F);
    // Without side buttons the byte holds the step with its sign; with them, four bits of it.
    message.push(state_.id == 4 ? static_cast<u8>(low | (state_.buttons & 0x18) << 1) : static_cast<u8>(wheel));
  }
  clear_counters();
  state_.reported_buttons = state_.buttons;
  state_.queue = state_.last_message = message;
}

}  // namespace vitrine
