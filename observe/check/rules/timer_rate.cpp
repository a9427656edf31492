#include "observe/check/rules/timer_rate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr int pit_line = 0;
constexpr int rtc_line = 8;
constexpr u64 pit_millihertz = 1'193'181'667;  // 14.31818 MHz / 12
constexpr u64 rtc_base_millihertz = 32'768'000;

std::string rate_words(u64 millihertz) {
  return millihertz < 1'000'000 ? fmt::format("{}.{:02} Hz", millihertz / 1000, millihertz % 1000 / 10)
                                : fmt::format("{} Hz", count_text((millihertz + 500) / 1000));
}

}  // namespace

void TimerRate::consume(const Record& record) {
  switch (record.kind) {
    case RecordKind::Delivered:
      entered(record);
      break;
    case RecordKind::Returned:
      left(record);
      break;
    case RecordKind::DeviceProgrammed:
      programmed(record);
      break;
    default:  // another thread, or HLT: what comes now is not the handler's time
      running_ = {};
      break;
  }
}

void TimerRate::entered(const Record& record) {
  running_ = {};
  if (static_cast<DeliveryKind>(record.detail) != DeliveryKind::External || !is_kernel_delivery(record)) return;
  const int number = line_of(context_, record.id);
  if (number < 0) return;
  Line& line = lines_[number & 15];
  line.handler = record.address;
  if (record.time - line.window_from >= rate_window) {
    line.window_from = record.time;
    line.count = 0;
  }
  if (record.time - line.share_from >= share_window) {
    line.share_from = record.time;
    line.share_count = line.in_handler = 0;
  }
  // Not one instruction since the last handler: that is no-progress's to tell.
  const bool no_progress = returned_instructions_ != 0 && record.instructions - returned_instructions_ <= 1;
  if (!no_progress) running_ = {.frame = record.frame, .since = record.time, .line = number};
  if (++line.count <= most_in_window || line.too_fast) return;
  line.too_fast = true;
  const u64 passed = record.time - line.window_from;
  Finding finding = {.rule = "timer-rate",
                     .severity = FindingSeverity::Warning,
                     .address = line.handler,
                     .line = number,
                     .id = record.id,
                     .sentence = fmt::format("{} interrupts too often: {} times in {}, and each takes the CPU from "
                                             "what it does",
                                             request_words(context_, number, record.id), count_text(line.count),
                                             duration_text(passed))};
  explain(finding);
  context_.findings.report(std::move(finding));
}

void TimerRate::left(const Record& record) {
  returned_instructions_ = record.instructions;
  const Running over = running_;
  running_ = {};
  if (over.line < 0 || over.frame != record.frame) return;
  Line& line = lines_[over.line & 15];
  line.in_handler += record.time - over.since;
  ++line.share_count;
  if (line.in_handler <= most_of_window || line.share_count < ticks_for_share || line.too_fast) return;
  line.too_fast = true;
  Finding finding = {
      .rule = "timer-rate",
      .severity = FindingSeverity::Warning,
      .address = line.handler,
      .line = over.line,
      .id = record.id,
      .sentence = fmt::format("the handler of {}, {}, takes more than half of the CPU: {} of the last {}, in {} calls",
                              request_words(context_, over.line, record.id), address_mark(line.handler),
                              duration_text(line.in_handler), duration_text(record.time - line.share_from),
                              count_text(line.share_count))};
  explain(finding);
  context_.findings.report(std::move(finding));
}

void TimerRate::programmed(const Record& record) {
  Programmed* timer = nullptr;
  if (record.pin == pit_line) timer = &pit_;
  if (record.pin == rtc_line) timer = &rtc_;
  if (timer == nullptr) return;
  const auto which = static_cast<DeviceRegister>(record.detail);
  if (which == DeviceRegister::PitMode) timer->mode = record.extra;
  if (which != DeviceRegister::PitCount && which != DeviceRegister::RtcA) return;
  timer->value = record.extra;
  timer->address = record.address;
}

std::optional<u64> TimerRate::implied_millihertz(int line) const {
  if (line == pit_line && pit_.value != 0) return pit_millihertz / pit_.value;
  if (line != rtc_line) return std::nullopt;
  // MC146818, register A: rate 3 is 8192 Hz, each step half of it; 1 and 2 are 256 and 128 Hz.
  const u64 rate = rtc_.value & 15;
  if (rate == 0) return std::nullopt;
  return rtc_base_millihertz >> ((rate < 3 ? rate + 7 : rate) - 1);
}

void TimerRate::explain(Finding& finding) const {
  const std::optional<u64> implied = implied_millihertz(finding.line);
  if (!implied) return;
  const Programmed& timer = finding.line == pit_line ? pit_ : rtc_;
  const std::string what = finding.line == pit_line ? fmt::format("count {}", timer.value)
                                                    : fmt::format("rate {} in register A", timer.value & 15);
  const std::string who = timer.address != 0 ? fmt::format(", which {} programmed,", address_mark(timer.address)) : "";
  finding.evidence.push_back(fmt::format("{}{} makes {}", what, who, rate_words(*implied)));
}

void TimerRate::finish(const RunEnd&) {
  constexpr u64 fast_millihertz = most_in_window * 1000;
  const std::optional<u64> implied = implied_millihertz(pit_line);
  const bool periodic = (pit_.mode >> 1 & 3) >= 2;
  if (!implied || *implied <= fast_millihertz || !periodic || pit_.address == 0 || lines_[pit_line].too_fast) return;
  Finding finding = {
      .rule = "timer-rate",
      .severity = FindingSeverity::Note,
      .address = pit_.address,
      .line = pit_line,
      .sentence = fmt::format("{} programmed the timer for {}", address_mark(pit_.address), rate_words(*implied))};
  explain(finding);
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
