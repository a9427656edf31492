#include "observe/check/rules/interrupts_off.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
/// The guest may still be at work when its run ends so; a power-off or a triple fault is the end of what it did.
constexpr std::array<std::string_view, 4> ends_in_the_middle = {"time", "instructions", "until", "interrupted"};
}  // namespace

void InterruptsOffTooLong::consume(const Record& record) {
  const std::optional<u8> chip = pics_.chip_of(record);
  if (chip) pics_.consume(record);
  switch (record.kind) {
    case RecordKind::Blocked:
      if (static_cast<Obstacle>(record.detail) == Obstacle::InterruptFlag) blocked(record);
      break;
    case RecordKind::InterruptsOff:
      if (stretch_.open && record.since == stretch_.since) end_stretch(record.time, record.other);
      stretch_.open = false;
      break;
    case RecordKind::Delivered:
      if (static_cast<DeliveryKind>(record.detail) == DeliveryKind::External) {
        if (stretch_.open) end_stretch(record.time, 0);
        entry_ = record;
      }
      break;
    case RecordKind::Halted:
      if (record.detail == 0) stretch_.open = false;  // a panic, or parked for good: dead-halt tells of it
      break;
    case RecordKind::ThreadRuns:
      if (stretch_.open && stretch_.switched_at == 0) stretch_.switched_at = record.address;
      break;
    case RecordKind::DeviceProgrammed:
      if (static_cast<DeviceRegister>(record.detail) <= DeviceRegister::PitCount) stretch_.calibrates = true;
      break;
    default:
      // What waited was masked, polled or taken away.
      if (chip && stretch_.open && !pics_.winner(PicTracker::first)) end_stretch(record.time, 0);
      break;
  }
}

void InterruptsOffTooLong::blocked(const Record& record) {
  const bool same = stretch_.open && stretch_.since == record.since;
  if (same || record.address == 0) return;  // address 0: the kernel has not executed its first STI
  stretch_ = {.open = true,
              .since = record.since,
              .cleared_by = record.address,
              .waits_since = record.time,
              .id = record.id,
              .line = line_of(context_, record.id)};
}

void InterruptsOffTooLong::stack_switched(const Cpu& cpu, u64 instruction, u64, u64) {
  if (stretch_.open && stretch_.switched_at == 0 && !cpu.interruptible()) stretch_.switched_at = instruction;
}

void InterruptsOffTooLong::finish(const RunEnd& end) {
  const bool counts = std::ranges::find(ends_in_the_middle, end.reason) != ends_in_the_middle.end();
  if (stretch_.open && counts) end_stretch(end.time, 0);
}

void InterruptsOffTooLong::end_stretch(u64 time, u64 set_by) {
  stretch_.open = false;
  const u64 waited = time - stretch_.waits_since;
  if (waited < long_enough) return;
  const bool by_gate = entry_.time == stretch_.since || entry_.address == stretch_.cleared_by;
  const std::string who =
      by_gate ? fmt::format("the gate of {}", address_mark(entry_.address)) : address_mark(stretch_.cleared_by);
  const bool is_error = waited >= much_too_long && !stretch_.calibrates;
  Finding finding = {
      .rule = "interrupts-off-too-long",
      .severity = is_error ? FindingSeverity::Error : FindingSeverity::Warning,
      .address = stretch_.cleared_by,
      .line = stretch_.line,
      .id = stretch_.id,
      .sentence = fmt::format("{} cleared IF at {}, and {} waited {} for the CPU", who, at_words(stretch_.since),
                              stretch_.line >= 0 ? request_words(context_, stretch_.line, stretch_.id) : "an interrupt",
                              duration_text(waited))};
  if (set_by != 0) {
    finding.evidence.push_back(fmt::format("{} set IF again at {}, after {}", address_mark(set_by), at_words(time),
                                           duration_text(time - stretch_.since)));
  }
  if (stretch_.switched_at != 0) {
    finding.evidence.push_back(
        fmt::format("at {} the CPU went on with another stack while IF was 0", address_mark(stretch_.switched_at)));
  }
  if (stretch_.calibrates) finding.evidence.emplace_back("the timer was programmed in this time");
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
