#include "observe/export/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "observe/apic_fields.hpp"
#include "observe/device_words.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

/// More tracks of a kind than any machine has: only a damaged or made-up trace asks for them.
constexpr std::size_t most_tracks = 1024;

enum class Place : u8 { Nowhere, Device, Controller, Cpu, Thread };

/// On whose track a record is drawn.
Place place_of(const Record& record) {
  switch (record.kind) {
    case RecordKind::Raised:
    case RecordKind::Lowered:
    case RecordKind::Withheld:
    case RecordKind::DeviceProgrammed:
    case RecordKind::Attended:
      return Place::Device;
    case RecordKind::Latched:
    case RecordKind::Merged:
    case RecordKind::Withdrawn:
    case RecordKind::Acknowledged:
    case RecordKind::Spurious:
    case RecordKind::InService:
    case RecordKind::EndOfInterrupt:
    case RecordKind::LineLost:
    case RecordKind::MaskChanged:
    case RecordKind::ControllerProgrammed:
    case RecordKind::Copied:
      return Place::Controller;
    case RecordKind::MessageSent:
    case RecordKind::MessageLost:
      return record.pin == static_cast<u8>(ApicPin::Message) ? Place::Device : Place::Controller;
    case RecordKind::Blocked:
      switch (static_cast<Obstacle>(record.detail)) {
        case Obstacle::InterruptFlag:
        case Obstacle::InterruptShadow:
        case Obstacle::NmiInProgress:
          return Place::Cpu;
        default:
          return Place::Controller;
      }
    case RecordKind::Delivered:
    case RecordKind::Returned:
    case RecordKind::Exception:
    case RecordKind::DeliveryFailed:
    case RecordKind::TripleFault:
    case RecordKind::Halted:
    case RecordKind::Woken:
    case RecordKind::InterruptsOff:
    case RecordKind::GuestExit:
    case RecordKind::CpuStarted:
    case RecordKind::CpuReset:
      return Place::Cpu;
    case RecordKind::ThreadRuns:
    case RecordKind::ThreadWoken:
    case RecordKind::ThreadBlocked:
    case RecordKind::ThreadExited:
    case RecordKind::ThreadNamed:
      return Place::Thread;
  }
  return Place::Nowhere;
}

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

std::string exception_label(u8 vector) {
  const std::string_view mnemonic = vector_mnemonic(vector);
  return mnemonic.empty() ? vector_name(vector) : fmt::format("{} {}", mnemonic, vector_name(vector));
}

}  // namespace

void TimelineSurvey::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    last_cpu_ = std::max(last_cpu_, record.cpu);
    switch (place_of(record)) {
      case Place::Device:
        add_bounded(raisers_, std::pair(record.source, record.pin), most_tracks);
        break;
      case Place::Controller:
        add_bounded(controllers_, record.source, most_tracks);
        if (!is_of_a_pin(record.kind)) break;
        add_bounded(pins_, std::pair(record.source, record.pin), most_tracks);
        add_bounded(vectors_, std::pair(record.source, record.vector), most_tracks);
        break;
      case Place::Thread: {
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
      case Place::Cpu:
      case Place::Nowhere:
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

Timeline::~Timeline() = default;

TrackId Timeline::declare(TrackGroup group, std::string name) {
  sink_->track({++last_track_, group, std::move(name)});
  return last_track_;
}

void Timeline::consume(std::span<const Record> records) {
  for (const Record& record : records) add(record);
}

void Timeline::add(const Record& record) {
  now_ = std::max(now_, record.time);
  if (places_.size() >= most_places) places_.clear();
  switch (place_of(record)) {
    case Place::Device:
      device(record);
      break;
    case Place::Controller:
      controller(record);
      break;
    case Place::Cpu:
      processor(record);
      break;
    case Place::Thread:
      thread(record);
      break;
    case Place::Nowhere:
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
