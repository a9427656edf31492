// Why a device does not interrupt: what each chip tells of its own switches, and of what nobody read.
#include "machine/core/device_records.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "machine/core/bus.hpp"
#include "machine/devices/acpi_pm/acpi_pm.hpp"
#include "machine/devices/device_suite.hpp"
#include "machine/devices/i8042/i8042.hpp"
#include "machine/devices/mc146818/mc146818.hpp"
#include "machine/devices/parallel/parallel.hpp"
#include "machine/devices/pic8259/pic8259.hpp"
#include "machine/devices/pit8254/pit8254.hpp"
#include "machine/devices/uart16550/uart16550.hpp"

namespace vitrine {
namespace {

constexpr u64 us = 1'000, ms = 1'000 * us, s = 1'000 * ms;
constexpr u64 writer = 0x1234;

/// A chip with a port bus before it, and an instruction that accesses it.
struct Bench : TestBench {
  PortBus ports;
  void map(u16 first, u32 count, Device& device, u8 region = 0) {
    ASSERT_TRUE(ports.map(Port(first), count, device, Region(region)).has_value());
  }
  void out(u16 port, u8 value) { ports.write(Port(port), AccessSize(1), value); }
  u8 in(u16 port) { return static_cast<u8>(ports.read(Port(port), AccessSize(1))); }
  /// From now on this instruction runs.
  void at(u64 address) { ledger.context.address = address; }
  /// The only record of its kind and detail.
  Record only(RecordKind kind, u8 detail) {
    std::vector<Record> found = records(kind);
    std::erase_if(found, [&](const Record& record) { return record.detail != detail; });
    EXPECT_EQ(found.size(), 1u) << "records of kind " << int{static_cast<u8>(kind)} << ", detail " << int{detail};
    return found.empty() ? Record{} : found.front();
  }
  Record withheld(WithheldCause cause) { return only(RecordKind::Withheld, static_cast<u8>(cause)); }
  Record programmed(DeviceRegister which) { return only(RecordKind::DeviceProgrammed, static_cast<u8>(which)); }
  std::size_t count(RecordKind kind) { return records(kind).size(); }
};

struct Keys : Bench {
  I8042& chip = add<I8042>("i8042", output("irq1", 1), output("irq12", 12), control);
  Keys() {
    map(0x60, 1, chip, 0);
    map(0x64, 1, chip, 1);
  }
  void configure(u8 byte) {
    out(0x64, 0x60);
    out(0x60, byte);
  }
};

TEST(KeyboardRecords, a_guest_that_switches_the_interrupt_off_is_named_once_however_often_it_polls) {
  Keys keys;
  keys.advance(5 * ms);
  keys.at(writer);
  keys.configure(0x64);
  keys.at(0);
  keys.chip.key(0x1C);
  for (int poll = 0; poll < 1000; ++poll) {
    (void)keys.in(0x64);
    keys.advance(10 * us);
  }
  const Record record = keys.withheld(WithheldCause::InterruptEnableOff);
  EXPECT_EQ(record.id, 0u);
  EXPECT_EQ(record.pin, 1);
  EXPECT_EQ(record.address, writer);
  EXPECT_EQ(record.since, 5 * ms);
  EXPECT_EQ(record.extra, static_cast<u64>(I8042::Cause::Keyboard));
  EXPECT_EQ(keys.count(RecordKind::Raised), 0u);
}

TEST(KeyboardRecords, the_configuration_byte_is_told_when_it_changes_with_its_writer) {
  Keys keys;
  keys.at(writer);
  keys.configure(0x64);
  keys.configure(0x64);
  const Record record = keys.programmed(DeviceRegister::KeyboardController);
  EXPECT_EQ(record.other, 0x65u);
  EXPECT_EQ(record.extra, 0x64u);
  EXPECT_EQ(record.address, writer);
  EXPECT_EQ(record.pin, 1);
}

TEST(KeyboardRecords, a_byte_behind_one_that_nobody_reads_says_so_without_another_key) {
  Keys keys;
  keys.chip.key(0x75E0);  // two bytes
  keys.advance(ms);
  EXPECT_EQ(keys.count(RecordKind::Raised), 1u);
  EXPECT_EQ(keys.count(RecordKind::Withheld), 0u);
  keys.advance(100 * ms);
  const Record record = keys.withheld(WithheldCause::BufferNotRead);
  EXPECT_EQ(record.since, ms);
  EXPECT_EQ(record.pin, 1);
  EXPECT_EQ(record.address, 0u);
}

TEST(KeyboardRecords, what_is_read_late_or_by_polling_is_withheld_no_more) {
  Keys keys;
  keys.chip.key(0x75E0);
  keys.advance(100 * ms);
  (void)keys.in(0x60);
  const Record unread = keys.records(RecordKind::Withheld).back();
  EXPECT_EQ(unread.detail, static_cast<u8>(WithheldCause::None));
  EXPECT_EQ(unread.other, static_cast<u64>(WithheldCause::BufferNotRead));
  keys.advance(100 * ms);
  (void)keys.in(0x60);
  keys.configure(0x64);
  keys.chip.key(0x1C);
  keys.advance(ms);
  EXPECT_EQ(keys.records(RecordKind::Withheld).back().detail, static_cast<u8>(WithheldCause::InterruptEnableOff));
  (void)keys.in(0x60);
  const Record polled = keys.records(RecordKind::Withheld).back();
  EXPECT_EQ(polled.detail, static_cast<u8>(WithheldCause::None));
  EXPECT_EQ(polled.other, static_cast<u64>(WithheldCause::InterruptEnableOff));
  EXPECT_EQ(polled.extra, static_cast<u64>(I8042::Cause::Keyboard));
}

TEST(KeyboardRecords, a_guest_that_reads_in_time_leaves_no_record) {
  Keys keys;
  keys.chip.key(0x75E0);
  for (int i = 0; i < 20; ++i) {
    keys.advance(500 * us);
    if (keys.in(0x64) & 1) (void)keys.in(0x60);
  }
  EXPECT_EQ(keys.count(RecordKind::Withheld), 0u);
}

TEST(KeyboardRecords, a_keyboard_that_was_told_to_be_quiet_names_who_told_it) {
  Keys keys;
  keys.at(writer);
  keys.out(0x60, 0xF5);
  keys.at(0);
  keys.advance(10 * ms);
  (void)keys.in(0x60);
  keys.chip.key(0x1C);
  keys.chip.key(0x1CF0);
  EXPECT_EQ(keys.programmed(DeviceRegister::KeyboardScanning).address, writer);
  const Record record = keys.withheld(WithheldCause::PortDisabled);
  EXPECT_EQ(record.address, writer);
  EXPECT_EQ(record.since, ms);
}

TEST(KeyboardRecords, a_port_that_is_switched_off_names_who_did_it) {
  Keys keys;
  keys.advance(7);
  keys.at(writer);
  keys.out(0x64, 0xAD);
  keys.chip.key(0x1C);
  const Record record = keys.withheld(WithheldCause::PortDisabled);
  EXPECT_EQ(record.address, writer);
  EXPECT_EQ(record.since, 7u);
}

TEST(MouseRecords, movement_of_a_mouse_that_nobody_enabled_is_told) {
  Keys keys;
  keys.out(0x64, 0xA8);
  keys.chip.mouse_motion(Mouse::Motion{.right = 3});
  keys.chip.mouse_motion(Mouse::Motion{.right = 3});
  const Record record = keys.withheld(WithheldCause::PortDisabled);
  EXPECT_EQ(record.pin, 12);
  EXPECT_EQ(record.address, 0u);
}

struct Serial : Bench {
  Uart16550& chip = add<Uart16550>("com1", "com1", Channel::Com1, output("irq4", 4), outputs);
  Serial() { map(0x3F8, 8, chip); }
  void arrive() {
    chip.receive('x');
    advance(10 * ms);
  }
};

TEST(UartRecords, forgetting_out2_leaves_a_record_that_says_so) {
  Serial serial;
  serial.at(writer);
  serial.out(0x3F9, 0x01);
  serial.out(0x3FC, 0x03);  // DTR, RTS
  serial.arrive();
  for (int poll = 0; poll < 100; ++poll) (void)serial.in(0x3FD);
  const Record record = serial.withheld(WithheldCause::OutputGateOff);
  EXPECT_EQ(record.pin, 4);
  EXPECT_EQ(record.address, 0u) << "OUT2 was never set";
  EXPECT_EQ(record.extra, static_cast<u64>(Uart16550::Cause::ReceivedData));
  EXPECT_EQ(serial.count(RecordKind::Raised), 0u);
}

TEST(UartRecords, who_cleared_out2_or_set_loopback_is_named) {
  for (const u8 control : {u8{0x03}, u8{0x1B}}) {
    Serial serial;
    serial.out(0x3F9, 0x01);
    serial.out(0x3FC, 0x0B);
    serial.at(writer);
    serial.out(0x3FC, control);
    serial.at(0);
    if ((control & 0x10) == 0) {
      serial.arrive();
    } else {
      serial.out(0x3F8, 'x');
      serial.advance(10 * ms);
    }
    EXPECT_EQ(serial.withheld(WithheldCause::OutputGateOff).address, writer);
  }
}

TEST(UartRecords, received_data_without_its_enable_is_told_until_it_is_read) {
  Serial serial;
  constexpr auto received = static_cast<u64>(Uart16550::Cause::ReceivedData);
  for (unsigned i = 1; i <= 3; ++i) {
    serial.arrive();
    for (int poll = 0; poll < 10; ++poll) (void)serial.in(0x3FD);
    EXPECT_EQ(serial.records(RecordKind::Withheld).back().detail, static_cast<u8>(WithheldCause::InterruptEnableOff));
    EXPECT_EQ(serial.records(RecordKind::Withheld).back().extra, received);
    (void)serial.in(0x3F8);
    const std::vector<Record> withheld = serial.records(RecordKind::Withheld);
    ASSERT_EQ(withheld.size(), 2 * i);
    EXPECT_EQ(withheld.back().detail, static_cast<u8>(WithheldCause::None));
    EXPECT_EQ(withheld.back().other, static_cast<u64>(WithheldCause::InterruptEnableOff));
    EXPECT_EQ(withheld.back().extra, received);
    EXPECT_EQ(withheld.back().pin, 4);
  }
}

TEST(UartRecords, polled_output_makes_one_record_and_none_after_the_guest_chose) {
  Serial serial;
  for (int i = 0; i < 100; ++i) {
    serial.out(0x3F8, 'x');
    serial.advance(10 * ms);
  }
  EXPECT_EQ(serial.count(RecordKind::Withheld), 1u);
  serial.out(0x3FC, 0x08);
  for (int i = 0; i < 10; ++i) {
    serial.out(0x3F9, 0x02);
    serial.out(0x3F9, 0x00);
    serial.out(0x3F8, 'x');
    serial.advance(10 * ms);
  }
  EXPECT_EQ(serial.count(RecordKind::Withheld), 1u);
}

TEST(UartRecords, both_registers_are_told_when_they_change) {
  Serial serial;
  serial.at(writer);
  for (int i = 0; i < 3; ++i) {
    serial.out(0x3F9, 0x05);
    serial.out(0x3FC, 0x0B);
  }
  EXPECT_EQ(serial.programmed(DeviceRegister::UartInterruptEnable).extra, 0x05u);
  EXPECT_EQ(serial.programmed(DeviceRegister::UartModemControl).extra, 0x0Bu);
}

struct ClockChip : Bench {
  Mc146818& chip = add<Mc146818>("rtc", output("irq8", 8), LineDriver{}, Mc146818::Contents{});
  ClockChip() { map(0x70, 2, chip); }
  void set(u8 index, u8 value) {
    out(0x70, index);
    out(0x71, value);
  }
  u8 get(u8 index) {
    out(0x70, index);
    return in(0x71);
  }
};

TEST(RtcRecords, register_c_that_nobody_reads_is_told_at_the_first_edge_that_is_lost) {
  ClockChip clock;
  clock.at(writer);
  clock.set(0x0B, 0x42);
  clock.advance(10 * ms);
  const std::vector<Record> raised = clock.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 1u);
  const Record record = clock.withheld(WithheldCause::FlagNotRead);
  EXPECT_EQ(record.since, raised[0].time);
  EXPECT_EQ(record.pin, 8);
  EXPECT_EQ(record.extra, static_cast<u64>(Mc146818::Cause::Periodic));
  EXPECT_NEAR(static_cast<double>(record.time - raised[0].time), 976'562, 2);
  EXPECT_EQ(clock.programmed(DeviceRegister::RtcB).address, writer);
}

TEST(RtcRecords, a_handler_that_reads_register_c_leaves_no_such_record) {
  ClockChip clock;
  clock.set(0x0B, 0x42);
  for (int i = 0; i < 100; ++i) {
    clock.advance(500 * us);
    if (clock.lines[0].level() == Level::High) (void)clock.get(0x0C);
  }
  for (const Record& record : clock.records(RecordKind::Withheld)) {
    EXPECT_NE(record.detail, static_cast<u8>(WithheldCause::FlagNotRead));
  }
  EXPECT_GT(clock.count(RecordKind::Raised), 40u);
}

TEST(RtcRecords, a_rate_without_pie_says_that_the_enable_is_off) {
  ClockChip clock;
  clock.set(0x0A, 0x2F);
  clock.advance(600 * ms);
  (void)clock.get(0x0C);
  const Record record = clock.withheld(WithheldCause::InterruptEnableOff);
  EXPECT_EQ(record.extra, static_cast<u64>(Mc146818::Cause::Periodic));
  EXPECT_EQ(clock.programmed(DeviceRegister::RtcA).extra, 0x2Fu);
}

struct TimerChip : Bench {
  Pit8254& chip = add<Pit8254>("pit", output("irq0", 0));
  TimerChip() { map(0x40, 4, chip); }
};

TEST(PitRecords, a_timer_that_nobody_programs_says_so) {
  TimerChip timer;
  timer.advance(s);
  const Record record = timer.withheld(WithheldCause::NotProgrammed);
  EXPECT_EQ(record.pin, 0);
  EXPECT_EQ(record.address, 0u);
}

TEST(PitRecords, a_count_without_its_second_byte_says_so_and_names_the_control_word) {
  TimerChip timer;
  timer.at(writer);
  timer.out(0x43, 0x34);
  timer.out(0x40, 0xA9);
  timer.advance(s);
  const Record record = timer.withheld(WithheldCause::NotProgrammed);
  EXPECT_EQ(record.address, writer);
  EXPECT_EQ(timer.count(RecordKind::DeviceProgrammed), 1u);
}

TEST(PitRecords, mode_and_count_are_told_when_they_change) {
  TimerChip timer;
  timer.at(writer);
  for (const u8 byte : {u8{0x43}, u8{0x40}, u8{0x40}}) timer.out(byte, byte == 0x43 ? 0x34 : 0);
  const Record mode = timer.programmed(DeviceRegister::PitMode);
  EXPECT_EQ(mode.extra, 0x34u);
  EXPECT_EQ(mode.address, writer);
  EXPECT_EQ(timer.programmed(DeviceRegister::PitCount).extra, 0x10000u);
  timer.out(0x43, 0xB6);
  timer.out(0x42, 1);
  timer.out(0x42, 1);
  timer.advance(s);
  EXPECT_EQ(timer.count(RecordKind::DeviceProgrammed), 2u) << "the speaker's counter has no line";
  EXPECT_EQ(timer.count(RecordKind::Withheld), 0u);
}

TEST(PitRecords, ticks_while_the_cpu_takes_none_merge_into_the_first_in_both_periodic_modes) {
  for (const u8 control : {u8{0x34}, u8{0x36}}) {
    Bench bench;
    auto& pic = bench.add<Pic8259>("pic0", pc_primary_pic, bench.output("intr", InterruptLine::no_number));
    InterruptLine& irq0 = bench.lines.emplace_back(bench.ledger, "irq0", 0);
    irq0.connect(pic, Pin(0));
    auto& pit = bench.add<Pit8254>("pit", irq0.add_driver(SourceId(1)));
    bench.map(0x20, 2, pic);
    bench.map(0x40, 4, pit);
    bench.out(0x20, 0x13);
    bench.out(0x21, 0x20);
    bench.out(0x21, 0x01);
    bench.out(0x43, control);
    bench.out(0x40, 0xA9);
    bench.out(0x40, 0x04);  // 1193: about 1 kHz
    bench.advance(5'500 * us);
    const std::vector<Record> raised = bench.records(RecordKind::Raised);
    const std::vector<Record> merged = bench.records(RecordKind::Merged);
    EXPECT_EQ(raised.size(), 6u);
    ASSERT_EQ(merged.size() + 1, raised.size());
    for (const Record& record : merged) EXPECT_EQ(record.other, raised[0].id);
    EXPECT_EQ(bench.count(RecordKind::Latched), 1u);
    EXPECT_EQ(bench.count(RecordKind::Withdrawn), 0u);
    if (irq0.level() == Level::Low) bench.advance(ms / 2);
    EXPECT_EQ(pic.acknowledge().request.value, raised[0].id);
  }
}

TEST(AcpiRecords, a_power_button_that_is_not_enabled_says_so) {
  Bench bench;
  auto& pm = bench.add<AcpiPm>("acpi-pm", bench.output("irq9", 9), bench.control, AcpiPm::Strapping{});
  bench.map(0x600, AcpiPm::port_count, pm);
  bench.at(writer);
  bench.ports.write(Port(0x602), AccessSize(2), 0x0100);
  bench.ports.write(Port(0x602), AccessSize(2), 0x0000);
  pm.press_power_button();
  pm.press_power_button();
  EXPECT_EQ(bench.count(RecordKind::DeviceProgrammed), 2u);
  const Record record = bench.withheld(WithheldCause::InterruptEnableOff);
  EXPECT_EQ(record.address, writer);
  EXPECT_EQ(record.pin, 9);
  EXPECT_EQ(record.extra, static_cast<u64>(AcpiPm::Cause::PowerButton));
}

TEST(ParallelRecords, printing_without_the_interrupt_enable_makes_one_record) {
  Bench bench;
  auto& port = bench.add<ParallelPort>("lpt1", "lpt1", Channel::Parallel1, bench.output("irq7", 7), bench.outputs);
  bench.map(0x378, 3, port);
  for (const u8 byte : {u8{'a'}, u8{'b'}, u8{'c'}}) {
    bench.out(0x378, byte);
    bench.out(0x37A, 0x0D);
    bench.out(0x37A, 0x0C);
    bench.advance(ms);
  }
  EXPECT_EQ(bench.withheld(WithheldCause::InterruptEnableOff).pin, 7);
  EXPECT_EQ(bench.count(RecordKind::DeviceProgrammed), 0u) << "the strobe decides nothing";
  bench.at(writer);
  bench.out(0x37A, 0x1C);
  EXPECT_EQ(bench.programmed(DeviceRegister::ParallelControl).address, writer);
}

TEST(Attended, the_first_access_after_a_request_is_told_with_its_port_and_no_other) {
  Keys keys;
  keys.at(writer);
  (void)keys.in(0x64);
  keys.chip.key(0x1C);
  keys.advance(ms);
  keys.at(writer + 1);
  (void)keys.in(0x64);
  keys.at(writer + 2);
  (void)keys.in(0x60);
  const Record record = keys.only(RecordKind::Attended, 0);
  EXPECT_EQ(record.id, keys.records(RecordKind::Raised).front().id);
  EXPECT_EQ(record.address, writer + 1);
  EXPECT_EQ(record.extra, 0x64u);
  EXPECT_EQ(record.pin, 1);
}

TEST(Attended, an_access_to_another_device_or_none_is_not_told) {
  Keys keys;
  auto& pit = keys.add<Pit8254>("pit", LineDriver{});
  keys.map(0x40, 4, pit);
  keys.chip.key(0x1C);
  keys.advance(ms);
  (void)keys.in(0x40);
  (void)keys.in(0x61);
  EXPECT_EQ(keys.count(RecordKind::Attended), 0u);
}

TEST(Attended, a_restored_machine_still_knows_what_waits_for_attention) {
  Keys first;
  first.chip.key(0x1C);
  first.advance(ms);
  const std::vector<u8> saved = first.save();
  Keys second;
  second.clock.advance_to(first.clock.now());
  Archive loader = Archive::loader(saved);
  second.exchange(loader);
  ASSERT_TRUE(loader.ok());
  EXPECT_EQ(second.count(RecordKind::Attended), 0u);
  (void)second.in(0x60);
  EXPECT_EQ(second.only(RecordKind::Attended, 0).id, first.records(RecordKind::Raised).front().id);
}

}  // namespace
}  // namespace vitrine
