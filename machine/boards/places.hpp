// A board's places for devices: each device's number, which is part of every archive, and its name in the ledger.
#pragma once

#include <string_view>
#include <vector>

#include "machine/core/device.hpp"

namespace vitrine {

class Places {
 public:
  Places(Clock& clock, EventQueue& events, Ledger& ledger) : clock_(clock), events_(events), ledger_(ledger) {}

  /// The next place, for a device that is about to be made. Numbers count from 0.
  [[nodiscard]] DeviceContext next(std::string_view name);
  /// The device of a place, once it is made. It has the name that the place was made for.
  void put(const DeviceContext& place, Device& device);

  [[nodiscard]] Device& at(DeviceId id) const { return *devices_[id.value]; }
  [[nodiscard]] u16 count() const { return static_cast<u16>(devices_.size()); }

 private:
  Clock& clock_;
  EventQueue& events_;
  Ledger& ledger_;
  std::vector<Device*> devices_;
};

}  // namespace vitrine
