#include "machine/boards/physical_memory.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

constexpr u64 mib = u64{1} << 20, gib = u64{1} << 30;

struct Memory {
  PhysicalMemory memory;
  MemoryBus bus;
  explicit Memory(u64 bytes) : memory(*PhysicalMemory::allocate(bytes)) { memory.map(bus); }
  MemoryBus::Kind kind(u64 address) { return bus.page(PhysicalAddress(address)).kind; }
};

TEST(PhysicalMemory, sizes_out_of_range_are_errors_that_say_what_to_do) {
  EXPECT_EQ(PhysicalMemory::allocate(0).error(), MachineError::NoMemory);
  EXPECT_EQ(PhysicalMemory::allocate(1024).error(), MachineError::TooLittleMemory);
  EXPECT_EQ(PhysicalMemory::allocate(u64{10} << 40).error(), MachineError::TooMuchMemory);
  for (const MachineError error : {MachineError::NoMemory, MachineError::TooLittleMemory, MachineError::TooMuchMemory,
                                   MachineError::HostRefused, MachineError::CpuCount}) {
    EXPECT_FALSE(describe(error).empty());
  }
}

TEST(PhysicalMemory, one_mebibyte_is_conventional_memory_only) {
  Memory small(mib);
  EXPECT_EQ(small.kind(0x9F000), MemoryBus::Kind::Ram);
  EXPECT_EQ(small.kind(0xC0000), MemoryBus::Kind::Nothing);
  EXPECT_EQ(small.kind(0xF0000), MemoryBus::Kind::Rom);
  EXPECT_EQ(small.kind(0x100000), MemoryBus::Kind::Nothing);
}

TEST(PhysicalMemory, what_does_not_fit_below_the_pci_hole_goes_above_four_gibibytes) {
  Memory big(3 * gib + 16 * mib);
  EXPECT_EQ(big.kind(3 * gib - 4096), MemoryBus::Kind::Ram);
  EXPECT_EQ(big.kind(3 * gib), MemoryBus::Kind::Nothing);
  EXPECT_EQ(big.kind(4 * gib), MemoryBus::Kind::Ram);
  EXPECT_EQ(big.kind(4 * gib + 16 * mib), MemoryBus::Kind::Nothing);
}

TEST(PhysicalMemory, all_that_the_guest_is_told_is_ram_is_ram_and_ranges_ascend) {
  for (const u64 size : {mib, 64 * mib, 3 * gib, 3 * gib + 4096}) {
    Memory memory(size);
    u64 before = 0;
    for (const MemoryRange& range : memory.memory.guest_map().ranges) {
      EXPECT_GE(range.start.value, before);
      before = range.start.value + range.size;
      if (range.type != MemoryType::Ram) continue;
      EXPECT_EQ(memory.kind(range.start.value), MemoryBus::Kind::Ram) << range.start.value;
      EXPECT_EQ(memory.kind(before - 1), MemoryBus::Kind::Ram) << range.start.value;
    }
  }
}

TEST(PhysicalMemory, the_rom_stands_below_one_mebibyte_and_below_four_gibibytes_and_ignores_writes) {
  Memory memory(mib);
  memory.memory.rom()[PhysicalMemory::dummy_handler] = 0xCF;
  for (const u64 start : {PhysicalMemory::rom_start, PhysicalMemory::rom_alias}) {
    const PhysicalAddress handler(start + PhysicalMemory::dummy_handler);
    EXPECT_EQ(memory.bus.read(handler, AccessSize(1)), 0xCFu);
    memory.bus.write(handler, AccessSize(1), 0);
    EXPECT_EQ(memory.bus.read(handler, AccessSize(1)), 0xCFu);
  }
}

}  // namespace
}  // namespace vitrine
