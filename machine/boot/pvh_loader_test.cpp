#include <gtest/gtest.h>

#include "machine/boot/loader_test_support.hpp"

namespace vitrine {
namespace {

using namespace test_images;

TEST(PvhLoader, an_elf_with_the_note_gets_start_info_in_ebx) {
  for (const ElfClass file_class : {ElfClass::Bits32, ElfClass::Bits64}) {
    TestMemory memory;
    memory.map.rsdp = PhysicalAddress(0xE0000);
    const LoadedGuest guest =
        load(memory, {elf({.file_class = file_class, .entry_offset = 0x80, .pvh_note = true}), std::vector<u8>(9)});
    EXPECT_EQ(guest.kind, GuestKind::Pvh);
    expect_flat_protected_mode(guest.state);
    EXPECT_EQ(guest.state.rip, 0x100080u);
    const u64 info = guest.state.gpr[BootState::rbx];
    EXPECT_EQ(memory.get32(info), 0x336EC578u);
    EXPECT_EQ(memory.get32(info + 4), 1u);
    EXPECT_EQ(memory.get32(info + 12), 1u);
    const u64 module = memory.get64(info + 16);
    EXPECT_EQ(memory.get64(module) % 4096, 0u);
    EXPECT_EQ(memory.get64(module + 8), 9u);
    EXPECT_EQ(memory.text(memory.get64(module + 16)), "initrd.img");
    EXPECT_EQ(memory.text(memory.get64(info + 24)), "console=ttyS0");
    EXPECT_EQ(memory.get64(info + 32), 0xE0000u);
    EXPECT_EQ(memory.get32(info + 48), 4u);
    EXPECT_EQ(memory.get64(memory.get64(info + 40) + 3 * 24), 0x100000u);
    expect_segments_apart(guest);
  }
}

TEST(PvhLoader, a_multiboot_header_wins_over_the_note_and_2_over_1) {
  TestMemory memory;
  EXPECT_EQ(load(memory, {elf({.pvh_note = true, .front = multiboot1_header(0)})}).kind, GuestKind::Multiboot1);
  auto both = multiboot1_header(0);
  both.resize(16);
  const auto second = multiboot2_header({});
  both.insert(both.end(), second.begin(), second.end());
  TestMemory other;
  EXPECT_EQ(load(other, {elf({.pvh_note = true, .front = both})}).kind, GuestKind::Multiboot2);
}

}  // namespace
}  // namespace vitrine
