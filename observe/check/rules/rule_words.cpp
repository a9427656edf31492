#include "observe/check/rules/rule_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "observe/life/places.hpp"
#include "observe/names.hpp"

namespace vitrine {

std::string request_words(const RuleContext& context, int line, u64 id) {
  const Life* life = id != 0 ? context.lives.find(id) : nullptr;
  const Record* raised = life != nullptr ? life->first(RecordKind::Raised) : nullptr;
  if (raised == nullptr) return fmt::format("IRQ {}", line);
  return fmt::format("IRQ {} ({})", line, place_of(raised->source, line, context.header));
}

std::string_view chip_words(u8 chip) { return chip == 0 ? "first 8259" : "second 8259"; }

std::string at_words(u64 time) {
  std::string text = moment_text(time);
  if (text.size() > 3) text.resize(text.size() - 3);
  return text + " s";
}

const LiveFrame* running_frame(const RuleContext& context, u8 cpu) {
  const std::span<const LiveFrame> frames = context.lives.frames(cpu);
  const u64 id = context.lives.running(cpu);
  if (id == 0) return !frames.empty() && frames.back().id == 0 ? &frames.back() : nullptr;
  const auto found = std::ranges::find(frames, id, &LiveFrame::id);
  return found != frames.end() ? &*found : nullptr;
}

int line_of(const RuleContext& context, u64 id) {
  const Life* life = id != 0 ? context.lives.find(id) : nullptr;
  if (life == nullptr) return -1;
  for (const RecordKind kind : {RecordKind::Acknowledged, RecordKind::Latched}) {
    for (const Record& record : life->records) {
      if (record.kind == kind && is_8259(context, record.source)) return record.pin;
    }
  }
  return -1;
}

bool is_8259(const RuleContext& context, u16 source) {
  return source < context.header.sources.size() && context.header.sources[source].starts_with("pic");
}

const Record* served_by_apic(const RuleContext& context, const Life& life) {
  const Record* serves = nullptr;
  for (const Record& record : life.records) {
    const bool local =
        record.source < context.header.sources.size() && context.header.sources[record.source].starts_with("lapic");
    if (local && record.kind == RecordKind::InService) serves = &record;
    if (local && record.kind == RecordKind::EndOfInterrupt) serves = nullptr;
  }
  return serves;
}

}  // namespace vitrine
