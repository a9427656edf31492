// Which tracks there are.
#include <fmt/format.h>

#include <algorithm>

#include "observe/apic_fields.hpp"
#include "observe/device_words.hpp"
#include "observe/export/timeline.hpp"
#include "observe/export/timeline_place.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

/// More tracks of a kind than any machine has: only a damaged or made-up trace asks for them.
constexpr std::size_t most_tracks = 1024;

/// These concern one pin, and get a track for it.
bool is_of_a_pin(RecordKind kind) {
  return kind == RecordKind::Latched || kind == RecordKind::Acknowledged || kind == RecordKind::InService ||
         kind == RecordKind::Withdrawn;
}

/// Adds unless there are too many already.
template <class Set, class Value>
void add_bounded(Set& set, const Value& value, std::size_t most) {
  if (set.size() < most) set.insert(value);
}

}  // namespace

void TimelineSurvey::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    last_cpu_ = std::max(last_cpu_, record.cpu);
    switch (timeline_place(record)) {
      case TimelinePlace::Device:
        add_bounded(raisers_, std::pair(record.source, record.pin), most_tracks);
        break;
      case TimelinePlace::Controller:
        add_bounded(controllers_, record.source, most_tracks);
        if (!is_of_a_pin(record.kind)) break;
        add_bounded(pins_, std::pair(record.source, record.pin), most_tracks);
        add_bounded(vectors_, std::pair(record.source, record.vector), most_tracks);
        break;
      case TimelinePlace::Thread: {
        const auto life = lives_of_thread_.find(record.other);
        if (life == lives_of_thread_.end() && lives_of_thread_.size() == most_threads) break;
        const Thread thread(record.other, life == lives_of_thread_.end() ? 0 : life->second);
        if (threads_.size() == most_threads && !threads_.contains(thread)) break;
        std::string& name = threads_[thread];
        lives_of_thread_.insert({record.other, 0});
        if (record.kind == RecordKind::ThreadNamed) name = printable_thread_name(record);
        if (record.kind == RecordKind::ThreadExited) ++lives_of_thread_[record.other];
        break;
      }
      case TimelinePlace::Cpu:
      case TimelinePlace::Nowhere:
        break;
    }
  }
}

Timeline::Timeline(TimelineSink& sink, const TimelineSurvey& survey, const TraceHeader& header,
                   const Symboliser* symbols)
    : sink_(&sink), survey_(&survey), header_(&header), symbols_(symbols), known_(known_requests) {
  for (const auto& raiser : survey.raisers_) {
    devices_[raiser] = declare(TrackGroup::Devices,
                               fmt::format("{} ({})", source_name(raiser.first), pin_name(raiser.second, header)));
    if (is_line(raiser.second)) lines_[raiser.second];
  }
  for (auto& [line, state] : lines_) {
    const auto named = std::ranges::find(header.lines, u32{line}, &TraceLine::number);
    state.first =
        declare(TrackGroup::Lines, fmt::format("{}{}", pin_name(line, header),
                                               named == header.lines.end() ? "" : fmt::format(" ({})", named->name)));
  }
  for (const u16 source : survey.controllers_) {
    const std::string name(source_name(source));
    controllers_[source] = declare(TrackGroup::Controllers, name);
    const auto& slots = is_local_apic(source) ? survey.vectors_ : survey.pins_;
    for (auto pin = slots.lower_bound({source, 0}); pin != slots.end() && pin->first == source; ++pin) {
      const std::string slot = is_local_apic(source) ? fmt::format("{} vector {:#04x}", name, pin->second)
                                                     : fmt::format("{} pin {}", name, pin->second);
      pins_[*pin] = {.requested = declare(TrackGroup::Controllers, slot + " requested"),
                     .in_service = declare(TrackGroup::Controllers, slot + " in service")};
    }
  }
  for (u32 number = 0; number <= survey.last_cpu(); ++number) {
    CpuTracks& tracks = cpus_.emplace_back();
    tracks.handlers = declare(TrackGroup::Cpus, fmt::format("CPU {} handlers", number));
    tracks.off = declare(TrackGroup::Cpus, fmt::format("CPU {} interrupts off", number));
    tracks.halted = declare(TrackGroup::Cpus, fmt::format("CPU {} halted", number));
    if (!survey.threads_.empty()) tracks.running = declare(TrackGroup::Cpus, fmt::format("CPU {} thread", number));
  }
  for (const auto& [thread, name] : survey.threads_) {
    threads_[thread] = declare(TrackGroup::Threads, name.empty() ? fmt::format("thread {}", thread.first)
                                                                 : fmt::format("{} ({})", name, thread.first));
  }
}

TrackId Timeline::declare(TrackGroup group, std::string name) {
  sink_->track({++last_track_, group, std::move(name)});
  return last_track_;
}

}  // namespace vitrine
