#include "machine/devices/uart16550/uart16550.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

using Cause = Uart16550::Cause;

DeviceUnderTest uart() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& chip = bench.add<Uart16550>("com1", "com1", Channel::Com1, bench.output("irq4", 4), bench.outputs);
            bench.actions = {[&] { chip.receive(0x55); }, [&] { chip.receive_break(); }};
            return chip;
          },
          .regions = {{Region(0), Uart16550::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(Uart16550, uart());

constexpr u64 character_115200 = 86'806;  // ns: ten bits

class Uart : public testing::Test {
 protected:
  Uart() : chip(bench.add<Uart16550>("com1", "com1", Channel::Com1, bench.output("irq4", 4), bench.outputs)) {
    out(3, 0x80);
    out(0, 1);
    out(1, 0);
    out(3, 0x03);  // 115200 8N1
    out(4, 0x0B);  // DTR, RTS, OUT2
  }
  void out(u64 reg, u8 value) { chip.write(Region(0), reg, AccessSize(1), value); }
  u8 in(u64 reg) { return static_cast<u8>(chip.read(Region(0), reg, AccessSize(1))); }
  Level irq() { return bench.lines[0].level(); }
  void arrive(u8 byte) {
    chip.receive(byte);
    bench.advance(character_115200);
  }
  std::string sent() {
    std::string text;
    for (const auto& [channel, byte] : bench.outputs.bytes) text += static_cast<char>(byte);
    return text;
  }
  Cause raised_for() {
    const auto raised = bench.records(RecordKind::Raised);
    return raised.empty() ? Cause::None : static_cast<Cause>(raised.back().detail);
  }

  TestBench bench;
  Uart16550& chip;
};

TEST(UartReset, registers_have_the_values_of_the_data_sheet) {  // DS table 3
  TestBench bench;
  auto& chip = bench.add<Uart16550>("com1", "com1", Channel::Com1, bench.output("irq4", 4), bench.outputs);
  const u8 expected[] = {0x00, 0x00, 0x01, 0x00, 0x00, 0x60, 0xB0, 0x00};
  for (u64 reg = 0; reg < 8; ++reg) EXPECT_EQ(chip.peek(Region(0), reg, AccessSize(1)), expected[reg]) << reg;
}

// Character times (DS 8.1): start, data, parity and stop bits at 115200.
struct FormatRow {
  const char* name;
  u8 line_control;
  u64 half_bits;
  u8 data_mask;
  friend void PrintTo(const FormatRow& row, std::ostream* out) { *out << row.name; }
};
class CharacterFormat : public Uart, public testing::WithParamInterface<FormatRow> {};
TEST_P(CharacterFormat, sets_the_time_and_width_of_a_character) {
  const FormatRow& row = GetParam();
  out(3, row.line_control);
  out(0, 0xFF);
  const u64 clocks = row.half_bits * 8;
  const u64 exact = (clocks * 1'000'000'000u + 1'843'199) / 1'843'200;
  bench.advance(exact - 1);
  EXPECT_EQ(sent(), "");
  bench.advance(1);
  EXPECT_EQ(sent(), std::string(1, static_cast<char>(row.data_mask)));
}
INSTANTIATE_TEST_SUITE_P(DataSheet_8_1, CharacterFormat,
                         testing::Values(FormatRow{"5N1", 0x00, 14, 0x1F}, FormatRow{"5N1.5", 0x04, 15, 0x1F},
                                         FormatRow{"6N1", 0x01, 16, 0x3F}, FormatRow{"7E1", 0x1A, 20, 0x7F},
                                         FormatRow{"7N2", 0x06, 20, 0x7F}, FormatRow{"8N1", 0x03, 20, 0xFF},
                                         FormatRow{"8E2", 0x1F, 24, 0xFF}));

TEST_F(Uart, sends_back_to_back_without_drift) {
  out(2, 0x01);
  for (char c : std::string("abcdefghijklmnop")) out(0, static_cast<u8>(c));
  bench.advance((16 * 160 * 1'000'000'000ull + 1'843'199) / 1'843'200 - 1);
  EXPECT_EQ(sent(), "abcdefghijklmno");
  bench.advance(1);
  EXPECT_EQ(sent(), "abcdefghijklmnop");
}

TEST_F(Uart, line_status_follows_holding_and_shift_register) {  // DS 8.3 bits 5 and 6
  EXPECT_EQ(in(5), 0x60);
  out(0, 'a');
  EXPECT_EQ(in(5), 0x20);  // moved to the shift register at once
  out(0, 'b');
  EXPECT_EQ(in(5), 0x00);
  bench.advance(character_115200);
  EXPECT_EQ(in(5), 0x20);
  bench.advance(character_115200);
  EXPECT_EQ(in(5), 0x60);
  EXPECT_EQ(sent(), "ab");
}

TEST_F(Uart, without_fifo_a_write_to_a_full_holding_register_replaces) {
  out(0, 'a');
  out(0, 'b');
  out(0, 'c');
  bench.advance(1'000'000);
  EXPECT_EQ(sent(), "ac");
}

TEST_F(Uart, a_byte_is_received_one_character_time_after_it_begins) {
  chip.receive('x');
  EXPECT_FALSE(chip.can_receive());
  bench.advance(character_115200 - 1);
  EXPECT_EQ(in(5) & 1, 0);
  bench.advance(1);
  EXPECT_EQ(in(5) & 1, 1);
  EXPECT_EQ(in(0), 'x');
  EXPECT_EQ(in(5) & 1, 0);
  EXPECT_TRUE(chip.can_receive());
}

TEST_F(Uart, received_data_raises_the_line_and_reading_it_lowers_the_line) {
  out(1, 0x01);
  arrive('x');
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(raised_for(), Cause::ReceivedData);
  EXPECT_EQ(in(2), 0x04);
  EXPECT_EQ(irq(), Level::High);  // reading IIR does not end it
  EXPECT_EQ(in(0), 'x');
  EXPECT_EQ(irq(), Level::Low);
  EXPECT_EQ(in(2), 0x01);
}

struct TriggerRow {
  u8 fifo_control;
  int level;
};
class TriggerLevel : public Uart, public testing::WithParamInterface<TriggerRow> {};
TEST_P(TriggerLevel, decides_when_data_interrupts) {  // DS 8.4.1
  out(1, 0x01);
  out(2, GetParam().fifo_control);
  for (int i = 1; i < GetParam().level; ++i) {
    arrive(static_cast<u8>(i));
    ASSERT_EQ(irq(), Level::Low) << i;
  }
  arrive(0xAA);
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(in(2), 0xC4);
  in(0);
  EXPECT_EQ(irq(), Level::Low);  // below the level
}
INSTANTIATE_TEST_SUITE_P(DataSheet_8_4_1, TriggerLevel,
                         testing::Values(TriggerRow{0x01, 1}, TriggerRow{0x41, 4}, TriggerRow{0x81, 8},
                                         TriggerRow{0xC1, 14}));

TEST_F(Uart, silence_for_four_characters_below_the_trigger_level_times_out) {  // DS 8.4.1
  out(1, 0x01);
  out(2, 0xC1);
  arrive('a');
  arrive('b');
  bench.advance(4 * character_115200 - 2000);
  EXPECT_EQ(irq(), Level::Low);
  bench.advance(2000);
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(raised_for(), Cause::CharacterTimeout);
  EXPECT_EQ(in(2), 0xCC);
  EXPECT_EQ(in(0), 'a');  // a read ends it and restarts the timer
  EXPECT_EQ(irq(), Level::Low);
  bench.advance(4 * character_115200);
  EXPECT_EQ(in(2), 0xCC);
  EXPECT_EQ(in(0), 'b');
  bench.advance(10 * character_115200);
  EXPECT_EQ(in(2), 0xC1);
}

TEST_F(Uart, enabling_the_empty_interrupt_while_empty_interrupts_each_time) {  // as Linux 8250 tests it
  out(1, 0x02);
  EXPECT_EQ(raised_for(), Cause::TransmitterEmpty);
  EXPECT_EQ(in(2), 0x02);
  EXPECT_EQ(irq(), Level::Low);  // reading IIR ended it
  EXPECT_EQ(in(2), 0x01);
  out(1, 0x00);
  out(1, 0x02);
  EXPECT_EQ(in(2), 0x02);
}

TEST_F(Uart, reading_iir_ends_the_empty_interrupt_only_when_it_is_reported) {
  out(1, 0x03);
  arrive('x');
  EXPECT_EQ(in(2), 0x04);
  in(0);
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(in(2), 0x02);
  EXPECT_EQ(irq(), Level::Low);
}

TEST_F(Uart, writing_the_holding_register_ends_the_empty_interrupt_until_it_empties_again) {
  out(1, 0x02);
  out(0, 'a');  // goes on to the shift register at once: empty again
  EXPECT_EQ(irq(), Level::High);
  out(0, 'b');
  EXPECT_EQ(irq(), Level::Low);
  bench.advance(character_115200);
  EXPECT_EQ(irq(), Level::High);
}

TEST_F(Uart, with_fifos_one_byte_delays_the_empty_interrupt_by_a_character_less_its_stop_bit) {  // DS 8.4.2 B
  out(2, 0x01);
  out(1, 0x02);
  in(2);
  out(0, 'a');  // the first after the mode change: immediate
  EXPECT_EQ(in(2), 0xC2);
  bench.advance(1'000'000);
  out(0, 'b');
  EXPECT_EQ(irq(), Level::Low);
  EXPECT_EQ(in(5) & 0x20, 0x20);
  bench.advance(character_115200 * 9 / 10 - 1000);
  EXPECT_EQ(irq(), Level::Low);
  bench.advance(2000);
  EXPECT_EQ(irq(), Level::High);
}

TEST_F(Uart, with_two_bytes_queued_the_empty_interrupt_is_immediate) {  // DS 8.4.2 B
  out(2, 0x01);
  out(0, 'x');
  bench.advance(1'000'000);
  out(1, 0x02);
  in(2);
  out(0, 'a');
  out(0, 'b');
  out(0, 'c');
  bench.advance(character_115200 + 1000);
  EXPECT_EQ(irq(), Level::Low);
  bench.advance(character_115200);
  EXPECT_EQ(irq(), Level::High);  // c has just left the FIFO
}

TEST_F(Uart, causes_are_reported_in_priority_order) {  // DS table 4
  out(2, 0x01);
  out(1, 0x0F);
  chip.set_modem_lines(0);
  chip.receive_break();
  bench.advance(character_115200);
  EXPECT_EQ(in(2), 0xC6);
  EXPECT_EQ(in(5), 0xF9);  // break, framing error, data ready, error in FIFO
  EXPECT_EQ(in(2), 0xC4);
  EXPECT_EQ(in(0), 0x00);
  EXPECT_EQ(in(2), 0xC2);
  EXPECT_EQ(in(2), 0xC0);
  EXPECT_EQ(in(6), 0x0B);
  EXPECT_EQ(in(2), 0xC1);
  EXPECT_EQ(irq(), Level::Low);
}

TEST_F(Uart, errors_show_when_their_character_is_at_the_top) {  // DS 8.3 bits 2 to 4 and 7
  out(2, 0x01);
  arrive('a');
  chip.receive_break();
  bench.advance(character_115200);
  EXPECT_EQ(in(5), 0xE1);
  in(0);
  EXPECT_EQ(in(5), 0xF9);
  EXPECT_EQ(in(5), 0x61);
}

TEST_F(Uart, an_overrun_replaces_the_register_but_keeps_the_fifo) {  // DS 8.3 bit 1
  arrive('a');
  arrive('b');
  EXPECT_EQ(in(5), 0x63);
  EXPECT_EQ(in(5), 0x61);
  EXPECT_EQ(in(0), 'b');

  out(2, 0x01);
  for (u8 i = 0; i < 17; ++i) arrive(i);
  EXPECT_EQ(in(5), 0x63);
  for (u8 i = 0; i < 16; ++i) EXPECT_EQ(in(0), i);
  EXPECT_EQ(in(5), 0x60);
}

TEST_F(Uart, out2_gates_the_line) {
  out(1, 0x01);
  out(4, 0x03);
  arrive('x');
  EXPECT_EQ(in(2), 0x04);
  EXPECT_EQ(irq(), Level::Low);
  out(4, 0x0B);
  EXPECT_EQ(irq(), Level::High);
  out(4, 0x1B);  // loopback forces OUT2 inactive
  EXPECT_EQ(irq(), Level::Low);
}

TEST_F(Uart, loopback_connects_modem_outputs_to_inputs) {  // DS 8.6.5; Linux 8250 expects 0x90 for OUT2 and RTS
  struct {
    u8 control, status;
  } const rows[] = {{0x10, 0x00}, {0x11, 0x20}, {0x12, 0x10}, {0x14, 0x40}, {0x18, 0x80}, {0x1A, 0x90}, {0x1F, 0xF0}};
  for (const auto& row : rows) {
    out(4, row.control);
    EXPECT_EQ(in(6) & 0xF0, row.status) << int{row.control};
  }
}

TEST_F(Uart, loopback_returns_what_is_sent_and_sends_nothing) {
  out(4, 0x1B);
  out(0, 'z');
  bench.advance(character_115200);
  EXPECT_EQ(in(5), 0x61);
  EXPECT_EQ(in(0), 'z');
  EXPECT_EQ(sent(), "");
}

TEST_F(Uart, fifo_size_test_of_linux_counts_sixteen) {
  out(2, 0x07);
  out(4, 0x10);
  for (int i = 0; i < 256; ++i) out(0, static_cast<u8>(i));
  bench.advance(20'000'000);
  int count = 0;
  while ((in(5) & 1) != 0 && count < 256) {
    in(0);
    ++count;
  }
  // The shift register takes the first byte at once, so 17 were sent; the receive FIFO keeps 16.
  EXPECT_EQ(count, 16);
}

TEST_F(Uart, autoconfig_of_linux_finds_a_16550a) {
  out(1, 0x00);
  EXPECT_EQ(in(1) & 0x0F, 0x00);
  out(1, 0x0F);
  EXPECT_EQ(in(1) & 0x0F, 0x0F);
  out(1, 0x00);
  out(3, 0xBF);
  out(2, 0x00);  // EFR on other chips
  out(3, 0x00);
  out(2, 0x01);
  EXPECT_EQ(in(2) >> 6, 3);
  out(3, 0x80);
  EXPECT_NE(in(2), 0);  // no EFR
  out(3, 0xE0);
  const u8 before = in(2);
  out(3, 0x00);
  out(4, 0x1B);
  out(3, 0xE0);
  EXPECT_EQ((in(2) ^ before) & 0x10, 0);  // no NatSemi superchip
  out(3, 0x00);
  out(1, 0x40);
  EXPECT_EQ(in(1), 0);  // no XScale
}

TEST_F(Uart, modem_status_counts_changes_and_only_the_trailing_edge_of_ring) {  // DS 8.8
  struct {
    u8 from, to, status;
  } const rows[] = {{0x00, 0x10, 0x11}, {0x10, 0x00, 0x01}, {0x00, 0x20, 0x22}, {0x00, 0x80, 0x88},
                    {0x80, 0x00, 0x08}, {0x00, 0x40, 0x40}, {0x40, 0x00, 0x04}};
  for (const auto& row : rows) {
    chip.set_modem_lines(row.from);
    in(6);
    chip.set_modem_lines(row.to);
    EXPECT_EQ(in(6), row.status) << int{row.from} << " to " << int{row.to};
    EXPECT_EQ(in(6), row.to);
  }
}

TEST_F(Uart, modem_changes_interrupt_until_msr_is_read) {
  out(1, 0x08);
  chip.set_modem_lines(0);
  EXPECT_EQ(raised_for(), Cause::ModemStatus);
  EXPECT_EQ(in(2), 0x00);
  in(6);
  EXPECT_EQ(irq(), Level::Low);
}

TEST_F(Uart, fifo_control_needs_its_bit_zero_and_a_change_of_it_clears) {  // DS 8.4
  out(2, 0xC0);
  EXPECT_EQ(in(2), 0x01);
  out(2, 0x01);
  arrive('a');
  arrive('b');
  out(2, 0x03);
  EXPECT_EQ(in(5) & 1, 0);
  arrive('c');
  out(2, 0x00);
  EXPECT_EQ(in(5) & 1, 0);
}

TEST_F(Uart, clearing_the_transmit_fifo_keeps_the_byte_that_is_shifting) {
  out(2, 0x01);
  for (char c : std::string("abc")) out(0, static_cast<u8>(c));
  out(2, 0x05);
  EXPECT_EQ(in(5), 0x20);
  bench.advance(1'000'000);
  EXPECT_EQ(sent(), "a");
}

TEST_F(Uart, break_holds_the_output_low_so_nothing_is_sent) {
  out(3, 0x43);
  out(0, 'a');
  bench.advance(1'000'000);
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(in(5), 0x60);
  out(3, 0x03);
  out(4, 0x1B);
  out(3, 0x43);
  bench.advance(character_115200);
  EXPECT_EQ(in(5) & 0x10, 0x10);  // loopback receives the break
}

TEST_F(Uart, divisor_latch_hides_data_and_interrupt_enable) {
  out(1, 0x05);
  out(3, 0x83);
  out(0, 0x34);
  out(1, 0x12);
  EXPECT_EQ(in(0), 0x34);
  EXPECT_EQ(in(1), 0x12);
  out(3, 0x03);
  EXPECT_EQ(in(1), 0x05);
  EXPECT_EQ(sent(), "");
}

TEST_F(Uart, listens_when_the_receive_interrupt_is_on_or_lsr_is_polled_idle) {
  EXPECT_FALSE(chip.listening());
  for (int i = 0; i < 16; ++i) in(5);
  EXPECT_TRUE(chip.listening());
  out(0, 'a');
  EXPECT_FALSE(chip.listening());
  for (int i = 0; i < 100; ++i) in(5);
  EXPECT_FALSE(chip.listening());  // waiting for the transmitter
  bench.advance(20'000'000);
  EXPECT_FALSE(chip.listening());
  out(1, 0x01);
  EXPECT_TRUE(chip.listening());
}

TEST_F(Uart, bytes_given_too_fast_arrive_one_after_the_other) {
  out(2, 0x01);
  for (char c : std::string("hello")) chip.receive(static_cast<u8>(c));
  bench.advance(3 * character_115200);
  std::string got;
  while ((in(5) & 1) != 0) got += static_cast<char>(in(0));
  EXPECT_EQ(got, "hel");
  bench.advance(2 * character_115200);
  while ((in(5) & 1) != 0) got += static_cast<char>(in(0));
  EXPECT_EQ(got, "hello");
}

TEST_F(Uart, a_word_access_reaches_two_ports) {
  out(3, 0x83);
  chip.write(Region(0), 0, AccessSize(2), 0x0102);
  EXPECT_EQ(in(0), 0x02);
  EXPECT_EQ(in(1), 0x01);
}

}  // namespace
}  // namespace vitrine
