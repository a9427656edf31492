// The whole life of each interrupt: the ledger's records, put together by request.
//
// Reads records in order. Bounded: keeps the lives that are open, and the last few that ended on each line and vector.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/apic_fields.hpp"
#include "observe/bounded_map.hpp"
#include "observe/last_few.hpp"
#include "observe/request_table.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// One request, exception or INT n: its records in order. Threads that it woke, and when they ran, are among them; so
/// are the Merged records of later requests that it stands for, the Spurious one of an acknowledge that came too late
/// for it with the delivery that followed, and the Exception that came of a DeliveryFailed. A message to several CPUs
/// is a life for each of them, with the same beginning.
struct Life {
  u64 id = 0;
  std::vector<Record> records;  ///< at most most_records; the first ones are kept, and the last
  u64 left_out = 0;             ///< records that stood between the first ones and the last
  bool closed = false;      ///< returned (and in service nowhere), withdrawn, polled away or merged: nothing more is
                            ///< expected. A level that is still high opens it again
  bool pending = false;     ///< raised, and the CPU has not taken it yet. Where two controllers hold it, until one has
                            ///< delivered it
  bool in_service = false;  ///< some controller waits for its EOI
  bool in_handler = false;  ///< delivered, and no IRET has left the frame yet
  std::optional<u64> thread;                ///< that ran when it was delivered, if the guest tells of threads
  std::map<u64, std::string> thread_names;  ///< of the threads in the records, as far as they have names
  static constexpr std::size_t most_records = 64;

  /// The first (or last) record of a kind; null if there is none.
  [[nodiscard]] const Record* first(RecordKind kind) const;
  [[nodiscard]] const Record* last(RecordKind kind) const;
  /// What began it, if a device, a local APIC or a sender of messages did: Raised, else MessageSent, else Latched. Null
  /// for exceptions and INT n.
  [[nodiscard]] const Record* origin() const {
    const RecordKind begins_with = records.empty() ? RecordKind{} : records.front().kind;
    const bool is_it = begins_with == RecordKind::Raised || begins_with == RecordKind::MessageSent;
    return is_it ? &records.front() : later_origin();
  }
  /// The line that it came on: IRQ 0 to 15, PIRQ A to H from 16 on. Empty for exceptions, INT n, and what comes without
  /// a line (MSI, IPI, the local APICs' own).
  [[nodiscard]] std::optional<u8> line() const;

  void add(const Record& record) {
    if (records.size() == most_records) leave_out();
    records.push_back(record);
  }

 private:
  [[nodiscard]] const Record* later_origin() const;
  [[gnu::cold]] void leave_out();
};

/// A frame that no IRET has left yet.
struct LiveFrame {
  u64 id = 0;  ///< 0: a spurious interrupt
  u64 frame = 0;
  u64 address = 0;      ///< the handler's first instruction
  u64 interrupted = 0;  ///< the instruction that was interrupted
  u64 time = 0;
  u8 vector = 0;
  DeliveryKind kind{};
};

class LifeTracker {
 public:
  void consume(const Record& record);
  /// Null if it is not known (any more). Valid until the next consume().
  [[nodiscard]] const Life* find(u64 id) const {
    const Entry* entry = entries_.find(id);
    return entry != nullptr ? &entry->life : nullptr;
  }
  /// The innermost request whose handler runs on this CPU now; 0: none, or a spurious one. A handler that has switched
  /// to another thread counts as running until a frame of that thread is left.
  [[nodiscard]] u64 running(u8 cpu) const;
  /// The frames of this CPU that are live, oldest first.
  [[nodiscard]] std::span<const LiveFrame> frames(u8 cpu) const;
  /// Requests that are open, in order of id.
  [[nodiscard]] std::vector<const Life*> open() const;
  /// The last lives that ended, oldest first: of requests on this line (exceptions, NMI and INT n: with this vector).
  [[nodiscard]] std::vector<const Life*> ended_on_line(u8 line) const;
  [[nodiscard]] std::vector<const Life*> ended_with_vector(u8 vector) const;
  /// The same for what began at `pin` of `source`, a line or not (Life::origin()).
  [[nodiscard]] std::vector<const Life*> ended_of(u8 pin, u16 source) const;
  /// Empty if the guest has not named it.
  [[nodiscard]] std::string thread_name(u64 thread) const;

 private:
  /// Of ended_: what comes without a line.
  [[nodiscard]] static constexpr int vector_key(u8 vector) { return 256 + vector; }
  struct Entry {
    Life life;
    int key = -1;          // of ended_: the line, or 256 + vector
    SourceSet pending_in;  // the controllers that hold it
    SourceSet in_service;
    u32 frames = 0;           // live ones
    bool on_its_way = false;  // raised and not latched yet, or acknowledged and not delivered yet
    bool acknowledged = false;

    /// A new life, in the memory of an older one.
    void begin(u64 id, int its_key);
    /// Says of its life what became of it. Is anything more to come?
    [[nodiscard]] bool update() {
      life.pending = !pending_in.empty() || (on_its_way && !acknowledged);
      life.in_service = !in_service.empty();
      life.in_handler = frames != 0;
      return life.pending || on_its_way || life.in_service || life.in_handler;
    }
  };
  struct Link {
    u64 serial = 0;
    u64 parent = 0;  // serial of the frame whose handler it interrupted; 0: none
    u64 life = 0;    // of a spurious one, the life that its acknowledge came too late for
  };
  struct CpuState {
    std::vector<LiveFrame> frames;
    std::vector<Link> links;  // one for each frame
    u64 current = 0;          // serial of the frame whose handler runs
    u64 spurious_of = 0;      // the acknowledge found nothing; its delivery follows
    u64 failed = 0;           // the life whose delivery failed; the exception follows
    std::optional<u64> thread;
  };
  static constexpr std::size_t kept_ended = 8;
  static constexpr std::size_t most_open = 1024;
  static constexpr std::size_t most_frames = 256;
  static constexpr std::size_t most_threads = 4096;

  using Ended = LastFew<u64, kept_ended>;  // ids

  Entry* entry_of(u64 id) { return entries_.find(id); }
  Entry& make(u64 id, int key);
  void add_open(u64 id);
  void reopen(Entry& entry) {
    if (entry.life.closed) open_again(entry);
  }
  void open_again(Entry& entry);
  /// Closes the life if nothing more is to come. `entry` stays valid.
  void settle(Entry& entry) {
    if (!entry.update() && !entry.life.closed) close(entry);
  }
  void close(Entry& entry);
  /// One more record of a life. The common case calls nothing, so that consume() need not save a register.
  void add_step(Entry& entry, const Record& record) {
    std::vector<Record>& records = entry.life.records;
    if (records.size() == Life::most_records || records.size() == records.capacity())
      return add_step_slowly(entry, record);
    records.push_back(record);
    settle(entry);
  }
  [[gnu::cold]] void add_step_slowly(Entry& entry, const Record& record);
  Ended& ended_at(int key) {
    const auto index = static_cast<std::size_t>(key);
    if (index >= ended_.size() || ended_[index] == nullptr) add_ended(index);
    return *ended_[index];
  }
  [[gnu::cold]] void add_ended(std::size_t index);
  CpuState& cpu_state(u8 cpu) {
    if (cpu >= cpus_.size()) add_cpus(cpu);
    return cpus_[cpu];
  }
  [[gnu::cold]] void add_cpus(u8 last);
  void raised(const Record& record);
  void message_sent(const Record& record);
  void latched_anew(const Record& record);
  void lost(Entry& entry, const Record& record);
  void thread_record(const Record& record);
  void copied(const Record& record);
  void keep_name(Entry& entry, u64 thread);
  void drop_frame(CpuState& cpu, std::size_t index);
  /// The CPU in whose account this frame is: `cpu`, or another one that the thread has left since. Null: in none's.
  CpuState* holder_of(u8 cpu, u64 frame, u64 id, std::size_t& index);
  void bring(CpuState& here, u64 serial);
  [[nodiscard]] const Link* current_link(u8 cpu) const;
  void merged(const Record& record);
  void spurious(const Record& record);
  void delivered(const Record& record);
  void returned(const Record& record);
  void exception(const Record& record);
  void delivery_failed(const Record& record);
  void thread_runs(const Record& record);
  void thread_woken(const Record& record);
  void add_thread(Entry& entry, const Record& record);
  [[nodiscard]] std::vector<const Life*> ended(int key) const;

  RequestTable<Entry> entries_;                // looked up, never listed: open_ and ended_ have the order
  std::vector<u64> open_;                      // ascending
  std::vector<std::unique_ptr<Ended>> ended_;  // by key; null: none yet
  std::vector<CpuState> cpus_;
  BoundedMap<u64, u64, most_threads> suspended_;  // thread -> serial of the handler that runs on it
  BoundedMap<u64, u64, most_threads> woken_;      // thread -> life that woke it; until it runs
  BoundedMap<u64, std::string, most_threads> names_;
  u64 last_serial_ = 0;
};

/// A life as a staircase of lines for people: when, how long since the step before, where, what happened.
/// `lines` start with `indent`.
[[nodiscard]] std::string life_text(const Life& life, const TraceHeader& header, const Symboliser* symbols,
                                    std::string_view indent = "");
/// The same as one JSON object on one line.
[[nodiscard]] std::string life_json(const Life& life, const TraceHeader& header, const Symboliser* symbols);

}  // namespace vitrine
