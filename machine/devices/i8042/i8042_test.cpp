#include "machine/devices/i8042/i8042.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "machine/devices/device_suite.hpp"
#include "machine/devices/i8042/us_layout.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Cause = I8042::Cause;

constexpr u64 us = 1'000, ms = 1'000'000;
constexpr u64 byte_time = ms;
constexpr u64 self_test_time = 300 * ms;

DeviceUnderTest controller() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& chip = bench.add<I8042>("i8042", bench.output("irq1", 1), bench.output("irq12", 12), bench.control);
            bench.actions = {[&] { chip.key(0x1C); }, [&] { chip.key(0x75F0E0); },
                             [&] { chip.mouse_motion(u64{0x01'00'0005'FFF0}); },
                             [&] { chip.mouse_motion(Mouse::Motion{.right = 300, .away = -300, .wheel = 1}); }};
            return chip;
          },
          .regions = {{I8042::data_port, 1}, {I8042::command_port, 1}}};
}
VITRINE_COMMON_DEVICE_SUITE(I8042, controller());

class Ps2 : public testing::Test {
 protected:
  Ps2() : chip(bench.add<I8042>("i8042", bench.output("irq1", 1), bench.output("irq12", 12), bench.control)) {}
  u8 status() { return static_cast<u8>(chip.read(I8042::command_port, 0, AccessSize(1))); }
  u8 data() { return static_cast<u8>(chip.read(I8042::data_port, 0, AccessSize(1))); }
  void command(u8 value) { chip.write(I8042::command_port, 0, AccessSize(1), value); }
  void write(u8 value) { chip.write(I8042::data_port, 0, AccessSize(1), value); }
  void command(u8 value, u8 parameter) {
    command(value);
    write(parameter);
  }
  u8 ask(u8 value) {
    command(value);
    return data();
  }
  void mouse_write(u8 value) { command(0xD4, value); }
  Level irq1() { return bench.lines[0].level(); }
  Level irq12() { return bench.lines[1].level(); }
  /// What a polling guest reads within `time`.
  std::vector<int> drain(u64 time = 20 * ms) {
    std::vector<int> bytes;
    for (const Tick end = bench.clock.now() + time; bench.clock.now() < end;) {
      if ((status() & 1) != 0) bytes.push_back(data());
      bench.advance(50 * us);
    }
    return bytes;
  }
  std::vector<int> keyboard(u8 value) {
    write(value);
    return drain();
  }
  std::vector<int> keyboard(u8 value, u8 parameter) {
    write(value);
    drain();
    write(parameter);
    return drain();
  }
  std::vector<int> mouse(u8 value) {
    mouse_write(value);
    return drain();
  }
  void set_rates(std::initializer_list<u8> rates) {
    for (u8 rate : rates) {
      mouse(0xF3);
      mouse(rate);
    }
  }
  std::vector<Cause> causes() {
    std::vector<Cause> result;
    for (const Record& record : bench.records(RecordKind::Raised)) result.push_back(static_cast<Cause>(record.detail));
    return result;
  }

  TestBench bench;
  I8042& chip;
};

// Controller.

struct ReplyRow {
  const char* name;
  u8 command, reply;
  friend void PrintTo(const ReplyRow& row, std::ostream* out) { *out << row.name; }
};
class ControllerReply : public Ps2, public testing::WithParamInterface<ReplyRow> {};
TEST_P(ControllerReply, is_in_the_output_buffer) {
  command(GetParam().command);
  EXPECT_EQ(status() & 0x29, 0x09);  // output full, last write was a command, not the mouse's
  EXPECT_EQ(data(), GetParam().reply);
  EXPECT_EQ(status() & 0x01, 0x00);
}
INSTANTIATE_TEST_SUITE_P(PS2, ControllerReply,
                         testing::Values(ReplyRow{"command_byte", 0x20, 0x65}, ReplyRow{"self_test", 0xAA, 0x55},
                                         ReplyRow{"keyboard_port", 0xAB, 0x00}, ReplyRow{"mouse_port", 0xA9, 0x00},
                                         ReplyRow{"password", 0xA4, 0xF1}, ReplyRow{"input_port", 0xC0, 0xB0},
                                         ReplyRow{"output_port", 0xD0, 0x0B}, ReplyRow{"test_inputs", 0xE0, 0x01}));

TEST_F(Ps2, ram_holds_32_bytes) {
  for (u8 i = 1; i < 32; ++i) command(static_cast<u8>(0x60 + i), static_cast<u8>(i * 3));
  for (u8 i = 1; i < 32; ++i) EXPECT_EQ(ask(static_cast<u8>(0x20 + i)), i * 3);
}

TEST_F(Ps2, enable_and_disable_commands_change_the_command_byte) {
  struct {
    u8 command, command_byte;
  } const rows[] = {{0xA8, 0x45}, {0xAD, 0x55}, {0xA7, 0x75}, {0xAE, 0x65}};
  for (const auto& row : rows) {
    command(row.command);
    EXPECT_EQ(ask(0x20), row.command_byte) << int{row.command};
  }
}

TEST_F(Ps2, status_tells_command_from_data) {
  command(0x60);
  EXPECT_EQ(status() & 0x08, 0x08);
  write(0x61);
  EXPECT_EQ(status() & 0x08, 0x00);
  EXPECT_EQ(status() & 0x14, 0x10);  // system flag follows the command byte; not locked
}

TEST_F(Ps2, output_port_drives_a20_and_reset) {
  command(0xD1, 0xDD);
  EXPECT_FALSE(bench.control.a20_enabled);
  EXPECT_EQ(ask(0xD0) & 0x03, 0x01);
  command(0xD1, 0xDF);
  EXPECT_TRUE(bench.control.a20_enabled);
  command(0xDD);
  EXPECT_FALSE(bench.control.a20_enabled);
  command(0xDF);
  EXPECT_TRUE(bench.control.a20_enabled);
  EXPECT_THAT(bench.control.exits, IsEmpty());
  command(0xD1, 0xDE);
  ASSERT_EQ(bench.control.exits.size(), 1u);
  EXPECT_EQ(bench.control.exits[0].first, ExitKind::Reset);
}

TEST_F(Ps2, only_a_pulse_on_bit_zero_resets) {
  for (int value = 0xF0; value <= 0xFF; ++value) {
    bench.control.exits.clear();
    command(static_cast<u8>(value));
    EXPECT_EQ(bench.control.exits.size(), value % 2 == 0 ? 1u : 0u) << value;
  }
}

TEST_F(Ps2, loops_return_the_byte_as_from_keyboard_or_mouse) {
  command(0x60, 0x47);
  command(0xD2, 0x3C);
  EXPECT_EQ(status() & 0x21, 0x01);
  EXPECT_EQ(irq1(), Level::High);
  EXPECT_EQ(data(), 0x3C);
  command(0xD3, 0xA5);
  EXPECT_EQ(status() & 0x21, 0x21);
  EXPECT_EQ(irq1(), Level::Low);
  EXPECT_EQ(irq12(), Level::High);
  EXPECT_EQ(data(), 0xA5);
  EXPECT_EQ(irq12(), Level::Low);
  EXPECT_THAT(causes(), ElementsAre(Cause::KeyboardLoop, Cause::MouseLoop));
}

TEST_F(Ps2, a_reply_waits_while_the_buffer_is_full_and_the_line_falls_between) {
  command(0xD2, 0x11);
  command(0x20);
  EXPECT_EQ(data(), 0x11);
  EXPECT_EQ(data(), 0x65);
  ASSERT_EQ(bench.listener.changes.size(), 4u);
  EXPECT_THAT(causes(), ElementsAre(Cause::KeyboardLoop, Cause::ControllerReply));
}

TEST_F(Ps2, a_byte_to_a_device_takes_its_time_and_input_waits_behind_it) {
  write(0xF3);
  EXPECT_EQ(status() & 0x02, 0x00);
  write(0x00);
  EXPECT_EQ(status() & 0x02, 0x02);
  bench.advance(byte_time - 1);
  EXPECT_EQ(status() & 0x02, 0x02);
  bench.advance(1);
  EXPECT_EQ(status() & 0x02, 0x00);
  EXPECT_THAT(drain(), ElementsAre(0xFA));  // the parameter replaced the first acknowledge
}

TEST_F(Ps2, sending_switches_the_interface_on) {
  command(0xAD);
  EXPECT_THAT(keyboard(0xEE), ElementsAre(0xEE));
  EXPECT_EQ(ask(0x20) & 0x10, 0x00);
}

TEST_F(Ps2, the_password_is_swallowed_up_to_its_zero) {
  command(0xA5, 0x1C);
  write(0x32);
  write(0x00);
  EXPECT_THAT(drain(), IsEmpty());
  EXPECT_THAT(keyboard(0xEE), ElementsAre(0xEE));
}

// Keyboard.

TEST_F(Ps2, a_key_raises_irq_1_after_its_transfer_and_reading_lowers_it) {
  chip.key(0x1C);
  bench.advance(byte_time - 1);
  EXPECT_EQ(irq1(), Level::Low);
  bench.advance(1);
  EXPECT_EQ(irq1(), Level::High);
  EXPECT_THAT(causes(), ElementsAre(Cause::Keyboard));
  chip.key(0x1CF0);
  bench.advance(10 * ms);
  EXPECT_EQ(bench.listener.changes.size(), 1u);  // nothing more until it is read
  EXPECT_EQ(data(), 0x1E);
  EXPECT_EQ(irq1(), Level::Low);
  bench.advance(2 * byte_time);  // the break prefix is kept back by the translation
  EXPECT_EQ(irq1(), Level::High);
  EXPECT_EQ(data(), 0x9E);
  EXPECT_EQ(data(), 0x9E);  // an empty buffer gives its last byte
}

TEST_F(Ps2, command_byte_bit_zero_gates_the_interrupt) {
  command(0x60, 0x64);
  chip.key(0x1C);
  bench.advance(2 * ms);
  EXPECT_EQ(status() & 1, 1);
  EXPECT_EQ(irq1(), Level::Low);
  command(0x60, 0x65);
  EXPECT_EQ(irq1(), Level::High);
}

TEST_F(Ps2, a_disabled_interface_keeps_keys_in_the_keyboard) {
  chip.key(0x1C);
  bench.advance(byte_time / 2);
  command(0xAD);  // cuts the transfer off
  chip.key(0x32);
  EXPECT_THAT(drain(), IsEmpty());
  command(0xAE);
  EXPECT_THAT(drain(), ElementsAre(0x1E, 0x30));
}

struct TranslationRow {
  const char* key;
  std::vector<int> set_one, set_two, set_three;
  friend void PrintTo(const TranslationRow& row, std::ostream* out) { *out << row.key; }
};
class ScanSets : public Ps2, public testing::WithParamInterface<TranslationRow> {
 protected:
  std::vector<int> typed() {
    std::vector<int> bytes;
    for (u64 code : scan_codes_for(GetParam().key).value()) {
      chip.key(code);
      for (int byte : drain()) bytes.push_back(byte);
    }
    return bytes;
  }
};
TEST_P(ScanSets, translated) { EXPECT_EQ(typed(), GetParam().set_one); }
TEST_P(ScanSets, set_two) {
  command(0x60, 0x25);
  EXPECT_EQ(typed(), GetParam().set_two);
}
TEST_P(ScanSets, set_one_of_the_keyboard) {
  command(0x60, 0x25);
  keyboard(0xF0, 1);
  EXPECT_EQ(typed(), GetParam().set_one);
}
TEST_P(ScanSets, set_three_with_all_breaks) {
  command(0x60, 0x25);
  keyboard(0xF0, 3);
  keyboard(0xFA);
  EXPECT_EQ(typed(), GetParam().set_three);
}
INSTANTIATE_TEST_SUITE_P(
    TechnicalReference, ScanSets,
    testing::Values(TranslationRow{"a", {0x1E, 0x9E}, {0x1C, 0xF0, 0x1C}, {0x1C, 0xF0, 0x1C}},
                    TranslationRow{"<esc>", {0x01, 0x81}, {0x76, 0xF0, 0x76}, {0x08, 0xF0, 0x08}},
                    TranslationRow{"<f7>", {0x41, 0xC1}, {0x83, 0xF0, 0x83}, {0x37, 0xF0, 0x37}},
                    TranslationRow{
                        "<up>", {0xE0, 0x48, 0xE0, 0xC8}, {0xE0, 0x75, 0xE0, 0xF0, 0x75}, {0x63, 0xF0, 0x63}},
                    TranslationRow{"<ctrl-c>",
                                   {0x1D, 0x2E, 0xAE, 0x9D},
                                   {0x14, 0x21, 0xF0, 0x21, 0xF0, 0x14},
                                   {0x11, 0x21, 0xF0, 0x21, 0xF0, 0x11}},
                    TranslationRow{"<printscreen>",
                                   {0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA},
                                   {0xE0, 0x12, 0xE0, 0x7C, 0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12},
                                   {0x57, 0xF0, 0x57}},
                    TranslationRow{"<pause>",
                                   {0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5},
                                   {0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77},
                                   {0x62}}));

TEST_F(Ps2, set_three_sends_breaks_only_for_keys_that_are_set_so) {
  command(0x60, 0x25);
  keyboard(0xF0, 3);
  chip.key(0x1C);
  chip.key(0x1CF0);
  chip.key(0x12);
  chip.key(0x12F0);
  EXPECT_THAT(drain(), ElementsAre(0x1C, 0x12, 0xF0, 0x12));
  keyboard(0xFC, 0x1C);
  keyboard(0xF4);
  chip.key(0x1CF0);
  EXPECT_THAT(drain(), ElementsAre(0xF0, 0x1C));
}

struct KeyboardRow {
  const char* name;
  std::vector<u8> bytes;
  std::vector<int> last_reply;  // untranslated
  friend void PrintTo(const KeyboardRow& row, std::ostream* out) { *out << row.name; }
};
class KeyboardCommand : public Ps2, public testing::WithParamInterface<KeyboardRow> {};
TEST_P(KeyboardCommand, is_answered) {
  command(0x60, 0x25);
  std::vector<int> reply;
  for (u8 byte : GetParam().bytes) reply = keyboard(byte);
  EXPECT_EQ(reply, GetParam().last_reply);
}
INSTANTIATE_TEST_SUITE_P(
    TechnicalReference, KeyboardCommand,
    testing::Values(KeyboardRow{"indicators", {0xED, 0x07}, {0xFA}}, KeyboardRow{"echo", {0xEE}, {0xEE}},
                    KeyboardRow{"get_set", {0xF0, 0x00}, {0xFA, 0x02}},
                    KeyboardRow{"get_set_after_set", {0xF0, 0x03, 0xF0, 0x00}, {0xFA, 0x03}},
                    KeyboardRow{"bad_set", {0xF0, 0x04}, {0xFE}}, KeyboardRow{"id", {0xF2}, {0xFA, 0xAB, 0x83}},
                    KeyboardRow{"typematic", {0xF3, 0x20}, {0xFA}}, KeyboardRow{"enable", {0xF4}, {0xFA}},
                    KeyboardRow{"disable", {0xF5}, {0xFA}}, KeyboardRow{"default", {0xF6}, {0xFA}},
                    KeyboardRow{"all_keys", {0xF8}, {0xFA}}, KeyboardRow{"one_key", {0xFB, 0x1C, 0x32}, {0xFA}},
                    KeyboardRow{"resend", {0xEE, 0xFE}, {0xEE}}, KeyboardRow{"unknown", {0xEF}, {0xFE}},
                    KeyboardRow{"data_alone", {0x00}, {0xFE}},
                    KeyboardRow{"command_in_place_of_parameter", {0xED, 0xF2}, {0xFA, 0xAB, 0x83}}));

TEST_F(Ps2, reset_answers_and_reports_its_self_test_later) {
  EXPECT_THAT(keyboard(0xFF), ElementsAre(0xFA));
  chip.key(0x1C);  // lost
  EXPECT_THAT(drain(self_test_time - 20 * ms), IsEmpty());
  EXPECT_THAT(drain(), ElementsAre(0xAA));
  chip.key(0x1C);
  EXPECT_THAT(drain(), ElementsAre(0x1E));
}

TEST_F(Ps2, a_disabled_keyboard_sends_no_keys) {
  keyboard(0xF5);
  chip.key(0x1C);
  EXPECT_THAT(drain(), IsEmpty());
  keyboard(0xF4);
  chip.key(0x32);
  EXPECT_THAT(drain(), ElementsAre(0x30));
}

TEST_F(Ps2, the_buffer_holds_16_bytes_then_an_overrun_code) {
  command(0x60, 0x35);
  for (int i = 0; i < 20; ++i) chip.key(0x1C);
  command(0x60, 0x25);
  const std::vector<int> bytes = drain(100 * ms);
  ASSERT_EQ(bytes.size(), 17u);
  EXPECT_EQ(bytes[15], 0x1C);
  EXPECT_EQ(bytes[16], 0x00);
}

TEST_F(Ps2, replies_go_before_keys) {
  command(0xAD);
  chip.key(0x1C);
  EXPECT_THAT(keyboard(0xED), ElementsAre(0xFA, 0x1E));
}

TEST_F(Ps2, a_guest_that_programs_the_keyboard_and_rests_is_listening) {
  EXPECT_TRUE(chip.ready_for_key());
  EXPECT_FALSE(chip.listening());
  command(0x60, 0x45);
  keyboard(0xF4);
  EXPECT_FALSE(chip.listening());
  bench.advance(100 * ms);
  EXPECT_TRUE(chip.listening());
  command(0x60, 0x44);
  bench.advance(200 * ms);
  EXPECT_FALSE(chip.listening());  // no interrupt
}

TEST_F(Ps2, a_guest_that_polls_the_status_is_listening) {
  bench.advance(200 * ms);
  for (int i = 0; i < 16; ++i) status();
  EXPECT_TRUE(chip.listening());
  bench.advance(20 * ms);
  EXPECT_FALSE(chip.listening());
}

TEST_F(Ps2, there_is_no_room_for_a_key_when_the_longest_sequence_does_not_fit) {
  command(0xAD);
  command(0xAE);
  chip.key(0x1C);
  bench.advance(2 * ms);  // one byte in the output buffer, the rest wait in the keyboard
  for (int i = 0; i < 8; ++i) chip.key(0x1C);
  EXPECT_TRUE(chip.ready_for_key());
  chip.key(0x1C);
  EXPECT_FALSE(chip.ready_for_key());
}

// Mouse.

class Ps2Mouse : public Ps2 {
 protected:
  Ps2Mouse() { command(0x60, 0x47); }
};

struct MouseRow {
  const char* name;
  std::vector<u8> bytes;
  std::vector<int> last_reply;
  friend void PrintTo(const MouseRow& row, std::ostream* out) { *out << row.name; }
};
class MouseCommand : public Ps2Mouse, public testing::WithParamInterface<MouseRow> {};
TEST_P(MouseCommand, is_answered) {
  std::vector<int> reply;
  for (u8 byte : GetParam().bytes) reply = mouse(byte);
  EXPECT_EQ(reply, GetParam().last_reply);
}
INSTANTIATE_TEST_SUITE_P(
    TechnicalReference, MouseCommand,
    testing::Values(
        MouseRow{"id", {0xF2}, {0xFA, 0x00}}, MouseRow{"status", {0xE9}, {0xFA, 0x00, 0x02, 0x64}},
        MouseRow{"status_of_settings", {0xE8, 0x03, 0xF3, 0x28, 0xE7, 0xF4, 0xE9}, {0xFA, 0x30, 0x03, 0x28}},
        MouseRow{"remote", {0xF0, 0xE9}, {0xFA, 0x40, 0x02, 0x64}},
        MouseRow{"default", {0xF0, 0xE7, 0xF4, 0xF6, 0xE9}, {0xFA, 0x00, 0x02, 0x64}},
        MouseRow{"read_data", {0xEB}, {0xFA, 0x08, 0x00, 0x00}}, MouseRow{"wrap", {0xEE, 0xE9}, {0xE9}},
        MouseRow{"wrap_ends", {0xEE, 0xEC, 0xF2}, {0xFA, 0x00}}, MouseRow{"resend", {0xF2, 0xFE}, {0xFA, 0x00}},
        MouseRow{"unknown", {0xE0}, {0xFE}}, MouseRow{"unknown_again", {0xE0, 0xE0}, {0xFC}},
        MouseRow{"bad_resolution", {0xE8, 0x04}, {0xFE}}, MouseRow{"bad_rate", {0xF3, 0x0B}, {0xFE}},
        MouseRow{"wheel_knock", {0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2}, {0xFA, 0x03}},
        MouseRow{"buttons_need_the_wheel_first", {0xF3, 200, 0xF3, 200, 0xF3, 80, 0xF2}, {0xFA, 0x00}},
        MouseRow{
            "button_knock", {0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF3, 200, 0xF3, 200, 0xF3, 80, 0xF2}, {0xFA, 0x04}}));

TEST_F(Ps2Mouse, reset_answers_then_reports_self_test_and_id) {
  EXPECT_THAT(mouse(0xFF), ElementsAre(0xFA));
  EXPECT_THAT(drain(self_test_time), ElementsAre(0xAA, 0x00));
}

struct PacketRow {
  const char* name;
  Mouse::Motion motion;
  std::vector<int> packet;
  friend void PrintTo(const PacketRow& row, std::ostream* out) { *out << row.name; }
};
class MousePacket : public Ps2Mouse, public testing::WithParamInterface<PacketRow> {};
TEST_P(MousePacket, reports_movement_and_buttons) {
  mouse(0xF4);
  chip.mouse_motion(GetParam().motion);
  EXPECT_EQ(drain(), GetParam().packet);
  EXPECT_EQ(causes().back(), Cause::Mouse);
}
INSTANTIATE_TEST_SUITE_P(TechnicalReference, MousePacket,
                         testing::Values(PacketRow{"right_and_away", {.right = 5, .away = 7}, {0x08, 0x05, 0x07}},
                                         PacketRow{"left_and_near", {.right = -5, .away = -7}, {0x38, 0xFB, 0xF9}},
                                         PacketRow{"limits", {.right = 255, .away = -256}, {0x28, 0xFF, 0x00}},
                                         PacketRow{"overflow", {.right = 256, .away = -257}, {0xE8, 0xFF, 0x00}},
                                         PacketRow{"buttons", {.buttons = 0x07}, {0x0F, 0x00, 0x00}},
                                         PacketRow{"right_button", {.right = 1, .buttons = 0x02}, {0x0A, 0x01, 0x00}}));

TEST_F(Ps2Mouse, packed_motion_is_right_away_wheel_buttons) {
  mouse(0xF4);
  chip.mouse_motion(u64{0x01'00'0003'FFFE});
  EXPECT_THAT(drain(), ElementsAre(0x19, 0xFE, 0x03));
}

TEST_F(Ps2Mouse, wheel_and_side_buttons_are_in_the_fourth_byte) {
  set_rates({200, 100, 80});
  mouse(0xF4);
  chip.mouse_motion(Mouse::Motion{.wheel = -1});
  EXPECT_THAT(drain(), ElementsAre(0x08, 0, 0, 0xFF));
  set_rates({200, 200, 80});
  chip.mouse_motion(Mouse::Motion{.wheel = -1, .buttons = 0x18});
  EXPECT_THAT(drain(), ElementsAre(0x08, 0, 0, 0x3F));
}

TEST_F(Ps2Mouse, two_to_one_scaling_follows_its_table_in_stream_mode) {
  struct {
    i16 counts;
    int reported;
  } const rows[] = {{1, 1}, {2, 1}, {3, 3}, {4, 6}, {5, 9}, {6, 12}, {-4, 0xFA}};
  mouse(0xE7);
  mouse(0xF4);
  for (const auto& row : rows) {
    chip.mouse_motion(Mouse::Motion{.right = row.counts});
    EXPECT_EQ(drain().at(1), row.reported) << row.counts;
  }
}

TEST_F(Ps2Mouse, movement_between_reports_adds_up_at_the_sample_rate) {
  set_rates({10});
  mouse(0xF4);
  chip.mouse_motion(Mouse::Motion{.right = 1});
  EXPECT_THAT(drain(), ElementsAre(0x08, 1, 0));
  chip.mouse_motion(Mouse::Motion{.right = 2});
  chip.mouse_motion(Mouse::Motion{.right = 3});
  EXPECT_THAT(drain(60 * ms), IsEmpty());
  EXPECT_THAT(drain(60 * ms), ElementsAre(0x08, 5, 0));
}

TEST_F(Ps2Mouse, remote_mode_reports_only_when_asked) {
  mouse(0xF0);
  mouse(0xF4);
  chip.mouse_motion(Mouse::Motion{.right = 9});
  EXPECT_THAT(drain(), IsEmpty());
  EXPECT_THAT(mouse(0xEB), ElementsAre(0xFA, 0x08, 9, 0));
}

TEST_F(Ps2Mouse, irq_12_rises_for_each_byte) {
  mouse(0xF4);
  bench.forget_records();
  chip.mouse_motion(Mouse::Motion{.right = 1});
  drain();
  EXPECT_THAT(causes(), ElementsAre(Cause::Mouse, Cause::Mouse, Cause::Mouse));
  EXPECT_EQ(bench.listener.changes.size(), 6u);
}

TEST_F(Ps2Mouse, the_keyboard_goes_first_and_both_arrive) {
  mouse(0xF4);
  command(0xA7);
  command(0xAD);
  chip.mouse_motion(Mouse::Motion{.right = 1});
  chip.key(0x1C);
  command(0x60, 0x47);
  EXPECT_THAT(drain(), ElementsAre(0x1E, 0x08, 1, 0));
}

// What Linux does before it believes in the controller.

TEST_F(Ps2, linux_finds_controller_and_mouse_port) {  // i8042_controller_check, i8042_check_mux, i8042_check_aux
  EXPECT_EQ(status() & 0x01, 0);
  EXPECT_EQ(ask(0xAA), 0x55);
  EXPECT_EQ(ask(0x20), 0x65);
  EXPECT_EQ(status() & 0x10, 0x10);
  for (u8 probe : {u8{0xF0}, u8{0x56}, u8{0xA4}}) {  // no multiplexer: the loop returns what it was given
    command(0xD3, probe);
    EXPECT_EQ(data(), probe);
  }
  EXPECT_EQ(ask(0xA9), 0x00);
  command(0xA7);
  EXPECT_EQ(ask(0x20) & 0x20, 0x20);
  command(0xA8);
  EXPECT_EQ(ask(0x20) & 0x20, 0x00);
  command(0x60, 0x47);
  command(0xD3, 0xA5);  // the test of IRQ 12
  EXPECT_EQ(irq12(), Level::High);
  EXPECT_EQ(status() & 0x21, 0x21);
  EXPECT_EQ(data(), 0xA5);
  EXPECT_THAT(keyboard(0xF2), ElementsAre(0xFA, 0xAB, 0x41));  // translated
}

TEST_F(Ps2, state_that_awaits_data_of_no_such_command_is_refused) {
  const auto saved_after = [this](u8 byte) {
    command(byte);
    Archive archive = Archive::saver();
    chip.exchange(archive);
    return archive.bytes();
  };
  std::vector<u8> bytes = saved_after(0x60);
  const std::vector<u8> other = saved_after(0x61);
  const auto differs = std::ranges::mismatch(bytes, other).in1;
  ASSERT_NE(differs, bytes.end());
  *differs = 0x10;  // as an index into the controller's RAM it would lie before it
  Archive archive = Archive::loader(bytes);
  chip.exchange(archive);
  EXPECT_EQ(archive.error(), Archive::Error::BadValue);
}

}  // namespace
}  // namespace vitrine
