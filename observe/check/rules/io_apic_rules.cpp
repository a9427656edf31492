#include "observe/check/rules/io_apic_rules.hpp"

#include <fmt/format.h>

#include "observe/check/rules/rule_words.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"

namespace vitrine {

namespace {

std::string line_words(const RuleContext& context, u8 line, u16 source) {
  return fmt::format("{} ({})", pin_name(line), place_of(source, line, context.header));
}

}  // namespace

RuleMaker IoApicRules::maker() {
  return {
      .rules = {{.id = "ioapic-mismatch",
                 .title = "an I/O APIC entry does not fit the line behind it",
                 .fix =
                     "Take trigger, polarity and pin of each line from the MADT's interrupt source overrides and from "
                     "_PRT: ISA lines are edges, active high, on the pin of their number but the timer on pin 2; PCI "
                     "lines are levels, active low. Vectors begin at 0x10, better at 0x30."},
                {.id = "lost-edge",
                 .title = "an edge came while its I/O APIC entry was masked, and nobody looked at the device since",
                 .fix =
                     "Open the entry before the device may interrupt, and look at the device once after each opening: "
                     "unlike an 8259, an I/O APIC forgets an edge that comes while the entry is masked."}},
      .make = [](const RuleContext& context) { return std::make_unique<IoApicRules>(context); },
      .also = {"enabled-too-early", "unremapped-pic"}};
}

void IoApicRules::consume(const Record& record) {
  apics_.consume(record);
  const ApicPicture::IoApic* chip = apics_.io_apic();
  if (chip == nullptr) return;
  if (!context_.live) judge_edges(record.time, false);
  switch (record.kind) {
    case RecordKind::Raised:
      raised(record);
      break;
    case RecordKind::Lowered:
    case RecordKind::Attended:
      for (auto& dropped : dropped_) {
        if (dropped && dropped->source == record.source) dropped.reset();
      }
      break;
    case RecordKind::LineLost:
      if (record.source == chip->source && record.pin < ApicPicture::pins) {
        const ApicPicture::Pin& pin = chip->pin[record.pin];
        const Life* life = context_.lives.find(record.id);
        const Record* from = life != nullptr ? life->first(RecordKind::Raised) : nullptr;
        if (from == nullptr || life->last(RecordKind::Acknowledged) != nullptr) break;
        dropped_[record.pin] = Dropped{.id = record.id,
                                       .time = record.time,
                                       .instructions = record.instructions,
                                       .masked_by = pin.masked.address,
                                       .masked_at = pin.masked.time,
                                       .source = from->source};
      }
      break;
    case RecordKind::ControllerProgrammed:
      if (record.source == chip->source) programmed(record);
      break;
    case RecordKind::Acknowledged:
      taken(record);
      break;
    case RecordKind::MessageLost:
      if (static_cast<MessageLoss>(record.detail) == MessageLoss::IllegalVector) {
        const Life* life = context_.lives.find(record.id);
        const Record* from = life != nullptr ? life->origin() : nullptr;
        if (from != nullptr && is_line(from->pin) && io_apic_pin(from->pin) < ApicPicture::pins)
          judge_entry(io_apic_pin(from->pin), record.id, FindingSeverity::Error);
      }
      break;
    default:
      break;
  }
}

void IoApicRules::raised(const Record& record) {
  if (!is_line(record.pin) || io_apic_pin(record.pin) >= ApicPicture::pins) return;
  judge_entry(io_apic_pin(record.pin), record.id, FindingSeverity::Error);
}

// The low half has the mask bit and the vector, the high half the destination: the low half must come last.
void IoApicRules::programmed(const Record& record) {
  if (record.pin >= ApicPicture::pins) return;
  const VectorEntry before{record.other};
  const VectorEntry now{record.extra};
  Opened& opened = opened_[record.pin];
  if (before.masked() && !now.masked()) {
    opened = {.instructions = record.instructions,
              .time = record.time,
              .address = record.address,
              .cpu = record.cpu,
              .recent = true};
    return;
  }
  const bool moved = !now.masked() && before.destination() != now.destination() && before.vector() == now.vector();
  const bool soon = opened.recent && opened.cpu == record.cpu && record.instructions - opened.instructions <= writing;
  opened.recent = false;
  if (!moved || !soon) return;
  Finding finding{.rule = "enabled-too-early", .severity = FindingSeverity::Warning, .address = opened.address};
  finding.sentence = fmt::format(
      "{} opens entry {} of the I/O APIC before its destination is written: until {} writes it, the line's interrupt "
      "goes "
      "to APIC id {} instead of {}",
      address_mark(opened.address), record.pin, address_mark(record.address), before.destination(), now.destination());
  context_.findings.report(std::move(finding));
}

void IoApicRules::judge_entry(u8 number, u64 id, FindingSeverity severity) {
  const ApicPicture::Pin& pin = apics_.io_apic()->pin[number];
  if (pin.entry.masked() || pin.written.address == 0) return;
  const std::optional<WantedEntry> wanted = wanted_entry(number);
  const bool illegal = pin.entry.has_vector() && pin.entry.vector() < first_legal_vector;
  std::string what;
  if (illegal) {
    what = fmt::format("has vector {:#04x}, and vectors below 0x10 can't be delivered", pin.entry.vector());
  } else if (wanted && wanted->active_low != pin.entry.active_low()) {
    what = fmt::format("says active {}, but this line is active {}", pin.entry.active_low() ? "low" : "high",
                       wanted->active_low ? "low" : "high");
  } else if (wanted && pin.entry.has_vector() && wanted->level != pin.entry.level()) {
    what = fmt::format("is {}-triggered, but this line is {}", pin.entry.level() ? "level" : "edge",
                       wanted->level ? "a level, which devices share" : "an edge");
  } else {
    return;
  }
  const Life* life = id != 0 ? context_.lives.find(id) : nullptr;
  const Record* from = life != nullptr ? life->origin() : nullptr;
  Finding finding{.rule = "ioapic-mismatch",
                  .severity = severity,
                  .address = pin.written.address,
                  .line = from != nullptr ? from->pin : number,
                  .id = id};
  finding.sentence =
      fmt::format("{} programmed entry {} of the I/O APIC{}, which {}", address_mark(pin.written.address), number,
                  from != nullptr ? " for " + line_words(context_, from->pin, from->source) : "", what);
  finding.evidence.push_back(fmt::format("the entry is {}, since {}",
                                         register_words(ControllerRegister::RedirectionEntry, number, pin.entry.bits),
                                         at_words(pin.written.time)));
  context_.findings.report(std::move(finding));
}

/// One request, delivered through the 8259 and through the I/O APIC.
void IoApicRules::taken(const Record& record) {
  const Life* life = record.id != 0 ? context_.lives.find(record.id) : nullptr;
  const Record* from = life != nullptr ? life->origin() : nullptr;
  if (from == nullptr || from->kind != RecordKind::Raised || from->pin >= taken_.size()) return;
  Taken& last = taken_[from->pin];
  const bool by_8259 = is_8259(context_, record.source);
  if (by_8259) {
    last = {.id = record.id, .time = record.time};
    return;
  }
  if (apics_.local(record.source) == nullptr || last.id != record.id || record.time - last.time > twice) return;
  last = {};
  const ApicPicture::Pin& pin = apics_.io_apic()->pin[io_apic_pin(from->pin)];
  Finding finding{.rule = "unremapped-pic",
                  .severity = FindingSeverity::Warning,
                  .address = pin.written.address,
                  .line = from->pin,
                  .id = record.id};
  finding.sentence = fmt::format(
      "{} comes twice: through the 8259, whose mask bit is clear, and through entry {} of the I/O APIC, which {} "
      "opened",
      line_words(context_, from->pin, from->source), io_apic_pin(from->pin), address_mark(pin.written.address));
  finding.evidence.emplace_back("mask the 8259s (0xFF to ports 0x21 and 0xA1) before the first entry is opened");
  context_.findings.report(std::move(finding));
}

void IoApicRules::looked(const Cpu& cpu) { judge_edges(cpu.context.clock.now().value, false); }

void IoApicRules::judge_edges(u64 time, bool for_ever) {
  for (u8 number = 0; number < ApicPicture::pins; ++number) {
    std::optional<Dropped>& dropped = dropped_[number];
    if (!dropped || dropped->reported || (!for_ever && time - dropped->time < edge_patience)) continue;
    const Life* life = context_.lives.find(dropped->id);
    const Record* from = life != nullptr ? life->first(RecordKind::Raised) : nullptr;
    // Who never opens the entry again, and never did, does not wait for it.
    if (from == nullptr || !apics_.io_apic()->pin[number].opened || apics_.io_apic()->pin[number].entry.masked())
      continue;
    dropped->reported = true;
    Finding finding{.rule = "lost-edge",
                    .severity = for_ever ? FindingSeverity::Error : FindingSeverity::Warning,
                    .time = dropped->time,
                    .instructions = dropped->instructions,
                    .address = dropped->masked_by,
                    .line = from->pin,
                    .id = dropped->id};
    finding.sentence = fmt::format(
        "{} had masked entry {} of the I/O APIC when {} was raised at {}: the edge is lost, the line is still high, "
        "and "
        "nobody has looked at the device since",
        address_mark(dropped->masked_by), number, line_words(context_, from->pin, from->source),
        at_words(dropped->time));
    context_.findings.report(std::move(finding));
  }
}

void IoApicRules::finish(const RunEnd& end) {
  if (apics_.io_apic() == nullptr) return;
  judge_edges(end.time, end.reason == "halted");
  const auto& pins = apics_.io_apic()->pin;
  for (u8 number = 0; number < ApicPicture::pins; ++number) judge_entry(number, 0, FindingSeverity::Warning);
  if (!pins[0].entry.masked() && pins[0].entry.has_vector() && pins[2].entry.masked() && !pins[2].opened) {
    Finding finding{
        .rule = "ioapic-mismatch",
        .severity = FindingSeverity::Warning,
        .address = pins[0].written.address,
        .line = 0,
        .sentence = fmt::format("{} opened entry 0 of the I/O APIC, where the 8259 is; the timer is on pin 2, "
                                "as the MADT says, and entry 2 is masked",
                                address_mark(pins[0].written.address))};
    context_.findings.report(std::move(finding));
  }
}

}  // namespace vitrine
