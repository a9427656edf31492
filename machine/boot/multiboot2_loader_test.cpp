#include <gtest/gtest.h>

#include "machine/boot/acpi_tables.hpp"
#include "machine/boot/loader_test_support.hpp"

namespace vitrine {
namespace {

using namespace test_images;

// The information's tag of this type; 0 if there is none.
u64 find_tag(const TestMemory& memory, u64 info, u32 type) {
  const u64 end = info + memory.get32(info);
  for (u64 at = info + 8; at < end; at += (memory.get32(at + 4) + 7) & ~7u) {
    if (memory.get32(at) == type) return at;
    if (memory.get32(at) == 0) break;
  }
  return 0;
}

TEST(Multiboot2Loader, an_elf64_gets_its_information_and_magic) {
  TestMemory memory;
  const AcpiTables tables = build_acpi_tables({}, PhysicalAddress(0x9000));
  ASSERT_TRUE(memory.bus.write_block(PhysicalAddress(0x9000), tables.bytes));
  memory.map.rsdp = tables.rsdp;
  const auto header = multiboot2_header({{1, 0, {1, 3, 6}}, {4, 0, {3}}, {5, 1, {80, 25, 0}}, {6, 0, {}}});
  const LoadedGuest guest =
      load(memory, {elf({.file_class = ElfClass::Bits64, .symbols = true, .front = header}), std::vector<u8>(5000, 7)},
           {.screen = BootScreen::VgaText});
  EXPECT_EQ(guest.kind, GuestKind::Multiboot2);
  expect_flat_protected_mode(guest.state);
  EXPECT_EQ(guest.state.rip, 0x100040u);
  EXPECT_EQ(guest.state.gpr[BootState::rax], 0x36D76289u);
  const u64 info = guest.state.gpr[BootState::rbx];
  EXPECT_EQ(info % 8, 0u);
  EXPECT_EQ(memory.text(find_tag(memory, info, 1) + 8), "console=ttyS0");
  EXPECT_EQ(memory.text(find_tag(memory, info, 2) + 8), "Vitrine");
  const u64 module = find_tag(memory, info, 3);
  EXPECT_EQ(memory.get32(module + 8) % 4096, 0u);
  EXPECT_EQ(memory.get32(module + 12) - memory.get32(module + 8), 5000u);
  EXPECT_EQ(memory.text(module + 16), "initrd.img");
  EXPECT_EQ(memory.get32(find_tag(memory, info, 4) + 12), 63u << 10);
  const u64 map = find_tag(memory, info, 6);
  EXPECT_EQ(memory.get32(map + 4), 16u + 4 * 24);
  EXPECT_EQ(memory.get32(map + 8), 24u);
  EXPECT_EQ(memory.get64(map + 16 + 3 * 24), 0x100000u);
  const u64 screen = find_tag(memory, info, 8);
  EXPECT_EQ(memory.get64(screen + 8), 0xB8000u);
  EXPECT_EQ(memory.get8(screen + 29), 2u);
  const u64 sections = find_tag(memory, info, 9);
  EXPECT_EQ(memory.get32(sections + 8), 3u);
  EXPECT_EQ(memory.get32(sections + 12), 64u);
  EXPECT_EQ(memory.get32(sections + 16), 2u);
  EXPECT_EQ(memory.text(memory.get64(sections + 20 + 2 * 64 + 16)), "the names");
  EXPECT_EQ(memory.get32(find_tag(memory, info, 14) + 4), 28u);
  EXPECT_EQ(memory.get32(find_tag(memory, info, 15) + 4), 44u);
  EXPECT_EQ(memory.text(find_tag(memory, info, 15) + 8).substr(0, 8), "RSD PTR ");
  EXPECT_EQ(find_tag(memory, info, 21), 0u);
  expect_segments_apart(guest);
}

TEST(Multiboot2Loader, the_address_and_entry_tags_win_over_the_elf_headers) {
  TestMemory memory;
  const auto header = multiboot2_header({{2, 0, {0x301000, 0xFFFFFFFF, 0, 0}}, {3, 0, {0x301100}}});
  const LoadedGuest guest = load(memory, {elf({.front = header})});
  EXPECT_EQ(guest.state.rip, 0x301100u);
  EXPECT_EQ(memory.get32(0x300000), 0x464C457Fu);
  EXPECT_EQ(memory.get32(0x301000), 0xE85250D6u);
}

TEST(Multiboot2Loader, a_relocatable_image_moves_by_its_preference) {
  struct Row {
    std::vector<u32> tag;  // lowest, highest, alignment, preference
    u64 base;
  };
  const Row rows[] = {
      {{0x100000, 0x3000000, 0x1000, 0}, 0x100000},     // no preference: as linked
      {{0x200000, 0x3000000, 0x200000, 1}, 0x200000},   // lowest
      {{0x200000, 0x3001FFF, 0x1000, 2}, 0x3000000},    // highest
      {{0x1000001, 0x3000000, 0x100000, 0}, 0x1100000}  // can't stay
  };
  for (const Row& row : rows) {
    TestMemory memory;
    const LoadedGuest guest = load(memory, {elf({.front = multiboot2_header({{10, 0, row.tag}})})});
    EXPECT_EQ(guest.state.rip, row.base + 0x40);
    EXPECT_EQ(memory.get32(row.base), 0xE85250D6u);
    const u64 tag = find_tag(memory, guest.state.gpr[BootState::rbx], 21);
    EXPECT_EQ(memory.get32(tag + 8), row.base);
  }
}

TEST(Multiboot2Loader, unknown_optional_tags_and_efi_entries_are_ignored) {
  TestMemory memory;
  const auto header = multiboot2_header({{77, 1, {1, 2}}, {7, 0, {}}, {8, 0, {1}}, {9, 0, {1}}, {1, 1, {99}}});
  EXPECT_EQ(load(memory, {elf({.front = header})}).state.rip, 0x100040u);
}

TEST(Multiboot2Loader, its_refusals_say_where) {
  struct Row {
    std::vector<u8> header;
    BootErrorKind kind;
    std::string message;
  };
  auto endless = multiboot2_header({{1, 1, {1, 2}}});
  endless[20] = 0;  // the size of its first tag
  const Row rows[] = {
      {multiboot2_header({}, 4), BootErrorKind::WrongMachine,
       "kernel has a Multiboot 2 header at 0x1000 for another architecture (4, MIPS); Vitrine runs x86 guests"},
      {multiboot2_header({{1, 0, {1, 22}}}), BootErrorKind::Unsupported,
       "kernel has a Multiboot 2 header at 0x1000 that requires information of type 22, which no loader knows"},
      {multiboot2_header({{77, 0, {}}}), BootErrorKind::Unsupported,
       "kernel has a Multiboot 2 header at 0x1000 whose tag 77 at 0x1010 is required, and unknown"},
      {multiboot2_header({{4, 0, {1}}}), BootErrorKind::Unsupported,
       "kernel has a Multiboot 2 header at 0x1000 that requires a screen; this machine has none"},
      {endless, BootErrorKind::Malformed,
       "kernel has a Multiboot 2 header at 0x1000 whose tag 1 at 0x1010 has an impossible size of 0 bytes"},
      {multiboot2_header({{2, 0, {0x100000}}}), BootErrorKind::Malformed,
       "kernel has a Multiboot 2 header at 0x1000 whose tag 2 at 0x1010 has an impossible size of 12 bytes"},
      {multiboot2_header({{2, 0, {0x101000, 0xFFFFFFFF, 0, 0}}}), BootErrorKind::Malformed,
       "kernel has a Multiboot header at 0x1000 with load addresses but no entry point"},
      {multiboot2_header({{10, 0, {0x8000000, 0x9000000, 0x1000, 0}}}), BootErrorKind::DoesNotFit,
       "kernel needs 4.5 KiB between 0x8000000 and 0x9000000, where this machine has no such memory"},
      {multiboot2_header({{10, 0, {0, 0x9000000, 3, 0}}}), BootErrorKind::Malformed,
       "kernel has a Multiboot 2 header at 0x1000 whose relocation alignment 0x3 is not a power of two"},
  };
  for (const Row& row : rows) {
    const BootError error = load_error({elf({.front = row.header})});
    EXPECT_EQ(error.kind, row.kind) << row.message;
    EXPECT_EQ(error.message, row.message);
  }
}

}  // namespace
}  // namespace vitrine
