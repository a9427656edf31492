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

/// What sees the NMI wire.
struct Receiver final : Device {
  explicit Receiver(DeviceContext) {}
  [[nodiscard]] std::string_view name() const override { return "receiver"; }
  void reset() override {}
  void exchange(Archive& archive) override { archive(high, pulses); }
  void line_changed(Pin, Level level, RequestId) override {
    high = level == Level::High;
    pulses += high ? 1 : 0;
  }
  bool high = false;
  u32 pulses = 0;
};

struct PortB {
  TestBench bench;
  InterruptLine wire{bench.ledger, "nmi", InterruptLine::no_number};
  Channel& channel = bench.add<Channel>("channel");
  Receiver& receiver = bench.add<Receiver>("receiver");
  SystemControlB& port = bench.add<SystemControlB>("system_control_b", channel, wire.add_driver(SourceId(0)));
  PortB() { wire.connect(receiver, Pin(0)); }
  void write(u8 value) { port.write(SystemControlB::registers, 0, byte, value); }
  u8 read() { return static_cast<u8>(port.read(SystemControlB::registers, 0, byte)); }
};

TEST(SystemControlB, bits_zero_to_three_are_kept_and_without_an_error_six_and_seven_read_zero) {
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

using NmiSource = SystemControlB::NmiSource;

// 82371AB, NMISC: status, and the bit that switches the source off and clears its status.
struct ErrorRow {
  NmiSource source;
  u8 status, off;
};
constexpr ErrorRow error_rows[] = {{NmiSource::IoCheck, 0x40, 0x08}, {NmiSource::SystemError, 0x80, 0x04}};

TEST(SystemControlB, an_error_sets_its_status_and_raises_nmi_until_its_switch_is_set) {
  for (const ErrorRow& row : error_rows) {
    PortB port;
    port.port.ask_for_nmi(row.source);
    EXPECT_EQ(port.read() & 0xC0, row.status);
    EXPECT_TRUE(port.receiver.high);
    port.port.ask_for_nmi(row.source);
    EXPECT_EQ(port.receiver.pulses, 1u) << "the wire is high already";
    port.write(row.off);
    EXPECT_EQ(port.read() & 0xC0, 0);
    EXPECT_FALSE(port.receiver.high);
    port.port.ask_for_nmi(row.source);
    EXPECT_EQ(port.read() & 0xC0, 0) << "switched off";
    port.write(0);
    EXPECT_FALSE(port.receiver.high) << "and forgotten";
    port.port.ask_for_nmi(row.source);
    EXPECT_EQ(port.receiver.pulses, 2u);
  }
}

TEST(SystemControlB, each_switch_is_for_its_own_error) {
  for (const ErrorRow& row : error_rows) {
    PortB port;
    port.write(static_cast<u8>(0x0C ^ row.off));
    port.port.ask_for_nmi(row.source);
    EXPECT_EQ(port.read() & 0xC0, row.status);
    port.write(0x0C);
  }
}

TEST(SystemControlB, a_mask_at_port_70_holds_an_error_back_and_loses_the_button) {
  PortB port;
  port.port.line_changed(SystemControlB::nmi_mask, Level::High, RequestId{});
  port.port.ask_for_nmi(NmiSource::IoCheck);
  port.port.ask_for_nmi(NmiSource::Button);
  EXPECT_EQ(port.read() & 0xC0, 0x40);
  EXPECT_EQ(port.receiver.pulses, 0u);
  port.port.line_changed(SystemControlB::nmi_mask, Level::Low, RequestId{});
  EXPECT_EQ(port.receiver.pulses, 1u);
  port.write(0x08);
  EXPECT_EQ(port.receiver.pulses, 1u) << "nothing is left of the button";
}

TEST(SystemControlB, the_button_is_a_pulse_without_status) {
  PortB port;
  port.write(0x0C);
  port.port.ask_for_nmi(NmiSource::Button);
  port.port.ask_for_nmi(NmiSource::Button);
  EXPECT_EQ(port.receiver.pulses, 2u);
  EXPECT_FALSE(port.receiver.high);
  EXPECT_EQ(port.read() & 0xC0, 0);
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
