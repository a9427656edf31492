#include "observe/check/rules/written_ends.hpp"

#include <fmt/format.h>

#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u8 spurious_pin = 7;
constexpr u8 default_lowest = 7;
}  // namespace

void WrittenEnds::consume(const Record& record) {
  const std::optional<u8> chip = pics_.chip_of(record);
  if (!chip) return;
  const auto kind = static_cast<EndKind>(record.detail);
  if (record.kind == RecordKind::EndOfInterrupt && (kind == EndKind::NonSpecific || kind == EndKind::Specific)) {
    ended(record, *chip);
  }
  pics_.consume(record);
}

void WrittenEnds::ended(const Record& record, u8 chip) {
  const PicTracker::Chip& state = pics_.chip(chip);
  const u8 pin = PicTracker::pin_of(record, chip);
  const bool ends_something = pin != PicTracker::no_pin && state.pin[pin].in_service;
  const LiveFrame* handler = running_frame(context_, record.cpu);
  const bool external = handler != nullptr && handler->kind == DeliveryKind::External;
  if (external) {
    const Life* life = context_.lives.find(handler->id);
    if (life != nullptr && served_by_apic(context_, *life) != nullptr) return;  // of that speaks eoi-wrong-controller
    const Record* delivered = life != nullptr ? life->last(RecordKind::Delivered) : nullptr;
    if (delivered != nullptr && !is_kernel_delivery(*delivered)) return;
  }
  const int line = external ? line_of(context_, handler->id) : -1;
  // Of a spurious interrupt speaks spurious-mishandled.
  const bool is_spurious = external && handler->id == 0 && handler->vector == (state.vector_base | spurious_pin);
  if (!ends_something) {
    if (state.initialised && !state.automatic && !is_spurious) without_service(record, chip, handler, line);
    return;
  }
  if (external && handler->id != 0 && line >= 0) wrong_bit(record, chip, pin, *handler, line);
  const u64 id = state.pin[pin].serving;
  const int ended_line = line_of(context_, id);
  if (ended_line < 0) return;
  Past& past = past_[chip][ended_line & 15];
  if (past.id != id) past = {.id = id, .ended_by = record.address, .by_another = is_spurious};
}

void WrittenEnds::wrong_bit(const Record& record, u8 chip, u8 pin, const LiveFrame& handler, int line) {
  const PicTracker::Chip& state = pics_.chip(chip);
  const bool is_specific = static_cast<EndKind>(record.detail) == EndKind::Specific;
  if (is_specific || state.special_mask || state.lowest_priority != default_lowest) return;
  const bool at_second = line >= PicTracker::pins;
  if (chip == PicTracker::first && pin == (at_second ? PicTracker::cascade_pin : line)) return;
  if (chip == PicTracker::second && at_second && pin == (line & 7)) return;

  const u64 victim = state.pin[pin].serving;
  const int found = line_of(context_, victim);
  const int victim_line = found >= 0 ? found : pin + PicTracker::pins * chip;
  const std::string own = request_words(context_, line, handler.id);
  const std::string other = request_words(context_, victim_line, victim);
  const Past& before = past_[chip][line & 15];
  const bool second_time = before.id == handler.id;
  std::string sentence;
  if (second_time) {
    sentence = fmt::format(
        "{} ended {} instead of {}, which had been ended before: a non-specific EOI ends the highest "
        "priority in service at the {}",
        address_mark(record.address), other, own, chip_words(chip));
  } else {
    sentence = fmt::format(
        "{} ended {} instead of {}: that is the highest priority in service at the {}, and a "
        "non-specific EOI ends no other",
        address_mark(record.address), other, own, chip_words(chip));
  }
  Finding finding = {.rule = "eoi-wrong-bit",
                     .severity = FindingSeverity::Warning,
                     .address = handler.address,
                     .line = line,
                     .id = victim,
                     .sentence = std::move(sentence)};
  finding.evidence.push_back(fmt::format("it was sent in the handler of {}, {}", own, address_mark(handler.address)));
  if (second_time)
    finding.evidence.push_back(fmt::format("the first EOI was sent at {}", address_mark(before.ended_by)));
  if (state.pin[pin].in_service_since != 0) {
    finding.evidence.push_back(
        fmt::format("{} was in service since {}", other, at_words(state.pin[pin].in_service_since)));
  }
  context_.findings.report(std::move(finding));
  if (found >= 0) past_[chip][found & 15] = {.id = victim, .ended_by = record.address, .by_another = true};
}

void WrittenEnds::without_service(const Record& record, u8 chip, const LiveFrame* handler, int line) {
  const std::string eoi = address_mark(record.address);
  std::string sentence;
  Finding finding = {.rule = "eoi-without-service",
                     .severity = FindingSeverity::Warning,
                     .address = handler != nullptr ? handler->address : record.address};
  if (handler != nullptr && handler->kind == DeliveryKind::External && line >= 0) {
    const Past& before = past_[chip][line & 15];
    const bool is_over = before.id == handler->id;
    if (is_over && before.by_another) return;
    const std::string own = request_words(context_, line, handler->id);
    finding.line = line;
    finding.id = handler->id;
    if (chip == PicTracker::second && line < PicTracker::pins) {
      sentence = fmt::format(
          "{} sends an EOI to the second 8259 for {}, which is on the first: nothing is in service "
          "there",
          eoi, own);
    } else if (is_over) {
      sentence = fmt::format("{} ends {} at the {} a second time: nothing is in service there any more", eoi, own,
                             chip_words(chip));
      finding.evidence.push_back(fmt::format("the first EOI was sent at {}", address_mark(before.ended_by)));
    }
  } else if (handler != nullptr && handler->kind == DeliveryKind::Software) {
    finding.vector = handler->vector;
    finding.id = handler->id;
    sentence =
        fmt::format("{} sends an EOI in a handler that INT {:#x} entered, not the {}: nothing is in service there", eoi,
                    handler->vector, chip_words(chip));
    finding.evidence.push_back(fmt::format("the INT is at {}", address_mark(handler->interrupted)));
  }
  if (sentence.empty())
    sentence = fmt::format("{} sends an EOI to the {}, where nothing is in service", eoi, chip_words(chip));
  finding.evidence.emplace_back("had another interrupt been in service, this EOI would have ended that one");
  finding.sentence = std::move(sentence);
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
