#include "machine/core/pci.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

constexpr PciConfig::Identity some_function{.vendor = 0x8086, .device = 0x1234, .revision = 2, .class_code = 0x060100};

TEST(PciConfig, header_tells_identity_and_ignores_writes_to_it) {
  PciConfig config(some_function);
  config.write(0, AccessSize(4), 0);
  EXPECT_EQ(config.read(0, AccessSize(4)), 0x12348086u);
  EXPECT_EQ(config.read(8, AccessSize(4)), 0x06010002u);
  EXPECT_EQ(config.read(0x0E, AccessSize(1)), 0u);
}

TEST(PciConfig, all_ones_written_to_a_bar_read_back_as_its_size) {
  PciConfig config(some_function);
  config.define_bar(0, PciConfig::BarKind::Port, 32);
  config.define_bar(1, PciConfig::BarKind::Memory32, 4096);
  config.write(0x10, AccessSize(4), 0xFFFFFFFF);
  config.write(0x14, AccessSize(4), 0xFFFFFFFF);
  config.write(0x18, AccessSize(4), 0xFFFFFFFF);
  EXPECT_EQ(config.read(0x10, AccessSize(4)), 0xFFFFFFE1u);
  EXPECT_EQ(config.read(0x14, AccessSize(4)), 0xFFFFF000u);
  EXPECT_EQ(config.read(0x18, AccessSize(4)), 0u) << "a BAR that is not there is hardwired to zero";
  config.write(0x10, AccessSize(4), 0xC041);
  EXPECT_EQ(config.bar_base(0), 0xC040u);
}

TEST(PciConfig, status_bits_clear_by_writing_ones) {
  PciConfig config(some_function);
  config.define(0x06, AccessSize(2), 0x0280, 0);
  config.define_write_one_to_clear(0x06, AccessSize(2), 0x0200);
  config.write(0x06, AccessSize(2), 0xFFFF);
  EXPECT_EQ(config.read(0x06, AccessSize(2)), 0x0080u);
}

TEST(PciBus, an_absent_function_reads_all_ones_in_every_size) {
  PciBus bus;
  EXPECT_EQ(bus.read(0, {3, 0}, 0, AccessSize(4)), 0xFFFFFFFFu);
  EXPECT_EQ(bus.read(0, {3, 0}, 0, AccessSize(2)), 0xFFFFu);
  EXPECT_EQ(bus.read(0, {3, 0}, 0, AccessSize(1)), 0xFFu);
}

TEST(PciBus, other_buses_are_empty) {
  PciBus bus;
  PciConfig config(some_function);
  ASSERT_TRUE(bus.attach({1, 0}, config).has_value());
  EXPECT_EQ(bus.read(0, {1, 0}, 0, AccessSize(2)), 0x8086u);
  EXPECT_EQ(bus.read(1, {1, 0}, 0, AccessSize(2)), 0xFFFFu);
}

TEST(PciBus, refuses_a_slot_that_is_taken_or_does_not_exist) {
  PciBus bus;
  PciConfig config(some_function);
  ASSERT_TRUE(bus.attach({1, 0}, config).has_value());
  EXPECT_EQ(bus.attach({1, 0}, config).error(), PciBus::AttachError::Taken);
  EXPECT_EQ(bus.attach({32, 0}, config).error(), PciBus::AttachError::OutOfRange);
}

}  // namespace
}  // namespace vitrine
