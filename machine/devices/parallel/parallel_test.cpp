#include "machine/devices/parallel/parallel.hpp"

#include <gtest/gtest.h>

#include <string>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

DeviceUnderTest printer_port() {
  return {.make = [](TestBench& bench) -> Device& {
            return bench.add<ParallelPort>("lpt1", "lpt1", Channel::Parallel1, bench.output("irq7", 7), bench.outputs);
          },
          .regions = {{Region(0), ParallelPort::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(ParallelPort, printer_port());

class Lpt : public testing::Test {
 protected:
  Lpt() : chip(bench.add<ParallelPort>("lpt1", "lpt1", Channel::Parallel1, bench.output("irq7", 7), bench.outputs)) {}
  void out(u64 reg, u8 value) { chip.write(Region(0), reg, AccessSize(1), value); }
  u8 in(u64 reg) { return static_cast<u8>(chip.read(Region(0), reg, AccessSize(1))); }
  u8 look(u64 reg) { return static_cast<u8>(chip.peek(Region(0), reg, AccessSize(1))); }
  void strobe(u8 byte, u8 control = 0x0C) {
    out(0, byte);
    out(2, control | 0x01);
    out(2, control);
  }
  std::string printed() {
    std::string text;
    for (const auto& [channel, byte] : bench.outputs.bytes) text += static_cast<char>(byte);
    return text;
  }
  Level irq() { return bench.lines[0].level(); }

  TestBench bench;
  ParallelPort& chip;
};

TEST_F(Lpt, data_and_control_read_back_as_linux_probes_them) {  // parport_SPP_supported
  for (u8 value : {u8{0x0C}, u8{0x0E}}) {
    out(2, value);
    EXPECT_EQ(in(2), 0xE0 | value);
  }
  for (u8 value : {u8{0xAA}, u8{0x55}}) {
    out(0, value);
    EXPECT_EQ(in(0), value);
  }
}

TEST_F(Lpt, direction_bit_does_not_float_the_data_lines) {  // parport_PS2_supported: not bidirectional
  out(2, 0x2C);
  out(0, 0x55);
  EXPECT_EQ(in(0), 0x55);
}

TEST_F(Lpt, the_handshake_follows_the_strobe) {
  struct {
    u64 until;
    u8 status;
  } const rows[] = {{0, 0x5F}, {1'999, 0x5F}, {2'000, 0x1F}, {6'999, 0x1F}, {7'000, 0xDF}};
  EXPECT_EQ(in(1), 0xDF);
  strobe('A');
  EXPECT_EQ(printed(), "A");
  for (const auto& row : rows) {
    bench.advance_to(Tick(row.until));
    EXPECT_EQ(in(1), row.status) << row.until;
  }
}

TEST_F(Lpt, nothing_interrupts_without_its_enable) {
  strobe('A');
  bench.advance(10'000);
  EXPECT_TRUE(bench.listener.changes.empty());
  out(2, 0x1C);  // enabling later finds nothing remembered
  EXPECT_EQ(irq(), Level::Low);
}

TEST_F(Lpt, the_end_of_acknowledge_interrupts_until_status_is_read) {
  out(2, 0x1C);
  EXPECT_EQ(irq(), Level::Low);
  strobe('A', 0x1C);
  bench.advance(6'999);
  EXPECT_EQ(irq(), Level::Low);
  bench.advance(1);
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(look(1), 0xDB);
  EXPECT_EQ(in(1), 0xDB);
  EXPECT_EQ(irq(), Level::Low);
  EXPECT_EQ(in(1), 0xDF);
  EXPECT_EQ(bench.records(RecordKind::Raised).at(0).detail, static_cast<u8>(ParallelPort::Cause::Acknowledged));
}

TEST_F(Lpt, each_byte_makes_its_own_edge_even_if_nobody_reads_status) {
  out(2, 0x1C);
  for (char c : std::string("abc")) {
    strobe(static_cast<u8>(c), 0x1C);
    bench.advance(10'000);
  }
  EXPECT_EQ(printed(), "abc");
  EXPECT_EQ(bench.records(RecordKind::Raised).size(), 3u);
}

TEST_F(Lpt, clearing_the_enable_lowers_the_line) {
  strobe('A', 0x1C);
  bench.advance(10'000);
  EXPECT_EQ(irq(), Level::High);
  out(2, 0x0C);
  EXPECT_EQ(irq(), Level::Low);
}

TEST_F(Lpt, only_the_beginning_of_a_strobe_sends_and_busy_loses) {
  out(0, 'A');
  out(2, 0x0D);
  out(2, 0x0F);
  EXPECT_EQ(printed(), "A");
  out(2, 0x0C);
  strobe('B');
  EXPECT_EQ(printed(), "A");
  bench.advance(7'000);
  strobe('C');
  EXPECT_EQ(printed(), "AC");
}

TEST_F(Lpt, init_low_keeps_the_printer_busy_and_forgets_the_byte_under_way) {
  strobe('A', 0x1C);
  out(2, 0x18);
  EXPECT_EQ(in(1), 0x5F);
  bench.advance(10'000);
  strobe('B', 0x18);
  EXPECT_EQ(printed(), "A");
  out(2, 0x1C);
  EXPECT_EQ(in(1), 0xDF);
  EXPECT_TRUE(bench.listener.changes.empty());
}

}  // namespace
}  // namespace vitrine
