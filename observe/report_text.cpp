// The report as text. Rule: no row and no column that says only zero; what is wrong comes first, in sentences.
#include <fmt/format.h>

#include <algorithm>

#include "observe/names.hpp"
#include "observe/report.hpp"

namespace vitrine {

namespace {

/// A table whose columns are as wide as what stands in them. The first `left_columns` are flush left.
class Table {
 public:
  Table(std::vector<std::string> titles, std::size_t left_columns) : left_(left_columns) { add(std::move(titles)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.size() < 2; }

  [[nodiscard]] std::string text() const {
    std::vector<std::size_t> widths(rows_[0].size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line = "  ";
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (i != 0) line += "  ";
        line += i < left_ ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_;
};

std::string vectors_text(const std::vector<VectorCount>& vectors) {
  std::string text;
  for (const VectorCount& entry : vectors) text += fmt::format("{}{:#04x}", text.empty() ? "" : " ", entry.vector);
  return text.empty() ? "-" : text;
}

/// "4" for IRQ 4; what is no IRQ by its name.
std::string line_text(const LineReport& line) {
  if (line.on.empty()) return "-";
  return line.on.starts_with("IRQ ") ? line.on.substr(4) : line.on;
}

std::vector<std::string> timing_titles(std::vector<std::string> before) {
  for (const char* title : {"times", "min", "median", "99 %", "max", "min", "median", "99 %", "max"}) {
    before.emplace_back(title);
  }
  return before;
}

std::vector<std::string> timing_cells(std::vector<std::string> before, const Timing& timing) {
  before.push_back(count_text(timing.nanoseconds.count));
  const Distribution& i = timing.instructions;
  for (const u64 value : {i.minimum, i.median, i.percentile_99, i.maximum}) {
    before.push_back(i.count == 0 ? "-" : count_text(value));
  }
  const Distribution& t = timing.nanoseconds;
  for (const u64 value : {t.minimum, t.median, t.percentile_99, t.maximum}) before.push_back(duration_text(value));
  return before;
}

std::string heading(std::string_view title) { return fmt::format("\n{}\n", title); }

std::string percent_text(u64 part, u64 whole) {
  if (whole == 0) return "0 %";
  const u64 tenths = static_cast<u64>(static_cast<u128>(part) * 1000 / whole);
  return fmt::format("{}.{} %", tenths / 10, tenths % 10);
}

std::string counts_section(const Report& report) {
  if (report.lines.empty()) return "\nNo interrupt line was ever raised.\n";
  struct Column {
    const char* title;
    u64 (*value)(const LineReport&);
    const char* meaning;  // what a person may ask at midnight; null: shown always, and plain
  };
  static constexpr Column columns[] = {
      {"raised", [](const LineReport& l) { return l.raised; }, nullptr},
      {"delivered", [](const LineReport& l) { return l.delivered; }, nullptr},
      {"merged", [](const LineReport& l) { return l.merged; },
       "came while an earlier one still waited: one handler run for both"},
      {"withdrawn", [](const LineReport& l) { return l.withdrawn; },
       "the device took it back before the CPU took it: nothing was delivered"},
      {"lost", [](const LineReport& l) { return l.lost; },
       "gone before a controller took it, or swallowed by a masked entry"},
      {"unheard", [](const LineReport& l) { return l.unheard; }, "sent as a message that nobody took"},
      {"polled", [](const LineReport& l) { return l.polled; }, "taken by a poll command: no vector, no handler"},
      {"failed", [](const LineReport& l) { return l.failed; }, "taken, but the CPU could not enter the handler"},
      {"spurious", [](const LineReport& l) { return l.spurious; }, "the controller was asked and had nothing to give"},
      {"pending", [](const LineReport& l) -> u64 { return l.pending ? 1 : 0; },
       "still waiting when the run ended; see above"},
  };
  std::vector<Column> shown;
  for (const Column& column : columns) {
    if (column.meaning == nullptr ||
        std::ranges::any_of(report.lines, [&](const LineReport& l) { return column.value(l) != 0; })) {
      shown.push_back(column);
    }
  }
  std::vector<std::string> titles = {"IRQ", "source", "vector"};
  for (const Column& column : shown) titles.emplace_back(column.title);
  Table table(std::move(titles), 3);
  for (const LineReport& line : report.lines) {
    std::vector<std::string> cells = {line_text(line), line.source, vectors_text(line.vectors)};
    for (const Column& column : shown) {
      const u64 value = column.value(line);
      cells.push_back(value == 0 ? "-" : count_text(value));
    }
    table.add(std::move(cells));
  }
  std::string out = heading("Interrupts") + table.text();
  for (const Column& column : shown) {
    if (column.meaning != nullptr) out += fmt::format("  {}: {}\n", column.title, column.meaning);
  }
  return out;
}

std::string by_cpu_section(const Report& report) {
  const bool one_way = report.cpus == 1 && std::ranges::all_of(report.by_cpu, [](const CpuCountRow& row) {
                         return row.origin == InterruptOrigin::Line || row.origin == InterruptOrigin::Spurious;
                       });
  if (one_way || report.by_cpu.empty()) return {};
  std::vector<std::string> titles = {"IRQ", "source", "vector"};
  for (unsigned cpu = 0; cpu < report.cpus; ++cpu) titles.push_back(fmt::format("CPU {}", cpu));
  Table table(std::move(titles), 3);
  for (const CpuCountRow& row : report.by_cpu) {
    std::string vectors;
    for (const u8 vector : row.vectors) vectors += fmt::format("{}{:#04x}", vectors.empty() ? "" : " ", vector);
    std::string irq = "-";
    if (row.irq >= 0) irq = fmt::format("{}", row.irq);
    if (row.message >= 0) irq = fmt::format("MSI {}", row.message);
    std::vector<std::string> cells = {std::move(irq), row.name, std::move(vectors)};
    for (const u64 count : row.counts) cells.push_back(count == 0 ? "-" : count_text(count));
    table.add(std::move(cells));
  }
  return heading("Handlers entered, by CPU (what a kernel counts, as Linux in /proc/interrupts)") + table.text();
}

/// "; halted 12.0 % of the time (7 halts)", of several CPUs each.
std::string halted_text(const Report& report) {
  if (report.halts == 0) return {};
  if (report.cpus == 1) {
    return fmt::format("; halted {} of the time ({})", percent_text(report.halted_nanoseconds, report.end.time),
                       counted(report.halts, "halt"));
  }
  std::string text = fmt::format("\n  halted {}", counted(report.halts, "time"));
  for (unsigned cpu = 0; cpu < report.cpus; ++cpu) {
    text += fmt::format("{} CPU {} {}", cpu == 0 ? ":" : ",", cpu,
                        percent_text(report.halted_of_cpu[cpu], report.end.time));
  }
  return text + " of the time";
}

template <class Which>
std::string line_timing_section(const Report& report, std::string_view title, Which which) {
  Table table(timing_titles({"IRQ", "source"}), 2);
  for (const LineReport& line : report.lines) {
    const Timing& timing = which(line);
    if (timing.nanoseconds.count != 0) table.add(timing_cells({line_text(line), line.source}, timing));
  }
  return table.empty() ? std::string() : heading(title) + table.text();
}

std::string exceptions_section(const Report& report) {
  std::string out;
  if (!report.exceptions.empty()) {
    const bool failures =
        std::ranges::any_of(report.exceptions, [](const ExceptionReport& e) { return e.failed != 0; });
    std::vector<std::string> titles = {"vector", "", "name", "raised"};
    if (failures) titles.emplace_back("failed");
    titles.insert(titles.end(), {"handler: median", "99 %", "max"});
    Table table(std::move(titles), 3);
    for (const ExceptionReport& entry : report.exceptions) {
      std::vector<std::string> cells = {fmt::format("{}", entry.vector), std::string(vector_mnemonic(entry.vector)),
                                        vector_name(entry.vector), count_text(entry.raised)};
      if (failures) cells.push_back(entry.failed == 0 ? "-" : count_text(entry.failed));
      const Distribution& time = entry.handler.nanoseconds;
      for (const u64 value : {time.median, time.percentile_99, time.maximum}) {
        cells.push_back(time.count == 0 ? "-" : duration_text(value));
      }
      table.add(std::move(cells));
    }
    out += heading("Exceptions") + table.text();
  }
  if (!report.software.empty()) {
    Table table({"vector", "executed", "handler: median", "99 %", "max"}, 1);
    for (const SoftwareReport& entry : report.software) {
      std::vector<std::string> cells = {fmt::format("{:#04x}", entry.vector), count_text(entry.count)};
      const Distribution& time = entry.handler.nanoseconds;
      for (const u64 value : {time.median, time.percentile_99, time.maximum}) {
        cells.push_back(time.count == 0 ? "-" : duration_text(value));
      }
      table.add(std::move(cells));
    }
    out += heading("Software interrupts") + table.text();
  }
  return out;
}

}  // namespace

std::string report_text(const Report& report, const Symboliser* symbols) {
  std::string out = "Interrupt report";
  if (!report.guest.empty()) out += fmt::format(": {}", report.guest);
  out += "\n";
  if (!report.end.sentence.empty()) out += fmt::format("  {}\n", report.end.sentence);
  out += fmt::format("  {} of guest time, {}", duration_text(report.end.time),
                     counted(report.end.instructions, "instruction"));
  out += halted_text(report) + "\n";
  if (report.off_from_start) {
    out +=
        fmt::format("  interrupts first turned on after {}, at {}\n", duration_text(report.off_from_start->nanoseconds),
                    describe_address(report.off_from_start->set_by, symbols));
  }
  if (report.interrupts_off) {
    const OffStretch& off = *report.interrupts_off;
    out += fmt::format("  longest with interrupts off{}: {}, from {} s{}\n", report.off_from_start ? " since" : "",
                       duration_text(off.nanoseconds), moment_text(off.since),
                       report.cpus > 1 ? fmt::format(", on CPU {}", off.cpu) : "");
    out += fmt::format("    cleared at {}\n    set at     {}\n", describe_address(off.cleared_by, symbols),
                       describe_address(off.set_by, symbols));
  }
  if (!report.findings.empty()) {
    out += heading("To look at");
    for (const ReportFinding& finding : report.findings) out += fmt::format("  * {}\n", finding.sentence);
  }
  out += counts_section(report);
  out += by_cpu_section(report);
  out += line_timing_section(report, "From raise to handler (in instructions, in guest time)",
                             [](const LineReport& line) -> const Timing& { return line.delay; });
  out += line_timing_section(report, "In the handler (in instructions, in guest time)",
                             [](const LineReport& line) -> const Timing& { return line.handler; });
  out += exceptions_section(report);
  return out;
}

}  // namespace vitrine
