#include "observe/check/rules/masked_line.hpp"

#include <fmt/format.h>

#include "observe/apic_fields.hpp"
#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u64 look_interval = 10'000'000;  // ns: patience is long, so looking now and then is enough
constexpr u8 all_masked = 0xFF;

constexpr u8 chip_of_line(u8 line) { return line < PicTracker::pins ? PicTracker::first : PicTracker::second; }
}  // namespace

void MaskedLine::consume(const Record& record) {
  if (record.kind == RecordKind::Attended) {
    if (record.pin < lines_.size() && lines_[record.pin].id == record.id) lines_[record.pin].is_polled = true;
    if (record.pin >= PicTracker::pins && record.pin < lines_.size()) cascade_since_[record.pin & 7] = {};
    return;
  }
  const std::optional<u8> chip = pics_.chip_of(record);
  const VectorEntry entry{record.extra};
  const bool is_entry = record.kind == RecordKind::ControllerProgrammed &&
                        static_cast<ControllerRegister>(record.detail) == ControllerRegister::RedirectionEntry;
  if (is_entry && !entry.masked() && entry.has_vector()) io_apic_in_use_ = true;
  if (!chip) return;
  if (record.kind == RecordKind::MaskChanged) note_mask(record, *chip);
  pics_.consume(record);
  const u8 pin = PicTracker::pin_of(record, *chip);
  const bool is_cascade = *chip == PicTracker::first && pin == PicTracker::cascade_pin;
  if (pin != PicTracker::no_pin && !is_cascade && record.kind != RecordKind::MaskChanged)
    note_request(record.pin, record);
  for (u8 each = 0; each < PicTracker::pins; ++each) {
    const bool waits = pics_.pin(PicTracker::second, each).requested && !pics_.masked(PicTracker::second, each) &&
                       pics_.masked(PicTracker::first, PicTracker::cascade_pin);
    if (!waits) cascade_since_[each] = {};
    if (waits && cascade_since_[each].time == 0) cascade_since_[each] = {record.time, record.instructions};
  }
  if (!context_.live) judge(record.time, false);
}

// ICW1 clears the mask by itself: that does not mean that the guest wants anything.
void MaskedLine::note_mask(const Record& record, u8 chip) {
  for (u8 pin = 0; pin < PicTracker::pins; ++pin) {
    const bool masks = (record.extra >> pin & 1) != 0;
    Line& line = lines_[pin + PicTracker::pins * chip];
    if (!masks && record.address != 0 && pics_.chip(chip).initialised) line.was_open = true;
    if (!masks) line.waits_since = 0;
    if (masks && !pics_.masked(chip, pin)) {
      line.waits_since = pics_.pin(chip, pin).requested ? record.time : 0;
      line.instructions = record.instructions;
      line.id = pics_.pin(chip, pin).pending;
      line.is_polled = false;
    }
  }
}

void MaskedLine::note_request(u8 number, const Record& record) {
  Line& line = lines_[number & 15];
  const u8 chip = chip_of_line(number);
  if (record.kind == RecordKind::Acknowledged) {  // by the CPU before the mask, or by a poll
    line.waits_since = 0;
  } else if (record.kind == RecordKind::Latched && pics_.masked(chip, number & 7)) {
    if (line.waits_since == 0) {
      line.waits_since = record.time;
      line.instructions = record.instructions;
    }
    line.id = record.id;
    line.is_polled = false;
  }
}

void MaskedLine::looked(const Cpu& cpu) {
  const u64 now = cpu.context.clock.now().value;
  if (now < next_look_) return;
  next_look_ = now + look_interval;
  judge(now, false);
}

void MaskedLine::finish(const RunEnd& end) { judge(end.time, end.reason == "halted"); }

void MaskedLine::judge(u64 time, bool for_ever) {
  if (io_apic_in_use_) return;
  judge_cascade(time, for_ever);
  // All of both: the 8259s are not in use.
  if (pics_.chip(PicTracker::first).mask == all_masked && pics_.chip(PicTracker::second).mask == all_masked) return;
  for (u8 number = 0; number < lines_.size(); ++number) {
    Line& line = lines_[number];
    if (line.waits_since == 0 || line.reported || line.is_polled || !line.was_open) continue;
    const PicTracker::PinState& pin = pics_.pin(chip_of_line(number), number & 7);
    const bool long_enough = time - line.waits_since >= patience && time - pin.masked_since >= patience;
    if (pin.requested && (long_enough || for_ever)) {
      line.reported = true;
      report(number);
    }
  }
}

void MaskedLine::judge_cascade(u64 time, bool for_ever) {
  if (pics_.chip(PicTracker::first).mask == all_masked) return;
  for (u8 pin = 0; pin < PicTracker::pins; ++pin) {
    const u64 since = cascade_since_[pin].time;
    if (since == 0 || cascade_reported_[pin] || (time - since < cascade_patience && !for_ever)) continue;
    cascade_reported_[pin] = true;
    const PicTracker::PinState& cascade = pics_.pin(PicTracker::first, PicTracker::cascade_pin);
    const PicTracker::PinState& own = pics_.pin(PicTracker::second, pin);
    const int line = pin + PicTracker::pins;
    const std::string who = cascade.masked_by != 0 ? fmt::format("{} masked IR2", address_mark(cascade.masked_by))
                                                   : std::string("IR2 is masked");
    context_.findings.report(
        {.rule = "masked-line",
         .severity = FindingSeverity::Warning,
         .time = since,
         .instructions = cascade_since_[pin].instructions,
         .address = cascade.masked_by,
         .line = line,
         .id = own.pending,
         .sentence = fmt::format("{} of the first 8259, through which all of the second one's interrupts go: {} is "
                                 "unmasked there and waits since {}",
                                 who, request_words(context_, line, own.pending), at_words(since))});
  }
}

void MaskedLine::report(u8 number) {
  const Line& line = lines_[number];
  const PicTracker::PinState& pin = pics_.pin(chip_of_line(number), number & 7);
  const std::string request = request_words(context_, number, line.id);
  context_.findings.report(
      {.rule = "masked-line",
       .severity = FindingSeverity::Note,
       .time = line.waits_since,
       .instructions = line.instructions,
       .address = pin.masked_by,
       .line = number,
       .id = line.id,
       .sentence = fmt::format("{} masked {} at {}, and it waits since {}", address_mark(pin.masked_by), request,
                               at_words(pin.masked_since), at_words(line.waits_since))});
}

}  // namespace vitrine
