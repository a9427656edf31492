#include "machine/core/device.hpp"

namespace vitrine {

u64 Device::read(Region, u64, AccessSize size) { return size.value >= 8 ? ~u64{0} : (u64{1} << (size.value * 8)) - 1; }
void Device::write(Region, u64, AccessSize, u64) {}
u64 Device::peek(Region, u64, AccessSize size) const {
  return size.value >= 8 ? ~u64{0} : (u64{1} << (size.value * 8)) - 1;
}
void Device::accessed(u64) {}
void Device::line_changed(Pin, Level, RequestId) {}
void Device::event(u16, u64) {}

}  // namespace vitrine
