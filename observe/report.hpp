// The interrupt report: what every interrupt did, computed from ledger records alone.
//
// ReportBuilder reads records as they come (beside a running machine, or from a trace) in memory that does not grow
// with the run: one row per source and line, one per vector, and a bounded table of requests in flight. What each
// figure means stands in docs/report.md.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/apic_fields.hpp"
#include "observe/histogram.hpp"
#include "observe/report_by_cpu.hpp"
#include "observe/request_table.hpp"
#include "observe/small_map.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// Minimum, median, 99th percentile and maximum of `count` values (histogram.hpp says how exact).
struct Distribution {
  u64 count = 0, minimum = 0, median = 0, percentile_99 = 0, maximum = 0;
};

/// The same stretch measured in instructions and in virtual nanoseconds.
struct Timing {
  Distribution instructions, nanoseconds;
};

struct VectorCount {
  u8 vector = 0;
  u64 delivered = 0;
};

/// A request that had not been delivered when the run ended.
struct PendingRequest {
  u64 id = 0;
  u64 since = 0;  ///< when it was raised
  bool latched = false;
  Obstacle obstacle = Obstacle::None;  ///< the last that a Blocked record named
  u64 obstacle_since = 0;
  u64 obstacle_address = 0;  ///< the instruction that set it; 0: not known
  std::string in_service;    ///< what is in service, if that is the obstacle: "IRQ 1 (keyboard)"
};

/// One source on one line, or what it sends without a line.
struct LineReport {
  static constexpr int no_line = -1;
  std::string source;
  int line = no_line;  ///< IRQ 0 to 15, PIRQ A to H from 16 on
  std::string on;      ///< "IRQ 4", "local timer", "IPI"; empty: not known
  u64 raised = 0;      ///< requests; each receiver of a message counts
  u64 merged = 0;      ///< of these: while an earlier one was pending, so that both became one
  u64 withdrawn = 0;   ///< of these: gone before the CPU took them
  u64 lost = 0;        ///< of these: gone before any controller noticed
  u64 unheard = 0;     ///< of these: messages that nobody took
  u64 polled = 0;      ///< of these: taken by a poll command, without a vector
  u64 delivered = 0;   ///< entries into a handler
  u64 failed = 0;      ///< acknowledged, but the CPU could not enter the handler
  u64 spurious = 0;    ///< acknowledge cycles that found nothing (source: the controller)
  u64 returned = 0;    ///< of the delivered: IRET left the frame
  std::optional<PendingRequest> pending;
  std::vector<VectorCount> vectors;
  Timing delay;    ///< raise to handler
  Timing handler;  ///< handler to its IRET
};

struct ExceptionReport {
  u8 vector = 0;
  u64 raised = 0;
  u64 failed = 0;  ///< could not be delivered
  Timing handler;
};

struct SoftwareReport {
  u8 vector = 0;
  u64 count = 0;
  Timing handler;
};

/// A stretch with IF=0.
struct OffStretch {
  u64 nanoseconds = 0;
  u64 since = 0;
  u8 cpu = 0;
  u64 cleared_by = 0;  ///< address of the instruction that cleared IF
  u64 set_by = 0;      ///< address of the instruction that set it
};

/// Something that a person should look at, as an id for programs and a sentence for people.
struct ReportFinding {
  std::string what;  ///< pending, never-delivered, spurious, lost, message-lost, no-return, no-eoi, delivery-failed,
                     ///< triple-fault, incomplete
  std::string sentence;
};

struct Report {
  std::string guest;
  RunEnd end;
  unsigned cpus = 1;
  u64 halted_nanoseconds = 0;      ///< of all CPUs together
  std::vector<u64> halted_of_cpu;  ///< the same by CPU
  u64 halts = 0;
  u64 records = 0;
  u64 digest = 0;
  std::vector<LineReport> lines;  ///< by line, then source
  std::vector<CpuCountRow> by_cpu;
  std::vector<ExceptionReport> exceptions;
  std::vector<SoftwareReport> software;
  std::optional<OffStretch> interrupts_off;
  std::optional<OffStretch> off_from_start;  ///< from power-on until the guest turned them on; cleared_by is 0
  std::vector<ReportFinding> findings;
};

class ReportBuilder final : public LedgerSink {
 public:
  explicit ReportBuilder(const TraceHeader& header);
  ~ReportBuilder() override;
  ReportBuilder(const ReportBuilder&) = delete;
  ReportBuilder& operator=(const ReportBuilder&) = delete;

  void consume(std::span<const Record> records) override;
  /// The report. `symbols` (may be null) names the addresses in the findings.
  [[nodiscard]] Report finish(const RunEnd& end, const Symboliser* symbols = nullptr) const;

 private:
  /// 0 if that is negative: a damaged trace may say anything.
  [[nodiscard]] static u64 since(u64 later, u64 earlier) { return later > earlier ? later - earlier : 0; }
  /// Instructions until `now`, if that is on the same CPU.
  [[nodiscard]] static std::optional<u64> passed(u8 cpu, u64 instructions, const Record& now);
  struct Times {
    Histogram instructions, nanoseconds;
    /// CPUs count their instructions each for itself: no count if the stretch began on another one.
    void add(std::optional<u64> instruction_count, u64 time) {
      if (instruction_count) instructions.add(*instruction_count);
      nanoseconds.add(time);
    }
    [[nodiscard]] Timing timing() const;
  };
  /// The counts by CPU that the last interrupt of a row went to: the next one's are mostly the same.
  struct Counted {
    CpuCounts::Row* row = nullptr;
    u32 message = 0;
    int wire = LineReport::no_line;
    u8 vector = 0;
  };
  struct Row {
    u16 source = 0;
    int line = LineReport::no_line;
    u64 raised = 0, merged = 0, withdrawn = 0, lost = 0, polled = 0, delivered = 0, failed = 0, spurious = 0,
        returned = 0, unheard = 0, resets = 0;
    std::array<u64, 5> spurious_causes{};
    MessageLoss loss{};                  // the last
    u64 carried = 0;                     // id of the last request that it raised
    u64 Row::* ended_as = nullptr;       // the count that took a request when it seemed to end: merged or lost
    u64 ended_id = 0;                    // that request
    Obstacle obstacle = Obstacle::None;  // the last that stood in the way of one of them
    u64 obstacle_address = 0;
    SmallMap<u8, u64> vectors;
    Counted counted;
    Times delay, handler;
  };
  struct VectorRow {
    u64 raised = 0, failed = 0, delivered = 0;
    Times handler;
  };
  struct Request {
    u32 row = 0;
    u64 time = 0, instructions = 0;
    u8 cpu = 0;
    SourceSet latched_in;
    bool ever_latched = false;
    int wire = LineReport::no_line;  // the pin of the last 8259 or I/O APIC that took it
    u32 message = 0;                 // of MSI or MSI-X: its number in the device
    Obstacle obstacle = Obstacle::None;
    u64 obstacle_since = 0, obstacle_address = 0, in_service = 0;
  };
  enum class Origin : u8 { Line, Exception, Software };
  struct Handler {
    u64 id = 0, frame = 0, time = 0, instructions = 0;
    u8 cpu = 0;
    u32 row = 0;  // of rows_ for Line
    u8 vector = 0;
    Origin origin{};
  };
  struct InService {
    u64 id = 0;
    u32 row = 0;
    u16 controller = 0;
    u64 returned_at = 0;  // address of the IRET that left the handler; 0: still running
    bool returned = false;
  };

  void add(const Record& record);
  void raised(const Record& record);
  void lowered(const Record& record);
  void latched(const Record& record);
  void service(const Record& record);
  void exception(const Record& record);
  void interrupts_off(const Record& record);
  void reset_or_started(const Record& record);
  void programmed(const Record& record);
  void merged(const Record& record);
  void blocked(const Record& record);
  void withdrawn(const Record& record);
  void acknowledged(const Record& record);
  void spurious(const Record& record);
  void delivered(const Record& record);
  void returned(const Record& record);
  void delivery_failed(const Record& record);
  void message_sent(const Record& record);
  void message_lost(const Record& record);
  void copied(const Record& record);
  void halt(const Record& record);
  void count_for_cpu(const Record& record, const Request* request);
  CpuCounts::Row* counts_by_cpu(const Record& record, const Request* request);
  /// Ends a request for a reason that another controller's record may prove wrong.
  void end_as(u64 id, u64 Row::* count);
  u32 row_of(u16 source, int line);
  Request* request_of(u64 id) { return requests_.find(id); }
  Request* adopt(const Record& record);
  [[nodiscard]] bool is_local_apic(u16 source) const {
    return source < is_local_apic_.size() && is_local_apic_[source];
  }

  // The end: report_finish.cpp.
  [[nodiscard]] LineReport counts_of(const Row& row) const;
  [[nodiscard]] PendingRequest pending_of(u64 id, const Request& request, const std::string& name,
                                          std::vector<ReportFinding>& findings, const Symboliser* symbols) const;
  void judge_row(u32 index, LineReport& line, std::vector<ReportFinding>& findings, const Symboliser* symbols) const;
  void judge_ends(std::vector<ReportFinding>& findings, const Symboliser* symbols) const;
  void add_vectors(Report& report) const;
  [[nodiscard]] std::string source_name(u16 source) const;
  [[nodiscard]] std::string row_name(const Row& row) const;
  [[nodiscard]] std::string request_name(u64 id) const;

  TraceHeader header_;
  std::vector<bool> is_local_apic_;  // by source
  bool several_cpus_ = false;
  bool io_apic_in_use_ = false;
  std::set<std::pair<u16, u8>> programmed_;  // source and line of the devices that the guest has set up
  std::vector<Row> rows_;
  u32 last_row_ = 0;                // that row_of() found
  u64 newest_carried_ = 0;          // of all rows
  RequestTable<Request> requests_;  // raised and not yet delivered
  std::vector<Handler> handlers_;   // delivered and not yet left, oldest first
  std::vector<InService> in_service_;
  std::array<std::unique_ptr<VectorRow>, 256> exceptions_;
  std::array<std::unique_ptr<VectorRow>, 256> software_;
  std::optional<OffStretch> off_, off_from_start_;
  std::optional<Record> triple_fault_;
  Digest digest_;
  u64 records_ = 0;
  struct Halts {
    u64 total = 0;
    std::optional<u64> since;
  };
  std::map<u8, Halts> halted_;
  u64 halts_ = 0;
  CpuCounts by_cpu_;
  u8 last_cpu_ = 0;
  u32 spurious_row_ = 0;
  int spurious_vector_ = -1;  // acknowledged as spurious and not yet delivered
};

/// The report for people, 100 columns. `symbols` may be null.
[[nodiscard]] std::string report_text(const Report& report, const Symboliser* symbols);
/// The same numbers as JSON; the format stands in docs/report.md.
[[nodiscard]] std::string report_json(const Report& report, const Symboliser* symbols);

}  // namespace vitrine
