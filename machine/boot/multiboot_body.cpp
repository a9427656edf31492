#include "machine/boot/multiboot_body.hpp"

#include <algorithm>

namespace vitrine {

namespace {

BootResult<ImageSegment> segment_from_addresses(const Loading& loading, u64 header, const MultibootAddresses& at) {
  using enum BootErrorKind;
  const bool whole_file = at.load == 0xFFFF'FFFF;
  if (whole_file ? at.header < header : at.load > at.header) {
    return loading.fail(Malformed, "has a damaged Multiboot header at " + hex(header) + ": load_addr " + hex(at.load) +
                                       " does not agree with header_addr " + hex(at.header));
  }
  const u64 before_header = whole_file ? header : u64{at.header} - at.load;
  if (before_header > header) {
    return loading.fail(Malformed, "has a damaged Multiboot header at " + hex(header) + ": load_addr " + hex(at.load) +
                                       " lies before the start of the file");
  }
  ImageSegment segment;
  segment.address = at.header - before_header;
  segment.file_offset = header - before_header;
  if (at.load_end != 0 && at.load_end < segment.address) {
    return loading.fail(Malformed, "has a damaged Multiboot header at " + hex(header) + ": load_end_addr " +
                                       hex(at.load_end) + " lies below load_addr " + hex(segment.address));
  }
  segment.file_size = at.load_end != 0 ? at.load_end - segment.address : loading.image.size() - segment.file_offset;
  const u64 load_end = segment.address + segment.file_size;
  if (at.bss_end != 0 && at.bss_end < load_end) {
    return loading.fail(Malformed, "has a damaged Multiboot header at " + hex(header) + ": bss_end_addr " +
                                       hex(at.bss_end) + " lies below the end of the data " + hex(load_end));
  }
  segment.memory_size = at.bss_end != 0 ? at.bss_end - segment.address : segment.file_size;
  return segment;
}

}  // namespace

u64 MultibootBody::lowest() const {
  u64 address = ~u64{0};
  for (const ImageSegment& segment : segments) address = std::min(address, segment.address);
  return address;
}

u64 MultibootBody::size() const {
  u64 size = 0;
  for (const ImageSegment& segment : segments) {
    if (segment.memory_size > ~u64{0} - segment.address) return ~u64{0};
    size = std::max(size, segment.address + segment.memory_size - lowest());
  }
  return size;
}

bool MultibootBody::contains(u64 address) const {
  return std::ranges::any_of(
      segments, [&](const ImageSegment& segment) { return address - segment.address < segment.memory_size; });
}

BootResult<MultibootBody> parse_multiboot_body(const Loading& loading, u64 header,
                                               const std::optional<MultibootAddresses>& addresses,
                                               std::optional<u32> entry) {
  using enum BootErrorKind;
  MultibootBody body;
  if (addresses) {
    const auto segment = segment_from_addresses(loading, header, *addresses);
    if (!segment) return std::unexpected(segment.error());
    body.segments.push_back(*segment);
    if (!entry) {
      return loading.fail(Malformed,
                          "has a Multiboot header at " + hex(header) + " with load addresses but no entry point");
    }
  } else if (is_elf(loading.image)) {
    auto elf = parse_elf(loading);
    if (!elf) return std::unexpected(elf.error());
    body.segments = elf->image_segments();
    body.entry = elf->physical_entry();
    body.elf = std::move(*elf);
  } else {
    return loading.fail(Malformed, "has a Multiboot header at " + hex(header) +
                                       " without load addresses, and is no ELF: nothing says where it belongs");
  }
  if (entry) body.entry = *entry;
  if (body.segments.empty()) {
    return loading.fail(Malformed, "has a Multiboot header at " + hex(header) + " but no segment to load");
  }
  if (!body.contains(body.entry)) {
    return loading.fail(Malformed, "is damaged: its entry point " + hex(body.entry) + " lies in no segment");
  }
  return body;
}

}  // namespace vitrine
