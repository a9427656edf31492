#include "machine/devices/pci_host/pci_host.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

struct PciBench {
  TestBench bench;
  PciBus bus;
  PciHost& host = bench.add<PciHost>("pci-host", bus, bench.control);
  PciBench() { EXPECT_TRUE(bus.attach({0, 0}, host.config()).has_value()); }

  void out(u64 offset, u8 size, u64 value) { host.write(Region(0), offset, AccessSize(size), value); }
  u64 in(u64 offset, u8 size) { return host.read(Region(0), offset, AccessSize(size)); }
};

TEST(PciHost, configuration_mechanism_1_reads_bytes_words_and_dwords) {
  PciBench pci;
  pci.out(0, 4, 0x80000000);
  EXPECT_EQ(pci.in(0, 4), 0x80000000u);
  EXPECT_EQ(pci.in(4, 4), 0x12378086u);
  EXPECT_EQ(pci.in(4, 2), 0x8086u);
  EXPECT_EQ(pci.in(6, 2), 0x1237u);
  EXPECT_EQ(pci.in(7, 1), 0x12u);
}

TEST(PciHost, absent_functions_and_a_disabled_address_read_all_ones) {
  PciBench pci;
  pci.out(0, 4, 0x80000000 | 5 << 11);
  EXPECT_EQ(pci.in(4, 4), 0xFFFFFFFFu);
  EXPECT_EQ(pci.in(4, 2), 0xFFFFu);
  pci.out(0, 4, 0);
  EXPECT_EQ(pci.in(4, 4), 0xFFFFFFFFu);
}

TEST(PciHost, the_address_register_is_reached_by_dwords_only) {
  PciBench pci;
  pci.out(0, 4, 0x80000840);
  pci.out(0, 1, 0x12);
  pci.out(2, 2, 0x1234);
  EXPECT_EQ(pci.in(0, 4), 0x80000840u);
  EXPECT_EQ(pci.in(0, 1), 0xFFu);
}

TEST(PciHost, reserved_address_bits_read_as_zero) {
  PciBench pci;
  pci.out(0, 4, 0xFFFFFFFF);
  EXPECT_EQ(pci.in(0, 4), 0x80FFFFFCu);
}

TEST(PciHost, port_cf9_resets_when_its_reset_bit_rises) {
  PciBench pci;
  pci.out(1, 1, 0x02);
  EXPECT_TRUE(pci.bench.control.exits.empty());
  pci.out(1, 1, 0x06);
  pci.out(1, 1, 0x06);
  ASSERT_EQ(pci.bench.control.exits.size(), 1u);
  EXPECT_EQ(pci.bench.control.exits[0].first, ExitKind::Reset);
}

DeviceUnderTest pci_host() {
  return {.make = [bus = std::make_shared<PciBus>()](TestBench& bench) -> Device& {
            return bench.add<PciHost>("pci-host", *bus, bench.control);
          },
          .regions = {{Region(0), PciHost::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(PciHost, pci_host());

}  // namespace
}  // namespace vitrine
