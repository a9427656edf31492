// A PS/2 mouse with wheel and five buttons, at the far end of the controller's second serial port.
//
// Manual: IBM Personal System/2 Hardware Interface Technical Reference, "Mouse"; Microsoft, "Windows and the 5-Button
//   Wheel Mouse" for the two knocks that switch wheel and buttons on.
// Not modelled: resolution (kept and reported; movement comes in as counts already).
#pragma once

#include <array>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/devices/i8042/byte_queue.hpp"

namespace vitrine {

class Mouse {
 public:
  struct Motion {
    i16 right = 0;   ///< counts
    i16 away = 0;    ///< counts, away from the user
    i8 wheel = 0;    ///< steps toward the user
    u8 buttons = 0;  ///< bit 0 left, 1 right, 2 middle, 3 and 4 the side buttons
  };

  /// A byte from the controller has arrived.
  void command(u8 byte, Tick now);
  void move(const Motion& motion);

  [[nodiscard]] bool has_byte() const { return !state_.queue.empty(); }
  /// The controller has received the next byte. Only if has_byte().
  u8 take_byte() { return state_.queue.pop(); }

  /// Movement makes reports by itself: stream mode, and enabled.
  [[nodiscard]] bool reporting() const { return state_.reporting && !state_.remote && !state_.wrap; }
  /// When the next report is due in stream mode: never, while nothing has changed or the last is still being sent.
  [[nodiscard]] Tick report_due() const;
  void report(Tick now);

  /// When the running self-test ends, or never.
  [[nodiscard]] Tick self_test_end() const { return state_.self_test_end; }
  void finish_self_test();

  void exchange(Archive& archive) { archive(state_); }

 private:
  struct State {
    bool reporting = false;
    bool remote = false;
    bool wrap = false;
    bool twice_scaling = false;
    u8 resolution = 2;  // 4 counts a millimetre
    u8 rate = 100;      // reports a second
    u8 id = 0;          // 3: wheel, 4: wheel and five buttons
    u8 awaits_parameter_of = 0;
    bool erred = false;  // the last byte was no valid command
    std::array<u8, 3> last_rates{};
    i16 right = 0, away = 0, wheel = 0;
    bool right_overflow = false, away_overflow = false;
    u8 buttons = 0, reported_buttons = 0;
    Tick next_report{};
    Tick self_test_end = never;
    ByteQueue<8> queue;
    ByteQueue<8> last_message;
    void exchange(Archive& archive);
  };
  void parameter(u8 byte);
  void set_defaults();
  void clear_counters();
  void refuse();
  void send(std::initializer_list<u8> message);
  void send_report(bool after_acknowledge, bool scaled);
  [[nodiscard]] bool changed() const;

  State state_;
};

}  // namespace vitrine
