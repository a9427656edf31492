#include "machine/boot/load_guest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "machine/boot/loader_test_support.hpp"

namespace vitrine {
namespace {

using namespace test_images;
using testing::HasSubstr;
using testing::StartsWith;

TEST(LoadGuest, every_wrong_file_is_named) {
  struct Row {
    std::vector<u8> image;
    BootErrorKind kind;
    std::string message;
  };
  const auto bytes = [](std::string_view text, std::size_t at = 0, std::size_t size = 0x10000) {
    std::vector<u8> image(size);
    std::ranges::copy(text, image.begin() + static_cast<std::ptrdiff_t>(at));
    return image;
  };
  std::vector<u8> object = elf({.type = 1});
  std::vector<u8> big_endian = elf({});
  big_endian[5] = 2;
  big_endian[18] = 0;
  big_endian[19] = 8;
  std::vector<u8> cut = elf({.pvh_note = true});
  cut.resize(0x1100);
  std::vector<u8> headless = elf({});
  headless.resize(20);
  std::vector<u8> no_table = elf({});
  no_table.resize(60);
  const Row rows[] = {
      {{}, BootErrorKind::Empty, "kernel is empty: give a kernel (bzImage, Multiboot, PVH)"},
      {{0},
       BootErrorKind::NotAGuest,
       "no Multiboot header, PVH note or Linux header in kernel: not a guest that Vitrine can run"},
      {bytes("CD001", 0x8001), BootErrorKind::NeedsFirmware,
       "kernel is a CD image, which needs firmware, not there yet: give a kernel (bzImage, Multiboot, PVH)"},
      {bytes("\x55\xAA", 510), BootErrorKind::NeedsFirmware,
       "kernel is a disk image or boot sector, which needs firmware, not there yet: give a kernel (bzImage, "
       "Multiboot, PVH)"},
      {bytes("ARMd", 0x38), BootErrorKind::WrongMachine,
       "kernel is a Linux image for AArch64; Vitrine runs x86 guests"},
      {bytes("\x1F\x8B"), BootErrorKind::NotAGuest,
       "kernel is compressed (gzip): unpack it, or give it with --initrd if it is one"},
      {bytes("070701"), BootErrorKind::NotAGuest,
       "kernel is an initramfs (cpio archive), not a kernel: give it with --initrd, and a kernel as the guest"},
      {elf({.file_class = ElfClass::Bits64, .machine = 183}), BootErrorKind::WrongMachine,
       "kernel is an ELF for AArch64; Vitrine runs x86 guests"},
      {elf({.machine = 243}), BootErrorKind::WrongMachine, "kernel is an ELF for RISC-V; Vitrine runs x86 guests"},
      {elf({.machine = 999}), BootErrorKind::WrongMachine,
       "kernel is an ELF for machine number 999; Vitrine runs x86 guests"},
      {big_endian, BootErrorKind::WrongMachine, "kernel is a big-endian ELF for MIPS; Vitrine runs x86 guests"},
      {object, BootErrorKind::NotAGuest, "kernel is an ELF object file, not linked yet: link it into a kernel first"},
      {elf({}), BootErrorKind::NotAGuest,
       "kernel is an ELF for x86 without a Multiboot header or a PVH note: not a guest that Vitrine can run (a Linux "
       "kernel needs CONFIG_PVH, or give its bzImage)"},
      {cut, BootErrorKind::Truncated,
       "kernel is truncated: segment at 0x1000 needs 512 bytes, the file ends at 0x1100: get a complete copy"},
      {headless, BootErrorKind::Truncated,
       "kernel is truncated: ELF header at 0x0 needs 52 bytes, the file ends at 0x14: get a complete copy"},
      {no_table, BootErrorKind::Truncated,
       "kernel is truncated: program header table at 0x34 needs 32 bytes, the file ends at 0x3c: get a complete copy"},
  };
  for (const Row& row : rows) {
    const BootError error = load_error({row.image});
    EXPECT_EQ(error.kind, row.kind) << row.message;
    EXPECT_EQ(error.message, row.message);
  }
}

TEST(LoadGuest, sizes_and_addresses_near_2_to_the_64_are_refused) {
  const auto fields = [](u64 address, u64 bss) {
    return elf(
        {.file_class = ElfClass::Bits64, .load_address = address, .entry_offset = 0, .bss = bss, .pvh_note = true});
  };
  for (const u64 address : {~u64{0}, ~u64{0} - 0x1FF, u64{1} << 63, u64{0xFFFFF000}}) {
    for (const u64 bss : {u64{0}, u64{0x1000}, u64{1} << 63, ~u64{0} - 0x200}) {
      const BootError error = load_error({fields(address, bss)});
      EXPECT_FALSE(error.message.empty());
    }
  }
  EXPECT_THAT(load_error({fields(0x100000, (u64{1} << 63))}).message,
              HasSubstr("wants 8 EiB at 0x100000, where this machine has no memory"));
}

TEST(LoadGuest, modules_that_do_not_fit_are_refused_for_every_format) {
  const std::vector<std::vector<u8>> images{linux_image({}), elf({.front = multiboot1_header(0)}),
                                            elf({.front = multiboot2_header({})}), elf({.pvh_note = true})};
  for (const auto& image : images) {
    const BootError error = load_error({image, std::vector<u8>(100 << 20)});
    EXPECT_EQ(error.kind, BootErrorKind::DoesNotFit);
    EXPECT_THAT(error.message, StartsWith("initrd.img: initrd of 100 MiB does not fit in 64 MiB of memory"));
  }
}

TEST(LoadGuest, a_machine_without_enough_memory_is_an_error_for_every_format) {
  const std::vector<std::vector<u8>> images{linux_image({}), linux_image({.load_flags = 0}),
                                            elf({.front = multiboot1_header(0)}), elf({.front = multiboot2_header({})}),
                                            elf({.pvh_note = true})};
  for (const auto& image : images) {
    TestMemory memory;
    memory.map.ranges = {{PhysicalAddress(0), 0x2000, MemoryType::Ram}};
    Files files{image};
    const auto result = load_guest(files.guest(), memory.map, memory.bus);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, BootErrorKind::DoesNotFit) << result.error().message;
  }
}

TEST(LoadGuest, the_loaders_structures_avoid_an_image_in_low_memory) {
  TestMemory memory;
  const LoadedGuest guest =
      load(memory, {elf({.load_address = 0x10000, .bss = 0x80000, .front = multiboot1_header(0)})});
  expect_segments_apart(guest);
  EXPECT_EQ(guest.state.rip, 0x10040u);
}

TEST(LoadGuest, a_map_that_promises_memory_which_the_bus_lacks_is_an_error) {
  TestMemory memory;
  memory.map.ranges.back().size = u64{1} << 40;
  const auto image = elf({.load_address = 0x8000000, .front = multiboot1_header(0)});
  const GuestFiles files{image, "kernel", {}, "", ""};
  const auto result = load_guest(files, memory.map, memory.bus);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "kernel can't be written to memory at 0x8000000");
}

}  // namespace
}  // namespace vitrine
