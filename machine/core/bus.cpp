#include "machine/core/bus.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace vitrine {

namespace {
u64 ones(AccessSize size) { return size.value >= 8 ? ~u64{0} : (u64{1} << (size.value * 8)) - 1; }
}  // namespace

PortBus::PortBus() : owner_(0x10000, 0) {}

std::expected<void, MapError> PortBus::map(Port first, u32 count, Device& device, Region region, u64 base_offset) {
  if (count == 0) return std::unexpected(MapError::Empty);
  if (first.value + count > 0x10000) return std::unexpected(MapError::OutOfRange);
  for (u32 port = first.value; port < first.value + count; ++port) {
    if (owner_[port] != 0) return std::unexpected(MapError::Overlap);
  }
  auto slot = std::ranges::find(ranges_, 0u, &Range::count);
  if (slot == ranges_.end()) {
    VITRINE_ASSERT(ranges_.size() < 255);
    slot = ranges_.insert(ranges_.end(), Range{});
  }
  *slot = {first.value, count, &device, region, base_offset};
  std::fill_n(owner_.begin() + first.value, count, static_cast<u8>(slot - ranges_.begin() + 1));
  return {};
}

void PortBus::unmap(Port first, u32 count) {
  for (Range& range : ranges_) {
    if (range.first != first.value || range.count != count) continue;
    std::fill_n(owner_.begin() + range.first, range.count, u8{0});
    range.count = 0;
  }
}

u32 PortBus::read(Port port, AccessSize size) {
  const Range* range = find(port.value);
  if (range != nullptr && port.value + size.value <= range->first + range->count) {
    range->device->accessed(port.value);
    return static_cast<u32>(range->device->read(range->region, port.value - range->first + range->base_offset, size));
  }
  if (size.value == 1) return 0xFF;
  u32 value = 0;
  for (u8 i = 0; i < size.value; ++i) value |= read(port + i, AccessSize(1)) << (8 * i);
  return value;
}

void PortBus::write(Port port, AccessSize size, u32 value) {
  const Range* range = find(port.value);
  if (range != nullptr && port.value + size.value <= range->first + range->count) {
    range->device->accessed(port.value);
    range->device->write(range->region, port.value - range->first + range->base_offset, size, value);
    return;
  }
  if (size.value == 1) return;
  for (u8 i = 0; i < size.value; ++i) write(port + i, AccessSize(1), value >> (8 * i) & 0xFF);
}

u32 PortBus::peek(Port port, AccessSize size) const {
  const Range* range = find(port.value);
  if (range != nullptr && port.value + size.value <= range->first + range->count) {
    return static_cast<u32>(range->device->peek(range->region, port.value - range->first + range->base_offset, size));
  }
  if (size.value == 1) return 0xFF;
  u32 value = 0;
  for (u8 i = 0; i < size.value; ++i) value |= peek(port + i, AccessSize(1)) << (8 * i);
  return value;
}

const MemoryBus::Range* MemoryBus::find(u64 address) const {
  auto after = std::ranges::upper_bound(ranges_, address, {}, &Range::first);
  if (after == ranges_.begin()) return nullptr;
  const Range& range = *(after - 1);
  return address <= range.last ? &range : nullptr;
}

std::expected<void, MapError> MemoryBus::add(Range range) {
  for (const Range& other : ranges_) {
    if (range.first <= other.last && other.first <= range.last) return std::unexpected(MapError::Overlap);
  }
  ranges_.insert(std::ranges::upper_bound(ranges_, range.first, {}, &Range::first), range);
  return {};
}

std::expected<void, MapError> MemoryBus::map_ram(PhysicalAddress start, u64 size, u8* host, Kind kind) {
  if (size == 0) return std::unexpected(MapError::Empty);
  if (start.value + size - 1 < start.value || start.value + size - 1 >= u64{1} << 52) {
    return std::unexpected(MapError::OutOfRange);
  }
  VITRINE_ASSERT(start.value % page_size == 0 && size % page_size == 0);
  return add({start.value, start.value + size - 1, kind, host, nullptr, Region{}});
}

std::expected<void, MapError> MemoryBus::map_device(PhysicalAddress start, u64 size, Device& device, Region region) {
  if (size == 0) return std::unexpected(MapError::Empty);
  if (start.value + size - 1 < start.value || start.value + size - 1 >= u64{1} << 52) {
    return std::unexpected(MapError::OutOfRange);
  }
  return add({start.value, start.value + size - 1, Kind::Device, nullptr, &device, region});
}

void MemoryBus::unmap_device(PhysicalAddress start) {
  std::erase_if(ranges_, [start](const Range& range) { return range.first == start.value && range.device != nullptr; });
}

MemoryBus::Page MemoryBus::page(PhysicalAddress address) const {
  const u64 first = address.value & ~(page_size - 1);
  const Range* range = find(first);
  if (range == nullptr || range->host == nullptr) return {};
  return {range->host + (first - range->first), range->kind};
}

u64 MemoryBus::read(PhysicalAddress address, AccessSize size) {
  const Range* range = find(address.value);
  if (range != nullptr && address.value + size.value - 1 <= range->last) {
    if (range->host == nullptr) {
      range->device->accessed(address.value);
      return range->device->read(range->region, address.value - range->first, size);
    }
    u64 value = 0;
    std::memcpy(&value, range->host + (address.value - range->first), size.value);
    return value;
  }
  if (range == nullptr && find(address.value + size.value - 1) == nullptr) return ones(size);
  u64 value = 0;
  if (size.value == 1) return 0xFF;
  for (u8 i = 0; i < size.value; ++i) value |= read(address + i, AccessSize(1)) << (8 * i);
  return value;
}

void MemoryBus::write(PhysicalAddress address, AccessSize size, u64 value) {
  const Range* range = find(address.value);
  if (range != nullptr && address.value + size.value - 1 <= range->last) {
    if (range->host == nullptr) {
      range->device->accessed(address.value);
      range->device->write(range->region, address.value - range->first, size, value);
    } else if (range->kind == Kind::Ram) {
      std::memcpy(range->host + (address.value - range->first), &value, size.value);
    }
    return;
  }
  if (size.value == 1) return;
  for (u8 i = 0; i < size.value; ++i) write(address + i, AccessSize(1), value >> (8 * i) & 0xFF);
}

u64 MemoryBus::peek(PhysicalAddress address, AccessSize size) const {
  const Range* range = find(address.value);
  if (range != nullptr && address.value + size.value - 1 <= range->last) {
    if (range->host == nullptr) return range->device->peek(range->region, address.value - range->first, size);
    u64 value = 0;
    std::memcpy(&value, range->host + (address.value - range->first), size.value);
    return value;
  }
  if (size.value == 1) return 0xFF;
  u64 value = 0;
  for (u8 i = 0; i < size.value; ++i) value |= peek(address + i, AccessSize(1)) << (8 * i);
  return value;
}

bool MemoryBus::read_block(PhysicalAddress address, std::span<u8> into) const {
  if (address.value + into.size() < address.value) return false;
  for (u64 at = address.value, end = at + into.size(); at < end;) {
    const Range* range = find(at);
    if (range == nullptr || range->host == nullptr) return false;
    at = range->last + 1;
  }
  for (std::size_t done = 0; done < into.size();) {
    const Range* range = find(address.value + done);
    const u64 offset = address.value + done - range->first;
    const u64 chunk = std::min<u64>(into.size() - done, range->last - range->first + 1 - offset);
    std::memcpy(into.data() + done, range->host + offset, chunk);
    done += chunk;
  }
  return true;
}

bool MemoryBus::write_block(PhysicalAddress address, std::span<const u8> from) {
  if (address.value + from.size() < address.value) return false;
  for (u64 at = address.value, end = at + from.size(); at < end;) {
    const Range* range = find(at);
    if (range == nullptr || range->kind != Kind::Ram) return false;
    at = range->last + 1;
  }
  for (std::size_t done = 0; done < from.size();) {
    const Range* range = find(address.value + done);
    const u64 offset = address.value + done - range->first;
    const u64 chunk = std::min<u64>(from.size() - done, range->last - range->first + 1 - offset);
    std::memcpy(range->host + offset, from.data() + done, chunk);
    done += chunk;
  }
  if (watcher_ != nullptr && !from.empty()) watcher_->ram_written(address, from.size());
  return true;
}

void MemoryBus::exchange(Archive& archive) {
  archive.section("ram", 1);
  static constexpr std::array<u8, page_size> zeroes{};
  for (const Range& range : ranges_) {
    if (range.kind != Kind::Ram) continue;
    for (u64 offset = 0; offset <= range.last - range.first; offset += page_size) {
      u8* page = range.host + offset;
      bool filled = std::memcmp(page, zeroes.data(), page_size) != 0;
      const bool was_filled = filled;
      archive(filled);
      if (filled) {
        archive.raw(page, page_size);
      } else if (archive.loading() && was_filled) {
        std::memset(page, 0, page_size);
      }
    }
  }
}

}  // namespace vitrine
