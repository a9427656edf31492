// Any file as a guest: the loader answers with a guest or with one sentence, and never crashes, hangs or writes beside
// the guest's memory.
//
// The first byte chooses how the input is used: as it is, or as changes to a valid image of each format (so that the
// plain driver, which knows nothing of coverage, gets past the magic numbers too).

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/assert.hpp"
#include "machine/boot/load_guest.hpp"
#include "machine/boot/test_images.hpp"

namespace {

using namespace vitrine;
using namespace vitrine::test_images;

std::vector<std::vector<u8>> make_images() {
  const std::vector<Tag> tags{{1, 0, {1, 3, 6}}, {10, 1, {0x100000, 0x800000, 0x1000, 2}}, {5, 1, {80, 25, 0}}};
  const auto addresses = multiboot2_header({{2, 0, {0x101000, 0xFFFFFFFF, 0, 0x200000}}, {3, 0, {0x101040}}});
  const auto flat = multiboot1_header(0x10003, {0x100000, 0x100000, 0, 0x110000, 0x100020});
  std::vector<u8> flat_image(4096, 0x90);
  std::ranges::copy(flat, flat_image.begin());
  return {
      linux_image({.preferred_address = 0x200000, .init_size = 0x8000}),
      linux_image({.version = 0x20C, .relocatable = false, .preferred_address = 0x100000, .init_size = 0x8000}),
      linux_image({.version = 0x203, .load_flags = 0}),
      elf({.symbols = true, .front = multiboot1_header(3)}),
      elf({.file_class = ElfClass::Bits64, .symbols = true, .front = multiboot2_header(tags)}),
      elf({.front = addresses}),
      elf({.pvh_note = true}),
      elf({.file_class = ElfClass::Bits64, .symbols = true, .front = {}}),
      elf({.file_class = ElfClass::Bits64, .pvh_note = true}),
      flat_image,
  };
}

// Each group of four input bytes: a place (counted from where the format's header is dense) and a value.
std::vector<u8> changed(std::vector<u8> image, std::span<const u8> changes) {
  static constexpr u64 dense[] = {0, 0x1F0, 0x800, 0x1000, 0x1400};
  for (std::size_t at = 0; at + 4 <= changes.size(); at += 4) {
    const u64 place = dense[changes[at] % std::size(dense)] + changes[at + 1];
    if (changes[at] >= 0xFC) {
      image.resize(std::min<u64>(image.size(), place + 1));
    } else if (place < image.size()) {
      const u8 values[] = {changes[at + 3], 0x00, 0xFF, 0x7F, 0x80, static_cast<u8>(image[place] + 1)};
      image[place] = values[changes[at + 2] % std::size(values)];
    }
  }
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static const auto images = make_images();
  static TestMemory memory(16 << 20);  // NOLINT: its contents don't matter from one input to the next
  if (size < 2) return 0;
  const std::span<const u8> rest(data + 2, size - 2);
  const std::size_t choice = data[0] % (images.size() + 1);
  const std::vector<u8> image =
      choice == images.size() ? std::vector<u8>(rest.begin(), rest.end()) : changed(images[choice], rest);
  const std::vector<u8> initrd(data[1] % 4 == 0 ? 0 : data[1] * 16);
  const BootOptions options{.linux_entry = static_cast<LinuxEntry>(data[1] / 4 % 4),
                            .screen = static_cast<BootScreen>(data[1] / 16 % 2)};
  const GuestFiles files{image, "guest", initrd, "initrd", "console=ttyS0"};
  const auto guest = load_guest(files, memory.map, memory.bus, options);
  if (!guest) {
    VITRINE_ASSERT(!guest.error().message.empty());
    return 0;
  }
  // What is said to be loaded lies in RAM, and the CPU's tables lie in what was loaded.
  VITRINE_ASSERT(!guest->segments.empty());
  for (const LoadedSegment& segment : guest->segments) {
    VITRINE_ASSERT(segment.start < memory.host.size() && segment.size <= memory.host.size() - segment.start);
  }
  VITRINE_ASSERT(guest->state.gdtr.base < memory.host.size());
  return 0;
}
