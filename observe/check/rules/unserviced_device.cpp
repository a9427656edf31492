#include "observe/check/rules/unserviced_device.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u64 storm_warning = 3, storm_error = 1000;  // repetitions in a row
constexpr u64 patience = 100'000'000;                 // T_EDGE, ns

bool is_unread(WithheldCause cause) {
  return cause == WithheldCause::BufferNotRead || cause == WithheldCause::FlagNotRead;
}
}  // namespace

RuleMaker UnservicedDeviceRule::maker() {
  return {
      .rules = {{.id = "unserviced-device",
                 .title = "a handler returns without having served its device",
                 .fix = "Read the device's status or data in the handler (port 0x60 of the keyboard controller, the "
                        "UART's IIR, register C of the clock) before the end of interrupt."}},
      .make = [](const RuleContext& context) { return std::make_unique<UnservicedDeviceRule>(context); }};
}

RecordKinds UnservicedDeviceRule::record_kinds() const {
  return ControllerPicture::kinds | record_kinds_of(RecordKind::Raised, RecordKind::Lowered, RecordKind::Delivered,
                                                    RecordKind::Returned, RecordKind::Attended, RecordKind::Withheld,
                                                    RecordKind::DeviceProgrammed);
}

void UnservicedDeviceRule::consume(const Record& record) {
  controllers_.consume(record);
  if (record.time >= next_due_) judge_waiting(record.time);
  if (record.kind == RecordKind::Delivered) return note_delivery(record);
  if (record.kind == RecordKind::Returned) {
    for (Line& line : lines_) {
      if (record.id == 0 || line.id != record.id) continue;
      line.returned_at = record.time;
      await(line);
    }
    return;
  }
  if (record.pin >= lines_.size()) return;
  Line& line = lines_[record.pin];
  switch (record.kind) {
    case RecordKind::Raised:
      line = Line{.id = record.id, .source = record.source, .high = true};
      return;
    case RecordKind::Lowered:
      line.high = false;
      line.deliveries = 0;
      line.waiting.reset();
      return;
    case RecordKind::Attended:
      line.attended = true;
      line.deliveries = 0;
      return;
    case RecordKind::DeviceProgrammed:
      line.waiting.reset();
      return;
    case RecordKind::MaskChanged:
      for (u8 pin = record.pin; pin < lines_.size() && pin < record.pin + ControllerPicture::pins; ++pin) {
        if (!bit(record.extra, pin - record.pin)) continue;
        lines_[pin].deliveries = 0;
        lines_[pin].waiting.reset();
      }
      return;
    case RecordKind::Withheld: {
      const auto cause = static_cast<WithheldCause>(record.detail);
      if (cause == WithheldCause::None && is_unread(static_cast<WithheldCause>(record.other))) line.waiting.reset();
      if (cause == WithheldCause::None) return;
      if (!is_unread(cause)) {
        line.waiting.reset();
      } else if (Line* unread = unread_line(record.pin, record.source); unread != nullptr && !unread->waiting) {
        unread->waiting = Waiting{.since = record.time, .cause = cause, .device = record.source};
        await(*unread);
      }
      return;
    }
    default:
      return;
  }
}

// The keyboard controller's one buffer serves two lines: a mouse byte that nobody reads keeps the keyboard waiting.
UnservicedDeviceRule::Line* UnservicedDeviceRule::unread_line(u8 pin, u16 source) {
  if (lines_[pin].high) return &lines_[pin];
  const auto other = std::ranges::find_if(lines_, [&](const Line& each) { return each.high && each.source == source; });
  return other != lines_.end() ? &*other : nullptr;
}

void UnservicedDeviceRule::await(Line& line) {
  if (!line.waiting || !line.returned_at) return;
  line.waiting->since = std::max(line.waiting->since, *line.returned_at);
  next_due_ = std::min(next_due_, line.waiting->since + patience);
}

void UnservicedDeviceRule::note_delivery(const Record& record) {
  if (record.id == 0 || static_cast<DeliveryKind>(record.detail) != DeliveryKind::External) return;
  for (u8 pin = 0; pin < lines_.size(); ++pin) {
    Line& line = lines_[pin];
    if (line.id != record.id) continue;
    line.handler = record.address;
    line.vector = record.vector;
    if (line.attended) return;
    const u64 repetitions = line.deliveries++;
    if (repetitions == storm_warning) tell_storm(pin, FindingSeverity::Warning);
    if (repetitions == storm_error) tell_storm(pin, FindingSeverity::Error);
    return;
  }
}

void UnservicedDeviceRule::tell_storm(u8 pin, FindingSeverity severity) {
  const Line& line = lines_[pin];
  Finding finding{.rule = "unserviced-device",
                  .severity = severity,
                  .address = line.handler,
                  .line = pin,
                  .vector = line.vector,
                  .id = line.id};
  finding.sentence = fmt::format(
      "IRQ {} is level-triggered and comes again after each end of interrupt, since its handler at {} does not touch "
      "the device that holds the line high.",
      pin, address_mark(line.handler));
  finding.evidence.push_back(
      fmt::format("So far {} deliveries in a row for one and the same request, with no access to the device.",
                  count_text(line.deliveries)));
  context_.findings.report(std::move(finding));
}

std::string UnservicedDeviceRule::name_of(u16 source) const {
  return source < context_.header.sources.size() ? context_.header.sources[source] : "device";
}

void UnservicedDeviceRule::tell_silent(u8 pin) {
  const Line& line = lines_[pin];
  const bool flag = line.waiting->cause == WithheldCause::FlagNotRead;
  Finding finding{.rule = "unserviced-device",
                  .severity = FindingSeverity::Error,
                  .time = line.waiting->since + patience,
                  .address = line.handler,
                  .line = pin,
                  .vector = line.vector,
                  .id = line.id};
  finding.sentence = fmt::format(
      "IRQ {} stays silent since its handler at {} returned without reading {}: the {} has more to say, but the line "
      "is "
      "still high and can't make another edge.",
      pin, address_mark(line.handler), flag ? "the flag that says why" : "the data", name_of(line.waiting->device));
  finding.evidence.push_back(fmt::format("It has been waiting for {} and longer.", duration_text(patience)));
  context_.findings.report(std::move(finding));
}

void UnservicedDeviceRule::judge_waiting(u64 now) {
  next_due_ = ~u64{0};
  for (u8 pin = 0; pin < lines_.size(); ++pin) {
    Line& line = lines_[pin];
    if (!line.waiting || !line.returned_at) continue;
    if (now - line.waiting->since < patience) {
      next_due_ = std::min(next_due_, line.waiting->since + patience);
      continue;
    }
    tell_silent(pin);
    line.waiting.reset();
    line.returned_at.reset();
  }
}

void UnservicedDeviceRule::looked(const Cpu& cpu) {
  if (next_due_ == ~u64{0}) return;
  const u64 now = cpu.context.clock.now().value;
  if (now >= next_due_) judge_waiting(now);
}

void UnservicedDeviceRule::finish(const RunEnd& end) {
  if (end.time >= next_due_) judge_waiting(end.time);
}

}  // namespace vitrine
