#include "observe/check/rules/ipi_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/apic_fields.hpp"
#include "observe/check/rules/code_path.hpp"
#include "observe/check/rules/rule_words.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u8 all_but_self = 3;
}  // namespace

RuleMaker IpiRules::maker() {
  return {
      .rules = {{.id = "ipi-deadlock",
                 .title = "a CPU waits for another one that waits with interrupts off",
                 .fix = "Don't wait for the answer to an IPI with interrupts off, nor for a lock whose holder may send "
                        "IPIs: let the waiting loop serve what is asked of it, or open IF in it.",
                 .needs_live = true},
                {.id = "bad-ipi",
                 .title = "an interprocessor interrupt that nobody takes",
                 .fix = "Check destination, destination mode and vector in the ICR, and that the receiver's local APIC "
                        "is on (SVR bit 8)."}},
      .make = [](const RuleContext& context) { return std::make_unique<IpiRules>(context); }};
}

IpiRules::Pending* IpiRules::find(u64 id) {
  const auto found = std::ranges::find(pending_, id, &Pending::id);
  return found == pending_.end() ? nullptr : &*found;
}

void IpiRules::consume(const Record& record) {
  switch (record.kind) {
    case RecordKind::MessageSent: {
      const auto mode = static_cast<MessageMode>(record.detail);
      if (record.pin != interprocessor_pin || (mode != MessageMode::Fixed && mode != MessageMode::LowestPriority))
        return;
      if (pending_.size() == most_pending) pending_.erase(pending_.begin());
      pending_.push_back({.id = record.id,
                          .sent_by = record.address,
                          .since = record.time,
                          .sender = record.cpu,
                          .vector = record.vector});
      return;
    }
    case RecordKind::Copied:
      if (const Pending* original = find(record.other)) {
        Pending copy = *original;
        copy.id = record.id;
        copy.accepted = false;
        if (pending_.size() == most_pending) pending_.erase(pending_.begin());
        pending_.push_back(copy);
      }
      return;
    case RecordKind::Latched:
      if (Pending* pending = find(record.id)) {
        pending->receiver = record.cpu;
        pending->accepted = true;
      }
      return;
    case RecordKind::MessageLost:
      message_lost(record);
      [[fallthrough]];
    case RecordKind::Acknowledged:
    case RecordKind::Withdrawn:
      std::erase_if(pending_, [&](const Pending& each) { return each.id == record.id; });
      return;
    case RecordKind::Halted:
    case RecordKind::Woken:
      spins_[record.cpu] = {.halted = record.kind == RecordKind::Halted};
      return;
    default:
      spins_.erase(record.cpu);
      return;
  }
}

void IpiRules::message_lost(const Record& record) {
  const auto loss = static_cast<MessageLoss>(record.detail);
  const bool to_others = (record.extra >> message_extra::shorthand & 3) == all_but_self;
  // The second start-up message of the usual pair, and "all others" where there is no other.
  if (record.pin != interprocessor_pin || loss == MessageLoss::NotWaiting || to_others) return;
  if ((record.extra & message_extra::deassert) != 0) return;
  Finding finding{.rule = "bad-ipi",
                  .severity = loss == MessageLoss::ReceiverDisabled ? FindingSeverity::Warning : FindingSeverity::Error,
                  .address = record.address,
                  .vector = record.vector,
                  .id = record.id};
  finding.sentence = fmt::format("{} sent an IPI that has no effect ({}): {}", address_mark(record.address),
                                 message_text(record), loss_clause(loss));
  context_.findings.report(std::move(finding));
}

void IpiRules::looked(const Cpu& cpu) {
  const u8 number = context_.cpu();
  if (cpu.cpl == 3) {  // a program's loop
    spins_.erase(number);
    return;
  }
  const u64 now = cpu.context.clock.now().value;
  const u64 place = cpu.linear_rip();
  Spin& spin = spins_[number];
  const u64 lowest = std::min(spin.lowest, place);
  const u64 highest = std::max(spin.highest, place);
  if (spin.looks == 0 || highest - lowest > loop_size) {
    spin = {.lowest = place, .highest = place, .since = now};
  } else {
    spin.lowest = lowest;
    spin.highest = highest;
  }
  spin.last = place;
  if (++spin.looks == enough_looks) {
    const std::vector<GuestInstruction> loop = find_path(cpu, place, place, longest_loop);
    spin.waits = !loop.empty() && std::ranges::all_of(loop, only_computes);
  }
  spin.deaf = !cpu.interruptible();
  spin.cleared_by = cpu.state.interrupts_off_address;
  for (Pending& each : pending_) {
    if (each.reported || !each.accepted || each.sender == each.receiver || now - each.since < deadlock_patience)
      continue;
    if (spins(each.sender, now) && spins(each.receiver, now) && spins_[each.receiver].deaf) report(each, now);
  }
}

bool IpiRules::spins(u8 cpu, u64 now) const {
  const auto found = spins_.find(cpu);
  return found != spins_.end() && !found->second.halted && found->second.waits &&
         now - found->second.since >= deadlock_patience;
}

void IpiRules::report(Pending& pending, u64 now) {
  pending.reported = true;
  const Spin& sender = spins_[pending.sender];
  const Spin& receiver = spins_[pending.receiver];
  Finding finding{.rule = "ipi-deadlock",
                  .severity = FindingSeverity::Error,
                  .address = sender.last,
                  .vector = pending.vector,
                  .id = pending.id};
  finding.sentence = fmt::format(
      "CPU {} waits at {} with interrupts off, and does not take the IPI (vector {:#04x}) that CPU {} sent at {} and "
      "waits "
      "for at {}: neither has gone on for {}",
      pending.receiver, address_mark(receiver.last), pending.vector, pending.sender, address_mark(pending.sent_by),
      address_mark(sender.last), duration_text(now - std::max(sender.since, receiver.since)));
  if (receiver.cleared_by != 0) {
    finding.evidence.push_back(
        fmt::format("CPU {} cleared IF at {}", pending.receiver, address_mark(receiver.cleared_by)));
  }
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
