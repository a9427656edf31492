// Messages: where they go and which of several CPUs takes them, and those that nobody takes (SDM vol. 3A §10.6).
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;

// §10.6.1: the ICR of the page.
TEST(LocalApic, command_register_sends_where_it_says) {
  struct Row {
    const char* name;
    u32 high, low;
    std::string_view receivers;
  };
  constexpr Row rows[] = {
      {"fixed, physical", 0x01000000, 0x4041, "1"},
      {"level bit clear is no de-assert for fixed", 0x01000000, 0x0041, "1"},
      {"broadcast", 0xFF000000, 0x4041, "012"},
      {"nobody", 0x07000000, 0x4041, ""},
      {"self", 0x01000000, 0x44041, "0"},
      {"all", 0x01000000, 0x84041, "012"},
      {"all but self", 0x01000000, 0xC4041, "12"},
      {"logical, flat", 0x06000000, 0x4841, "12"},
  };
  for (const Row& row : rows) {
    ApicBench bench(3);
    bench.enable();
    for (unsigned i = 0; i < 3; ++i) bench.write(offset::logical_destination, 0x01000000u << i, i);
    bench.write(offset::command_high, row.high);
    bench.write(offset::command_low, row.low);
    std::string receivers;
    for (unsigned i = 0; i < 3; ++i) {
      if (bench.take(i) == 0x41) receivers += static_cast<char>('0' + i);
    }
    EXPECT_EQ(receivers, row.receivers) << row.name;
    EXPECT_EQ(bench.read(offset::command_low), row.low) << row.name << ": delivery status is idle";
  }
}

TEST(LocalApic, lowest_priority_goes_by_the_arbitration_priority_and_the_focus) {
  ApicBench bench(3);
  bench.enable();
  for (unsigned i = 0; i < 3; ++i) bench.write(offset::logical_destination, 0x01000000u << i, i);
  const InterruptMessage message{
      .destination = 7, .vector = 0x41, .mode = MessageMode::LowestPriority, .logical = true};
  bench.write(offset::task_priority, 0x20, 0);
  bench.write(offset::task_priority, 0x10, 1);
  bench.write(offset::task_priority, 0x30, 2);
  bench.send(message);
  EXPECT_TRUE(bench.wanted(1));
  bench.write(offset::task_priority, 0xF0, 1);
  bench.send(message);
  EXPECT_TRUE(!bench.wanted(0) && !bench.wanted(2)) << "CPU 1 is the focus: it has the vector in IRR";
  bench.write(offset::spurious_vector, 0x3FF, 1);
  bench.send(message);
  EXPECT_TRUE(bench.wanted(0)) << "focus checking is off";
}

// §10.6.2.4, as APR shows it.
TEST(LocalApic, arbitration_priority_follows_the_manual) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::task_priority, 0x35);
  EXPECT_EQ(bench.read(offset::arbitration_priority), 0x35u);
  bench.interrupt(0x52);
  EXPECT_EQ(bench.read(offset::arbitration_priority), 0x50u);
  bench.take();
  bench.write(offset::task_priority, 0x55);
  EXPECT_EQ(bench.read(offset::arbitration_priority), 0x50u) << "not above the one in service";
  bench.write(offset::task_priority, 0x65);
  EXPECT_EQ(bench.read(offset::arbitration_priority), 0x65u);
}

TEST(LocalApic, cluster_model_compares_the_cluster_and_then_bits) {
  ApicBench bench(3);
  bench.enable();
  for (unsigned i = 0; i < 3; ++i) bench.write(offset::destination_format, 0x0FFFFFFF, i);
  bench.write(offset::logical_destination, 0x11000000, 0);
  bench.write(offset::logical_destination, 0x12000000, 1);
  bench.write(offset::logical_destination, 0x21000000, 2);
  const auto receivers = [&bench](u32 destination) {
    std::string found;
    for (unsigned i = 0; i < 3; ++i) {
      if (bench.apic(i).addressed_by({.destination = destination, .logical = true}))
        found += static_cast<char>('0' + i);
    }
    return found;
  };
  EXPECT_EQ(receivers(0x13), "01");
  EXPECT_EQ(receivers(0x12), "1");
  EXPECT_EQ(receivers(0x2F), "2");
  EXPECT_EQ(receivers(0x31), "");
  EXPECT_EQ(receivers(0xFF), "012");
}

// §10.6.1, table 10-3.
TEST(LocalApic, an_ipi_that_its_mode_or_shorthand_does_not_allow_is_lost) {
  struct Row {
    const char* what;
    u32 command;
    MessageLoss loss;
  };
  constexpr u32 self = 1u << 18, all = 2u << 18;
  constexpr Row rows[] = {
      {"ExtINT", 7 << 8, MessageLoss::ReservedMode},
      {"NMI to itself", self | 4 << 8, MessageLoss::Shorthand},
      {"INIT to itself", self | 1u << command_assert | 5 << 8, MessageLoss::Shorthand},
      {"start-up to itself", self | 6 << 8, MessageLoss::Shorthand},
      {"lowest priority to itself", self | 1 << 8 | 0x40, MessageLoss::Shorthand},
      {"NMI to all", all | 4 << 8, MessageLoss::Shorthand},
      {"INIT to all", all | 5 << 8, MessageLoss::Shorthand},
      {"start-up to all", all | 6 << 8, MessageLoss::Shorthand},
  };
  for (const Row& row : rows) {
    ApicBench bench;
    bench.enable();
    bench.write(offset::command_low, row.command);
    EXPECT_EQ(bench.around().said, "") << row.what;
    EXPECT_FALSE(bench.wanted()) << row.what;
    const std::vector<Record> lost = bench.bench.records(RecordKind::MessageLost);
    ASSERT_EQ(lost.size(), 1u) << row.what;
    EXPECT_EQ(lost[0].detail, static_cast<u8>(row.loss)) << row.what;
  }
  ApicBench bench;
  bench.write(offset::command_low, all | 1u << command_level | 5 << 8);
  EXPECT_TRUE(bench.bench.records(RecordKind::MessageLost).empty()) << "the INIT level de-assert goes to all";
}

TEST(LocalApic, a_second_extint_merges_and_init_withdraws_the_first) {
  ApicBench bench;
  bench.enable();
  bench.send({.destination = 0, .mode = MessageMode::ExtInt});
  const u64 first = bench.bench.records(RecordKind::MessageSent).at(0).id;
  bench.send({.destination = 0, .mode = MessageMode::ExtInt});
  const std::vector<Record> merged = bench.bench.records(RecordKind::Merged);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].other, first);
  bench.apic().init();
  EXPECT_FALSE(bench.wanted());
  const std::vector<Record> withdrawn = bench.bench.records(RecordKind::Withdrawn);
  ASSERT_EQ(withdrawn.size(), 1u);
  EXPECT_EQ(withdrawn[0].id, first);
}

TEST(LocalApic, a_level_that_is_not_asserted_is_lost_with_a_reason) {
  ApicBench bench;
  bench.enable();
  bench.send({.destination = 0, .vector = 0x40, .level = true, .asserted = false});
  EXPECT_FALSE(bench.wanted());
  const std::vector<Record> lost = bench.bench.records(RecordKind::MessageLost);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].detail, static_cast<u8>(MessageLoss::Deassert));
}

TEST(LocalApic, external_interrupt_by_a_message_reaches_every_addressed_cpu) {
  ApicBench bench(3);
  bench.enable();
  for (unsigned i = 0; i < 3; ++i) bench.write(offset::logical_destination, u32{1} << (24 + i), i);
  bench.send({.destination = 0b101, .mode = MessageMode::ExtInt, .logical = true});
  EXPECT_EQ(bench.take(0), 0x08) << "the 8259's vector";
  EXPECT_FALSE(bench.wanted(1));
  EXPECT_EQ(bench.take(2), 0x08)
      << "82093AA, 3.2.4: all that are listed; a second 8259 acknowledge is its spurious one";
  EXPECT_FALSE(bench.wanted(0)) << "the message is used up";
}

}  // namespace
}  // namespace vitrine
