// How `vitrine show` words what APICs tell.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "observe/apic_story.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/show.hpp"

namespace vitrine {
namespace {

constexpr u8 detail(auto value) { return static_cast<u8>(value); }
constexpr u8 ipi = static_cast<u8>(ApicPin::Interprocessor);

std::string words(const Record& record) { return show_line(record, ApicStory::header(), nullptr).substr(25); }

Record message(u64 extra, MessageMode mode = MessageMode::Fixed, u8 vector = 0x24) {
  return {.extra = extra,
          .kind = RecordKind::MessageSent,
          .vector = vector,
          .pin = ipi,
          .detail = detail(mode),
          .source = ApicStory::lapic0};
}

TEST(ShowMessage, says_what_goes_where) {
  struct Row {
    Record record;
    const char* text;
  };
  const Row rows[] = {
      {message(1), "lapic0 sends vector 0x24 to APIC id 1"},
      {message(0xFF), "lapic0 sends vector 0x24 to all CPUs"},
      {message(0xFF | message_extra::wide), "lapic0 sends vector 0x24 to APIC id 255"},
      {message(0xFFFF'FFFF | message_extra::wide), "lapic0 sends vector 0x24 to all CPUs"},
      {message(3 | message_extra::logical), "lapic0 sends vector 0x24 to logical id 0x03"},
      {message(3 | message_extra::logical, MessageMode::LowestPriority),
       "lapic0 sends vector 0x24 to the least busy of logical id 0x03"},
      {message(u64{1} << message_extra::shorthand), "lapic0 sends vector 0x24 to itself"},
      {message(u64{3} << message_extra::shorthand, MessageMode::Nmi), "lapic0 sends NMI to all other CPUs"},
      {message(1, MessageMode::Init), "lapic0 sends INIT to APIC id 1"},
      {message(1 | message_extra::deassert, MessageMode::Init), "lapic0 sends INIT de-assert to APIC id 1"},
      {message(1, MessageMode::StartUp, 0x9A), "lapic0 sends start-up for 0x9a000 to APIC id 1"},
  };
  for (const Row& row : rows) EXPECT_EQ(words(row.record), row.text);
}

TEST(ShowMessage, names_the_pin_or_the_write_it_came_from) {
  Record record = message(1);
  record.source = ApicStory::ioapic0;
  record.pin = 4;
  EXPECT_EQ(words(record), "ioapic0 sends vector 0x24 to APIC id 1 (input 4)");
  record.source = ApicStory::card;
  record.pin = detail(ApicPin::Message);
  record.since = 0xFEE01000;
  EXPECT_EQ(words(record), "card sends vector 0x24 to APIC id 1 (MSI write to 0xfee01000)");
}

TEST(ShowMessage, every_loss_says_why) {
  for (u8 loss = 1; loss <= detail(MessageLoss::Shorthand); ++loss) {
    const Record record{.extra = 1, .kind = RecordKind::MessageLost, .vector = 0x24, .detail = loss};
    EXPECT_EQ(words(record).find("unknown"), std::string::npos) << words(record);
    EXPECT_NE(loss_name(static_cast<MessageLoss>(loss)), "unknown");
  }
  EXPECT_EQ(words({.extra = 2,
                   .kind = RecordKind::MessageLost,
                   .vector = 0x9A,
                   .pin = ipi,
                   .detail = detail(MessageLoss::NotWaiting),
                   .source = ApicStory::lapic0}),
            "lapic0: nobody takes start-up for 0x9a000 to APIC id 2: that CPU does not wait for a start-up message");
}

TEST(ShowObstacle, every_obstacle_and_every_kind_of_record_has_words) {
  for (u8 obstacle = 0; obstacle <= detail(Obstacle::NotConnected); ++obstacle) {
    EXPECT_NE(obstacle_name(static_cast<Obstacle>(obstacle)), "unknown") << int{obstacle};
  }
  for (u8 kind = 1; kind <= detail(RecordKind::CpuReset); ++kind) {
    EXPECT_NE(kind_name(static_cast<RecordKind>(kind)), "unknown") << int{kind};
  }
  EXPECT_EQ(words({.extra = 0x40,
                   .kind = RecordKind::Blocked,
                   .vector = 0x31,
                   .detail = detail(Obstacle::PriorityTooLow),
                   .source = ApicStory::lapic1}),
            "in lapic1 must wait: its vector's priority is not above the processor's (PPR) (PPR 0x40, by TPR)");
  const auto disabled = [](u64 by_base) {
    return words({.extra = by_base,
                  .kind = RecordKind::Blocked,
                  .detail = detail(Obstacle::ApicDisabled),
                  .source = ApicStory::lapic1});
  };
  EXPECT_EQ(disabled(0), "in lapic1 must wait: the local APIC is switched off (SVR bit 8)");
  EXPECT_EQ(disabled(1), "in lapic1 must wait: the local APIC is switched off (IA32_APIC_BASE bit 11)");
}

TEST(ShowApic, names_what_a_local_apic_and_an_io_apic_do) {
  EXPECT_EQ(words({.id = 1, .kind = RecordKind::Raised, .pin = detail(ApicPin::Timer), .source = ApicStory::lapic1}),
            "lapic1 raises its timer interrupt");
  EXPECT_EQ(words({.id = 1, .kind = RecordKind::Raised, .pin = 17, .source = ApicStory::card}), "card raises PIRQ B");
  EXPECT_EQ(words({.id = 1, .kind = RecordKind::Latched, .vector = 0x24, .source = ApicStory::lapic1}),
            "lapic1 accepts vector 0x24");
  EXPECT_EQ(words({.id = 1, .kind = RecordKind::Latched, .vector = 0x24, .pin = 4, .source = ApicStory::ioapic0}),
            "ioapic0 latches it on input 4");
  EXPECT_EQ(words({.other = 1, .kind = RecordKind::MaskChanged, .pin = 4, .source = ApicStory::ioapic0}),
            "ioapic0 opens pin 4");
}

TEST(ShowRegisters, are_told_by_their_fields) {
  const auto text = [](ControllerRegister which, u64 value, u8 pin, u16 source) {
    return words({.extra = value,
                  .kind = RecordKind::ControllerProgrammed,
                  .pin = pin,
                  .detail = detail(which),
                  .source = source});
  };
  using enum ControllerRegister;
  EXPECT_EQ(text(RedirectionEntry, u64{1} << 56 | 0xA031, 16, ApicStory::ioapic0),
            "ioapic0: redirection entry 16: vector 0x31 to APIC id 1, level, active low, open");
  EXPECT_EQ(text(RedirectionEntry, 0x10000, 4, ApicStory::ioapic0),
            "ioapic0: redirection entry 4: vector 0x00 to APIC id 0, edge, active high, masked");
  EXPECT_EQ(text(LocalVector, 0x200EC, detail(ApicPin::Timer), ApicStory::lapic0),
            "lapic0: local vector table entry of local timer: vector 0xec, periodic, open");
  EXPECT_EQ(text(LocalVector, 0x700, detail(ApicPin::Lint0), ApicStory::lapic0),
            "lapic0: local vector table entry of LINT0: the 8259's vector (ExtINT), edge, active high, open");
  EXPECT_EQ(text(SpuriousVector, 0x1FF, 0, ApicStory::lapic0),
            "lapic0: spurious-interrupt vector register (SVR): APIC on, spurious vector 0xff");
  EXPECT_EQ(text(ApicBase, 0xFEE00C00, 0, ApicStory::lapic0), "lapic0: IA32_APIC_BASE: APIC on at 0xfee00000, x2APIC");
  EXPECT_EQ(words({.other = 0x31 | u64{1} << 32,
                   .extra = 0xFEE01000,
                   .kind = RecordKind::ControllerProgrammed,
                   .pin = 2,
                   .detail = detail(MessageEntry),
                   .source = ApicStory::card}),
            "card: MSI entry 2: address 0xfee01000, data 0x31, vector 0x31 to APIC id 1, masked");
}

TEST(ShowFilter, a_copy_belongs_to_the_line_of_its_original) {
  const TraceHeader header = ApicStory::header();
  ShowSelector selector({.line = 4}, header);
  EXPECT_TRUE(selector.selects({.id = 1, .kind = RecordKind::Raised, .pin = 4}));
  EXPECT_TRUE(selector.selects({.id = 2, .other = 1, .kind = RecordKind::Copied}));
  EXPECT_TRUE(selector.selects({.id = 2, .kind = RecordKind::Delivered, .vector = 0x24}));
}

}  // namespace
}  // namespace vitrine
