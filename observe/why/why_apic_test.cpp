// Why an interrupt did not arrive, where APICs stand in its way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/apic_story.hpp"
#include "observe/why/why.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr u64 ms = 1'000'000;
constexpr u64 masked = u64{1} << 16, level = u64{1} << 15, low = u64{1} << 13;
constexpr u8 ipi = static_cast<u8>(ApicPin::Interprocessor);

class Names final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 address) const override {
    if (address == ApicStory::handler) return "handler (irq.c:41)";
    if (address == ApicStory::iret) return "handler+0x20 (irq.c:47)";
    if (address == ApicStory::culprit) return "setup (apic.c:12)";
    return {};
  }
};

struct WhyApic : testing::Test {
  WhyBuilder builder{ApicStory::header()};
  ApicStory story{[this](const Record& record) { builder.consume({&record, 1}); }};
  Names names;
  RunEnd end() { return {.time = story.now()}; }
  WhyAnswer about(u8 line) { return builder.about_line(line, end(), &names).front(); }
  WhyAnswer about(std::string_view name) { return builder.about_source(name, end(), &names).value().front(); }
  std::vector<WhyAnswer> stuck() { return builder.about_what_is_stuck(end(), &names); }
  /// As a kernel does it: the 8259s masked, the spurious vector set, another entry open.
  void apic_mode() {
    story.at(ms).mask_8259(0, 0xF8, 0xFF).mask_8259(1, 0xEF, 0xFF);
    story.apic(0, ControllerRegister::SpuriousVector, 0x1FF).entry(1, masked, 0x31);
  }
};

TEST_F(WhyApic, an_entry_that_was_never_opened) {
  apic_mode();
  story.at(5 * ms).raise(1, 4).seen_by_8259(1, 4);
  const WhyAnswer answer = about(4);
  EXPECT_EQ(
      answer.sentence,
      "IRQ 4 (COM1) was raised at 0.005 s and not delivered: the I/O APIC masks it: the guest has never opened entry "
      "4.");
  EXPECT_EQ(answer.cause, "masked");
}

TEST_F(WhyApic, a_level_entry_that_was_masked_says_by_whom) {
  apic_mode();
  story.entry(16, masked, 0x40 | level | low).at(2 * ms).entry(16, 0x40 | level | low, 0x40 | level | low | masked);
  story.at(5 * ms).raise(1, 16, ApicStory::card);
  EXPECT_THAT(about(16).sentence,
              HasSubstr("PIRQ A (card) was raised at 0.005 s and not delivered: the I/O APIC masks it: "
                        "bit 16 of entry 16 is set since 0.002 s, by setup (apic.c:12)"));
}

TEST_F(WhyApic, wrong_polarity_of_an_edge) {
  apic_mode();
  story.entry(4, masked, 0x34 | low).at(5 * ms).raise(1, 4);
  EXPECT_EQ(about(4).cause, "wrong-polarity");
  EXPECT_THAT(about(4).sentence, HasSubstr("entry 4 of the I/O APIC says active low, but this line is active high"));
  story.lower(1, 4);
  EXPECT_EQ(about(4).cause, "wrong-polarity");
}

TEST_F(WhyApic, an_edge_entry_on_a_shared_level_sees_nothing_more) {
  apic_mode();
  story.entry(16, masked, 0x40 | low)
      .at(5 * ms)
      .raise(1, 16, ApicStory::card)
      .io_apic(1, 16, 0x40, 0)
      .whole(1, 0x40, 0);
  const WhyAnswer answer = about(16);
  EXPECT_EQ(answer.cause, "wrong-trigger");
  EXPECT_TRUE(answer.stuck);
  EXPECT_EQ(
      answer.sentence,
      "PIRQ A (card) can't be raised again: its line is high since 0.005 s, and entry 16 of the I/O APIC is "
      "edge-triggered since 0.001 s, by setup (apic.c:12), so nothing is sent until the line has fallen; but this "
      "line is a level, which devices share.");
}

TEST_F(WhyApic, remote_irr_waits_for_the_eoi_that_the_handler_did_not_send) {
  apic_mode();
  story.entry(16, masked, 0x40 | level | low).at(5 * ms).raise(1, 16, ApicStory::card).io_apic(1, 16, 0x40, 0);
  story.remote_irr(1, 16, 0x40).take(1, 0x40, 0).lower(1, 16, ApicStory::card).leave(1, 0x40, 0);
  story.at(9 * ms).raise(2, 16, ApicStory::card);
  const WhyAnswer answer = about(16);
  EXPECT_EQ(answer.cause, "missing-eoi");
  EXPECT_THAT(answer.sentence,
              HasSubstr("waits for its EOI (remote IRR of entry 16); handler (irq.c:41) returned without "
                        "EOI"));
}

TEST_F(WhyApic, an_eoi_that_the_io_apic_never_hears_of) {
  apic_mode();
  story.apic(0, ControllerRegister::SpuriousVector, 0x11FF, 0, 0x1FF);
  story.entry(16, masked, 0x40 | level | low).at(5 * ms).raise(1, 16, ApicStory::card).io_apic(1, 16, 0x40, 0);
  story.remote_irr(1, 16, 0x40)
      .whole(1, 0x40, 0)
      .lower(1, 16, ApicStory::card)
      .at(9 * ms)
      .raise(2, 16, ApicStory::card);
  const WhyAnswer answer = about(16);
  EXPECT_EQ(answer.cause, "eoi-not-told");
  EXPECT_THAT(answer.sentence, HasSubstr("CPU 0's local APIC tells no I/O APIC of its EOIs (SVR bit 12)"));
}

TEST_F(WhyApic, an_eoi_to_the_8259_leaves_the_local_apic_busy) {
  apic_mode();
  story.entry(4, masked, 0x34).at(5 * ms).raise(1, 4).io_apic(1, 4, 0x34, 0).take(1, 0x34, 0);
  story.add(
      {.address = ApicStory::culprit, .kind = RecordKind::EndOfInterrupt, .pin = 0xFF, .source = ApicStory::pic0});
  story.lower(1, 4).leave(1, 0x34, 0).at(9 * ms).raise(2, 4).io_apic(2, 4, 0x34, 0);
  const WhyAnswer answer = about(4);
  EXPECT_EQ(answer.cause, "eoi-wrong-controller");
  EXPECT_THAT(answer.sentence,
              HasSubstr("the local APIC of CPU 0 still has it in service since 0.005 s; handler (irq.c:41) "
                        "sent its EOI to the first 8259, which had nothing in service"));
}

TEST_F(WhyApic, an_eoi_in_vain_of_another_cpu_is_not_the_handlers) {
  apic_mode();
  story.entry(4, masked, 0x34).at(5 * ms).raise(1, 4).io_apic(1, 4, 0x34, 0).take(1, 0x34, 0);
  story.add({.address = ApicStory::culprit,
             .kind = RecordKind::EndOfInterrupt,
             .pin = 0xFF,
             .source = ApicStory::lapic(1),
             .cpu = 1});
  story.lower(1, 4).leave(1, 0x34, 0).at(9 * ms).raise(2, 4).io_apic(2, 4, 0x34, 0);
  const WhyAnswer answer = about(4);
  EXPECT_EQ(answer.cause, "missing-eoi");
  EXPECT_THAT(answer.sentence, HasSubstr("handler (irq.c:41) returned without EOI"));
}

TEST_F(WhyApic, a_missing_eoi_is_told_though_another_cpu_suppresses_broadcasts) {
  apic_mode();
  story.apic(0, ControllerRegister::SpuriousVector, 0x11FF, 0, 0x1FF);
  story.entry(16, masked, 0x40 | level | low).at(5 * ms).raise(1, 16, ApicStory::card).io_apic(1, 16, 0x40, 1);
  story.remote_irr(1, 16, 0x40).take(1, 0x40, 1).lower(1, 16, ApicStory::card).leave(1, 0x40, 1);
  story.at(9 * ms).raise(2, 16, ApicStory::card);
  EXPECT_EQ(about(16).cause, "missing-eoi");
}

TEST_F(WhyApic, the_highest_task_priority_lets_no_vector_through) {
  apic_mode();
  story.apic(0, ControllerRegister::TaskPriority, 0xF0).entry(4, masked, 0x34).at(5 * ms).raise(1, 4);
  story.io_apic(1, 4, 0x34, 0);
  EXPECT_THAT(about(4).sentence, HasSubstr("which lets no vector through"));
}

TEST_F(WhyApic, task_priority_names_the_vectors_it_lets_through) {
  apic_mode();
  story.apic(0, ControllerRegister::TaskPriority, 0x40).entry(4, masked, 0x34).at(5 * ms).raise(1, 4);
  story.io_apic(1, 4, 0x34, 0);
  EXPECT_EQ(about(4).cause, "task-priority");
  EXPECT_THAT(about(4).sentence,
              HasSubstr("the task priority (TPR) of CPU 0 is 0x40, which lets only vectors from 0x50 on "
                        "through, and its vector is 0x34; TPR is so since 0.001 s"));
}

TEST_F(WhyApic, a_half_written_entry) {
  apic_mode();
  story.entry(4, masked, 0).at(5 * ms).raise(1, 4);
  story.add({.id = 1, .kind = RecordKind::Latched, .pin = 4, .source = ApicStory::ioapic0});
  story.sent(1, 4, 0, 0).lost(1, 4, 0, 0, MessageLoss::IllegalVector, ApicStory::ioapic0).lower(1, 4);
  const WhyAnswer answer = about(4);
  EXPECT_EQ(answer.cause, "half-written");
  EXPECT_THAT(answer.sentence,
              HasSubstr("its message has vector 0x00, and vectors below 0x10 can't be delivered; entry 4 of "
                        "the I/O APIC is open but only half-written, since 0.001 s, by setup"));
}

TEST_F(WhyApic, a_message_to_a_cpu_that_was_never_started) {
  apic_mode();
  story.at(5 * ms).sent(1, ipi, 0xFD, 1, ApicStory::lapic0);
  story.lost(1, ipi, 0xFD, 1, MessageLoss::ReceiverDisabled, ApicStory::lapic0).at(20 * ms);
  const auto answers = stuck();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].cause, "cpu-not-started");
  EXPECT_EQ(
      answers[0].sentence,
      "The IPI of the local APIC of CPU 0 (vector 0xfd to APIC id 1) at 0.005 s, by setup (apic.c:12), had no effect: "
      "its message went to APIC id 1, but CPU 1 has never been started.");
}

TEST_F(WhyApic, an_ipi_to_nobody) {
  story.at(5 * ms).sent(1, ipi, 0xFD, 9, ApicStory::lapic0);
  story.lost(1, ipi, 0xFD, 9, MessageLoss::NoReceiver, ApicStory::lapic0);
  const auto answers = builder.about_vector(0xFD, end(), &names);
  ASSERT_FALSE(answers.empty());
  EXPECT_THAT(answers[0].sentence, HasSubstr("its message went to APIC id 9, which no local APIC has"));
}

TEST_F(WhyApic, a_local_timer_whose_entry_is_masked_and_one_whose_apic_is_off) {
  const auto swallowed = [&](u64 id, Obstacle obstacle, u64 by_base = 0) {
    story.add(
        {.id = id, .kind = RecordKind::Raised, .pin = static_cast<u8>(ApicPin::Timer), .source = ApicStory::lapic0});
    story.add({.id = id,
               .address = ApicStory::culprit,
               .since = ms,
               .extra = by_base,
               .kind = RecordKind::Blocked,
               .vector = 0x30,
               .pin = static_cast<u8>(ApicPin::Timer),
               .detail = static_cast<u8>(obstacle),
               .source = ApicStory::lapic0});
  };
  story.at(5 * ms);
  swallowed(1, Obstacle::EntryMasked);
  EXPECT_EQ(
      about("local timer").sentence,
      "local timer (local APIC of CPU 0) was raised once and never delivered: the local APIC of CPU 0 masks its entry "
      "for local timer since 0.001 s, by setup (apic.c:12); nothing remembers it meanwhile.");
  swallowed(2, Obstacle::ApicDisabled);
  EXPECT_THAT(about("local timer").sentence, HasSubstr("the local APIC of CPU 0 is switched off (SVR bit 8 is clear)"));
  swallowed(3, Obstacle::ApicDisabled, 1);
  EXPECT_THAT(
      about("local timer").sentence,
      HasSubstr("the local APIC of CPU 0 is switched off (bit 11 of IA32_APIC_BASE is clear) since 0.001 s, by setup"));
}

TEST_F(WhyApic, the_8259_behind_a_masked_lint0_reaches_nobody) {
  story.at(ms).mask_8259(0, 0xF8, 0x00);
  story.apic(0, ControllerRegister::LocalVector, 0x10700, static_cast<u8>(ApicPin::Lint0));
  story.at(5 * ms).raise(1, 4);
  story.add({.id = 1, .kind = RecordKind::Latched, .pin = 4, .source = ApicStory::pic0});
  EXPECT_EQ(about(4).cause, "virtual-wire-closed");
  EXPECT_THAT(about(4).sentence, HasSubstr("masks LINT0, through which the 8259's interrupts come since 0.001 s"));
}

TEST_F(WhyApic, a_message_whose_function_has_msi_off_and_one_that_may_not_write) {
  const auto blocked = [&](u64 id, Obstacle obstacle) {
    story.add(
        {.id = id, .kind = RecordKind::Raised, .pin = static_cast<u8>(ApicPin::Message), .source = ApicStory::card});
    story.add({.id = id,
               .address = ApicStory::culprit,
               .since = ms,
               .kind = RecordKind::Blocked,
               .pin = static_cast<u8>(ApicPin::Message),
               .detail = static_cast<u8>(obstacle),
               .source = ApicStory::card});
  };
  story.at(5 * ms);
  blocked(1, Obstacle::BusMasterOff);
  EXPECT_EQ(about("card").cause, "bus-master-off");
  EXPECT_THAT(about("card").sentence,
              HasSubstr("MSI (card) was sent at 0.005 s and not delivered: the card may not write to "
                        "memory, so it can't send its message since 0.001 s"));
}

TEST_F(WhyApic, what_arrives_through_the_io_apic_arrives) {
  apic_mode();
  story.entry(4, masked, 0x34).at(5 * ms).raise(1, 4).seen_by_8259(1, 4).io_apic(1, 4, 0x34, 1).whole(1, 0x34, 1);
  story.lower(1, 4);
  EXPECT_EQ(about(4).cause, "arrived");
  EXPECT_THAT(stuck(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
