// Lives that go through APICs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/apic_story.hpp"
#include "observe/life/life.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Names final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 address) const override {
    if (address == ApicStory::handler) return "serial_handler (serial.c:41)";
    if (address == ApicStory::eoi_at) return "serial_handler+0x10 (serial.c:43)";
    if (address == ApicStory::culprit) return "kick (smp.c:9)";
    return {};
  }
};

struct LifeApic : testing::Test {
  LifeTracker tracker;
  ApicStory story{[this](const Record& record) { tracker.consume(record); }};
  TraceHeader header = ApicStory::header();
  Names names;
  std::string text(u64 id) { return life_text(*tracker.find(id), header, &names); }
};

TEST_F(LifeApic, a_device_line_goes_through_the_io_apic_to_the_handler_of_another_cpu) {
  story.at(1000).raise(17, 4).seen_by_8259(17, 4).io_apic(17, 4, 0x24, 1);
  story.at(1010).take(17, 0x24, 1).at(1020).lower(17, 4).at(1030).eoi(17, 0x24, 1).at(1040).leave(17, 0x24, 1);
  EXPECT_EQ(text(17),
            "#17: IRQ 4, COM1\n"
            "     0.000001000 s  COM1: received data waits: it raises IRQ 4\n"
            "             +0 ns    I/O APIC: sees it on pin 4\n"
            "             +0 ns    I/O APIC: sends vector 0x24 to APIC id 1\n"
            "             +0 ns      local APIC of CPU 1: accepts it (IRR bit 0x24)\n"
            "            +10 ns      local APIC of CPU 1: the CPU asks which one it is; the answer is vector 0x24\n"
            "             +0 ns      local APIC of CPU 1: it is in service until an EOI comes (ISR bit 0x24)\n"
            "             +0 ns        CPU 1: enters serial_handler (serial.c:41), interrupting 0x6000\n"
            "            +10 ns        COM1: lowers IRQ 4 again\n"
            "            +10 ns          serial_handler+0x10 (serial.c:43): EOI: the local APIC of CPU 1 may let the "
            "next one through\n"
            "            +10 ns          0x4020: IRET: back to what was interrupted\n");
  EXPECT_TRUE(tracker.find(17)->closed);
}

TEST_F(LifeApic, what_a_masked_8259_holds_is_no_reason_to_wait) {
  story.raise(1, 4).io_apic(1, 4, 0x24, 0).seen_by_8259(1, 4).whole(1, 0x24, 0);
  EXPECT_TRUE(tracker.find(1)->closed);
  EXPECT_FALSE(tracker.find(1)->pending);
}

TEST_F(LifeApic, a_request_that_merges_in_a_masked_8259_goes_on_through_the_io_apic) {
  story.raise(1, 0, ApicStory::pit).seen_by_8259(1, 0).io_apic(1, 2, 0x30, 0).whole(1, 0x30, 0).lower(1, 0);
  story.raise(2, 0, ApicStory::pit);
  story.add({.id = 2, .other = 1, .kind = RecordKind::Merged, .pin = 0, .source = ApicStory::pic0});
  EXPECT_TRUE(tracker.find(2)->pending);
  story.io_apic(2, 2, 0x30, 0).whole(2, 0x30, 0);
  EXPECT_TRUE(tracker.find(2)->closed);
  EXPECT_NE(tracker.find(2)->last(RecordKind::Returned), nullptr);
}

TEST_F(LifeApic, an_edge_that_the_masked_io_apic_forgets_lives_on_in_the_8259) {
  story.raise(1, 4);
  story.add({.id = 1, .kind = RecordKind::LineLost, .pin = 4, .source = ApicStory::ioapic0});
  EXPECT_FALSE(tracker.find(1)->pending);
  story.add({.id = 1, .kind = RecordKind::Latched, .pin = 4, .source = ApicStory::pic0});
  EXPECT_TRUE(tracker.find(1)->pending);
  EXPECT_THAT(text(1), Not(HasSubstr("lost")));
}

TEST_F(LifeApic, a_level_request_stays_open_until_the_io_apic_has_its_eoi) {
  story.raise(1, 16, ApicStory::card).io_apic(1, 16, 0x31, 0).remote_irr(1, 16, 0x31).take(1, 0x31, 0);
  story.lower(1, 16, ApicStory::card).eoi(1, 0x31, 0).leave(1, 0x31, 0);
  EXPECT_TRUE(tracker.find(1)->in_service);
  EXPECT_FALSE(tracker.find(1)->closed);
  story.io_eoi(1, 16, 0x31);
  EXPECT_TRUE(tracker.find(1)->closed);
  EXPECT_THAT(text(1), HasSubstr("PIRQ A, card"));
}

TEST_F(LifeApic, an_ipi_begins_with_its_sender) {
  story.at(5).sent(3, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 1, ApicStory::lapic0).accept(3, 0xFD, 1);
  story.whole(3, 0xFD, 1);
  EXPECT_THAT(text(3), HasSubstr("#3: local APIC of CPU 0: vector 0xfd to APIC id 1\n"));
  EXPECT_EQ(tracker.find(3)->line(), std::nullopt);
  EXPECT_TRUE(tracker.find(3)->closed);
}

TEST_F(LifeApic, each_receiver_of_a_broadcast_has_a_life_with_the_same_beginning) {
  const u64 others = u64{3} << message_extra::shorthand;
  story.sent(3, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 0, ApicStory::lapic0, others).accept(3, 0xFD, 0);
  story.copied(4, 3, 0xFD, 1, ApicStory::lapic0).accept(4, 0xFD, 1).whole(4, 0xFD, 1);
  const std::string life = text(4);
  EXPECT_THAT(life, HasSubstr("sends vector 0xfd to all other CPUs"));
  EXPECT_THAT(life, HasSubstr("it is for CPU 1 as well: #4 there, #3 elsewhere"));
  EXPECT_THAT(life, Not(HasSubstr("local APIC of CPU 0: accepts")));
  EXPECT_TRUE(tracker.find(4)->closed);
  EXPECT_TRUE(tracker.find(3)->pending);
}

TEST_F(LifeApic, a_message_that_nobody_takes_is_over) {
  story.sent(3, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 9, ApicStory::lapic0);
  story.lost(3, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 9, MessageLoss::NoReceiver, ApicStory::lapic0);
  EXPECT_TRUE(tracker.find(3)->closed);
  EXPECT_THAT(text(3), HasSubstr("nobody takes vector 0xfd to APIC id 9: no local APIC has that address"));
}

TEST_F(LifeApic, init_and_start_up_end_when_the_cpu_has_obeyed) {
  constexpr u8 pin = static_cast<u8>(ApicPin::Interprocessor);
  story.sent(3, pin, 0, 1, ApicStory::lapic0, 0, MessageMode::Init);
  story.add({.id = 3, .kind = RecordKind::CpuReset, .detail = 1, .source = ApicStory::cpu1, .cpu = 1});
  story.sent(4, pin, 0x9A, 1, ApicStory::lapic0, 0, MessageMode::StartUp);
  story.add({.id = 4,
             .address = 0x9A000,
             .kind = RecordKind::CpuStarted,
             .vector = 0x9A,
             .source = ApicStory::cpu1,
             .cpu = 1});
  EXPECT_TRUE(tracker.find(3)->closed);
  EXPECT_TRUE(tracker.find(4)->closed);
  EXPECT_THAT(text(4), HasSubstr("start-up for 0x9a000 to APIC id 1"));
  EXPECT_THAT(text(4), HasSubstr("CPU 1: starts at 0x9a000"));
}

TEST_F(LifeApic, a_thread_that_is_resumed_on_another_cpu_takes_its_handler_along) {
  const auto runs = [&](u64 thread, u8 cpu) {
    story.add({.other = thread, .kind = RecordKind::ThreadRuns, .source = cpu, .cpu = cpu});
  };
  runs(7, 0);
  story.local(1, ApicPin::Timer, 0xEC, 0).take(1, 0xEC, 0).eoi(1, 0xEC, 0);
  EXPECT_EQ(tracker.running(0), 1u);
  runs(8, 0);
  EXPECT_EQ(tracker.running(0), 0u);
  runs(7, 1);
  EXPECT_EQ(tracker.running(1), 1u);
  EXPECT_TRUE(tracker.frames(0).empty());
  story.add(
      {.id = 1, .frame = 0x9000, .kind = RecordKind::Returned, .vector = 0xEC, .source = ApicStory::cpu1, .cpu = 1});
  EXPECT_TRUE(tracker.find(1)->closed);
  EXPECT_TRUE(tracker.frames(1).empty());
}

TEST_F(LifeApic, a_frame_is_left_on_whatever_cpu_its_iret_is_executed) {
  story.local(1, ApicPin::Timer, 0xEC, 0).take(1, 0xEC, 0).eoi(1, 0xEC, 0);
  story.add(
      {.id = 1, .frame = 0x9000, .kind = RecordKind::Returned, .vector = 0xEC, .source = ApicStory::cpu1, .cpu = 1});
  EXPECT_TRUE(tracker.find(1)->closed);
}

TEST_F(LifeApic, what_a_masked_entry_of_the_local_apic_swallows_is_over) {
  story.add({.id = 1, .kind = RecordKind::Raised, .pin = static_cast<u8>(ApicPin::Timer), .source = ApicStory::lapic0});
  story.add({.id = 1,
             .kind = RecordKind::Blocked,
             .vector = 0xEC,
             .pin = static_cast<u8>(ApicPin::Timer),
             .detail = static_cast<u8>(Obstacle::EntryMasked),
             .source = ApicStory::lapic0});
  EXPECT_TRUE(tracker.find(1)->closed);
  EXPECT_FALSE(tracker.find(1)->pending);
}

TEST_F(LifeApic, timers_of_two_cpus_are_kept_apart) {
  story.local(1, ApicPin::Timer, 0xEC, 0).whole(1, 0xEC, 0).local(2, ApicPin::Timer, 0xEC, 1).whole(2, 0xEC, 1);
  const auto of_first = tracker.ended_of(static_cast<u8>(ApicPin::Timer), ApicStory::lapic0);
  ASSERT_EQ(of_first.size(), 1u);
  EXPECT_EQ(of_first.front()->id, 1u);
  EXPECT_THAT(text(2), HasSubstr("#2: local timer, local APIC of CPU 1"));
}

}  // namespace
}  // namespace vitrine
