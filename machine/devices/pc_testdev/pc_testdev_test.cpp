#include "machine/devices/pc_testdev/pc_testdev.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

std::array<LineDriver, PcTestdev::lines> wires(TestBench& bench) {
  std::array<LineDriver, PcTestdev::lines> drivers{};
  for (const u8 line : {u8{14}, u8{20}}) drivers[line] = bench.output("line", line);
  return drivers;
}

struct Bench {
  TestBench bench;
  std::array<LineDriver, PcTestdev::lines> drivers = wires(bench);
  PcTestdev& device = bench.add<PcTestdev>("pc-testdev", drivers);
};

TEST(PcTestdev, the_echo_port_reads_back_in_every_width) {
  Bench bench;
  bench.device.write(PcTestdev::echo, 0, AccessSize(4), 0x12345678);
  EXPECT_EQ(bench.device.read(PcTestdev::echo, 0, AccessSize(4)), 0x12345678u);
  bench.device.write(PcTestdev::echo, 0, AccessSize(2), 0x9999);
  EXPECT_EQ(bench.device.read(PcTestdev::echo, 0, AccessSize(4)), 0x12349999u);
  EXPECT_EQ(bench.device.read(PcTestdev::echo, 0, AccessSize(1)), 0x99u);
  EXPECT_EQ(bench.device.read(PcTestdev::echo, 3, AccessSize(1)), 0x12u);
}

TEST(PcTestdev, a_byte_at_a_line_s_port_asserts_or_releases_it) {
  Bench bench;
  bench.device.write(PcTestdev::lines_region, 14, AccessSize(1), 1);
  EXPECT_EQ(bench.drivers[14].level(), Level::High);
  EXPECT_EQ(bench.drivers[20].level(), Level::Low);
  EXPECT_EQ(bench.device.read(PcTestdev::lines_region, 14, AccessSize(1)), 1u);
  bench.device.write(PcTestdev::lines_region, 14, AccessSize(1), 0);
  EXPECT_EQ(bench.drivers[14].level(), Level::Low);
  const std::vector<Record> raised = bench.bench.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 1u);
  EXPECT_EQ(raised[0].pin, 14);
}

TEST(PcTestdev, memory_keeps_what_is_written_until_reset) {
  Bench bench;
  bench.device.write(PcTestdev::memory, 0xFFFC, AccessSize(8), 0x8877665544332211);
  EXPECT_EQ(bench.device.read(PcTestdev::memory, 0xFFFC, AccessSize(4)), 0x44332211u);
  bench.device.reset();
  EXPECT_EQ(bench.device.read(PcTestdev::memory, 0xFFFC, AccessSize(4)), 0u);
}

DeviceUnderTest pc_testdev() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<PcTestdev>("pc-testdev", wires(bench)); },
          .regions = {{PcTestdev::echo, PcTestdev::echo_ports},
                      {PcTestdev::lines_region, PcTestdev::lines},
                      {PcTestdev::memory, 0x2100}},
          .accesses = 20'000};
}
VITRINE_COMMON_DEVICE_SUITE(PcTestdev, pc_testdev());

}  // namespace
}  // namespace vitrine
