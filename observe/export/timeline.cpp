#include "observe/export/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "observe/apic_fields.hpp"
#include "observe/export/timeline_place.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

Timeline::~Timeline() = default;

void Timeline::consume(std::span<const Record> records) {
  for (const Record& record : records) add(record);
}

void Timeline::add(const Record& record) {
  now_ = std::max(now_, record.time);
  if (places_.size() >= most_places) places_.clear();
  switch (timeline_place(record)) {
    case TimelinePlace::Device:
      device(record);
      break;
    case TimelinePlace::Controller:
      controller(record);
      break;
    case TimelinePlace::Cpu:
      processor(record);
      break;
    case TimelinePlace::Thread:
      thread(record);
      break;
    case TimelinePlace::Nowhere:
      break;
  }
}

void Timeline::device(const Record& record) {
  const auto found = devices_.find({record.source, record.pin});
  if (found == devices_.end()) return;
  DeviceState& state = device_states_[found->first];
  if (record.kind == RecordKind::Raised) known_[record.id % known_requests] = {record.id, record.pin, record.source};
  if (record.kind == RecordKind::MessageSent || record.kind == RecordKind::MessageLost) {
    return message(found->second, record);
  }
  // What comes without a line is over at once.
  if (!is_line(record.pin) && record.kind == RecordKind::Raised) return mark(found->second, "raises", record);
  if (!is_line(record.pin) && record.kind == RecordKind::Lowered) return;
  auto& [line, drivers] = lines_[record.pin];
  switch (record.kind) {
    case RecordKind::Raised:
      if (state.drives) return mark(found->second, "raises again", record);
      state.drives = true;
      begin(found->second, "raises", record);
      if (drivers++ == 0) begin(line, "high", record);
      break;
    case RecordKind::Lowered:
      if (!std::exchange(state.drives, false)) break;
      sink_->end(now_, found->second);
      if (--drivers == 0) sink_->end(now_, line);
      break;
    case RecordKind::Withheld:
      mark(found->second,
           static_cast<WithheldCause>(record.detail) != WithheldCause::None ? "keeps its line low"
                                                                            : "keeps it low no more",
           record);
      break;
    case RecordKind::DeviceProgrammed:
      mark(found->second, "programmed", record);
      break;
    default:
      mark(found->second, "attended", record);
      break;
  }
}

void Timeline::controller(const Record& record) {
  const auto found = controllers_.find(record.source);
  if (found == controllers_.end()) return;
  const auto pin = pins_.find({record.source, is_local_apic(record.source) ? record.vector : record.pin});
  ControllerPin none;
  ControllerPin& state = pin != pins_.end() ? pin->second : none;
  switch (record.kind) {
    case RecordKind::Latched:
      if (!std::exchange(state.is_requested, true)) begin(state.requested, "requested", record);
      break;
    case RecordKind::Acknowledged:
    case RecordKind::Withdrawn:
      mark(state.requested != 0 ? state.requested : found->second,
           record.kind == RecordKind::Withdrawn ? "withdrawn" : "acknowledged", record);
      if (std::exchange(state.is_requested, false)) sink_->end(now_, state.requested);
      break;
    case RecordKind::InService:
      if (!std::exchange(state.is_in_service, true)) begin(state.in_service, "in service", record);
      break;
    case RecordKind::EndOfInterrupt:
      mark(state.is_in_service ? state.in_service : found->second, record.id == 0 ? "EOI that ends nothing" : "EOI",
           record);
      if (record.id != 0 && std::exchange(state.is_in_service, false)) sink_->end(now_, state.in_service);
      break;
    case RecordKind::MessageSent:
      if (is_line(record.pin) && std::exchange(state.is_requested, false)) sink_->end(now_, state.requested);
      [[fallthrough]];
    case RecordKind::MessageLost:
      message(found->second, record);
      break;
    case RecordKind::Copied: {
      const Known& original = known_[record.other % known_requests];
      if (original.id == record.other) known_[record.id % known_requests] = {record.id, original.line, original.source};
      mark(found->second, "also for this CPU", record);
      break;
    }
    case RecordKind::Blocked:
      name_ = fmt::format("must wait: {}", obstacle_name(static_cast<Obstacle>(record.detail)));
      mark(found->second, name_, record);
      break;
    default:
      mark(found->second, kind_name(record.kind), record);
      break;
  }
}

/// The line or the MSI is known already; of an IPI this is the first that one hears.
void Timeline::message(TrackId track, const Record& record) {
  Known& known = known_[record.id % known_requests];
  if (record.kind == RecordKind::MessageSent && record.id != 0 && known.id != record.id) {
    known = {record.id, record.pin, record.source};
  }
  name_ = record.kind == RecordKind::MessageSent ? fmt::format("sends {}", message_text(record))
                                                 : fmt::format("nobody takes {}: {}", message_text(record),
                                                               loss_clause(static_cast<MessageLoss>(record.detail)));
  mark(track, name_, record);
}

void Timeline::begin(TrackId track, std::string_view name, const Record& record) {
  draw(track, name, record, &TimelineSink::begin);
}

void Timeline::mark(TrackId track, std::string_view name, const Record& record) {
  draw(track, name, record, &TimelineSink::instant);
}

void Timeline::draw(TrackId track, std::string_view name, const Record& record,
                    void (TimelineSink::*how)(const TimelineEvent&)) {
  std::array<TimelineArgument, 6> arguments;
  std::size_t count = 0;
  if (record.id != 0) arguments[count++] = {"request", {}, record.id};
  if (record.address != 0) arguments[count++] = {"at", place(record.address)};
  if (record.vector != 0) arguments[count++] = {"vector", {}, record.vector};
  if (record.kind == RecordKind::MaskChanged) {
    arguments[count++] = {"from", {}, record.other};
    arguments[count++] = {"to", {}, record.extra};
  }
  if ((record.kind == RecordKind::Merged || record.kind == RecordKind::Blocked || record.kind == RecordKind::Copied) &&
      record.other != 0) {
    arguments[count++] = {"other request", {}, record.other};
  }
  (sink_->*how)({now_, track, name, std::span(arguments).first(count), record.id});
}

std::string_view Timeline::source_name(u16 source) const {
  return source < header_->sources.size() ? std::string_view(header_->sources[source]) : "unknown";
}

std::string_view Timeline::place(u64 address) {
  const auto [found, is_new] = places_.try_emplace(address);
  if (is_new) found->second = describe_address(address, symbols_);
  return found->second;
}

void Timeline::finish(u64 end_time) {
  now_ = std::max(now_, end_time);
  for (const auto& [key, track] : devices_) {
    if (device_states_[key].drives) sink_->end(now_, track);
  }
  for (const auto& [line, state] : lines_) {
    if (state.second != 0) sink_->end(now_, state.first);
  }
  for (const auto& [key, state] : pins_) {
    if (state.is_requested) sink_->end(now_, state.requested);
    if (state.is_in_service) sink_->end(now_, state.in_service);
  }
  for (CpuTracks& tracks : cpus_) {
    leave(tracks, 0);
    if (tracks.is_halted) sink_->end(now_, tracks.halted);
    if (tracks.thread_track == 0) continue;
    sink_->end(now_, tracks.thread_track);
    sink_->end(now_, tracks.running);
  }
  sink_->finish();
}

}  // namespace vitrine
