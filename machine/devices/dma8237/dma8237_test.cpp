#include "machine/devices/dma8237/dma8237.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

struct DmaBench {
  TestBench bench;
  Dma8237& dma = bench.add<Dma8237>("dma0", "dma0", Dma8237::Stride::One);
  void out(u64 reg, u64 value) { dma.write(Region(0), reg, AccessSize(1), value); }
  u64 in(u64 reg) { return dma.read(Region(0), reg, AccessSize(1)); }
};

TEST(Dma8237, address_and_count_go_through_the_flip_flop_low_byte_first) {
  DmaBench chip;
  chip.out(12, 0);
  chip.out(2, 0x34);
  chip.out(2, 0x12);
  chip.out(3, 0xFF);
  chip.out(3, 0x03);
  EXPECT_EQ(chip.in(2), 0x34u);
  EXPECT_EQ(chip.in(2), 0x12u);
  EXPECT_EQ(chip.in(3), 0xFFu);
  EXPECT_EQ(chip.in(3), 0x03u);
}

TEST(Dma8237, clearing_the_flip_flop_starts_again_with_the_low_byte) {
  DmaBench chip;
  chip.out(0, 0x11);
  chip.out(12, 0);
  chip.out(0, 0x22);
  chip.out(12, 0);
  EXPECT_EQ(chip.in(0), 0x22u);
}

TEST(Dma8237, master_clear_masks_all_channels) {
  DmaBench chip;
  chip.out(14, 0);
  EXPECT_EQ(chip.in(15), 0xF0u);
  chip.out(10, 5);
  EXPECT_EQ(chip.in(15), 0xF2u);
  chip.out(13, 0);
  EXPECT_EQ(chip.in(15), 0xFFu);
}

TEST(Dma8237, the_second_controller_has_its_registers_at_every_other_port) {
  TestBench bench;
  auto& dma = bench.add<Dma8237>("dma1", "dma1", Dma8237::Stride::Two);
  dma.write(Region(0), 0x0F << 1, AccessSize(1), 0x05);
  EXPECT_EQ(dma.read(Region(0), 0x0F << 1, AccessSize(1)), 0xF5u);
}

DeviceUnderTest dma8237() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<Dma8237>("dma1", "dma1", Dma8237::Stride::Two); },
          .regions = {{Region(0), 2 * Dma8237::registers}}};
}
VITRINE_COMMON_DEVICE_SUITE(Dma8237, dma8237());

}  // namespace
}  // namespace vitrine
