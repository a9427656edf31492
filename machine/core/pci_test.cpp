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

// Windows: what base address registers lead to.

/// Answers every read with its mark.
struct Marked final : Device {
  explicit Marked(u8 mark) : mark(mark) {}
  [[nodiscard]] std::string_view name() const override { return "marked"; }
  void reset() override {}
  void exchange(Archive&) override {}
  u64 read(Region region, u64 offset, AccessSize) override { return mark + region.value + offset; }
  u8 mark;
};

struct Windows : testing::Test {
  static constexpr u32 size = 0x1000;
  MemoryBus memory;
  PortBus ports;
  PciBus bus{memory, ports};
  PciConfig first{some_function}, second{some_function};
  Marked one{0x10}, two{0x20};
  std::vector<u8> ram = std::vector<u8>(0x10000, 0x55);

  Windows() {
    EXPECT_TRUE(memory.map_ram(PhysicalAddress(0), ram.size(), ram.data(), MemoryBus::Kind::Ram).has_value());
    for (PciConfig* config : {&first, &second}) {
      config->define_bar(0, PciConfig::BarKind::Memory32, size);
      config->define_bar(1, PciConfig::BarKind::Port, 32);
    }
    EXPECT_TRUE(bus.attach({3, 0}, first).has_value() && bus.attach({4, 0}, second).has_value());
    bus.add_window(first, 0, one, Region(0));
    bus.add_window(first, 1, one, Region(1));
    bus.add_window(second, 0, two, Region(0));
  }
  void set(u8 device, u8 offset, u32 value) { bus.write(0, {device, 0}, offset, AccessSize(4), value); }
  u8 at(u64 address) { return static_cast<u8>(memory.read(PhysicalAddress(address), AccessSize(1))); }
};

TEST_F(Windows, appear_when_their_space_is_enabled_and_move_with_their_bar) {
  set(3, 0x10, 0xE0000000);
  set(3, 0x14, 0xC001);
  EXPECT_EQ(at(0xE0000001), 0xFF) << "memory space is off";
  set(3, 0x04, PciConfig::memory_space_bit);
  EXPECT_EQ(at(0xE0000001), 0x11);
  EXPECT_EQ(ports.read(Port(0xC001), AccessSize(1)), 0xFFu) << "I/O space is off";
  set(3, 0x04, PciConfig::memory_space_bit | PciConfig::io_space_bit);
  EXPECT_EQ(ports.read(Port(0xC001), AccessSize(1)), 0x12u);
  set(3, 0x10, 0xE0002000);
  EXPECT_EQ(at(0xE0000001), 0xFF);
  EXPECT_EQ(at(0xE0002001), 0x11);
  first.reset();
  EXPECT_EQ(at(0xE0002001), 0xFF);
  EXPECT_FALSE(bus.is_mapped(first, 1));
}

TEST_F(Windows, over_ram_leave_the_ram_and_appear_when_moved_away) {
  set(3, 0x04, PciConfig::memory_space_bit);
  EXPECT_EQ(at(0x10), 0x55) << "a BAR of 0";
  EXPECT_FALSE(bus.is_mapped(first, 0));
  set(3, 0x10, 0x10000);
  EXPECT_EQ(at(0x10001), 0x11);
}

TEST_F(Windows, over_one_another_give_way_to_the_one_that_was_added_first) {
  for (const u8 device : {u8{4}, u8{3}}) {
    set(device, 0x10, 0xE0000000);
    set(device, 0x04, PciConfig::memory_space_bit);
  }
  EXPECT_EQ(at(0xE0000001), 0x11);
  set(3, 0x10, 0xFFFFFFFF);  // a guest asks for the size
  EXPECT_EQ(at(0xE0000001), 0x21);
  set(3, 0x10, 0xE0000000);
  EXPECT_EQ(at(0xE0000001), 0x11);
}

TEST_F(Windows, of_ports_beyond_the_port_space_are_refused) {
  set(3, 0x14, 0xFFFFFFE0);
  set(3, 0x04, PciConfig::io_space_bit);
  EXPECT_FALSE(bus.is_mapped(first, 1));
  set(3, 0x14, 0xFFE0);
  EXPECT_TRUE(bus.is_mapped(first, 1));
}

TEST_F(Windows, follow_restored_registers) {
  set(3, 0x10, 0xE0000000);
  set(3, 0x04, PciConfig::memory_space_bit);
  Archive saver = Archive::saver();
  first.exchange(saver);
  set(3, 0x10, 0xE0005000);
  Archive loader = Archive::loader(saver.bytes());
  first.exchange(loader);
  EXPECT_TRUE(loader.ok());
  EXPECT_EQ(at(0xE0000001), 0x11);
  EXPECT_EQ(at(0xE0005001), 0xFF);
}

TEST(PciConfig, restoring_refuses_bits_that_nobody_can_change) {
  PciConfig config(some_function);
  Archive saver = Archive::saver();
  config.exchange(saver);
  std::vector<u8> bytes = saver.bytes();
  bytes[0] ^= 1;  // the vendor
  Archive loader = Archive::loader(bytes);
  config.exchange(loader);
  EXPECT_EQ(loader.error(), Archive::Error::BadValue);
}

TEST(PciConfig, capabilities_form_a_list_that_status_announces) {
  PciConfig config(some_function);
  EXPECT_EQ(config.read(PciConfig::status_register, AccessSize(2)) & PciConfig::capabilities_list_bit, 0u);
  const u8 first = config.add_capability(0x05, 0x18);
  const u8 second = config.add_capability(0x11, 12);
  EXPECT_NE(config.read(PciConfig::status_register, AccessSize(2)) & PciConfig::capabilities_list_bit, 0u);
  EXPECT_EQ(config.read(PciConfig::capabilities_register, AccessSize(1)), first);
  EXPECT_EQ(config.read(first, AccessSize(2)), u32{second} << 8 | 0x05);
  EXPECT_EQ(config.read(second, AccessSize(2)), 0x0011u);
}

}  // namespace
}  // namespace vitrine
