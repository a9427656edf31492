#include "machine/devices/pc_testdev/pc_testdev.hpp"

#include <algorithm>
#include <cstring>

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr std::size_t page = 0x1000;
}

PcTestdev::PcTestdev(DeviceContext, const std::array<LineDriver, lines>& drivers)
    : drivers_(drivers), memory_(memory_bytes, 0) {}

// Only the access to a line's own port concerns the request on it.
void PcTestdev::accessed(u64 where) {
  if (where >= lines_port.value && where < lines_port.value + u64{lines}) {
    drivers_[where - lines_port.value].attended(where);
  }
}

void PcTestdev::reset() {
  echo_.fill(0);
  asserted_ = 0;
  std::ranges::fill(memory_, u8{0});
  update();
}

u8 PcTestdev::byte(Region region, u64 offset) const {
  if (region == echo && offset < echo_ports) return echo_[offset];
  if (region == lines_region && offset < lines) return bit(asserted_, static_cast<unsigned>(offset)) ? 1 : 0;
  if (region == memory && offset < memory_bytes) return memory_[offset];
  return 0xFF;
}

u64 PcTestdev::peek(Region region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u64 i = 0; i < size.value; ++i) value |= u64{byte(region, offset + i)} << 8 * i;
  return value;
}

void PcTestdev::write(Region region, u64 offset, AccessSize size, u64 value) {
  if (region == lines_region && offset < lines) {
    asserted_ = with_bit(asserted_, static_cast<unsigned>(offset), static_cast<u8>(value) != 0);
    return update();
  }
  for (u64 i = 0; i < size.value; ++i) {
    const auto part = static_cast<u8>(value >> 8 * i);
    if (region == echo && offset + i < echo_ports) echo_[offset + i] = part;
    if (region == memory && offset + i < memory_bytes) memory_[offset + i] = part;
  }
}

void PcTestdev::update() {
  for (u8 line = 0; line < lines; ++line) {
    drivers_[line].set(bit(asserted_, line) ? Level::High : Level::Low, static_cast<u8>(Cause::Command));
  }
}

void PcTestdev::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(echo_, asserted_);
  if (asserted_ >> lines != 0) archive.refuse(Archive::Error::BadValue);
  for (std::size_t at = 0; at < memory_.size(); at += page) {
    bool filled = std::any_of(memory_.begin() + at, memory_.begin() + at + page, [](u8 value) { return value != 0; });
    archive(filled);
    if (filled) archive.raw(memory_.data() + at, page);
    if (!filled && archive.loading()) std::memset(memory_.data() + at, 0, page);
  }
}

}  // namespace vitrine
