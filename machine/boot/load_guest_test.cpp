#include "machine/boot/load_guest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "machine/boot/acpi_tables.hpp"
#include "machine/boot/test_images.hpp"

namespace vitrine {
namespace {

using namespace test_images;
using testing::HasSubstr;
using testing::StartsWith;

struct Files {
  std::vector<u8> image;
  std::vector<u8> initrd;
  std::string command_line = "console=ttyS0";

  [[nodiscard]] GuestFiles guest() const { return {image, "kernel", initrd, "initrd.img", command_line}; }
};

LoadedGuest load(TestMemory& memory, const Files& files, const BootOptions& options = {}) {
  auto result = load_guest(files.guest(), memory.map, memory.bus, options);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result.has_value() ? *result : LoadedGuest{};
}

BootError load_error(const Files& files, u64 memory_bytes = 64 << 20, const BootOptions& options = {}) {
  TestMemory memory(memory_bytes);
  auto result = load_guest(files.guest(), memory.map, memory.bus, options);
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? BootError{} : result.error();
}

void expect_flat_protected_mode(const BootState& state) {
  EXPECT_EQ(state.mode, BootState::Mode::Protected32);
  EXPECT_EQ(state.cr0, 0x11u);
  EXPECT_EQ(state.cr4, 0u);
  EXPECT_EQ(state.efer, 0u);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.cs, (BootSegment{0x10, 0, 0xFFFFFFFF, 0xC09B}));
  for (const BootSegment& segment : {state.ds, state.es, state.fs, state.gs, state.ss}) {
    EXPECT_EQ(segment, (BootSegment{0x18, 0, 0xFFFFFFFF, 0xC093}));
  }
  EXPECT_EQ(state.tr.base, 0u);
  EXPECT_EQ(state.tr.limit, 0x67u);
}

// What was loaded must be in RAM, and no two parts may share a byte.
void expect_segments_apart(const LoadedGuest& guest) {
  for (std::size_t index = 1; index < guest.segments.size(); ++index) {
    const LoadedSegment& before = guest.segments[index - 1];
    EXPECT_LE(before.start + before.size, guest.segments[index].start) << before.what;
  }
}

// --- Linux ---

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
  const u64 page = state.gpr[BootState::Rsi];
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
  EXPECT_NE(guest.state.gpr[BootState::Rsi], 0u);
  EXPECT_EQ(guest.state.gpr[BootState::Rbp], 0u);
  EXPECT_EQ(guest.state.gpr[BootState::Rdi], 0u);
  EXPECT_EQ(guest.state.gpr[BootState::Rbx], 0u);
}

TEST(LinuxLoader, a_screen_is_described_as_mode_3) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({})}, {.screen = BootScreen::VgaText});
  const u64 page = guest.state.gpr[BootState::Rsi];
  EXPECT_EQ(memory.get8(page + 6), 3u);
  EXPECT_EQ(memory.get8(page + 7), 80u);
  EXPECT_EQ(memory.get8(page + 0xE), 25u);
  EXPECT_EQ(memory.get8(page + 0xF), 1u);
  EXPECT_EQ(memory.get16(page + 0x10), 16u);
}

TEST(LinuxLoader, the_initrd_goes_as_high_as_the_kernel_allows) {
  TestMemory memory;
  const LoadedGuest guest = load(memory, {linux_image({.initrd_address_max = 0x2FFFFFF}), std::vector<u8>(5000, 0xAB)});
  const u64 page = guest.state.gpr[BootState::Rsi];
  EXPECT_EQ(memory.get32(page + 0x218), 0x2FFE000u);
  EXPECT_EQ(memory.get32(page + 0x21C), 5000u);
  EXPECT_EQ(memory.get8(0x2FFE000 + 4999), 0xABu);
  expect_segments_apart(guest);
}

TEST(LinuxLoader, the_initrd_stays_out_of_the_kernels_first_working_memory) {
  TestMemory memory(32 << 20);
  const LoadedGuest guest = load(memory, {linux_image({.init_size = 0xF80000}), std::vector<u8>(0x200000, 1)});
  EXPECT_LE(memory.get32(guest.state.gpr[BootState::Rsi] + 0x218) + 0x200000, 0x1000000u);
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
  const u64 page = guest.state.gpr[BootState::Rsi];
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
  EXPECT_EQ(state.gpr[BootState::Rsp], 0x9800u);
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

// --- Multiboot 1 ---

TEST(Multiboot1Loader, an_elf32_gets_its_information_and_magic) {
  TestMemory memory;
  const LoadedGuest guest =
      load(memory, {elf({.symbols = true, .front = multiboot1_header(3)}), std::vector<u8>(100, 7)},
           {.screen = BootScreen::VgaText});
  EXPECT_EQ(guest.kind, GuestKind::Multiboot1);
  expect_flat_protected_mode(guest.state);
  EXPECT_EQ(guest.state.rip, 0x100040u);
  EXPECT_EQ(guest.state.gpr[BootState::Rax], 0x2BADB002u);
  const u64 info = guest.state.gpr[BootState::Rbx];
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

// --- Multiboot 2 ---

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
  EXPECT_EQ(guest.state.gpr[BootState::Rax], 0x36D76289u);
  const u64 info = guest.state.gpr[BootState::Rbx];
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
    const u64 tag = find_tag(memory, guest.state.gpr[BootState::Rbx], 21);
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

// --- PVH ---

TEST(PvhLoader, an_elf_with_the_note_gets_start_info_in_ebx) {
  for (const ElfClass file_class : {ElfClass::Bits32, ElfClass::Bits64}) {
    TestMemory memory;
    memory.map.rsdp = PhysicalAddress(0xE0000);
    const LoadedGuest guest =
        load(memory, {elf({.file_class = file_class, .entry_offset = 0x80, .pvh_note = true}), std::vector<u8>(9)});
    EXPECT_EQ(guest.kind, GuestKind::Pvh);
    expect_flat_protected_mode(guest.state);
    EXPECT_EQ(guest.state.rip, 0x100080u);
    const u64 info = guest.state.gpr[BootState::Rbx];
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

// --- Bad input ---

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
