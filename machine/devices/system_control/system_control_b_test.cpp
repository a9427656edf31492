#include "machine/devices/system_control/system_control_b.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr AccessSize byte(1);

/// A timer channel whose OUT is its gate, or fixed.
struct Channel final : Device, GateAndOutput {
  explicit Channel(DeviceContext) {}
  [[nodiscard]] std::string_view name() const override { return "channel"; }
  void reset() override {}
  void exchange(Archive& archive) override { archive(gate); }
  void set_gate(Level level) override { gate = level; }
  [[nodiscard]] Level output() const override { return gate; }
  Level gate = Level::Low;
};

struct PortB {
  TestBench bench;
  Channel& channel = bench.add<Channel>("channel");
  SystemControlB& port = bench.add<SystemControlB>("system_control_b", channel);
  void write(u8 value) { port.write(SystemControlB::registers, 0, byte, value); }
  u8 read() { return static_cast<u8>(port.read(SystemControlB::registers, 0, byte)); }
};

TEST(SystemControlB, bits_zero_to_three_are_kept_and_six_and_seven_read_zero) {
  PortB port;
  for (unsigned value = 0; value < 256; ++value) {
    port.write(static_cast<u8>(value));
    EXPECT_EQ(port.read() & 0b1100'1111, value & 0x0F);
  }
}

TEST(SystemControlB, bit_zero_is_the_gate_and_bit_five_the_output) {
  PortB port;
  port.write(1);
  EXPECT_EQ(port.channel.gate, Level::High);
  EXPECT_EQ(port.read() & 0x20, 0x20);
  port.write(0);
  EXPECT_EQ(port.channel.gate, Level::Low);
  EXPECT_EQ(port.read() & 0x20, 0);
}

TEST(SystemControlB, the_speaker_needs_its_bit_and_the_output) {
  PortB port;
  port.write(1);
  EXPECT_EQ(port.port.speaker(), Level::Low);
  port.write(3);
  EXPECT_EQ(port.port.speaker(), Level::High);
  port.write(2);
  EXPECT_EQ(port.port.speaker(), Level::Low);
}

TEST(SystemControlB, the_refresh_bit_toggles_every_eighteen_timer_clocks) {
  PortB port;
  const ClockRatio clocks{1'193'182};
  for (u64 toggle = 1; toggle < 1000; ++toggle) {
    port.bench.advance_to(clocks.tick_of(18 * toggle) - 1);
    EXPECT_EQ(port.read() >> 4 & 1, (toggle - 1) % 2);
    port.bench.advance(1);
    EXPECT_EQ(port.read() >> 4 & 1, toggle % 2);
  }
}

TEST(SystemControlB, reset_closes_the_gate) {
  PortB port;
  port.write(1);
  port.port.reset();
  EXPECT_EQ(port.channel.gate, Level::Low);
}

DeviceUnderTest system_control_b() {
  return {.make = [](TestBench& bench) -> Device& {
            return bench.add<SystemControlB>("system_control_b", bench.add<Channel>("channel"));
          },
          .regions = {{SystemControlB::registers, 1}}};
}

VITRINE_COMMON_DEVICE_SUITE(SystemControlB, system_control_b());

}  // namespace
}  // namespace vitrine
