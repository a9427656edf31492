// A timeline as JSON for chrome://tracing, and for whatever else reads the Trace Event Format.
//
// Source: Google, "Trace Event Format" (B, E, X, i, M, and the flow events s, t, f). A group is a process, a track a
// thread of it. Times are microseconds with three decimals, so none is rounded.
#pragma once

#include <string>
#include <vector>

#include "observe/byte_sink.hpp"
#include "observe/export/timeline.hpp"

namespace vitrine {

class ChromeWriter final : public TimelineSink {
 public:
  /// `out` must outlive it.
  explicit ChromeWriter(ByteSink& out);
  void track(const Track& track) override;
  void begin(const TimelineEvent& event) override;
  void end(u64 time, TrackId track) override;
  void slice(const TimelineEvent& event, u64 until) override;
  /// A step of a life becomes a slice without length: flows can't be tied to instants.
  void instant(const TimelineEvent& event) override;
  void finish() override;

 private:
  /// The last step of a life, which is not written until it is known whether another follows.
  struct Step {
    u64 id = 0, time = 0;
    TrackId track = 0;
    bool is_first = true;
  };
  static constexpr std::size_t most_open_flows = 4096;

  void open(char phase, u64 time, TrackId track);
  void named(const TimelineEvent& event);
  void close();
  void flow(const TimelineEvent& event);
  void write_step(const Step& step, char phase);
  void metadata(std::string_view what, u64 process, TrackId thread, std::string_view argument);

  ByteSink* out_;
  std::vector<TrackGroup> groups_;  // by track
  std::vector<Step> steps_;         // by id modulo the size
  std::string line_;
  bool first_ = true;
};

}  // namespace vitrine
