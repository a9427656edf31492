// A PS/2 keyboard (101/102 keys), at the far end of the controller's first serial port.
//
// Manual: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)".
// Not modelled: typematic repeat (rate and delay are accepted and kept; who types sends each make code).
// unverified: a byte that comes during the self-test is lost.
#pragma once

#include <array>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/devices/i8042/byte_queue.hpp"
#include "machine/devices/i8042/scan_codes.hpp"

namespace vitrine {

class Keyboard {
 public:
  /// A byte from the controller has arrived.
  void command(u8 byte, Tick now);
  /// A key goes down or up: its set 2 bytes, the first in the least significant place, 0 after the last.
  void key(u64 scan_bytes);

  [[nodiscard]] bool has_byte() const { return !state_.replies.empty() || !state_.keys.empty(); }
  /// The controller has received the next byte. Only if has_byte().
  u8 take_byte();

  /// When the running self-test ends, or never.
  [[nodiscard]] Tick self_test_end() const { return state_.self_test_end; }
  void finish_self_test();

  /// Keys reach the buffer: no command has switched them off.
  [[nodiscard]] bool scanning() const { return state_.scanning; }
  /// Keys reach the buffer now, and the longest sequence fits.
  [[nodiscard]] bool ready_for_key() const;

  void exchange(Archive& archive) { archive(state_); }

 private:
  static constexpr u8 buffer_size = 16;
  struct State {
    u8 scan_set = 2;
    bool scanning = true;  // as firmware leaves it after the power-on self-test
    u8 indicators = 0;
    u8 typematic = 0x2B;  // 10.9 characters a second after 500 ms
    u8 awaits_parameter_of = 0;
    u8 last_sent = 0;
    Tick self_test_end = never;
    std::array<u8, 32> no_break{};    // set 3, by code: no code when it is released
    ByteQueue<8> replies;             // go before keys
    ByteQueue<buffer_size + 1> keys;  // the last place is for the overrun code
    State();
    void exchange(Archive& archive);
  };
  void set_defaults();
  void parameter(u8 byte);
  void set_breaks(bool sent);
  void append(const ByteQueue<16>& sequence);
  void key_in_set_three(u64 scan_bytes, ByteQueue<16>& out) const;

  State state_;
};

}  // namespace vitrine
