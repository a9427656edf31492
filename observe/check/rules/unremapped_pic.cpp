#include "observe/check/rules/unremapped_pic.hpp"

#include <fmt/format.h>

#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u8 first_free_vector = 32;
/// Records do not tell in which mode STI was executed. Code below this may be real mode's.
constexpr u64 end_of_real_mode = 0x110000;

std::string base_words(u8 chip, u8 base, u64 by) {
  if (by == 0) {
    return fmt::format("the {} was never remapped, its vectors begin at {:#04x} as the firmware left them",
                       chip_words(chip), base);
  }
  return fmt::format("{} set the {} to the vectors from {:#04x} on", address_mark(by), chip_words(chip), base);
}

std::string exception_words(u8 vector) {
  const std::string_view mnemonic = vector_mnemonic(vector);
  return mnemonic.empty() ? fmt::format("vector {}", vector)
                          : fmt::format("vector {}, which is {} ({})", vector, vector_name(vector), mnemonic);
}

}  // namespace

bool UnremappedPic::exposed(u8 chip) const {
  return pics_.chip(chip).vector_base < first_free_vector && pics_.lets_something_through(chip);
}

void UnremappedPic::consume(const Record& record) {
  if (pics_.chip_of(record)) return pics_.consume(record);
  if (record.kind == RecordKind::InterruptsOff) {
    const bool skip = context_.live || record.other < end_of_real_mode;
    last_enabled_by_ = record.other;
    if (!skip) opened(record.other, record.time, record.instructions);
  } else if (record.kind == RecordKind::Delivered) {
    delivered_as_exception(record);
  }
}

void UnremappedPic::interrupts_enabled(const Cpu& cpu, u64 instruction) {
  last_enabled_by_ = instruction;
  if (!cpu.state.real_or_v86()) opened(instruction, cpu.context.clock.now().value, cpu.state.instructions);
}

void UnremappedPic::opened(u64 address, u64 time, u64 instructions) {
  for (const u8 chip : {PicTracker::first, PicTracker::second}) {
    if (!exposed(chip) || openings_[chip].seen) continue;
    openings_[chip] = {address, time, instructions, pics_.chip(chip).vector_base, pics_.chip(chip).vector_base_by,
                       true};
  }
}

void UnremappedPic::delivered_as_exception(const Record& record) {
  const bool external = static_cast<DeliveryKind>(record.detail) == DeliveryKind::External;
  if (!external || record.vector >= first_free_vector || !is_kernel_delivery(record)) return;
  const int line = line_of(context_, record.id);
  const u8 chip =
      line >= PicTracker::pins || (line < 0 && record.vector >> 3 == pics_.chip(PicTracker::second).vector_base >> 3)
          ? PicTracker::second
          : PicTracker::first;
  arrived_[chip] = true;
  const PicTracker::Chip& state = pics_.chip(chip);
  const std::string what = line >= 0 ? request_words(context_, line, record.id) : std::string("a spurious interrupt");
  Finding finding = {
      .rule = "unremapped-pic",
      .severity = FindingSeverity::Error,
      .address = last_enabled_by_ != 0 ? last_enabled_by_ : record.other,
      .line = line,
      .vector = record.vector,
      .id = record.id,
      .sentence = fmt::format("{}, so {} arrived as {}", base_words(chip, state.vector_base, state.vector_base_by),
                              what, exception_words(record.vector))};
  if (last_enabled_by_ != 0) {
    finding.evidence.push_back(fmt::format("{} let interrupts in", address_mark(last_enabled_by_)));
  }
  finding.evidence.push_back(fmt::format("{} took it, with no error code on its stack", address_mark(record.address)));
  context_.findings.report(std::move(finding));
}

void UnremappedPic::finish(const RunEnd&) {
  for (const u8 chip : {PicTracker::first, PicTracker::second}) {
    const Opening& opening = openings_[chip];
    if (!opening.seen || arrived_[chip]) continue;
    context_.findings.report(
        {.rule = "unremapped-pic",
         .severity = FindingSeverity::Warning,
         .time = opening.time,
         .instructions = opening.instructions,
         .address = opening.address,
         .sentence = fmt::format("{} let interrupts in although an interrupt would have arrived as an exception: {}",
                                 address_mark(opening.address),
                                 base_words(chip, opening.vector_base, opening.vector_base_by))});
  }
}

}  // namespace vitrine
