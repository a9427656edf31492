#include "observe/check/rules/apic_ends.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/check/rules/rule_words.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"

namespace vitrine {

namespace {

/// The last controller, 8259 or local APIC, that has it in service; null: none.
const Record* service_of(const Life& life) {
  const Record* serves = nullptr;
  for (const Record& record : life.records) {
    if (record.kind == RecordKind::InService) serves = &record;
    if (record.kind == RecordKind::EndOfInterrupt && serves != nullptr && serves->source == record.source)
      serves = nullptr;
  }
  return serves;
}

std::string subject(const RuleContext& context, const Life& life, u8 vector) {
  const Record* from = life.origin();
  if (from == nullptr) return fmt::format("vector {:#04x}", vector);
  return fmt::format("{} ({})", pin_name(from->pin), place_of(from->source, from->pin, context.header));
}

}  // namespace

RuleMaker ApicEnds::maker() {
  return {
      .rules = {{.id = "eoi-wrong-controller",
                 .title = "an EOI went to a controller that did not send the interrupt",
                 .fix = "What the I/O APIC, a local APIC or an MSI delivers ends with a write of 0 to the local APIC's "
                        "EOI register (offset 0xB0, MSR 0x80B); what the 8259 delivers ends with 0x20 to port 0x20."}},
      .make = [](const RuleContext& context) { return std::make_unique<ApicEnds>(context); },
      .also = {"missing-eoi"}};
}

std::string ApicEnds::name(u16 source) const { return place_of(source, -1, context_.header); }

void ApicEnds::consume(const Record& record) {
  if (!context_.live) judge(record.time, false);
  switch (record.kind) {
    case RecordKind::EndOfInterrupt:
      ended(record);
      break;
    case RecordKind::Returned:
      left(record);
      break;
    case RecordKind::Blocked: {
      const auto obstacle = static_cast<Obstacle>(record.detail);
      if (record.other == 0 || (obstacle != Obstacle::PriorityTooLow && obstacle != Obstacle::InServiceHigher &&
                                obstacle != Obstacle::RemoteIrr))
        break;
      for (Unended& each : unended_) {
        if (each.id != record.other || each.blocked_at != 0) continue;
        each.blocked_at = record.time;
        each.blocked_id = record.id;
      }
      break;
    }
    default:
      break;
  }
}

void ApicEnds::ended(const Record& record) {
  if (static_cast<EndKind>(record.detail) > EndKind::Specific) return;
  if (record.id != 0) {
    std::erase_if(unended_,
                  [&](const Unended& each) { return each.id == record.id && each.controller == record.source; });
    return;
  }
  const LiveFrame* handler = running_frame(context_, record.cpu);
  const Life* life = handler != nullptr && handler->id != 0 ? context_.lives.find(handler->id) : nullptr;
  const Record* serves = life != nullptr ? service_of(*life) : nullptr;
  if (serves == nullptr || serves->source == record.source) return;
  // Between the two 8259s of a cascade, other rules tell.
  if (is_8259(context_, serves->source) && is_8259(context_, record.source)) return;
  if (misdirected_.size() == most) misdirected_.erase(misdirected_.begin());
  misdirected_.push_back({.id = life->id, .address = record.address, .controller = record.source});
}

void ApicEnds::left(const Record& record) {
  const Life* life = record.id != 0 ? context_.lives.find(record.id) : nullptr;
  const Record* entered = life != nullptr ? life->last(RecordKind::Delivered) : nullptr;
  const Record* serves = life != nullptr ? service_of(*life) : nullptr;
  const auto wrong = std::ranges::find(misdirected_, record.id, &Misdirected::id);
  const bool is_wrong = wrong != misdirected_.end();
  const Misdirected misdirected = is_wrong ? *wrong : Misdirected{};
  if (is_wrong) misdirected_.erase(wrong);
  if (entered == nullptr || serves == nullptr || !is_kernel_delivery(*entered)) return;
  // An 8259 that got no EOI at all is another class's to judge.
  if (!is_wrong && served_by_apic(context_, *life) == nullptr) return;
  Unended entry{.id = record.id,
                .handler = entered->address,
                .left_by = record.address,
                .left_at = record.time,
                .instructions = record.instructions,
                .vector = record.vector,
                .controller = serves->source,
                .wrong = misdirected};
  if (unended_.size() == most) unended_.erase(unended_.begin());
  if (is_wrong) report(entry, FindingSeverity::Warning);
  unended_.push_back(entry);
}

void ApicEnds::looked(const Cpu& cpu) {
  if (!unended_.empty()) judge(cpu.context.clock.now().value, false);
}

void ApicEnds::finish(const RunEnd& end) { judge(end.time, end.reason == "halted"); }

void ApicEnds::judge(u64 time, bool for_ever) {
  std::erase_if(unended_, [&](const Unended& each) {
    const bool due = each.blocked_at != 0 && (for_ever || time - each.blocked_at >= patience);
    if (due) report(each, FindingSeverity::Error);
    return due;
  });
}

void ApicEnds::report(const Unended& unended, FindingSeverity severity) {
  const Life* life = context_.lives.find(unended.id);
  const std::string what = life != nullptr ? subject(context_, *life, unended.vector) : "an interrupt";
  const std::string chip = name(unended.controller);
  const bool wrong = unended.wrong.id != 0;
  Finding finding{.rule = wrong ? "eoi-wrong-controller" : "missing-eoi",
                  .severity = severity,
                  .time = unended.left_at,
                  .instructions = unended.instructions,
                  .address = unended.handler,
                  .line = life != nullptr && life->line() ? int{*life->line()} : -1,
                  .vector = unended.vector,
                  .id = unended.id};
  finding.sentence =
      wrong ? fmt::format(
                  "{} sent the EOI for {} to the {}, which had nothing in service: the {} still has vector {:#04x} "
                  "in service",
                  address_mark(unended.wrong.address), what, name(unended.wrong.controller), chip, unended.vector)
            : fmt::format("{} returned without ending {}: the {} has vector {:#04x} in service",
                          address_mark(unended.handler), what, chip, unended.vector);
  if (unended.blocked_at != 0) {
    const Life* waits = context_.lives.find(unended.blocked_id);
    finding.sentence +=
        fmt::format(", and {} waits behind it since {}",
                    waits != nullptr ? subject(context_, *waits, 0) : "another request", at_words(unended.blocked_at));
  }
  if (!wrong) {
    finding.evidence.emplace_back(
        "it came through the local APIC: its EOI is 0 to the local APIC's EOI register (offset 0xB0; MSR 0x80B in "
        "x2APIC "
        "mode), not a port of the 8259");
  }
  finding.evidence.push_back(fmt::format("the handler is {}; it returned at {}, at {}", address_mark(unended.handler),
                                         address_mark(unended.left_by), at_words(unended.left_at)));
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
