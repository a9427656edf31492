// A trace as a picture on a time axis: tracks with slices and instants, and flows that join the steps of a life.
//
// TimelineSurvey reads the trace once and finds out which tracks there will be; Timeline reads it again and draws on
// them. What it draws goes to a TimelineSink, one per file format. Memory is bounded whatever the trace holds.
//
// The tracks, from cause to consequence: each device on its lines, each line, each controller with what is requested
// and in service on each of its pins, each CPU (handlers as they nest, IF=0, halts, the running thread), each thread.
#pragma once

#include <array>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// Counts from 1; 0: none.
using TrackId = u32;

/// What the groups at the top are; each is the parent of the tracks in it.
enum class TrackGroup : u8 { Devices, Lines, Controllers, Cpus, Threads };
inline constexpr std::array<std::string_view, 5> track_group_names = {"Devices", "Lines", "Controllers", "CPUs",
                                                                      "Threads"};

struct Track {
  TrackId id = 0;
  TrackGroup group{};
  std::string name;  ///< "IRQ 4", "CPU 0 handlers": tells what it is without its group
};

/// A detail of a slice or instant: text, or a number where there is none.
struct TimelineArgument {
  std::string_view name;
  std::string_view text;
  u64 number = 0;
};

struct TimelineEvent {
  u64 time = 0;  ///< virtual nanoseconds
  TrackId track = 0;
  std::string_view name;
  std::span<const TimelineArgument> arguments;
  u64 flow = 0;  ///< the request whose life this is a step of; 0: none
};

/// A file format. Calls come in this order: all track(), then the rest; times of begin, end and instant never fall.
class TimelineSink {
 public:
  virtual ~TimelineSink() = default;
  virtual void track(const Track& track) = 0;
  /// A slice begins; it encloses what follows on its track until its end.
  virtual void begin(const TimelineEvent& event) = 0;
  /// The innermost slice of the track ends. As many as begin().
  virtual void end(u64 time, TrackId track) = 0;
  /// A slice that is over: from event.time, which may lie in the past, to `until`.
  virtual void slice(const TimelineEvent& event, u64 until) = 0;
  virtual void instant(const TimelineEvent& event) = 0;
  virtual void finish() = 0;
};

/// Which tracks a trace needs.
class TimelineSurvey {
 public:
  void consume(std::span<const Record> records);
  /// Highest CPU number that was seen.
  [[nodiscard]] u8 last_cpu() const { return last_cpu_; }

 private:
  friend class Timeline;
  /// More threads than this get no track of their own.
  static constexpr std::size_t most_threads = 10'000;
  using Thread = std::pair<u64, u32>;  // number, and how often it was given away before

  std::set<std::pair<u16, u8>> raisers_;  // source, line
  std::set<u16> controllers_;
  std::set<std::pair<u16, u8>> pins_;     // controller, pin
  std::set<std::pair<u16, u8>> vectors_;  // controller, vector: what a local APIC has instead
  std::map<Thread, std::string> threads_;
  std::unordered_map<u64, u32> lives_of_thread_;
  u8 last_cpu_ = 0;
};

class Timeline {
 public:
  /// All must outlive it; `symbols` may be null. Declares the tracks at once.
  Timeline(TimelineSink& sink, const TimelineSurvey& survey, const TraceHeader& header, const Symboliser* symbols);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  /// The same records as the survey had.
  void consume(std::span<const Record> records);
  /// Ends what is still open.
  void finish(u64 end_time);

 private:
  static constexpr std::size_t known_requests = 4096;
  static constexpr std::size_t most_nested = 64;
  static constexpr std::size_t most_places = 65'536;

  struct DeviceState {
    bool drives = false;
  };
  struct ControllerPin {
    TrackId requested = 0, in_service = 0;
    bool is_requested = false, is_in_service = false;
  };
  struct Handler {
    u64 id = 0, frame = 0;
  };
  struct CpuTracks {
    TrackId handlers = 0, off = 0, halted = 0, running = 0;
    std::vector<Handler> nested;  // outermost first
    u64 off_until = 0;            // end of the last slice there
    bool is_halted = false;
    TrackId thread_track = 0;  // of the thread that runs; 0: none is known
  };
  struct ThreadState {
    u32 life = 0;
    u64 woken_by = 0;
  };
  struct Known {
    u64 id = 0;
    u8 line = 0;
    u16 source = 0;
  };

  void add(const Record& record);
  void device(const Record& record);
  void controller(const Record& record);
  void message(TrackId track, const Record& record);
  void processor(const Record& record);
  void delivered(CpuTracks& tracks, const Record& record);
  void returned(CpuTracks& tracks, const Record& record);
  void leave(CpuTracks& tracks, std::size_t from);
  void thread(const Record& record);
  void thread_runs(const Record& record, TrackId track, ThreadState& state);
  void begin(TrackId track, std::string_view name, const Record& record);
  void mark(TrackId track, std::string_view name, const Record& record);
  void draw(TrackId track, std::string_view name, const Record& record,
            void (TimelineSink::*how)(const TimelineEvent&));
  TrackId declare(TrackGroup group, std::string name);
  [[nodiscard]] std::string_view source_name(u16 source) const;
  [[nodiscard]] bool is_local_apic(u16 source) const { return source_name(source).starts_with("lapic"); }
  /// Valid until the next event.
  [[nodiscard]] std::string_view place(u64 address);

  TimelineSink* sink_;
  const TimelineSurvey* survey_;
  const TraceHeader* header_;
  const Symboliser* symbols_;
  TrackId last_track_ = 0;
  u64 now_ = 0;

  std::map<std::pair<u16, u8>, TrackId> devices_;
  std::map<std::pair<u16, u8>, DeviceState> device_states_;
  std::map<u8, std::pair<TrackId, u32>> lines_;  // track, and how many drive it
  std::map<u16, TrackId> controllers_;
  std::map<std::pair<u16, u8>, ControllerPin> pins_;
  std::vector<CpuTracks> cpus_;
  std::map<TimelineSurvey::Thread, TrackId> threads_;
  std::unordered_map<u64, ThreadState> thread_states_;
  std::vector<Known> known_;  // the last request seen of each id modulo the size: enough for all in flight
  std::string name_;          // of the event in the making
  std::unordered_map<u64, std::string> places_;
};

}  // namespace vitrine
