#include "observe/check/rules/ended_interrupts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u8 both_chips = 1 << PicTracker::first | 1 << PicTracker::second;
/// An IRET to the handler's own stack goes on with the handler.
constexpr u64 same_stack = 16384;
}  // namespace

void EndedInterrupts::consume(const Record& record) {
  if (record.kind == RecordKind::EndOfInterrupt) ended(record);
  if (pics_.chip_of(record)) {
    pics_.consume(record);
    std::erase_if(unended_, [&](const Unended& each) { return chips_serving(each.id, each.line) == 0; });
    for (Unended& each : unended_) look_who_waits(each, record.time, record.instructions);
  } else if (record.kind == RecordKind::Returned) {
    const Life* life = context_.lives.find(record.id);
    const Record* delivered = life != nullptr ? life->last(RecordKind::Delivered) : nullptr;
    const Moment moment = {record.address, record.time, record.instructions};
    if (delivered != nullptr) left_by_others(delivered->time, moment);
    left(record.id, Way::Returned, moment);
  } else if (record.kind == RecordKind::InterruptsOff) {
    for (Unended& each : unended_) {
      if (each.blocked_at != 0) each.interrupts_off += record.time - std::max(record.since, each.blocked_at);
    }
  } else if (record.kind == RecordKind::Halted) {
    halted_deaf_ = record.detail == 0;
  } else if (record.kind == RecordKind::Delivered) {
    halted_deaf_ = false;
  }
  if (!context_.live && !unended_.empty()) judge(record.time);
}

// Before the tracker forgets who was in service.
void EndedInterrupts::ended(const Record& record) {
  const std::optional<u8> chip = pics_.chip_of(record);
  if (!chip) ended_elsewhere(record);
  const u8 pin = chip ? PicTracker::pin_of(record, *chip) : PicTracker::no_pin;
  if (pin == PicTracker::no_pin || !pics_.pin(*chip, pin).in_service) return;
  const u64 id = pics_.pin(*chip, pin).serving;
  const auto kind = static_cast<EndKind>(record.detail);
  const bool by_hand = kind == EndKind::NonSpecific || kind == EndKind::Specific;
  const int line = line_of(context_, id);
  const LiveFrame* handler = running_frame(context_, record.cpu);
  const bool sent_by_another = handler != nullptr && handler->kind == DeliveryKind::External && handler->id != id;
  if (kind == EndKind::NonSpecific && sent_by_another) misdirected_ = {handler->id, record.address, line};
  if (by_hand && line >= PicTracker::pins) half_ends_[line & 7] = {id, record.address};
  for (Unended& each : unended_) {
    if (each.id != id || (chips_serving(id, each.line) & ~(1u << *chip)) != 0) {
      if (each.id == id && by_hand) each.other_end = record.address;
      continue;
    }
    if (kind == EndKind::Initialised) continue;
    const bool late = waits_too_long(each, record.time);
    if (late || each.way == Way::Switched) report(each, FindingSeverity::Warning, record.time);
  }
}

/// An EOI of the running handler to an APIC that has nothing in service: that is eoi-wrong-controller.
void EndedInterrupts::ended_elsewhere(const Record& record) {
  const LiveFrame* handler = record.id == 0 ? running_frame(context_, record.cpu) : nullptr;
  const int line = handler != nullptr ? line_of(context_, handler->id) : -1;
  if (line >= 0) ended_at_apic_[static_cast<std::size_t>(line) % ended_at_apic_.size()] = handler->id;
}

// SFNM: what the first 8259 has in service on the cascade pin stands for all that is in service at the second.
u8 EndedInterrupts::chips_serving(u64 id, u8 line) const {
  if (line < PicTracker::pins) {
    const PicTracker::PinState& pin = pics_.pin(PicTracker::first, line);
    return pin.in_service && pin.serving == id ? 1 << PicTracker::first : 0;
  }
  const PicTracker::PinState& own = pics_.pin(PicTracker::second, line & 7);
  const bool at_second = own.in_service && own.serving == id;
  const PicTracker::PinState& cascade = pics_.pin(PicTracker::first, PicTracker::cascade_pin);
  const bool nests = pics_.chip(PicTracker::first).special_fully_nested;
  const bool others = std::ranges::any_of(pics_.chip(PicTracker::second).pin, &PicTracker::PinState::in_service);
  const bool at_first = cascade.in_service && (nests ? !others : cascade.serving == id);
  return static_cast<u8>((at_second ? 1 << PicTracker::second : 0) | (at_first ? 1 << PicTracker::first : 0));
}

void EndedInterrupts::left(u64 id, Way way, const Moment& moment) {
  const Life* life = id != 0 ? context_.lives.find(id) : nullptr;
  const Record* delivered = life != nullptr ? life->last(RecordKind::Delivered) : nullptr;
  const int line = line_of(context_, id);
  if (delivered == nullptr || line < 0 || !is_kernel_delivery(*delivered)) return;
  const u8 chips = chips_serving(id, static_cast<u8>(line));
  if (chips == 0 || ended_at_apic_[static_cast<std::size_t>(line) % ended_at_apic_.size()] == id) return;
  // One for each in-service bit: in special fully nested mode later requests of the line are served under the same one.
  const auto known = std::ranges::find(unended_, static_cast<u8>(line), &Unended::line);
  if (known != unended_.end()) return;
  Unended entry = {.id = id,
                   .way = way,
                   .line = static_cast<u8>(line),
                   .handler = delivered->address,
                   .left_by = moment.address,
                   .left_at = moment.time,
                   .instructions = moment.instructions,
                   .chips = chips};
  const HalfEnd& half = half_ends_[line & 7];
  if (line >= PicTracker::pins && half.id == id) entry.other_end = half.address;
  look_who_waits(entry, moment.time, moment.instructions);
  unended_.push_back(entry);
}

/// Code that was interrupted earlier goes on, or another context: handlers that began later are left behind.
void EndedInterrupts::left_by_others(u64 delivered_before, const Moment& moment) {
  for (const LiveFrame& frame : context_.lives.frames(context_.cpu())) {
    if (frame.kind == DeliveryKind::External && frame.id != 0 && frame.time > delivered_before) {
      left(frame.id, Way::Switched, moment);
    }
  }
}

void EndedInterrupts::returned(const Cpu& cpu, const ProbedReturn& iret) {
  if (iret.request != 0 || iret.vector != 0) return;  // a frame that was pushed: the ledger's Returned says so too
  const u64 stack = cpu.state.gpr[rsp];
  for (const LiveFrame& frame : context_.lives.frames(context_.cpu())) {
    const bool goes_on = cpu.cpl == 0 && stack < frame.frame && frame.frame - stack < same_stack;
    if (frame.kind != DeliveryKind::External || frame.id == 0 || goes_on) continue;
    left(frame.id, Way::Switched, {iret.instruction, cpu.context.clock.now().value, cpu.state.instructions});
  }
}

void EndedInterrupts::left_kernel(const Cpu& cpu, u64 instruction) {
  left_by_others(0, {instruction, cpu.context.clock.now().value, cpu.state.instructions});
}

void EndedInterrupts::look_who_waits(Unended& unended, u64 time, u64 instructions) const {
  const u8 chips = chips_serving(unended.id, unended.line);
  for (const u8 chip : {PicTracker::first, PicTracker::second}) {
    if ((chips >> chip & 1) == 0) continue;
    const bool is_cascade = chip == PicTracker::first && unended.line >= PicTracker::pins;
    const PicTracker::Blocker bit = {chip, is_cascade ? PicTracker::cascade_pin : static_cast<u8>(unended.line & 7)};
    for (u8 line = 0; line < 2 * PicTracker::pins; ++line) {
      if (!pics_.holds_back(bit, line)) continue;
      if (unended.blocked_at == 0) {
        unended.blocked_at = time;
        unended.blocked_instructions = instructions;
        unended.interrupts_off = 0;
      }
      unended.blocked_line = line;
      unended.blocked_id =
          pics_.pin(line < PicTracker::pins ? PicTracker::first : PicTracker::second, line & 7).pending;
      unended.blocker = bit;
      return;
    }
  }
  unended.blocked_at = 0;
}

bool EndedInterrupts::waits_too_long(const Unended& unended, u64 time) const {
  if (unended.blocked_at == 0 || time < unended.blocked_at + blocked_patience) return false;
  u64 off = unended.interrupts_off;
  if (off_since_ != 0 && time > off_since_) off += time - std::max(off_since_, unended.blocked_at);
  return time - unended.blocked_at >= off + blocked_with_interrupts_on;
}

void EndedInterrupts::judge(u64 time) {
  for (Unended& each : unended_) {
    if (each.blocked_at != 0 && time - each.blocked_at >= late_patience && waits_too_long(each, time)) {
      report(each, FindingSeverity::Error, 0);
    }
  }
  std::erase_if(unended_, [&](const Unended& each) {
    return each.blocked_at != 0 && time - each.blocked_at >= late_patience && waits_too_long(each, time);
  });
}

void EndedInterrupts::looked(const Cpu& cpu) {
  off_since_ = cpu.interruptible() ? 0 : cpu.state.interrupts_off_since;
  if (!unended_.empty()) judge(cpu.context.clock.now().value);
}

void EndedInterrupts::finish(const RunEnd& end) {
  // Halted for good with IF=1: what waits will wait for ever.
  const bool for_ever = end.reason == "halted" && !halted_deaf_;
  for (const Unended& each : unended_) {
    const bool blocked = each.blocked_at != 0 && (for_ever || waits_too_long(each, end.time));
    const bool half = each.chips != both_chips && each.other_end != 0;
    const bool stays = for_ever || end.time - each.left_at >= blocked_patience;
    const bool lets_pass = pics_.chip(PicTracker::first).special_mask || pics_.chip(PicTracker::second).special_mask;
    if (blocked) {
      report(each, FindingSeverity::Error, 0);
    } else if (each.way == Way::Switched || (half && stays && !lets_pass)) {
      report(each, FindingSeverity::Warning, 0);
    }
  }
  unended_.clear();
}

std::string EndedInterrupts::cause(const Unended& unended) const {
  const std::string handler = address_mark(unended.handler);
  const std::string request = request_words(context_, unended.line, unended.id);
  if (unended.way == Way::Switched) {
    return fmt::format("{} handed the CPU to other code before ending {}", handler, request);
  }
  if (unended.other_end == 0) return fmt::format("{} returned without ending {}", handler, request);
  const u8 ended =
      chips_serving(unended.id, unended.line) == 1 << PicTracker::first ? PicTracker::second : PicTracker::first;
  return fmt::format("{} ended {} at the {} only", handler, request, chip_words(ended));
}

void EndedInterrupts::report(const Unended& unended, FindingSeverity severity, u64 eoi_at) {
  const u8 chips = chips_serving(unended.id, unended.line);
  const u8 chip = unended.blocked_at != 0                  ? unended.blocker.chip
                  : (chips & 1 << PicTracker::second) != 0 ? PicTracker::second
                                                           : PicTracker::first;
  const bool cascade = chip == PicTracker::first && unended.line >= PicTracker::pins;
  const u8 number = cascade ? PicTracker::cascade_pin : unended.line & 7;
  const PicTracker::PinState& pin = pics_.pin(chip, number);
  std::string sentence = fmt::format("{}: the {} has {} in service since {}", cause(unended), chip_words(chip),
                                     cascade ? "its cascade input IR2" : "it", at_words(pin.in_service_since));
  if (unended.blocked_at != 0) {
    sentence +=
        fmt::format(", and {} waits behind it since {}",
                    request_words(context_, unended.blocked_line, unended.blocked_id), at_words(unended.blocked_at));
  }
  Finding finding = {.rule = unended.way == Way::Switched ? "eoi-after-switch"
                             : unended.other_end != 0     ? "eoi-half-cascade"
                                                          : "missing-eoi",
                     .severity = severity,
                     .time = unended.blocked_at != 0 ? unended.blocked_at : unended.left_at,
                     .instructions = unended.blocked_at != 0 ? unended.blocked_instructions : unended.instructions,
                     .address = unended.handler,
                     .line = unended.line,
                     .id = unended.id,
                     .sentence = std::move(sentence)};
  const std::string_view way =
      unended.way == Way::Switched ? "the CPU went on with another frame at" : "it returned at";
  finding.evidence.push_back(
      fmt::format("{} {}, at {}", way, address_mark(unended.left_by), at_words(unended.left_at)));
  if (unended.way == Way::Returned && unended.other_end != 0) {
    finding.evidence.push_back(fmt::format("the one EOI was sent at {}", address_mark(unended.other_end)));
  }
  if (unended.way == Way::Returned && misdirected_.id == unended.id && misdirected_.ended_line >= 0) {
    finding.evidence.push_back(
        fmt::format("its EOI at {} ended IRQ {} instead, which was in service with a higher priority",
                    address_mark(misdirected_.address), misdirected_.ended_line));
  }
  if (eoi_at != 0) {
    finding.evidence.push_back(
        fmt::format("an EOI ended it {} after the handler was left", duration_text(eoi_at - unended.left_at)));
  }
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
