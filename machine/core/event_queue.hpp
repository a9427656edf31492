// What will happen when. An event is plain data, ordered by (due, sequence), so it can be saved.
#pragma once

#include <optional>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

/// Identifies a device on its board: index into the board's device list, stable across save and restore.
using DeviceId = Quantity<struct DeviceTag, u16>;

struct Event {
  Tick due{};
  u64 sequence = 0;  ///< order of scheduling; breaks ties
  DeviceId device{};
  u16 kind = 0;  ///< the device's own enum
  u64 payload = 0;

  void exchange(Archive& archive) { archive(due, sequence, device, kind, payload); }
};

class EventQueue {
 public:
  /// Calls Device::event(kind, payload) of `device` when the clock reaches `due`. A `due` in the past means "now".
  void schedule(Tick due, DeviceId device, u16 kind, u64 payload = 0);
  /// Removes every pending event of this device and kind.
  void cancel(DeviceId device, u16 kind);
  /// Cancels, then schedules: for events of which a device has at most one.
  void reschedule(Tick due, DeviceId device, u16 kind, u64 payload = 0) {
    cancel(device, kind);
    schedule(due, device, kind, payload);
  }
  [[nodiscard]] bool pending(DeviceId device, u16 kind) const;
  /// When the first event is due; `never` when there is none.
  [[nodiscard]] Tick next_due() const { return events_.empty() ? never : events_.back().due; }
  /// Takes the first event if it is due at `now`.
  std::optional<Event> pop_due(Tick now);

  void exchange(Archive& archive);

 private:
  std::vector<Event> events_;  // sorted, the first due at the back: a board has a few dozen at most
  u64 next_sequence_ = 0;
};

}  // namespace vitrine
