// Why an IPI is not taken, what an unheard vector belongs to, and lines that the guest has turned away from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/apic_story.hpp"
#include "observe/why/why.hpp"

namespace vitrine {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr u64 ms = 1'000'000;
constexpr u64 masked = u64{1} << 16, level = u64{1} << 15, low = u64{1} << 13;
constexpr u8 ipi = static_cast<u8>(ApicPin::Interprocessor);
constexpr u64 lock_loop = 0x7000, answer_loop = 0x7100;

class Names final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 address) const override {
    if (address == ApicStory::culprit) return "setup (apic.c:12)";
    if (address == lock_loop) return "take_lock (lock.c:7)";
    if (address == answer_loop) return "flush_others (tlb.c:30)";
    return {};
  }
};

struct WhyOthers : testing::Test {
  WhyBuilder builder{ApicStory::header()};
  ApicStory story{[this](const Record& record) { builder.consume({&record, 1}); }};
  Names names;
  std::vector<u64> places;  // of the CPUs when the run ended
  RunEnd end() { return {.time = story.now(), .address = answer_loop, .cpus = places}; }
  std::vector<WhyAnswer> about_vector(u8 vector) { return builder.about_vector(vector, end(), &names); }
  WhyAnswer about(u8 line) { return builder.about_line(line, end(), &names).front(); }
  void leave_8259s() {
    story.at(ms).mask_8259(0, 0xF8, 0xFF).mask_8259(1, 0xEF, 0xFF);
    story.apic(0, ControllerRegister::SpuriousVector, 0x1FF);
  }
  /// PIRQ C, which the router leads to IRQ 10.
  void card_asks(u64 id) {
    story.raise(id, 18, ApicStory::card);
    story.add({.id = id, .kind = RecordKind::Latched, .pin = 10, .source = ApicStory::pic1});
    story.add({.id = id,
               .kind = RecordKind::Blocked,
               .pin = 10,
               .detail = static_cast<u8>(Obstacle::Masked),
               .source = ApicStory::pic1});
  }
  /// CPU 0 sends an IPI, and CPU 1 has it in IRR with IF=0.
  void unheard_ipi(u64 id, u8 from = 0, u64 cleared_by = ApicStory::culprit) {
    const auto to = static_cast<u8>(1 - from);
    story.add({.address = 0x8000, .kind = RecordKind::CpuStarted, .source = ApicStory::cpu1, .cpu = 1});
    story.apic(1, ControllerRegister::SpuriousVector, 0x1FF);
    story.add({.id = id,
               .address = ApicStory::culprit,
               .extra = to | u64{1} << message_extra::receivers,
               .kind = RecordKind::MessageSent,
               .vector = 0x54,
               .pin = ipi,
               .source = ApicStory::lapic(from),
               .cpu = from});
    story.accept(id, 0x54, to);
    story.add({.id = id,
               .address = cleared_by,
               .since = story.now() - ms / 2,
               .kind = RecordKind::Blocked,
               .detail = static_cast<u8>(Obstacle::InterruptFlag),
               .source = to,
               .cpu = to});
  }
};

TEST_F(WhyOthers, an_entry_that_was_never_opened_is_told_though_no_other_one_was) {
  leave_8259s();
  story.at(5 * ms);
  card_asks(1);
  const WhyAnswer answer = about(18);
  EXPECT_EQ(answer.cause, "masked");
  EXPECT_THAT(answer.sentence, HasSubstr("the I/O APIC masks it: the guest has never opened entry 18."));
  EXPECT_THAT(answer.evidence,
              Contains(Field(&WhyEvidence::text, HasSubstr("mask bit 2 of the second 8259 (IRQ 10, where the router "
                                                           "leads PIRQ C) is set since power-on"))));
  EXPECT_THAT(answer.life->records, SizeIs(1));
  EXPECT_THAT(answer.now, HasSubstr("I/O APIC: takes nothing on pin 18"));
}

TEST_F(WhyOthers, a_guest_of_the_8259s_is_told_of_the_mask_bit_of_a_routed_line) {
  story.at(5 * ms);
  card_asks(1);
  const WhyAnswer answer = about(18);
  EXPECT_THAT(answer.sentence, HasSubstr("the second 8259 masks it: mask bit 2 is set since power-on"));
  EXPECT_THAT(answer.evidence, Contains(Field(&WhyEvidence::text, "the router leads PIRQ C to IRQ 10")));
}

TEST_F(WhyOthers, a_pin_without_an_input_of_the_8259s_waits_for_its_entry) {
  story.at(5 * ms).raise(1, 20, ApicStory::card);
  EXPECT_THAT(about(20).sentence, HasSubstr("the guest has never opened entry 20"));
}

TEST_F(WhyOthers, an_edge_that_came_before_its_entry_was_opened_is_lost) {
  leave_8259s();
  story.entry(4, masked | 0x34, masked | 0x34).at(5 * ms).raise(1, 4).seen_by_8259(1, 4);
  story.add({.id = 1, .kind = RecordKind::LineLost, .pin = 4, .source = ApicStory::ioapic0});
  story.at(6 * ms).entry(4, masked | 0x34, 0x34);
  EXPECT_EQ(about(4).cause, "lost");
  EXPECT_THAT(about(4).sentence, HasSubstr("its edge came while the input was masked, and this controller can't"));
}

TEST_F(WhyOthers, both_cpus_of_a_shootdown_deadlock_are_told) {
  places = {answer_loop, lock_loop};
  story.at(5 * ms);
  unheard_ipi(1);
  story.at(50 * ms);
  const auto answers = about_vector(0x54);
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].cause, "ipi-deadlock");
  EXPECT_EQ(answers[0].sentence,
            "IPI (local APIC of CPU 0) was sent at 0.005 s and not delivered: CPU 1 has interrupts off (IF=0) since "
            "0.0045 s, by setup (apic.c:12); CPU 1 is at take_lock (lock.c:7), and CPU 0 sent it at setup (apic.c:12) "
            "and is at flush_others (tlb.c:30). If CPU 0 waits for the answer, it waits for CPU 1; and if CPU 1 waits "
            "for something that CPU 0 holds, neither goes on.");
  EXPECT_THAT(answers[0].evidence,
              Contains(Field(&WhyEvidence::text, "CPU 0 was at flush_others (tlb.c:30) when the run ended")));
  EXPECT_THAT(answers[0].evidence,
              Contains(Field(&WhyEvidence::text, "CPU 1 was at take_lock (lock.c:7) when the run ended")));
  EXPECT_EQ(builder.about_what_is_stuck(end(), &names).front().sentence, answers[0].sentence);
  for (const char* name : {"IPI", "lapic0", "local APIC of CPU 0"}) {
    EXPECT_EQ(builder.about_source(name, end(), &names).value().front().cause, "ipi-deadlock") << name;
  }
}

TEST_F(WhyOthers, two_ipis_that_cross_each_other_wait_for_each_other) {
  story.at(5 * ms);
  unheard_ipi(1);
  unheard_ipi(2, 1);
  story.at(50 * ms);
  EXPECT_THAT(about_vector(0x54).front().sentence,
              HasSubstr("CPU 0 has not taken CPU 1's IPI either: each waits for the other."));
}

TEST_F(WhyOthers, a_cpu_whose_place_is_not_known_does_not_get_another_ones) {
  story.at(5 * ms);
  unheard_ipi(1);
  story.at(50 * ms);
  const WhyAnswer answer = about_vector(0x54).front();
  EXPECT_THAT(answer.sentence, HasSubstr("CPU 0 sent it at setup (apic.c:12). If CPU 0 waits for the answer"));
  EXPECT_THAT(answer.sentence, Not(HasSubstr("flush_others")));
  EXPECT_THAT(answer.evidence, Each(Field(&WhyEvidence::text, Not(HasSubstr("flush_others")))));
}

TEST_F(WhyOthers, a_cpu_that_sleeps_is_told_to_sleep_though_its_place_is_known) {
  places = {answer_loop, lock_loop};
  story.at(5 * ms).add({.address = 0x8000, .kind = RecordKind::CpuStarted, .source = ApicStory::cpu1, .cpu = 1});
  story.apic(1, ControllerRegister::SpuriousVector, 0x1FF).sent(1, ipi, 0x54, 1, ApicStory::lapic0);
  story.accept(1, 0x54, 1).take(1, 0x54, 1);
  story.add({.address = ApicStory::culprit, .kind = RecordKind::Halted, .source = ApicStory::cpu1, .cpu = 1});
  story.at(50 * ms);
  const WhyAnswer answer = about_vector(0x54).front();
  EXPECT_THAT(answer.sentence, HasSubstr("CPU 1 sleeps in HLT at setup (apic.c:12)")) << answer.cause;
}

TEST_F(WhyOthers, a_cpu_that_never_set_if_has_it_off_since_its_start) {
  story.at(5 * ms);
  unheard_ipi(1, 0, 0);
  EXPECT_THAT(about_vector(0x54).front().sentence,
              HasSubstr("CPU 1 has interrupts off (IF=0) since it was started at 0.0045 s: it has never set IF"));
}

TEST_F(WhyOthers, the_vector_of_a_masked_local_entry_is_known) {
  story.at(ms).apic(0, ControllerRegister::LocalVector, masked | 0x41, static_cast<u8>(ApicPin::Timer));
  EXPECT_THAT(about_vector(0x41).front().sentence, HasSubstr("local timer (local APIC of CPU 0) was never raised"));
  story.at(5 * ms).add(
      {.id = 1, .kind = RecordKind::Raised, .pin = static_cast<u8>(ApicPin::Timer), .source = ApicStory::lapic0});
  story.add({.id = 1,
             .address = ApicStory::culprit,
             .since = ms,
             .kind = RecordKind::Blocked,
             .vector = 0x41,
             .pin = static_cast<u8>(ApicPin::Timer),
             .detail = static_cast<u8>(Obstacle::EntryMasked),
             .source = ApicStory::lapic0});
  EXPECT_THAT(about_vector(0x41).front().sentence, HasSubstr("masks its entry for local timer since 0.001 s"));
}

TEST_F(WhyOthers, the_vector_of_a_message_that_may_not_be_sent_is_known) {
  story.at(ms).add({.address = ApicStory::culprit,
                    .other = 0x51,
                    .extra = 0xFEE00000,
                    .kind = RecordKind::ControllerProgrammed,
                    .detail = static_cast<u8>(ControllerRegister::MessageEntry),
                    .source = ApicStory::card});
  story.at(5 * ms).add(
      {.id = 1, .kind = RecordKind::Raised, .pin = static_cast<u8>(ApicPin::Message), .source = ApicStory::card});
  story.add({.id = 1,
             .kind = RecordKind::Blocked,
             .pin = static_cast<u8>(ApicPin::Message),
             .detail = static_cast<u8>(Obstacle::BusMasterOff),
             .source = ApicStory::card});
  EXPECT_EQ(about_vector(0x51).front().cause, "bus-master-off");
}

TEST_F(WhyOthers, the_vector_of_a_masked_entry_is_known) {
  leave_8259s();
  story.entry(4, masked, masked | 0x34).at(5 * ms).raise(1, 4).seen_by_8259(1, 4);
  EXPECT_THAT(about_vector(0x34).front().sentence,
              HasSubstr("never opened entry 4, only written it with bit 16 set since 0.001 s, by setup (apic.c:12)"));
}

TEST_F(WhyOthers, what_an_ipi_to_nobody_needs_is_its_destination) {
  story.at(5 * ms).sent(1, ipi, 0xFD, 9, ApicStory::lapic0);
  story.lost(1, ipi, 0xFD, 9, MessageLoss::NoReceiver, ApicStory::lapic0);
  EXPECT_THAT(about_vector(0xFD).front().advice, Contains(HasSubstr("the local APICs here have ids 0 to 1")));
}

TEST_F(WhyOthers, the_order_of_an_entrys_halves_is_no_advice_for_a_local_apic_that_is_off) {
  leave_8259s();
  story.apic(0, ControllerRegister::SpuriousVector, 0xFF).entry(4, masked, 0x34).at(5 * ms).raise(1, 4);
  story.sent(1, 4, 0x34, 0).lost(1, 4, 0x34, 0, MessageLoss::ReceiverDisabled, ApicStory::ioapic0).lower(1, 4);
  const WhyAnswer answer = about(4);
  EXPECT_EQ(answer.cause, "apic-disabled");
  EXPECT_THAT(answer.advice, Not(IsEmpty()));
  EXPECT_THAT(answer.advice, Each(Not(HasSubstr("high half"))));
}

TEST_F(WhyOthers, who_keeps_its_eois_to_itself_is_told_and_on_pc_there_is_no_eoi_register) {
  TraceHeader header = ApicStory::header();
  header.options.push_back({"board", "pc"});
  WhyBuilder on_pc(header);
  const auto add = [&](WhyBuilder& to) {
    ApicStory told([&](const Record& record) { to.consume({&record, 1}); });
    told.at(ms).mask_8259(0, 0xF8, 0xFF).mask_8259(1, 0xEF, 0xFF);
    told.apic(0, ControllerRegister::SpuriousVector, 0x11FF, 0, 0x1FF).entry(16, masked, 0x40 | level | low);
    told.at(5 * ms).raise(1, 16, ApicStory::card).io_apic(1, 16, 0x40, 0).remote_irr(1, 16, 0x40).whole(1, 0x40, 0);
    told.lower(1, 16, ApicStory::card).at(9 * ms).raise(2, 16, ApicStory::card);
    return to.about_line(16, {.time = 9 * ms}, &names).front();
  };
  const WhyAnswer pc = add(on_pc);
  EXPECT_THAT(pc.sentence, HasSubstr("(SVR bit 12) since 0.001 s, by setup (apic.c:12)"));
  EXPECT_THAT(pc.advice, Contains(HasSubstr("has no EOI register")));
  EXPECT_THAT(add(builder).advice, Contains(HasSubstr("EOI register (offset 0x40)")));
}

}  // namespace
}  // namespace vitrine
