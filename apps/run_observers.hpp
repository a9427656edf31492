// What watches a run: report, trace, sanitizer, and what knows why an interrupt did not arrive. Made before the first
// instruction, asked for its results at the end.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "apps/linux_watch.hpp"
#include "apps/run_options.hpp"
#include "host/background_sink.hpp"
#include "host/file.hpp"
#include "machine/boards/machine.hpp"
#include "observe/check/sanitizer.hpp"
#include "observe/report.hpp"
#include "observe/symbols.hpp"
#include "observe/why/why.hpp"

namespace vitrine {

class RunObservers {
 public:
  RunObservers(const RunOptions& options, SymbolTable& symbols) : options_(options), symbols_(symbols) {}

  /// Creates the files and attaches itself. `description`: the guest's format. False: it has complained.
  [[nodiscard]] bool attach(Machine& machine, const std::string& description, int& problem);
  /// Called before it prints while the guest runs.
  std::function<void()> on_print;
  /// Has --check-fatal ended the run?
  [[nodiscard]] bool wants_end() const { return wants_end_; }

  /// After Ledger::flush(), and before the calls below: all records have been read then.
  void wait() { background_.wait(); }
  /// After the last instruction: names the guest's addresses if the guest itself has names for them.
  void name_guest();
  /// Lets the rules judge the end; --check-fatal may change the status.
  void judge(RunEnd& end);
  /// Says what is stuck, completes the trace, prints findings and report. False: something could not be written, and it
  /// has complained.
  [[nodiscard]] bool finish(const RunEnd& end);

 private:
  class FileByteSink final : public ByteSink {
   public:
    explicit FileByteSink(OutputFile& file) : file_(&file) {}
    void write(std::span<const u8> bytes) override { file_->write(bytes); }

   private:
    OutputFile* file_;
  };

  [[nodiscard]] bool attach_sanitizer(Machine& machine, const TraceHeader& header, int& problem);
  void found(Machine& machine, const Finding& finding);
  void tell_what_is_stuck(const RunEnd& end) const;
  [[nodiscard]] bool finish_trace(const RunEnd& end);
  [[nodiscard]] bool print_findings();
  [[nodiscard]] bool print_report(const RunEnd& end);

  const RunOptions& options_;
  SymbolTable& symbols_;
  OutputFile report_file_, trace_file_;
  FileByteSink trace_sink_{trace_file_};
  CheckPlan check_plan_;
  ProbeFanout probes_;
  std::unique_ptr<LinuxWatch> linux_;
  std::unique_ptr<ReportBuilder> report_;
  std::unique_ptr<TraceWriter> trace_;
  std::unique_ptr<WhyBuilder> why_;
  std::unique_ptr<Sanitizer> sanitizer_;
  std::optional<CheckResult> check_result_;
  bool wants_end_ = false;
  BackgroundSink background_;  // the last member: its thread reads the others
};

}  // namespace vitrine
