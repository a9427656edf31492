#include "observe/export/chrome.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace vitrine {

namespace {

/// As a JSON string. Bytes that are no UTF-8 are replaced.
std::string json_text(std::string_view text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
  if (is_plain) return fmt::format("\"{}\"", text);
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

u64 process_of(TrackGroup group) { return static_cast<u64>(group) + 1; }

}  // namespace

ChromeWriter::ChromeWriter(ByteSink& out) : out_(&out), groups_(1), steps_(most_open_flows) {
  line_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
  for (u64 group = 0; group < track_group_names.size(); ++group) {
    const u64 process = process_of(static_cast<TrackGroup>(group));
    metadata("process_name", process, 0, json_text(track_group_names[group]));
    metadata("process_sort_index", process, 0, fmt::format("{}", group));
  }
}

void ChromeWriter::metadata(std::string_view what, u64 process, TrackId thread, std::string_view argument) {
  line_ += std::exchange(first_, false) ? "\n" : ",\n";
  fmt::format_to(std::back_inserter(line_), R"({{"ph":"M","name":"{}","pid":{},"tid":{},"args":{{"{}":{}}})", what,
                 process, thread, what.ends_with("_name") ? "name" : "sort_index", argument);
  close();
}

void ChromeWriter::track(const Track& track) {
  groups_.resize(track.id + 1);
  groups_[track.id] = track.group;
  metadata("thread_name", process_of(track.group), track.id, json_text(track.name));
  metadata("thread_sort_index", process_of(track.group), track.id, fmt::format("{}", track.id));
}

void ChromeWriter::open(char phase, u64 time, TrackId track) {
  line_ += std::exchange(first_, false) ? "\n" : ",\n";
  fmt::format_to(std::back_inserter(line_), R"({{"ph":"{}","ts":{}.{:03},"pid":{},"tid":{})", phase, time / 1000,
                 time % 1000, process_of(groups_[track]), track);
}

void ChromeWriter::named(const TimelineEvent& event) {
  line_ += ",\"name\":";
  line_ += json_text(event.name);
  if (event.arguments.empty()) return;
  const char* separator = ",\"args\":{";
  for (const TimelineArgument& argument : event.arguments) {
    fmt::format_to(std::back_inserter(line_), "{}{}:", std::exchange(separator, ","), json_text(argument.name));
    if (argument.text.empty()) {
      fmt::format_to(std::back_inserter(line_), "{}", argument.number);
    } else {
      line_ += json_text(argument.text);
    }
  }
  line_ += '}';
}

void ChromeWriter::close() {
  line_ += '}';
  out_->write({reinterpret_cast<const u8*>(line_.data()), line_.size()});
  line_.clear();
}

void ChromeWriter::begin(const TimelineEvent& event) {
  open('B', event.time, event.track);
  named(event);
  close();
  flow(event);
}

void ChromeWriter::end(u64 time, TrackId track) {
  open('E', time, track);
  close();
}

void ChromeWriter::slice(const TimelineEvent& event, u64 until) {
  open('X', event.time, event.track);
  const u64 length = until - event.time;
  fmt::format_to(std::back_inserter(line_), ",\"dur\":{}.{:03}", length / 1000, length % 1000);
  named(event);
  close();
  flow(event);
}

void ChromeWriter::instant(const TimelineEvent& event) {
  if (event.flow != 0) return slice(event, event.time);
  open('i', event.time, event.track);
  line_ += ",\"s\":\"t\"";
  named(event);
  close();
}

void ChromeWriter::flow(const TimelineEvent& event) {
  if (event.flow == 0) return;
  Step& step = steps_[event.flow % most_open_flows];
  const bool goes_on = step.id == event.flow;
  if (goes_on) {
    write_step(step, step.is_first ? 's' : 't');
  } else if (!step.is_first) {
    write_step(step, 'f');
  }
  step = {.id = event.flow, .time = event.time, .track = event.track, .is_first = !goes_on};
}

void ChromeWriter::write_step(const Step& step, char phase) {
  open(phase, step.time, step.track);
  // "bp":"e": the arrow ends at the slice around this moment, not at the next one.
  fmt::format_to(std::back_inserter(line_), R"(,"name":"life","cat":"life","id":{}{})", step.id,
                 phase == 'f' ? ",\"bp\":\"e\"" : "");
  close();
}

void ChromeWriter::finish() {
  for (const Step& step : steps_) {
    if (!step.is_first) write_step(step, 'f');
  }
  line_ = "\n]}\n";
  out_->write({reinterpret_cast<const u8*>(line_.data()), line_.size()});
  line_.clear();
}

}  // namespace vitrine
