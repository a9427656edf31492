#include "observe/check/rules/spurious_mishandled.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

void SpuriousMishandled::consume(const Record& record) {
  const std::optional<u8> chip = pics_.chip_of(record);
  switch (record.kind) {
    case RecordKind::Spurious:
      answered_ = record;
      answered_chip_ = chip.value_or(local_apic);
      break;
    case RecordKind::Delivered:
      entered(record);
      break;
    case RecordKind::Returned:
      left(record);
      break;
    case RecordKind::EndOfInterrupt:
      if (chip) ended(record, *chip);
      if (!chip) ended_at_apic(record);
      break;
    default:
      break;
  }
  if (chip) pics_.consume(record);
}

void SpuriousMishandled::entered(const Record& record) {
  std::erase_if(running_, [&](const Running& each) { return each.frame == record.frame; });
  const bool is_ours = answered_ && record.id == 0 && record.vector == answered_->vector && is_kernel_delivery(record);
  if (is_ours) {
    if (running_.size() == most_running) running_.erase(running_.begin());
    running_.push_back(
        {.spurious = *answered_, .chip = answered_chip_, .handler = record.address, .frame = record.frame});
  }
  answered_.reset();
}

void SpuriousMishandled::ended(const Record& record, u8 chip) {
  const auto kind = static_cast<EndKind>(record.detail);
  if (kind != EndKind::NonSpecific && kind != EndKind::Specific) return;
  const LiveFrame* frame = running_frame(context_, record.cpu);
  if (frame == nullptr || frame->id != 0) return;
  const auto running = std::ranges::find(running_, frame->frame, &Running::frame);
  if (running == running_.end() || running->chip != chip || pics_.chip(chip).automatic) return;
  const u8 pin = PicTracker::pin_of(record, chip);
  const bool ends_another = pin != PicTracker::no_pin && pics_.pin(chip, pin).in_service;
  Finding found = finding(*running, ends_another ? FindingSeverity::Error : FindingSeverity::Warning, running->handler);
  const int spurious_line = running->spurious.pin;
  found.sentence = fmt::format("{} sends an EOI to the {} for a spurious IRQ {}, which is not in service there",
                               address_mark(record.address), chip_words(chip), spurious_line);
  if (ends_another) {
    const u64 victim = pics_.pin(chip, pin).serving;
    found.sentence +=
        fmt::format(": it has ended {} instead", request_words(context_, pin + PicTracker::pins * chip, victim));
    found.id = victim;
  }
  found.evidence.push_back(fmt::format("the handler is {}", address_mark(running->handler)));
  context_.findings.report(std::move(found));
}

/// SDM vol. 3A §10.9: the spurious vector sets no bit in the ISR, so its handler must send no EOI.
void SpuriousMishandled::ended_at_apic(const Record& record) {
  const bool local =
      record.source < context_.header.sources.size() && context_.header.sources[record.source].starts_with("lapic");
  const LiveFrame* frame = local ? running_frame(context_, record.cpu) : nullptr;
  if (frame == nullptr || frame->id != 0) return;
  const auto running = std::ranges::find(running_, frame->frame, &Running::frame);
  if (running == running_.end() || running->chip != local_apic) return;
  const bool ends_another = record.id != 0;
  Finding found = finding(*running, ends_another ? FindingSeverity::Error : FindingSeverity::Warning, running->handler);
  found.line = -1;
  found.sentence = fmt::format(
      "{} sends an EOI to the local APIC for its spurious vector {:#04x}, which is never in "
      "service",
      address_mark(record.address), frame->vector);
  if (ends_another) {
    found.sentence += fmt::format(": it has ended vector {:#04x} instead", record.vector);
    found.id = record.id;
  }
  found.evidence.push_back(fmt::format("the handler is {}", address_mark(running->handler)));
  context_.findings.report(std::move(found));
}

void SpuriousMishandled::left(const Record& record) {
  const auto running = std::ranges::find(running_, record.frame, &Running::frame);
  if (running == running_.end() || record.id != 0) return;
  const Running over = *running;
  running_.erase(running);
  // The first 8259 knows nothing of what the second one answered: for it, its cascade input was served.
  const PicTracker::PinState& cascade = pics_.pin(PicTracker::first, PicTracker::cascade_pin);
  const bool stays = over.chip == PicTracker::second && cascade.in_service && cascade.serving == 0 &&
                     !std::ranges::any_of(pics_.chip(PicTracker::second).pin, &PicTracker::PinState::in_service);
  if (!stays) return;
  Finding found = finding(over, FindingSeverity::Error, over.handler);
  found.sentence = fmt::format(
      "{} returned from a spurious IRQ 15 without an EOI to the first 8259, which has its cascade input IR2 in service "
      "since {}: nothing of the same or lower priority comes any more",
      address_mark(over.handler), at_words(cascade.in_service_since));
  found.evidence.push_back(fmt::format("it returned at {}", address_mark(record.address)));
  context_.findings.report(std::move(found));
}

Finding SpuriousMishandled::finding(const Running& running, FindingSeverity severity, u64 address) const {
  Finding found = {.rule = "spurious-mishandled",
                   .severity = severity,
                   .address = address,
                   .line = running.spurious.pin,
                   .vector = running.spurious.vector,
                   .id = running.spurious.other};
  std::string why =
      fmt::format("it was spurious because {}", spurious_clause(static_cast<SpuriousCause>(running.spurious.detail)));
  if (running.spurious.address != 0) why += fmt::format(" (by {})", address_mark(running.spurious.address));
  found.evidence.push_back(std::move(why));
  return found;
}

}  // namespace vitrine
