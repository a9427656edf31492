#include "machine/boot/guest_memory.hpp"

#include <algorithm>
#include <array>

namespace vitrine {

namespace {

// Sorts by first address and joins what touches or overlaps.
template <class Range>
void merge(std::vector<Range>& ranges) {
  std::ranges::sort(ranges, {}, &Range::first);
  std::vector<Range> merged;
  for (const Range& range : ranges) {
    if (!merged.empty() && (merged.back().last == ~u64{0} || range.first <= merged.back().last + 1)) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  ranges = std::move(merged);
}

}  // namespace

GuestMemory::GuestMemory(const MemoryMap& map, MemoryBus& bus) : bus_(&bus) {
  for (const MemoryRange& range : map.ranges) {
    if (range.type != MemoryType::Ram || range.size == 0) continue;
    const u64 room = ~u64{0} - range.start.value;
    ram_.push_back({range.start.value, range.start.value + std::min(range.size - 1, room)});
  }
  merge(ram_);
  if (map.lowest_usable.value != 0) take(0, map.lowest_usable.value);
}

bool GuestMemory::is_ram(u64 start, u64 size) const {
  if (size == 0) return true;
  if (size - 1 > ~u64{0} - start) return false;
  const u64 last = start + (size - 1);
  return std::ranges::any_of(ram_, [&](const Range& range) { return range.first <= start && last <= range.last; });
}

bool GuestMemory::is_free(u64 start, u64 size) const {
  if (size == 0) return true;
  if (size - 1 > ~u64{0} - start) return false;
  const u64 last = start + (size - 1);
  return std::ranges::none_of(taken_, [&](const Range& range) { return range.first <= last && start <= range.last; });
}

u64 GuestMemory::ram_bytes() const {
  u64 total = 0;
  for (const Range& range : ram_) total += range.last - range.first + 1;
  return total;
}

u64 GuestMemory::ram_from(u64 start) const {
  for (const Range& range : ram_) {
    if (range.first <= start && start <= range.last) return range.last - start + 1;
  }
  return 0;
}

void GuestMemory::take(u64 start, u64 size) {
  if (size == 0) return;
  taken_.push_back({start, start + std::min(size - 1, ~u64{0} - start)});
  merge(taken_);
}

std::vector<GuestMemory::Range> GuestMemory::free_ranges() const {
  std::vector<Range> ranges;
  for (const Range& ram : ram_) {
    u64 first = ram.first;
    bool used_up = false;
    for (const Range& taken : taken_) {
      if (taken.last < first) continue;
      if (taken.first > ram.last) break;
      if (taken.first > first) ranges.push_back({first, taken.first - 1});
      if (taken.last >= ram.last) {
        used_up = true;
        break;
      }
      first = taken.last + 1;
    }
    if (!used_up) ranges.push_back({first, ram.last});
  }
  return ranges;
}

std::optional<u64> GuestMemory::lowest_place(u64 size, u64 alignment, Limits limits) const {
  if (size == 0) return std::nullopt;
  for (const Range& range : free_ranges()) {
    const auto start = align_up(std::max(range.first, limits.first), alignment);
    const u64 last = std::min(range.last, limits.last);
    if (start && *start <= last && size - 1 <= last - *start) return start;
  }
  return std::nullopt;
}

std::optional<u64> GuestMemory::highest_place(u64 size, u64 alignment, Limits limits) const {
  if (size == 0) return std::nullopt;
  const std::vector<Range> ranges = free_ranges();
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    const u64 first = std::max(range->first, limits.first);
    const u64 last = std::min(range->last, limits.last);
    if (first > last || size - 1 > last - first) continue;
    const u64 start = (last - (size - 1)) & ~(alignment - 1);
    if (start >= first) return start;
  }
  return std::nullopt;
}

bool GuestMemory::write(u64 start, std::span<const u8> bytes) {
  if (bytes.empty()) return true;
  return is_ram(start, bytes.size()) && bus_->write_block(PhysicalAddress(start), bytes);
}

bool GuestMemory::fill_with_zeroes(u64 start, u64 size) {
  static constexpr std::array<u8, 64 * 1024> zeroes{};
  if (!is_ram(start, size)) return false;
  while (size != 0) {
    const u64 count = std::min<u64>(size, zeroes.size());
    if (!bus_->write_block(PhysicalAddress(start), std::span(zeroes).first(count))) return false;
    start += count;
    size -= count;
  }
  return true;
}

bool GuestMemory::read(u64 start, std::span<u8> into) const { return bus_->read_block(PhysicalAddress(start), into); }

}  // namespace vitrine
