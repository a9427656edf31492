#include <gtest/gtest.h>

#include "machine/boot/loader_test_support.hpp"

namespace vitrine {
namespace {

using namespace test_images;

TEST(LinuxLoader, a_64_bit_kernel_starts_by_its_64_bit_entry_with_the_first_4_gib_mapped) {
  TestMemory memory;
  memory.map.rsdp = PhysicalAddress(0xE0000);
  const LoadedGuest guest = load(memory, {linux_image({})});
  EXPECT_EQ(guest.kind, GuestKind::Linux);
  EXPECT_EQ(guest.description, "Linux bzImage 6.1.0-test, protocol 2.15, 64-bit entry at 0x1000200");
  const BootState& state = guest.state;
  EXPECT_EQ(state.mode, BootState::Mode::Long64);
  EXPECT_EQ(state.rip, 0x1000200u);
  EXPECT_EQ(state.cr0, 0x80000011u);
  EXPECT_EQ(state.cr4, 0x20u);
  EXPECT_EQ(state.efer, 0x500u);
  EXPECT_EQ(state.cs, (BootSegment{0x10, 0, 0xFFFFFFFF, 0xA09B}));
  EXPECT_EQ(state.ss.selector, 0x18u);
  EXPECT_EQ(memory.get64(state.gdtr.base + 0x10), 0x00AF9B000000FFFFu);
  EXPECT_EQ(memory.get64(state.gdtr.base + 0x18), 0x00CF93000000FFFFu);
  // Walk the tables for the last page below 4 GiB.
  const u64 pointers = memory.get64(state.cr3) & ~u64{0xFFF};
  const u64 directory = memory.get64(pointers + 3 * 8) & ~u64{0xFFF};
  EXPECT_EQ(memory.get64(directory + 511 * 8), 0xFFE00083u);
  const u64 page = state.gpr[BootState::rsi];
  EXPECT_EQ(memory.get8(page + 0x210), 0xFFu);
  EXPECT_EQ(memory.get8(page + 0x211), 1u);
  EXPECT_EQ(memory.get32(page + 0x214), 0x1000000u);
  EXPECT_EQ(memory.get64(page + 0x70), 0xE0000u);
  EXPECT_EQ(memory.text(memory.get32(page + 0x228)), "console=ttyS0");
  EXPECT_EQ(memory.get8(page + 0x1E8), 4u);
  EXPECT_EQ(memory.get64(page + 0x2D0 + 60), 0x100000u);
  EXPECT_EQ(memory.get64(page + 0x2D0 + 68), 63u << 20);
  EXPECT_EQ(memory.get32(page + 0x2D0 + 76), 1u);
  EXPECT_EQ(memory.get32(page + 0x1E0), 63u << 10);
  EXPECT_EQ(memory.get8(page + 0x1EF), 0u);  // sentinel
  EXPECT_EQ(memory.get8(page + 0x0F), 0u);   // no screen
  EXPECT_EQ(memory.get32(page + 0x260), 0x100000u);
  expect_segments_apart(guest);
}

TEST(LinuxLoader, the_32_bit_entry_gets_the_zero_page_in_esi_and_zero_in_ebp_edi_ebx) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({.extended_load_flags = 0})});
  expect_flat_protected_mode(guest.state);
  EXPECT_EQ(guest.state.rip, 0x1000000u);
  EXPECT_NE(guest.state.gpr[BootState::rsi], 0u);
  EXPECT_EQ(guest.state.gpr[BootState::rbp], 0u);
  EXPECT_EQ(guest.state.gpr[BootState::rdi], 0u);
  EXPECT_EQ(guest.state.gpr[BootState::rbx], 0u);
}

TEST(LinuxLoader, a_screen_is_described_as_mode_3) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({})}, {.screen = BootScreen::VgaText});
  const u64 page = guest.state.gpr[BootState::rsi];
  EXPECT_EQ(memory.get8(page + 6), 3u);
  EXPECT_EQ(memory.get8(page + 7), 80u);
  EXPECT_EQ(memory.get8(page + 0xE), 25u);
  EXPECT_EQ(memory.get8(page + 0xF), 1u);
  EXPECT_EQ(memory.get16(page + 0x10), 16u);
}

TEST(LinuxLoader, the_initrd_goes_as_high_as_the_kernel_allows) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({.initrd_address_max = 0x2FFFFFF}), std::vector<u8>(5000, 0xAB)});
  const u64 page = guest.state.gpr[BootState::rsi];
  EXPECT_EQ(memory.get32(page + 0x218), 0x2FFE000u);
  EXPECT_EQ(memory.get32(page + 0x21C), 5000u);
  EXPECT_EQ(memory.get8(0x2FFE000 + 4999), 0xABu);
  expect_segments_apart(guest);
}

TEST(LinuxLoader, the_initrd_stays_out_of_the_kernels_first_working_memory) {
  TestMemory memory(32 << 20);
  const LoadedGuest guest = load(memory, {linux_image({.init_size = 0xF80000}), std::vector<u8>(0x200000, 1)});
  EXPECT_LE(memory.get32(guest.state.gpr[BootState::rsi] + 0x218) + 0x200000, 0x1000000u);
}

TEST(LinuxLoader, a_kernel_that_can_not_move_loads_at_1_mib) {
  TestMemory memory;
  const LoadedGuest guest =
      load(memory, {linux_image({.version = 0x20C, .relocatable = false, .preferred_address = 0x100000})});
  EXPECT_EQ(guest.state.rip, 0x100200u);
}

TEST(LinuxLoader, protocol_2_01_gets_its_command_line_the_old_way) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({.version = 0x201})});
  expect_flat_protected_mode(guest.state);
  const u64 page = guest.state.gpr[BootState::rsi];
  EXPECT_EQ(memory.get16(page + 0x20), 0xA33Fu);
  EXPECT_EQ(memory.text(page + memory.get16(page + 0x22)), "console=ttyS0");
}

TEST(LinuxLoader, a_zimage_starts_in_real_mode_at_9020_0000) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({.version = 0x203, .load_flags = 0})});
  const BootState& state = guest.state;
  EXPECT_EQ(state.mode, BootState::Mode::Real16);
  EXPECT_EQ(state.rip, 0u);
  EXPECT_EQ(state.cs.selector, 0x9020u);
  EXPECT_EQ(state.cs.base, 0x90200u);
  EXPECT_EQ(state.ss.selector, 0x9000u);
  EXPECT_EQ(state.gpr[BootState::rsp], 0x9800u);
  EXPECT_EQ(state.idtr.limit, 0x3FFu);
  EXPECT_EQ(memory.get8(0x10000), 0x90u);
  EXPECT_EQ(memory.get16(0x90224), 0x9600u);
  EXPECT_EQ(memory.get8(0x90211), 0x80u);
  EXPECT_EQ(memory.text(memory.get32(0x90228)), "console=ttyS0");
}

TEST(LinuxLoader, a_file_that_lacks_less_than_one_paragraph_is_complete) {
  // memtest86+ 6.10: the size in paragraphs is rounded up, the file is not.
  TestMemory memory;
  auto image = linux_image({.kernel_size = 0x1008});
  EXPECT_EQ(load(memory, {image}).state.rip, 0x1000200u);
}

TEST(LinuxLoader, what_follows_the_kernel_in_its_file_is_not_loaded) {
  TestMemory memory;
  auto image = linux_image({});
  image.insert(image.end(), 512, 0xEE);  // a signature
  load(memory, {image});
  EXPECT_EQ(memory.get8(0x1000000 + 0x1000), 0u);
}

TEST(LinuxLoader, its_refusals_say_what_to_do) {
  struct Row {
    Files files;
    u64 memory;
    BootOptions options;
    BootErrorKind kind;
    std::string message;
  };
  auto cut = linux_image({});
  cut.resize(3000);
  auto stub = linux_image({});
  stub.resize(0x250);
  const Row rows[] = {
      {{cut},
       64 << 20,
       {},
       BootErrorKind::Truncated,
       "kernel is truncated: kernel at 0xa00 needs 4 KiB, the file ends at 0xbb8: get a complete copy"},
      {{stub},
       64 << 20,
       {},
       BootErrorKind::Truncated,
       "kernel is truncated: setup code at 0x0 needs 2.5 KiB, the file ends at 0x250: get a complete copy"},
      {{linux_image({}), std::vector<u8>(80 << 20)},
       64 << 20,
       {},
       BootErrorKind::DoesNotFit,
       "initrd.img: initrd of 80 MiB does not fit in 64 MiB of memory: use --memory 256M"},
      {{linux_image({})},
       8 << 20,
       {},
       BootErrorKind::DoesNotFit,
       "kernel needs 1 MiB at 0x1000000 to start, which 8 MiB of memory don't have: use --memory 64M"},
      {{linux_image({.command_line_size = 300}), {}, std::string(301, 'x')},
       64 << 20,
       {},
       BootErrorKind::CommandLineTooLong,
       "kernel takes a command line of at most 300 characters, --append has 301"},
      {{linux_image({.alignment = 3})},
       64 << 20,
       {},
       BootErrorKind::Malformed,
       "kernel has a damaged Linux header: kernel_alignment 0x3 at 0x230 is not a power of two"},
      {{linux_image({.version = 0x105})},
       64 << 20,
       {},
       BootErrorKind::Malformed,
       "kernel has a damaged Linux header: protocol 1.05 at 0x206 is older than the header itself (2.00)"},
      {{linux_image({.extended_load_flags = 0})},
       64 << 20,
       {.linux_entry = LinuxEntry::Long64},
       BootErrorKind::Unsupported,
       "kernel has no 64-bit entry point: start it through the 32-bit one"},
      {{linux_image({.load_flags = 0})},
       64 << 20,
       {.linux_entry = LinuxEntry::Protected32},
       BootErrorKind::Unsupported,
       "kernel is a zImage, which has no 32-bit entry point: start it in real mode"},
      {{linux_image({.preferred_address = ~u64{0}, .init_size = ~u32{0}})},
       64 << 20,
       {},
       BootErrorKind::DoesNotFit,
       "kernel needs 3.9 GiB at 0xffffffffffffffff to start, which 64 MiB of memory don't have"},
  };
  for (const Row& row : rows) {
    const BootError error = load_error(row.files, row.memory, row.options);
    EXPECT_EQ(error.kind, row.kind) << row.message;
    EXPECT_EQ(error.message, row.message);
  }
}

}  // namespace
}  // namespace vitrine
