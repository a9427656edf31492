#include "apps/run_observers.hpp"

#include "apps/create_output.hpp"
#include "apps/status.hpp"
#include "host/terminal.hpp"
#include "machine/boards/isa_wiring.hpp"

namespace vitrine {

namespace {

TraceHeader header_of(Machine& machine, const RunOptions& options, const std::string& description) {
  TraceHeader header{.sources = machine.ledger().sources(), .guest = options.guest};
  for (const IsaWire& wire : isa_wires) header.lines.push_back({wire.irq(), std::string(wire.device)});
  header.options = {{"guest-format", description},
                    {"initrd", options.initrd},
                    {"append", options.command_line},
                    {"memory", fmt::format("{}", options.memory_bytes)},
                    {"board", std::string(traits_of(options.board).name)},
                    {"cpus", fmt::format("{}", options.cpus)},
                    {"x2apic", options.x2apic ? "on" : "off"},
                    {"slice", fmt::format("{}", options.slice)},
                    {"schedule-seed", fmt::format("{}", options.schedule_seed)},
                    {"rtc", fmt::format("{}", options.rtc_unix_seconds)},
                    {"seed", fmt::format("{}", options.seed)},
                    {"cooling", fmt::format("ambient={},rise={}", options.cooling.ambient / 1000.0,
                                            options.cooling.rise_at_full_load / 1000.0)}};
  for (const std::string& symbols : options.symbols) header.symbols += (header.symbols.empty() ? "" : " ") + symbols;
  return header;
}

}  // namespace

bool RunObservers::attach(Machine& machine, const std::string& description, int& problem) {
  const TraceHeader header = header_of(machine, options_, description);
  const bool observed = options_.report || !options_.trace_file.empty() || options_.check.wanted();
  if (observed && LinuxWatch::is_linux(description)) linux_ = std::make_unique<LinuxWatch>(machine, symbols_);
  if (!create_output("--report", options_.report_file, report_file_, problem)) return false;
  if (options_.report) {
    report_ = std::make_unique<ReportBuilder>(header);
    background_.add(*report_);
  }
  if (!options_.trace_file.empty()) {
    if (!create_output("--trace", options_.trace_file, trace_file_, problem)) return false;
    trace_ = std::make_unique<TraceWriter>(trace_sink_, header);
    background_.add(*trace_);
    if (linux_) linux_->keep_addresses();
  }
  why_ = std::make_unique<WhyBuilder>(header);
  background_.add(*why_);
  background_.start();
  // Before the sanitizer: its rules may then ask which thread runs.
  if (linux_ && options_.threads && (trace_ || options_.check.wanted())) linux_->watch_threads(probes_);
  if (options_.check.wanted() && !attach_sanitizer(machine, header, problem)) return false;
  machine.ledger().attach(background_);  // the last one: it takes the records without a copy
  if (!probes_.empty()) machine.set_probe(&probes_);
  return true;
}

bool RunObservers::attach_sanitizer(Machine& machine, const TraceHeader& header, int& problem) {
  if (!plan_check(options_.check, check_plan_, problem) || !create_check_files(options_.check, check_plan_, problem)) {
    return false;
  }
  sanitizer_ = std::make_unique<Sanitizer>(header, Sanitizer::Options{.rules = check_plan_.rules,
                                                                      .ledger = &machine.ledger(),
                                                                      .symbols = &symbols_,
                                                                      .suppressions = check_plan_.suppressions});
  sanitizer_->on_finding = [this, &machine](const Finding& finding) { found(machine, finding); };
  machine.ledger().attach(*sanitizer_);
  probes_.add(*sanitizer_);
  return true;
}

void RunObservers::found(Machine& machine, const Finding& finding) {
  if (!is_fatal(finding.severity)) return;
  if (options_.check.fatal) {
    wants_end_ = true;
    machine.request_stop();
  } else if (standard_error_is_terminal()) {
    // Somebody is watching: they need not wait for the end of the run to learn that it went wrong.
    if (on_print) on_print();
    tell("vitrine: {}\n", finding_line(finding, &symbols_));
  }
}

void RunObservers::name_guest() {
  if (linux_) linux_->find_names();
}

void RunObservers::judge(RunEnd& end) {
  if (!sanitizer_) return;
  check_result_ = sanitizer_->finish(end);
  if (options_.check.fatal && is_fatal(*check_result_) && end.status != status::internal) {
    end.status = status::check_failed;
    check_result_->end = end;
  }
}

/// A guest that did not get to its end may wait for an interrupt: nobody should have to run it again to learn why.
void RunObservers::tell_what_is_stuck(const RunEnd& end) const {
  const bool unfinished =
      end.status == status::budget || end.status == status::triple_fault || end.status == status::halted;
  if (!unfinished) return;
  const std::vector<WhyAnswer> answers = why_->about_what_is_stuck(end, &symbols_);
  if (!answers.empty()) tell("\n{}", why_text(answers, why_->state().header(), &symbols_, WhyDetail::Short));
}

bool RunObservers::finish(const RunEnd& end) {
  tell_what_is_stuck(end);
  const bool traced = finish_trace(end);
  const bool checked = print_findings();
  return print_report(end) && traced && checked;
}

bool RunObservers::finish_trace(const RunEnd& end) {
  if (!trace_) return true;
  if (linux_) trace_->add_symbols(linux_->names_for_trace());
  trace_->finish(end);
  if (trace_file_.close()) return true;
  complain(status::internal, fmt::format("--trace: can't write '{}': {}", options_.trace_file, trace_file_.error()));
  return false;
}

bool RunObservers::print_findings() {
  if (!check_result_) return true;
  const bool written = write_check_files(options_.check, check_plan_, *check_result_, &symbols_);
  if (!options_.check.findings_file.empty()) return written;
  OutputFile target = options_.json ? OutputFile::standard_output() : OutputFile::standard_error();
  if (options_.json) {
    target.write(check_json(*check_result_, &symbols_));
  } else {
    const TextColour colour = standard_error_is_terminal() ? TextColour::Ansi : TextColour::None;
    target.write("\n" + check_text(*check_result_, &symbols_, colour));
  }
  if (target.close()) return written;
  complain(status::internal, fmt::format("can't write the findings: {}", target.error()));
  return false;
}

bool RunObservers::print_report(const RunEnd& end) {
  if (!report_) return true;
  const Report report = report_->finish(end, &symbols_);
  const bool to_file = !options_.report_file.empty();
  const bool json = options_.json || options_.report_file.ends_with(".json");
  OutputFile target = to_file ? std::move(report_file_)
                      : json  ? OutputFile::standard_output()
                              : OutputFile::standard_error();
  if (!to_file && !json) target.write("\n");
  target.write(json ? report_json(report, &symbols_) : report_text(report, &symbols_));
  if (target.close()) return true;
  complain(status::internal, fmt::format("can't write the report{}: {}",
                                         to_file ? " to '" + options_.report_file + "'" : "", target.error()));
  return false;
}

}  // namespace vitrine
