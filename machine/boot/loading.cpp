#include "machine/boot/loading.hpp"

#include <algorithm>
#include <tuple>

namespace vitrine {

std::string hex(u64 value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + digits;
}

std::string size_text(u64 bytes) {
  static constexpr struct {
    unsigned shift;
    const char* name;
  } units[] = {{60, "EiB"}, {50, "PiB"}, {40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}};
  for (const auto& unit : units) {
    const u64 one = u64{1} << unit.shift;
    if (bytes < one) continue;
    const u64 tenths = ((bytes & (one - 1)) >> (unit.shift - 10)) * 10 >> 10;
    return std::to_string(bytes >> unit.shift) + (tenths != 0 ? "." + std::to_string(tenths) : "") + " " + unit.name;
  }
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::unexpected<BootError> Loading::fail(BootErrorKind kind, std::string_view sentence) const {
  return std::unexpected(BootError{kind, files.image_name + " " + std::string(sentence)});
}

std::string Loading::memory_text() const {
  const u64 bytes = memory.ram_bytes();
  return size_text(bytes < mib ? bytes : align_up(bytes, mib).value_or(bytes));
}

std::unexpected<BootError> Loading::truncated(std::string_view part, u64 offset, u64 size) const {
  return fail(BootErrorKind::Truncated, "is truncated: " + std::string(part) + " at " + hex(offset) + " needs " +
                                            size_text(size) + ", the file ends at " + hex(image.size()) +
                                            ": get a complete copy");
}

BootResult<void> Loading::put_image(std::span<const ImageSegment> parts, u64 displacement) {
  for (const ImageSegment& part : parts) {
    if (part.file_size > part.memory_size) {
      return fail(BootErrorKind::Malformed, "is damaged: its segment for " + hex(part.address) + " has more bytes (" +
                                                hex(part.file_size) + ") than memory (" + hex(part.memory_size) + ")");
    }
    if (!image.has(part.file_offset, part.file_size)) {
      return truncated("segment", part.file_offset, part.file_size);
    }
    const u64 start = part.address + displacement;
    if (memory.is_ram(start, part.memory_size)) continue;
    const std::string wish = "wants " + size_text(part.memory_size) + " at " + hex(start) + ", ";
    if (start >= mib && start <= last_32_bit_address && part.memory_size <= last_32_bit_address) {
      const u64 needed = *align_up(start + part.memory_size + 16 * mib, 64 * mib) / mib;
      if (memory.ram_from(mib) != 0 && start + part.memory_size > mib + memory.ram_from(mib) && needed <= 3072) {
        return fail(
            BootErrorKind::DoesNotFit,
            wish + "which " + memory_text() + " of memory don't have: use --memory " + std::to_string(needed) + "M");
      }
    }
    return fail(BootErrorKind::DoesNotFit, wish + "where this machine has no memory: link it for another address");
  }
  for (const ImageSegment& part : parts) {
    const u64 start = part.address + displacement;
    if (!memory.write(start, image.part(part.file_offset, part.file_size)) ||
        !memory.fill_with_zeroes(start + part.file_size, part.memory_size - part.file_size)) {
      return fail(BootErrorKind::DoesNotFit, "can't be written to memory at " + hex(start));
    }
    memory.take(start, part.memory_size);
    if (part.memory_size != 0) segments.push_back({start, part.memory_size, "kernel"});
  }
  return {};
}

BootResult<void> Loading::put(u64 start, std::span<const u8> bytes, std::string_view what) {
  if (!memory.is_free(start, bytes.size()) || !memory.write(start, bytes)) {
    return fail(BootErrorKind::DoesNotFit, "leaves no memory at " + hex(start) + " for its " + std::string(what));
  }
  memory.take(start, bytes.size());
  if (!bytes.empty()) segments.push_back({start, bytes.size(), std::string(what)});
  return {};
}

BootResult<u64> Loading::place_structure(u64 size, u64 alignment, std::string_view what) {
  // Not in the first 64 KiB, where guests expect firmware data and put their own start-up code for other CPUs.
  const GuestMemory::Limits choices[] = {
      {64 * kib, 640 * kib - 1}, {map.lowest_usable.value, 640 * kib - 1}, {mib, last_32_bit_address}};
  for (const auto& limits : choices) {
    if (const auto place = memory.lowest_place(size, alignment, limits)) return *place;
  }
  return fail(BootErrorKind::DoesNotFit,
              "leaves no memory for its " + std::string(what) + " (" + size_text(size) + "): use a larger --memory");
}

BootResult<std::optional<Loading::Module>> Loading::put_module() {
  if (files.initrd.empty()) return std::optional<Module>{};
  u64 above = mib;
  for (const LoadedSegment& segment : segments) above = std::max(above, segment.start + segment.size);
  auto place = memory.lowest_place(files.initrd.size(), MemoryBus::page_size, {above, last_32_bit_address});
  if (!place) place = memory.lowest_place(files.initrd.size(), MemoryBus::page_size, {mib, last_32_bit_address});
  if (!place) return initrd_does_not_fit();
  if (auto done = put(*place, files.initrd, "initrd"); !done) return std::unexpected(done.error());
  return Module{*place, files.initrd.size()};
}

std::unexpected<BootError> Loading::initrd_does_not_fit() const {
  // A guest unpacks it beside the packed one: twice its size, the kernel, and something to work with.
  u64 kernel = 0;
  for (const LoadedSegment& segment : segments) kernel += segment.size;
  const u64 size = files.initrd.size();
  const std::string name = files.initrd_name.empty() ? "the initrd" : files.initrd_name;
  std::string sentence = name + ": initrd of " + size_text(size) + " does not fit in " + memory_text() + " of memory";
  const u64 needed = *align_up(2 * std::min(size, u64{1} << 40) + std::min(kernel, u64{1} << 40) + 32 * mib, 64 * mib);
  sentence += needed <= 3072 * mib ? ": use --memory " + std::to_string(needed / mib) + "M" : ": make it smaller";
  return std::unexpected(BootError{BootErrorKind::DoesNotFit, sentence});
}

u32 Loading::lower_kib() const { return static_cast<u32>(std::min<u64>(memory.ram_from(0) / kib, 640)); }

u32 Loading::upper_kib() const {
  return static_cast<u32>(std::min<u64>(memory.ram_from(mib) / kib, last_32_bit_address));
}

LoadedGuest Loading::finish(GuestKind kind, const BootState& state, std::string description) {
  std::ranges::sort(segments, [](const LoadedSegment& left, const LoadedSegment& right) {
    return std::tie(left.start, left.size, left.what) < std::tie(right.start, right.size, right.what);
  });
  return {state, kind, std::move(segments), std::move(description)};
}

}  // namespace vitrine
