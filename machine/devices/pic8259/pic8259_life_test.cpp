// What the 8259 tells of a request's life and of its own modes: each request has one end, each change one record.
#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "machine/devices/device_suite.hpp"
#include "machine/devices/pic8259/pic8259.hpp"

namespace vitrine {
namespace {

constexpr AccessSize byte(1);

/// The two chips of a PC, initialised as Linux does it, with IRQ 0 and IRQ 12 to drive.
struct Chips {
  TestBench bench;
  Pic8259& primary = bench.add<Pic8259>("pic0", pc_primary_pic, bench.output("intr", InterruptLine::no_number));
  InterruptLine& cascade = bench.lines.emplace_back(bench.ledger, "cascade", InterruptLine::no_number);
  Pic8259& secondary = bench.add<Pic8259>("pic1", pc_secondary_pic, cascade.add_driver(SourceId(1)));
  LineDriver irq0 = bench.input(primary, Pin(0), "irq0", 0);
  LineDriver irq12 = bench.input(secondary, Pin(4), "irq12", 12);

  Chips() {
    cascade.connect(primary, Pin(2));
    primary.connect_secondary(Pin(2), secondary);
    initialise(primary, 0x20, 0x04, 0x01);
    initialise(secondary, 0x28, 0x02, 0x01);
    bench.forget_records();
  }
  static void write(Pic8259& chip, u64 a0, u8 value) { chip.write(Pic8259::registers, a0, byte, value); }
  static void initialise(Pic8259& chip, u8 base, u8 icw3, u8 icw4) {
    write(chip, 0, 0x11);
    for (const u8 word : {base, icw3, icw4}) write(chip, 1, word);
  }
  std::string kinds(u64 id) {
    static const std::map<RecordKind, std::string> names = {
        {RecordKind::Raised, "raised "},      {RecordKind::Lowered, ""},
        {RecordKind::Latched, "latched "},    {RecordKind::Merged, "merged "},
        {RecordKind::Blocked, "blocked "},    {RecordKind::Withdrawn, "withdrawn "},
        {RecordKind::Acknowledged, "acked "}, {RecordKind::InService, "serving "},
        {RecordKind::EndOfInterrupt, "eoi "}};
    std::string text;
    for (const Record& record : bench.records()) {
      if (record.id == id) text += names.at(record.kind);
    }
    return text;
  }
};

TEST(Pic8259Life, ticks_that_nobody_takes_merge_into_the_first_which_is_the_one_delivered) {
  Chips chips;
  for (int tick = 0; tick < 5; ++tick) {
    chips.irq0.end_pulse();
    chips.bench.advance(838);
    chips.irq0.set(Level::High);
    chips.bench.advance(999'162);
  }
  EXPECT_EQ(chips.kinds(1), "raised latched ");
  const std::vector<Record> merged = chips.bench.records(RecordKind::Merged);
  ASSERT_EQ(merged.size(), 4u);
  for (u64 i = 0; i < merged.size(); ++i) {
    EXPECT_EQ(merged[i].id, i + 2);
    EXPECT_EQ(merged[i].other, 1u);
    EXPECT_EQ(merged[i].pin, 0);
  }
  EXPECT_EQ(chips.primary.view(Pin(0)).pending_since, Tick(838));
  EXPECT_EQ(chips.primary.acknowledge().request, RequestId(1));
  EXPECT_TRUE(chips.bench.records(RecordKind::Withdrawn).empty());
}

TEST(Pic8259Life, between_two_pulses_nothing_is_requested) {
  Chips chips;
  chips.irq0.set(Level::High);
  chips.irq0.end_pulse();
  EXPECT_EQ(chips.primary.requests(), 0);
  EXPECT_FALSE(chips.primary.interrupt_wanted());
  EXPECT_TRUE(chips.primary.acknowledge().spurious);
}

TEST(Pic8259Life, a_pulse_that_was_acknowledged_is_not_waited_for) {
  Chips chips;
  chips.irq0.set(Level::High);
  (void)chips.primary.acknowledge();
  chips.irq0.end_pulse();
  chips.irq0.set(Level::High);
  EXPECT_TRUE(chips.bench.records(RecordKind::Merged).empty());
  EXPECT_EQ(chips.primary.view(Pin(0)).pending, RequestId(2));
}

TEST(Pic8259Life, a_cause_that_goes_withdraws_its_request_and_the_next_is_new) {
  Chips chips;
  chips.irq0.set(Level::High);
  chips.irq0.set(Level::Low);
  chips.irq0.set(Level::High);
  EXPECT_EQ(chips.kinds(1), "raised latched withdrawn ");
  EXPECT_EQ(chips.kinds(2), "raised latched ");
}

TEST(Pic8259Life, initialisation_withdraws_what_waits_and_what_waited_between_pulses) {
  Chips chips;
  chips.irq0.set(Level::High);
  chips.irq0.end_pulse();
  Chips::initialise(chips.primary, 0x20, 0x04, 0x01);
  chips.irq0.set(Level::High);
  Chips::initialise(chips.primary, 0x20, 0x04, 0x01);
  EXPECT_EQ(chips.kinds(1), "raised latched withdrawn ");
  EXPECT_EQ(chips.kinds(2), "raised latched withdrawn ");
}

TEST(Pic8259Life, what_comes_and_goes_in_a_frozen_poll_is_withdrawn) {
  Chips chips;
  Chips::write(chips.primary, 0, 0x0C);
  chips.irq0.set(Level::High);
  chips.irq0.set(Level::Low);
  EXPECT_EQ(chips.kinds(1), "raised withdrawn ");
}

TEST(Pic8259Life, a_level_that_was_served_is_not_withdrawn_when_it_falls_after_an_early_eoi) {
  Chips chips;
  chips.secondary.write(Pic8259::elcr, 0, byte, 0x10);
  chips.irq12.set(Level::High);
  (void)chips.primary.acknowledge();
  Chips::write(chips.secondary, 1, 0x10);  // mask and EOI, as Linux does for level interrupts
  Chips::write(chips.secondary, 0, 0x64);
  chips.irq12.set(Level::Low);
  EXPECT_TRUE(chips.bench.records(RecordKind::Withdrawn).empty());
}

TEST(Pic8259Life, a_request_that_the_secondary_masks_is_not_withdrawn_by_the_primary) {
  Chips chips;
  chips.irq12.set(Level::High);
  Chips::write(chips.secondary, 1, 0x10);
  EXPECT_TRUE(chips.bench.records(RecordKind::Withdrawn).empty());
  Chips::write(chips.secondary, 1, 0x00);
  EXPECT_EQ(chips.primary.acknowledge().request, RequestId(1));
}

/// Ends of each request under random traffic: at most one, and none is forgotten while its line is low.
TEST(Pic8259Life, random_traffic_ends_no_request_twice) {
  Chips chips;
  device_suite::Random random(7);
  std::map<u64, u32> ends;
  for (u32 i = 0; i < 200'000; ++i) {
    const LineDriver& line = random.below(2) == 0 ? chips.irq0 : chips.irq12;
    Pic8259& chip = random.below(2) == 0 ? chips.primary : chips.secondary;
    switch (random.below(12)) {
      case 0:
      case 1:
        line.set(Level::Low);
        break;
      case 2:
        chips.irq0.end_pulse();
        break;
      case 3:
        (void)chips.primary.acknowledge();
        break;
      case 4:
        Chips::write(chip, 0, 0x20);
        break;
      case 5:
        Chips::write(chip, 1, random.below(2) == 0 ? 0x00 : 0xFF);
        break;
      case 6:
        if (random.below(4) == 0) Chips::write(chip, 0, 0x0C);
        (void)chip.read(Pic8259::registers, 0, byte);
        break;
      case 7:
        if (random.below(16) == 0) Chips::initialise(chips.primary, 0x20, 0x04, 0x01);
        break;
      default:
        line.set(Level::High);
        break;
    }
  }
  u64 last = 0;
  for (const Record& record : chips.bench.records()) {
    last = std::max(last, record.id);
    // Polled on the primary, a request of the secondary's can be polled or acknowledged there once more.
    const bool is_end =
        record.kind == RecordKind::Withdrawn || record.kind == RecordKind::Merged ||
        (record.kind == RecordKind::Acknowledged && record.source == (record.pin < 8 ? 0 : 1) && record.pin != 2);
    if (is_end) ++ends[record.id];
  }
  u64 open = 0;
  for (u64 id = 1; id <= last; ++id) {
    ASSERT_LE(ends[id], 1u) << "request " << id;
    if (ends[id] == 0) ++open;
  }
  EXPECT_LE(open, 2u);
}

struct ModeRow {
  ControllerRegister which;
  std::vector<std::pair<u64, u8>> writes;  // address line, byte
  u64 before, after;
};
const std::vector<ModeRow> mode_rows = {
    {ControllerRegister::VectorBase, {{0, 0x11}, {1, 0x08}, {1, 0x04}, {1, 0x01}}, 0x20, 0x08},
    {ControllerRegister::Automatic, {{0, 0x11}, {1, 0x20}, {1, 0x04}, {1, 0x03}}, 0, 1},
    {ControllerRegister::SpecialFullyNested, {{0, 0x11}, {1, 0x20}, {1, 0x04}, {1, 0x11}}, 0, 1},
    {ControllerRegister::SpecialMask, {{0, 0x68}, {0, 0x68}}, 0, 1},
    {ControllerRegister::EdgeLevel, {{0, 0x19}, {1, 0x20}, {1, 0x04}, {1, 0x01}}, 0, 0xFF},
    {ControllerRegister::Rotation, {{0, 0xC2}, {0, 0xC2}}, 7, 2},
};

TEST(Pic8259Modes, each_change_is_told_once_with_its_writer) {
  for (const ModeRow& row : mode_rows) {
    Chips chips;
    chips.bench.ledger.context.address = 0x1234;
    for (const auto& [a0, value] : row.writes) Chips::write(chips.primary, a0, value);
    std::vector<Record> found = chips.bench.records(RecordKind::ControllerProgrammed);
    std::erase_if(found, [&](const Record& record) { return record.detail != static_cast<u8>(row.which); });
    ASSERT_EQ(found.size(), 1u) << int{static_cast<u8>(row.which)};
    EXPECT_EQ(found[0].other, row.before);
    EXPECT_EQ(found[0].extra, row.after);
    EXPECT_EQ(found[0].address, 0x1234u);
    EXPECT_EQ(found[0].pin, 0);
  }
}

TEST(Pic8259Modes, initialisation_is_told_when_it_begins_and_when_it_is_complete) {
  Chips chips;
  Chips::initialise(chips.secondary, 0x28, 0x02, 0x01);
  const std::vector<Record> found = chips.bench.records(RecordKind::ControllerProgrammed);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].detail, static_cast<u8>(ControllerRegister::Initialised));
  EXPECT_EQ(found[0].extra, 0u);
  EXPECT_EQ(found[1].extra, 1u);
  EXPECT_EQ(found[1].pin, 8);
}

TEST(Pic8259Modes, the_edge_level_register_is_told) {
  Chips chips;
  chips.secondary.write(Pic8259::elcr, 0, byte, 0x10);
  chips.secondary.write(Pic8259::elcr, 0, byte, 0x10);
  const std::vector<Record> found = chips.bench.records(RecordKind::ControllerProgrammed);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].detail, static_cast<u8>(ControllerRegister::EdgeLevel));
  EXPECT_EQ(found[0].extra, 0x10u);
}

}  // namespace
}  // namespace vitrine
