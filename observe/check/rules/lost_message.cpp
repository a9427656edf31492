#include "observe/check/rules/lost_message.hpp"

#include <fmt/format.h>

#include "observe/apic_fields.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u32 broadcast = 0xFF;
}  // namespace

RuleMaker LostMessage::maker() {
  return {.rules = {{.id = "lost-message",
                     .title = "an interrupt is sent where no local APIC takes it",
                     .fix = "Send interrupts to CPUs that run: the APIC ids that the MADT lists, each with its local "
                            "APIC on (SVR bit 8, IA32_APIC_BASE bit 11) before the first entry is opened."}},
          .make = [](const RuleContext& context) { return std::make_unique<LostMessage>(context); }};
}

void LostMessage::consume(const Record& record) {
  apics_.consume(record);
  if (record.kind == RecordKind::MessageLost) return lost(record);
  const auto which = static_cast<ControllerRegister>(record.detail);
  if (record.kind == RecordKind::ControllerProgrammed && which == ControllerRegister::MessageEntry) {
    message_entries_[record.source] = record.address;
  }
}

u64 LostMessage::programmer_of(const Record& sent) const {
  const ApicPicture::IoApic* chip = apics_.io_apic();
  if (chip != nullptr && sent.source == chip->source) {
    return sent.pin < ApicPicture::pins ? chip->pin[sent.pin].written.address : 0;
  }
  if (const ApicPicture::Local* local = apics_.local(sent.source)) {
    const auto entry = local->local_vector.find(sent.pin);
    return entry != local->local_vector.end() ? entry->second.address : 0;
  }
  const auto entry = message_entries_.find(sent.source);
  return entry != message_entries_.end() ? entry->second : 0;
}

void LostMessage::lost(const Record& record) {
  const auto loss = static_cast<MessageLoss>(record.detail);
  const Life* life = record.id != 0 ? context_.lives.find(record.id) : nullptr;
  const Record* origin = life != nullptr ? life->origin() : nullptr;
  const Record* message = life != nullptr ? life->last(RecordKind::MessageSent) : nullptr;
  const Record& sent = message != nullptr ? *message : record;
  // IPIs are bad-ipi's, a vector below 16 in an entry ioapic-mismatch's. A level that is not asserted is no request.
  if (sent.pin == interprocessor_pin || loss == MessageLoss::Deassert) return;
  if (loss == MessageLoss::IllegalVector && is_line(sent.pin)) return;

  const auto destination = static_cast<u32>(record.extra);
  const bool one_receiver =
      loss == MessageLoss::ReceiverDisabled && (record.extra & message_extra::logical) == 0 && destination < broadcast;
  const ApicPicture::Local* receiver =
      one_receiver ? apics_.local_of(static_cast<u8>(destination)) : nullptr;  // as the MADT numbers them
  const std::string what = origin != nullptr ? fmt::format("{} ({})", pin_name(origin->pin),
                                                           place_of(origin->source, origin->pin, context_.header))
                                             : pin_name(sent.pin);
  Finding finding{.rule = "lost-message",
                  .severity = loss == MessageLoss::ReceiverDisabled ? FindingSeverity::Warning : FindingSeverity::Error,
                  .vector = record.vector,
                  .id = record.id};
  if (origin != nullptr && is_line(origin->pin)) finding.line = origin->pin;
  if (receiver != nullptr && !receiver->waits_for_startup && !receiver->enabled()) {
    const bool by_base = (receiver->base.value & apic_register::global_enable) == 0;
    const ApicPicture::Setting& off = by_base ? receiver->base : receiver->spurious_vector;
    finding.address = off.address;
    finding.sentence =
        fmt::format("{} switched the local APIC of CPU {} off ({}), and the interrupt of {} that comes there is lost",
                    address_mark(off.address), receiver->cpu, by_base ? "IA32_APIC_BASE bit 11" : "SVR bit 8", what);
  } else {
    finding.address = programmer_of(sent);
    const std::string why = receiver != nullptr && receiver->waits_for_startup
                                ? fmt::format("CPU {} has not been started", receiver->cpu)
                                : std::string(loss_clause(loss));
    finding.sentence = fmt::format("{} programmed {} so that its interrupt has no effect ({}): {}",
                                   address_mark(finding.address), what, message_text(record), why);
  }
  if (finding.address != 0) context_.findings.report(std::move(finding));
}

}  // namespace vitrine
