#include <gtest/gtest.h>

#include <algorithm>

#include "machine/boot/loader_test_support.hpp"

namespace vitrine {
namespace {

using namespace test_images;

TEST(Multiboot1Loader, an_elf32_gets_its_information_and_magic) {
  TestMemory memory;
  const LoadedGuest guest =
      load(memory, {elf({.symbols = true, .front = multiboot1_header(3)}), std::vector<u8>(100, 7)},
           {.screen = BootScreen::VgaText});
  EXPECT_EQ(guest.kind, GuestKind::Multiboot1);
  expect_flat_protected_mode(guest.state);
  EXPECT_EQ(guest.state.rip, 0x100040u);
  EXPECT_EQ(guest.state.gpr[BootState::rax], 0x2BADB002u);
  const u64 info = guest.state.gpr[BootState::rbx];
  EXPECT_EQ(memory.get32(info), 1u | 4 | 8 | 32 | 64 | 512 | 4096);
  EXPECT_EQ(memory.get32(info + 4), 639u);
  EXPECT_EQ(memory.get32(info + 8), 63u << 10);
  EXPECT_EQ(memory.text(memory.get32(info + 16)), "console=ttyS0");
  EXPECT_EQ(memory.get32(info + 20), 1u);
  const u64 module = memory.get32(info + 24);
  EXPECT_EQ(memory.get32(module) % 4096, 0u);
  EXPECT_GT(memory.get32(module), 0x101200u);
  EXPECT_EQ(memory.get32(module + 4) - memory.get32(module), 100u);
  EXPECT_EQ(memory.get8(memory.get32(module)), 7u);
  EXPECT_EQ(memory.text(memory.get32(module + 8)), "initrd.img");
  EXPECT_EQ(memory.get32(info + 28), 3u);
  EXPECT_EQ(memory.get32(info + 32), 40u);
  EXPECT_EQ(memory.get32(info + 40), 2u);
  const u64 names = memory.get32(memory.get32(info + 36) + 2 * 40 + 12);
  EXPECT_EQ(memory.text(names), "the names");
  EXPECT_EQ(memory.get32(info + 44), 4u * 24);
  EXPECT_EQ(memory.get32(memory.get32(info + 48)), 20u);
  EXPECT_EQ(memory.get64(memory.get32(info + 48) + 3 * 24 + 4), 0x100000u);
  EXPECT_EQ(memory.text(memory.get32(info + 64)), "Vitrine");
  EXPECT_EQ(memory.get64(info + 88), 0xB8000u);
  EXPECT_EQ(memory.get8(info + 109), 2u);
  expect_segments_apart(guest);
}

TEST(Multiboot1Loader, an_elf64_starts_in_32_bit_mode_too) {
  TestMemory memory;
  const LoadedGuest guest =
      load(memory, {elf({.file_class = ElfClass::Bits64, .symbols = true, .front = multiboot1_header(0)})});
  expect_flat_protected_mode(guest.state);
  EXPECT_EQ(guest.description, "Multiboot 1 guest (ELF64), entry at 0x100040");
}

TEST(Multiboot1Loader, an_entry_in_the_virtual_addresses_of_a_segment_becomes_physical) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {elf({.virtual_offset = 0xC0000000, .front = multiboot1_header(0)})});
  EXPECT_EQ(guest.state.rip, 0x100040u);
}

TEST(Multiboot1Loader, bss_is_cleared) {
  TestMemory memory;
  std::ranges::fill(memory.host, u8{0xCC});
  load(memory, {elf({.front = multiboot1_header(0)})});
  EXPECT_EQ(memory.get8(0x1001FF), 0x90u);
  EXPECT_EQ(memory.get8(0x100200), 0u);
  EXPECT_EQ(memory.get8(0x1011FF), 0u);
  EXPECT_EQ(memory.get8(0x101200), 0xCCu);
}

TEST(Multiboot1Loader, a_flat_image_is_placed_by_the_addresses_of_its_header) {
  TestMemory memory;
  std::vector<u8> image(16, 0x11);
  const auto header = multiboot1_header(0x10000, {0x200010, 0x200008, 0, 0x201000, 0x200030});
  image.insert(image.end(), header.begin(), header.end());
  image.resize(64, 0x90);
  const LoadedGuest guest = load(memory, {image});
  EXPECT_EQ(guest.state.rip, 0x200030u);
  EXPECT_EQ(memory.get8(0x200008), 0x11u);
  EXPECT_EQ(memory.get32(0x200010), 0x1BADB002u);
  EXPECT_EQ(guest.description, "Multiboot 1 guest (flat), entry at 0x200030");
}

TEST(Multiboot1Loader, its_refusals_say_where) {
  std::vector<u8> flat(0x1000, 0x90);
  const auto with_header = [&](const std::vector<u8>& header) {
    auto image = flat;
    std::ranges::copy(header, image.begin());
    return image;
  };
  struct Row {
    std::vector<u8> image;
    BootErrorKind kind;
    std::string message;
  };
  const Row rows[] = {
      {with_header(multiboot1_header(0)), BootErrorKind::Malformed,
       "kernel has a Multiboot header at 0x0 without load addresses, and is no ELF: nothing says where it belongs"},
      {with_header(multiboot1_header(8)), BootErrorKind::Unsupported,
       "kernel has a Multiboot header at 0x0 that requires features which no loader knows (flags 0x8)"},
      {with_header(multiboot1_header(0x10000, {0x100000, 0x100008, 0, 0, 0x100000})), BootErrorKind::Malformed,
       "kernel has a damaged Multiboot header at 0x0: load_addr 0x100008 does not agree with header_addr 0x100000"},
      {with_header(multiboot1_header(0x10000, {0x100000, 0xFF000, 0, 0, 0x100000})), BootErrorKind::Malformed,
       "kernel has a damaged Multiboot header at 0x0: load_addr 0xff000 lies before the start of the file"},
      {with_header(multiboot1_header(0x10000, {0x100000, 0x100000, 0x200000, 0, 0x100000})), BootErrorKind::Truncated,
       "kernel is truncated: segment at 0x0 needs 1 MiB, the file ends at 0x1000: get a complete copy"},
      {with_header(multiboot1_header(0x10000, {0x100000, 0x100000, 0, 0, 0x300000})), BootErrorKind::Malformed,
       "kernel is damaged: its entry point 0x300000 lies in no segment"},
      {with_header(multiboot1_header(0x10000, {0x100000, 0x100000, 0, 0x8000000, 0x100000})), BootErrorKind::DoesNotFit,
       "kernel wants 127 MiB at 0x100000, which 64 MiB of memory don't have: use --memory 192M"},
      {with_header(multiboot1_header(0x10000, {0xA0000, 0xA0000, 0, 0, 0xA0000})), BootErrorKind::DoesNotFit,
       "kernel wants 4 KiB at 0xa0000, where this machine has no memory: link it for another address"},
  };
  for (const Row& row : rows) {
    const BootError error = load_error({row.image});
    EXPECT_EQ(error.kind, row.kind) << row.message;
    EXPECT_EQ(error.message, row.message);
  }
}

}  // namespace
}  // namespace vitrine
