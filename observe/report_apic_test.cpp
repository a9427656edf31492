// The report of machines with APICs and several CPUs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "observe/apic_story.hpp"
#include "observe/report.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct ReportApic : testing::Test {
  std::vector<Record> records;
  ApicStory story{[this](const Record& record) { records.push_back(record); }};
  Report report() {
    ReportBuilder builder(ApicStory::header());
    builder.consume(records);
    return builder.finish({.time = story.now(), .instructions = story.now()});
  }
  static const CpuCountRow* row(const Report& report, std::string_view name) {
    for (const CpuCountRow& each : report.by_cpu) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }
  static bool has_finding(const Report& report, std::string_view what) {
    return std::ranges::any_of(report.findings, [&](const ReportFinding& finding) { return finding.what == what; });
  }
};

TEST_F(ReportApic, counts_handlers_by_cpu_as_a_kernel_does) {
  u64 id = 0;
  for (int i = 0; i < 3; ++i) {
    story.raise(++id, 4).io_apic(id, 4, 0x24, 1).whole(id, 0x24, 1).lower(id, 4);
    story.local(++id, ApicPin::Timer, 0xEC, 0).whole(id, 0xEC, 0);
    story.local(++id, ApicPin::Timer, 0xEC, 1).whole(id, 0xEC, 1);
  }
  story.local(++id, ApicPin::Timer, 0xEC, 1).whole(id, 0xEC, 1);
  story.sent(++id, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 1, ApicStory::lapic0).accept(id, 0xFD, 1);
  story.whole(id, 0xFD, 1);
  const Report made = report();
  EXPECT_EQ(made.cpus, 2u);
  ASSERT_NE(row(made, "com1"), nullptr);
  EXPECT_EQ(row(made, "com1")->irq, 4);
  EXPECT_THAT(row(made, "com1")->counts, ElementsAre(0, 3));
  ASSERT_NE(row(made, "local timer"), nullptr);
  EXPECT_THAT(row(made, "local timer")->counts, ElementsAre(3, 4));
  ASSERT_NE(row(made, "IPI"), nullptr);
  EXPECT_THAT(row(made, "IPI")->vectors, ElementsAre(0xFD));
  EXPECT_THAT(row(made, "IPI")->counts, ElementsAre(0, 1));
  const std::string text = report_text(made, nullptr);
  EXPECT_THAT(text, HasSubstr("IRQ  source       vector  CPU 0  CPU 1"));
  EXPECT_THAT(text, HasSubstr("4    com1         0x24        -      3"));
  const auto json = nlohmann::json::parse(report_json(made, nullptr));
  EXPECT_EQ(json["by_cpu"][0]["irq"], 4);
  EXPECT_EQ(json["by_cpu"][0]["counts"], (std::vector<u64>{0, 3}));
}

TEST_F(ReportApic, a_pci_line_is_counted_by_the_pin_that_took_it) {
  story.raise(1, 17, ApicStory::card).io_apic(1, 17, 0x31, 0).whole(1, 0x31, 0).lower(1, 17, ApicStory::card);
  story.raise(2, 17, ApicStory::card);
  story.add({.id = 2, .kind = RecordKind::Latched, .pin = 10, .source = ApicStory::pic1});
  story.add({.id = 2, .kind = RecordKind::Latched, .pin = 2, .source = ApicStory::pic0});
  story.take(2, 0x2A, 0).leave(2, 0x2A, 0);
  const Report made = report();
  ASSERT_EQ(made.by_cpu.size(), 2u);
  EXPECT_EQ(made.by_cpu[0].irq, 10);
  EXPECT_EQ(made.by_cpu[1].irq, 17);
  EXPECT_EQ(made.lines[0].on, "PIRQ B");
}

TEST_F(ReportApic, a_message_keeps_its_row_when_the_kernel_gives_it_another_vector) {
  constexpr u8 msi = static_cast<u8>(ApicPin::Message);
  const auto send = [this](u64 id, u64 number, u8 vector, u8 cpu) {
    story.add({.id = id, .extra = number, .kind = RecordKind::Raised, .pin = msi, .source = ApicStory::card});
    story.sent(id, msi, vector, cpu, ApicStory::card).accept(id, vector, cpu).whole(id, vector, cpu);
  };
  send(1, 0, 0x24, 0);
  send(2, 1, 0x25, 0);
  send(3, 1, 0x24, 1);
  const Report made = report();
  ASSERT_EQ(made.by_cpu.size(), 2u);
  EXPECT_EQ(made.by_cpu[0].message, 0);
  EXPECT_THAT(made.by_cpu[0].counts, ElementsAre(1, 0));
  EXPECT_EQ(made.by_cpu[1].message, 1);
  EXPECT_THAT(made.by_cpu[1].vectors, ElementsAre(0x24, 0x25));
  EXPECT_THAT(made.by_cpu[1].counts, ElementsAre(1, 1));
  EXPECT_THAT(report_text(made, nullptr), HasSubstr("MSI 1  card    0x24 0x25      1      1"));
  const auto json = nlohmann::json::parse(report_json(made, nullptr));
  EXPECT_EQ(json["by_cpu"][1]["message"], 1);
  EXPECT_TRUE(json["by_cpu"][1]["irq"].is_null());
}

TEST_F(ReportApic, a_masked_8259_neither_merges_nor_loses_what_the_io_apic_delivers) {
  story.raise(1, 0, ApicStory::pit).seen_by_8259(1, 0).io_apic(1, 2, 0x30, 0).whole(1, 0x30, 0);
  for (u64 id = 2; id < 5; ++id) {
    story.lower(id - 1, 0, ApicStory::pit).raise(id, 0, ApicStory::pit);
    story.add({.id = id, .other = 1, .kind = RecordKind::Merged, .source = ApicStory::pic0});
    story.io_apic(id, 2, 0x30, 0).whole(id, 0x30, 0);
  }
  const Report made = report();
  ASSERT_EQ(made.lines.size(), 1u);
  EXPECT_EQ(made.lines[0].merged, 0u);
  EXPECT_EQ(made.lines[0].delivered, 4u);
  EXPECT_TRUE(made.findings.empty());
}

// The classic: lines go by the I/O APIC, and this one's entry was forgotten.
TEST_F(ReportApic, a_line_whose_entry_nobody_opened_is_told_if_the_guest_has_set_up_its_device) {
  story.entry(2, 1u << 16, 0x30);
  story.raise(1, 0, ApicStory::pit).seen_by_8259(1, 0);
  story.raise(2, 4).seen_by_8259(2, 4);
  EXPECT_TRUE(report().findings.empty()) << "as firmware left them";
  story.add({.address = 0x1000,
             .kind = RecordKind::DeviceProgrammed,
             .pin = 4,
             .detail = static_cast<u8>(DeviceRegister::UartInterruptEnable),
             .source = ApicStory::com1});
  const Report made = report();
  ASSERT_EQ(made.findings.size(), 1u);
  EXPECT_EQ(
      made.findings[0].sentence,
      "IRQ 4 (com1) was raised 1 time and never delivered; its entry of the I/O APIC is masked, and so is the 8259.");
  EXPECT_EQ(made.lines[1].lost, 1u);
}

TEST_F(ReportApic, an_edge_at_a_masked_io_apic_pin_is_not_lost_if_the_8259_delivers_it) {
  story.raise(1, 4);
  story.add({.id = 1, .kind = RecordKind::LineLost, .pin = 4, .source = ApicStory::ioapic0});
  story.add({.id = 1, .kind = RecordKind::Latched, .pin = 4, .source = ApicStory::pic0}).take(1, 0x24, 0);
  story.leave(1, 0x24, 0);
  EXPECT_EQ(report().lines[0].lost, 0u);
}

TEST_F(ReportApic, each_receiver_of_a_broadcast_is_a_request) {
  story.sent(1, static_cast<u8>(ApicPin::Interprocessor), 0xFB, 0, ApicStory::lapic0).accept(1, 0xFB, 0);
  story.copied(2, 1, 0xFB, 1, ApicStory::lapic0).accept(2, 0xFB, 1).whole(1, 0xFB, 0).whole(2, 0xFB, 1);
  const Report made = report();
  ASSERT_EQ(made.lines.size(), 1u);
  EXPECT_EQ(made.lines[0].on, "IPI");
  EXPECT_EQ(made.lines[0].raised, 2u);
  EXPECT_EQ(made.lines[0].delivered, 2u);
  EXPECT_TRUE(made.findings.empty());
}

TEST_F(ReportApic, a_message_to_nobody_is_a_finding_but_the_second_start_up_message_is_none) {
  constexpr u8 ipi = static_cast<u8>(ApicPin::Interprocessor);
  story.sent(1, ipi, 0xFD, 9, ApicStory::lapic0).lost(1, ipi, 0xFD, 9, MessageLoss::NoReceiver, ApicStory::lapic0);
  story.sent(2, ipi, 0x9A, 1, ApicStory::lapic0, 0, MessageMode::StartUp);
  story.lost(2, ipi, 0x9A, 1, MessageLoss::NotWaiting, ApicStory::lapic0);
  const Report made = report();
  ASSERT_EQ(made.findings.size(), 1u);
  EXPECT_EQ(made.findings[0].what, "message-lost");
  EXPECT_EQ(made.findings[0].sentence, "IPI (lapic0): 1 message reached nobody: no local APIC has that address.");
}

TEST_F(ReportApic, a_local_timer_that_runs_masked_waits_for_nothing) {
  for (u64 id = 1; id < 4; ++id) {
    story.add(
        {.id = id, .kind = RecordKind::Raised, .pin = static_cast<u8>(ApicPin::Timer), .source = ApicStory::lapic0});
    story.add({.id = id,
               .kind = RecordKind::Blocked,
               .pin = static_cast<u8>(ApicPin::Timer),
               .detail = static_cast<u8>(Obstacle::EntryMasked),
               .source = ApicStory::lapic0});
  }
  const Report made = report();
  EXPECT_FALSE(made.lines[0].pending.has_value());
  EXPECT_EQ(made.lines[0].lost, 3u);
  EXPECT_TRUE(made.findings.empty());
}

TEST_F(ReportApic, halts_are_counted_for_each_cpu) {
  story.at(100).add({.kind = RecordKind::Halted, .source = 0, .cpu = 0});
  story.at(200).add({.kind = RecordKind::Halted, .source = 1, .cpu = 1});
  story.at(300).add({.since = 100, .kind = RecordKind::Woken, .source = 0, .cpu = 0}).at(500);
  const Report made = report();
  EXPECT_THAT(made.halted_of_cpu, ElementsAre(200, 300));
  EXPECT_EQ(made.halted_nanoseconds, 500u);
  EXPECT_THAT(report_text(made, nullptr), HasSubstr("halted 2 times: CPU 0 40.0 %, CPU 1 60.0 % of the time"));
}

TEST_F(ReportApic, instructions_are_not_compared_between_cpus) {
  story.at(1000).raise(1, 4).io_apic(1, 4, 0x24, 1).at(1500).whole(1, 0x24, 1);
  const Report made = report();
  EXPECT_EQ(made.lines[0].delay.instructions.count, 0u);
  EXPECT_EQ(made.lines[0].delay.nanoseconds.maximum, 500u);
}

}  // namespace
}  // namespace vitrine
