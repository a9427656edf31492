// For tests: one rule on a trace made by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "machine/core/delivered_mode.hpp"
#include "observe/check/rule.hpp"

namespace vitrine::bench {

enum Source : u16 { cpu0, pit, i8042, com1, rtc, pic0, pic1 };
inline const TraceHeader header = {.sources = {"cpu0", "pit", "i8042", "com1", "rtc", "pic0", "pic1"}, .guest = "test"};
constexpr u64 ms = 1'000'000;

/// Lets interrupts come and go as the machine's records tell it. Vectors are 0x20 + line, handlers at 0x1000 + line.
template <class RuleUnderTest>
class PicBench : private FindingSink {
 public:
  PicBench() : rule_(std::make_unique<RuleUnderTest>(RuleContext{*this, lives_, header, false})) {
    mask(pic0, 0, 0);
    mask(pic1, 0, 0);
    add({.extra = 0x20, .kind = RecordKind::ControllerProgrammed, .pin = 0, .detail = 1, .source = pic0});
    add({.extra = 0x28, .kind = RecordKind::ControllerProgrammed, .pin = 8, .detail = 1, .source = pic1});
  }

  static constexpr u64 handler(u8 line) { return 0x1000 + line; }
  static constexpr u64 frame(u64 id) { return 0x8000 - id * 0x40; }

  PicBench& at(u64 time) {
    time_ = time;
    return *this;
  }
  PicBench& add(Record record) {
    record.time = record.instructions = ++time_;
    lives_.consume(record);
    if ((rule_->record_kinds() >> static_cast<unsigned>(record.kind) & 1) != 0) rule_->consume(record);
    return *this;
  }
  PicBench& mask(Source chip, u8 value, u64 address = 0x500) {
    const u8 old = masks_[chip - pic0];
    masks_[chip - pic0] = value;
    return add({.address = address,
                .other = old,
                .extra = value,
                .kind = RecordKind::MaskChanged,
                .pin = static_cast<u8>(chip == pic0 ? 0 : 8),
                .source = chip});
  }
  PicBench& mode(Source chip, ControllerRegister which, u64 value, u64 address = 0x501) {
    return add({.address = address,
                .extra = value,
                .kind = RecordKind::ControllerProgrammed,
                .pin = static_cast<u8>(chip == pic0 ? 0 : 8),
                .detail = static_cast<u8>(which),
                .source = chip});
  }
  /// The device asks, its 8259 latches it.
  PicBench& raise(u64 id, u8 line, Source device = com1) {
    add({.id = id, .kind = RecordKind::Raised, .pin = line, .detail = 1, .source = device});
    return add({.id = id, .kind = RecordKind::Latched, .pin = line, .source = line < 8 ? pic0 : pic1});
  }
  /// The CPU takes it.
  PicBench& take(u64 id, u8 line, u64 extra = 0, u8 base = 0x20) {
    const Source chip = line < 8 ? pic0 : pic1;
    const auto vector = static_cast<u8>(base + line);
    add({.id = id, .kind = RecordKind::Acknowledged, .vector = vector, .pin = line, .source = chip});
    add({.id = id, .kind = RecordKind::InService, .pin = line, .source = chip});
    if (chip == pic1) add({.id = id, .kind = RecordKind::InService, .pin = 2, .source = pic0});
    return enter(id, vector, handler(line), extra);
  }
  PicBench& enter(u64 id, u8 vector, u64 address, u64 extra = 0, DeliveryKind kind = DeliveryKind::External) {
    return add({.id = id,
                .address = address,
                .other = 0x700,
                .frame = frame(id),
                .extra = extra,
                .kind = RecordKind::Delivered,
                .vector = vector,
                .detail = static_cast<u8>(kind)});
  }
  PicBench& eoi(u64 id, u8 pin, EndKind kind = EndKind::NonSpecific, u64 address = 0x900) {
    return add({.id = id,
                .address = address,
                .kind = RecordKind::EndOfInterrupt,
                .pin = pin,
                .detail = static_cast<u8>(kind),
                .source = pin < 8 ? pic0 : pic1});
  }
  /// An EOI that finds nothing in service.
  PicBench& idle_eoi(Source chip, u64 address = 0x901) {
    return add({.address = address, .kind = RecordKind::EndOfInterrupt, .pin = 0xFF, .source = chip});
  }
  PicBench& leave(u64 id, u8 vector = 0) {
    return add({.id = id, .address = 0x980, .frame = frame(id), .kind = RecordKind::Returned, .vector = vector});
  }
  PicBench& finish(u64 time, const std::string& reason = "time") {
    rule_->finish({.time = time, .instructions = time, .reason = reason});
    return *this;
  }

  std::vector<Finding> findings;
  /// "warning eoi-wrong-bit" of each, in order.
  [[nodiscard]] std::vector<std::string> found() const {
    std::vector<std::string> words;
    for (const Finding& each : findings) words.push_back(std::string(severity_name(each.severity)) + " " + each.rule);
    return words;
  }

 private:
  void report(Finding finding) override { findings.push_back(std::move(finding)); }

  LifeTracker lives_;
  std::unique_ptr<Rule> rule_;
  u64 time_ = 0;
  std::array<u8, 2> masks_ = {0xF8, 0xEF};
};

}  // namespace vitrine::bench
