// What is known of each of the board's lines, and of what devices and local APICs send without one.
#pragma once

#include <optional>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/apic_fields.hpp"

namespace vitrine {

/// One of the board's lines, or what a device or local APIC sends without one.
struct LineState {
  u8 pin = 0;  ///< the line's number, or ApicPin
  u64 raised = 0, merged = 0, withdrawn = 0, lost = 0, polled = 0, failed = 0, delivered = 0, returned = 0,
      spurious = 0;
  bool high = false;
  u16 source = 0;                         ///< the device that raised it last
  u64 first_raised = 0, last_raised = 0;  ///< times
  u64 last_id = 0;                        ///< of the last request
  std::optional<Record> last_delivered;
  std::optional<Record> last_failed;  ///< DeliveryFailed
};

class LineStates {
 public:
  /// What has no line is kept apart by who sends it.
  [[nodiscard]] static constexpr u32 key_of(u8 pin, u16 source) {
    return is_line(pin) ? pin : 256 + u32{source} * 32 + (pin & 31u);
  }

  /// Makes it if there is none. Valid until the next call.
  LineState& of(u8 pin, u16 source) {
    const u32 key = key_of(pin, source);
    const u16 place = key < place_.size() ? place_[key] : none;
    LineState& state = place != none ? states_[place] : add(key);
    state.pin = pin;
    return state;
  }
  /// Null if there is none.
  [[nodiscard]] const LineState* find(u8 pin, u16 source) const;
  /// In order of key.
  [[nodiscard]] std::vector<const LineState*> all() const;

 private:
  static constexpr std::size_t most = 4096;
  static constexpr u16 none = 0xFFFF;

  [[gnu::cold]] LineState& add(u32 key);

  std::vector<u16> place_;  // in states_, by key: looked up several times for every interrupt
  std::vector<LineState> states_;
};

}  // namespace vitrine
