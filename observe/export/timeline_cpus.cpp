// The tracks of CPUs and of threads.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "observe/export/timeline.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

std::string exception_label(u8 vector) {
  const std::string_view mnemonic = vector_mnemonic(vector);
  return mnemonic.empty() ? vector_name(vector) : fmt::format("{} {}", mnemonic, vector_name(vector));
}

}  // namespace

void Timeline::processor(const Record& record) {
  CpuTracks& tracks = cpus_[std::min<std::size_t>(record.cpu, cpus_.size() - 1)];
  switch (record.kind) {
    case RecordKind::Delivered:
      delivered(tracks, record);
      break;
    case RecordKind::Returned:
      returned(tracks, record);
      break;
    case RecordKind::Halted:
      if (!std::exchange(tracks.is_halted, true)) begin(tracks.halted, "halted", record);
      break;
    case RecordKind::Woken:
      if (std::exchange(tracks.is_halted, false)) sink_->end(now_, tracks.halted);
      break;
    case RecordKind::InterruptsOff: {
      const u64 since = std::max(std::min(record.since, now_), tracks.off_until);
      tracks.off_until = now_;
      const TimelineArgument arguments[] = {{"cleared by", place(record.address)}, {"set by", place(record.other)}};
      sink_->slice({since, tracks.off, "interrupts off", arguments}, now_);
      break;
    }
    case RecordKind::Blocked:
      name_ = fmt::format("must wait: {}", obstacle_name(static_cast<Obstacle>(record.detail)));
      mark(tracks.handlers, name_, record);
      break;
    case RecordKind::Exception:
      break;  // its Delivered or DeliveryFailed follows, with the same numbers
    case RecordKind::DeliveryFailed:
      name_ = fmt::format("can't deliver vector {:#04x}: {}", record.vector,
                          check_clause(static_cast<FailedCheck>(record.detail)));
      mark(tracks.handlers, name_, record);
      break;
    default:
      mark(tracks.handlers, kind_name(record.kind), record);
      break;
  }
}

void Timeline::delivered(CpuTracks& tracks, const Record& record) {
  // Whoever uses a frame's place again has left that frame, with or without IRET.
  const auto reused = std::ranges::find(tracks.nested, record.frame, &Handler::frame);
  if (reused != tracks.nested.end()) leave(tracks, static_cast<std::size_t>(reused - tracks.nested.begin()));
  if (tracks.nested.size() == most_nested) leave(tracks, 0);

  const auto kind = static_cast<DeliveryKind>(record.detail);
  const Known& known = known_[record.id % known_requests];
  if (record.id != 0 && known.id == record.id) {
    name_ = fmt::format("{} {}", pin_name(known.line, *header_), source_name(known.source));
  } else if (kind == DeliveryKind::External || kind == DeliveryKind::Software) {
    name_ = fmt::format("{} {:#04x}", kind == DeliveryKind::External ? "vector" : "INT", record.vector);
  } else {
    name_ = exception_label(record.vector);
  }
  std::array<TimelineArgument, 5> arguments{{{"handler", place(record.address)},
                                             {"interrupted", place(record.other)},
                                             {"vector", {}, record.vector},
                                             {"request", {}, record.id},
                                             {"error code", {}, static_cast<u32>(record.extra)}}};
  const bool has_error_code = (record.extra >> 32 & 1) != 0;
  sink_->begin({now_, tracks.handlers, name_, std::span(arguments).first(has_error_code ? 5 : 4), record.id});
  tracks.nested.push_back({record.id, record.frame});
}

void Timeline::returned(CpuTracks& tracks, const Record& record) {
  for (std::size_t i = tracks.nested.size(); i-- > 0;) {
    if (tracks.nested[i].id == record.id) return leave(tracks, i);
  }
  // Another task's handler was left in between, and what was drawn in it ended there.
  mark(tracks.handlers, "IRET of an earlier handler", record);
}

/// Ends the handlers from this one inwards.
void Timeline::leave(CpuTracks& tracks, std::size_t from) {
  for (; tracks.nested.size() > from; tracks.nested.pop_back()) sink_->end(now_, tracks.handlers);
}

void Timeline::thread(const Record& record) {
  ThreadState& state = thread_states_[record.other];
  const auto found = threads_.find({record.other, state.life});
  if (found == threads_.end()) {  // one of too many
    if (state.life == 0) thread_states_.erase(record.other);
    return;
  }
  switch (record.kind) {
    case RecordKind::ThreadRuns:
      thread_runs(record, found->second, state);
      break;
    case RecordKind::ThreadWoken:
      state.woken_by = record.id;
      mark(found->second, "woken", record);
      break;
    case RecordKind::ThreadBlocked:
      mark(found->second, "blocks", record);
      break;
    case RecordKind::ThreadExited:
      mark(found->second, "exits", record);
      state = {.life = state.life + 1};
      break;
    default:
      break;
  }
}

void Timeline::thread_runs(const Record& record, TrackId track, ThreadState& state) {
  CpuTracks& tracks = cpus_[std::min<std::size_t>(record.cpu, cpus_.size() - 1)];
  if (tracks.thread_track == track) return;
  if (tracks.thread_track != 0) {
    sink_->end(now_, tracks.thread_track);
    sink_->end(now_, tracks.running);
  }
  tracks.thread_track = track;
  const std::string& name = survey_->threads_.at({record.other, state.life});
  name_ = name.empty() ? fmt::format("thread {}", record.other) : name;
  const TimelineArgument arguments[] = {{"thread", {}, record.other}, {"at", place(record.address)}};
  const std::size_t count = record.address != 0 ? 2 : 1;
  sink_->begin({now_, tracks.running, name_, std::span(arguments).first(count)});
  name_ = fmt::format("runs on CPU {}", record.cpu);
  sink_->begin({now_, track, name_, {}, std::exchange(state.woken_by, 0)});
}

}  // namespace vitrine
