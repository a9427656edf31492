#include "machine/boards/places.hpp"

#include "base/assert.hpp"

namespace vitrine {

DeviceContext Places::next(std::string_view name) {
  devices_.push_back(nullptr);
  return {clock_, events_, ledger_, DeviceId(static_cast<u16>(devices_.size() - 1)), ledger_.register_source(name)};
}

void Places::put(const DeviceContext& place, Device& device) {
  VITRINE_ASSERT(ledger_.sources()[place.source.value] == device.name());
  devices_[place.id.value] = &device;
}

}  // namespace vitrine
