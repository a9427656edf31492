// The records as a trace in the Common Trace Format 1.8, with the events of the LTTng kernel tracer where it has them.
//
// Source: "The Common Trace Format v1.8.3" (diamon.org/ctf); names and fields of the events as in lttng-modules
// (instrumentation/events: irq, sched, arch/x86/exceptions), whose analyses then understand them. What LTTng has no
// event for is called vitrine_ and the kind of the record. docs/export.md has the list.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/byte_sink.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// The file `metadata` of a CTF trace.
[[nodiscard]] std::string ctf_metadata(const TraceHeader& header);

/// Writes one stream of packets for each CPU.
class CtfWriter {
 public:
  /// `streams`: where the packets of CPU 0, 1, ... go; records of other CPUs are taken as the last one's. All must
  /// outlive it; `symbols` may be null.
  CtfWriter(std::vector<ByteSink*> streams, const TraceHeader& header, const Symboliser* symbols);
  void consume(std::span<const Record> records);
  void finish(u64 end_time);

 private:
  static constexpr std::size_t packet_bytes = 256 * 1024;
  static constexpr std::size_t known_requests = 4096;
  static constexpr std::size_t most_threads = 10'000;

  struct Stream {
    ByteSink* out = nullptr;
    std::string packet;  ///< its events
    u64 begin = 0;       ///< of the packet
    u64 now = 0;
    u64 packets = 0;
    u64 thread = 0;  ///< that runs
    bool thread_known = false;
  };
  enum class ThreadState : u8 { Runs, Waits, Dead };
  struct Thread {
    std::string name;
    ThreadState state = ThreadState::Runs;
  };
  struct Known {
    u64 id = 0;
    u16 source = 0;
    u8 line = 0;
  };

  void add(Stream& stream, const Record& record);
  void note_origin(const Record& record);
  [[nodiscard]] static u32 irq_of(const Known& known, const Record& record);
  bool add_interrupt(Stream& stream, const Record& record);
  bool add_thread(Stream& stream, const Record& record);
  void add_own(Stream& stream, const Record& record);
  void put(Stream& stream, u64 value, unsigned bytes);
  void put_text(Stream& stream, std::string_view text);
  void put_name(Stream& stream, std::string_view name);
  void event(Stream& stream, u16 id);
  void flush(Stream& stream, u32 cpu);
  Thread* thread_of(u64 number);
  [[nodiscard]] std::string_view source_name(u16 source) const;

  std::vector<Stream> streams_;
  const TraceHeader* header_;
  const Symboliser* symbols_;
  std::vector<Known> known_;
  std::unordered_map<u64, Thread> threads_;
};

}  // namespace vitrine
