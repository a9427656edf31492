// What a report says at the end: its numbers in order, and what is not right.
#include <fmt/format.h>

#include <algorithm>

#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/report.hpp"

namespace vitrine {

namespace {

constexpr unsigned most_cpus = 256;

/// The number behind a source's name, e.g. 12 of "lapic12"; 0 if there is none.
unsigned cpu_number(std::string_view source, std::size_t from) {
  unsigned number = 0;
  for (const char digit : source.substr(from)) {
    if (digit < '0' || digit > '9') return 0;
    number = std::min(number * 10 + static_cast<unsigned>(digit - '0'), most_cpus - 1);
  }
  return number;
}

}  // namespace

std::string ReportBuilder::source_name(u16 source) const {
  return source < header_.sources.size() ? header_.sources[source] : fmt::format("source {}", source);
}

std::string ReportBuilder::row_name(const Row& row) const {
  const std::string source = source_name(row.source);
  return row.line == LineReport::no_line ? source
                                         : fmt::format("{} ({})", pin_name(static_cast<u8>(row.line), header_), source);
}

std::string ReportBuilder::request_name(u64 id) const {
  for (const InService& entry : in_service_) {
    if (entry.id == id) return row_name(rows_[entry.row]);
  }
  return fmt::format("request {}", id);
}

Report ReportBuilder::finish(const RunEnd& end, const Symboliser* symbols) const {
  Report report;
  report.guest = header_.guest;
  report.end = end;
  report.records = records_;
  report.digest = digest_.value();
  report.halts = halts_;
  report.cpus = last_cpu_ + 1u;
  for (const std::string& source : header_.sources) {
    if (source.starts_with("lapic")) report.cpus = std::max(report.cpus, cpu_number(source, 5) + 1);
  }
  report.halted_of_cpu.resize(report.cpus);
  for (const auto& [cpu, halts] : halted_) {
    report.halted_of_cpu[cpu] = halts.total + (halts.since ? since(end.time, *halts.since) : 0);
    report.halted_nanoseconds += report.halted_of_cpu[cpu];
  }
  report.by_cpu = by_cpu_.rows(report.cpus);
  report.interrupts_off = off_;
  report.off_from_start = off_from_start_;
  if (triple_fault_) {
    report.findings.push_back({"triple-fault", fmt::format("The CPU shut down (triple fault) at {} s, at {}.",
                                                           moment_text(triple_fault_->time),
                                                           describe_address(triple_fault_->address, symbols))});
  }

  std::vector<u32> order(rows_.size());
  for (u32 i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](u32 i) {
    return std::tuple(rows_[i].line == LineReport::no_line, rows_[i].line, rows_[i].source);
  });
  for (const u32 index : order) {
    LineReport line = counts_of(rows_[index]);
    judge_row(index, line, report.findings, symbols);
    report.lines.push_back(std::move(line));
  }
  judge_ends(report.findings, symbols);
  add_vectors(report);
  return report;
}

LineReport ReportBuilder::counts_of(const Row& row) const {
  LineReport line;
  line.source = source_name(row.source);
  if (row.line != LineReport::no_line) line.on = pin_name(static_cast<u8>(row.line), header_);
  if (row.line != LineReport::no_line && is_line(static_cast<u8>(row.line))) line.line = row.line;
  line.unheard = row.unheard;
  line.raised = row.raised;
  line.merged = row.merged;
  line.withdrawn = row.withdrawn;
  line.lost = row.lost;
  line.polled = row.polled;
  line.delivered = row.delivered;
  line.failed = row.failed;
  line.spurious = row.spurious;
  line.returned = row.returned;
  line.delay = row.delay.timing();
  line.handler = row.handler.timing();
  for (const auto& [vector, count] : row.vectors) line.vectors.push_back({vector, count});
  return line;
}

/// The request that waits, and the sentence about it.
PendingRequest ReportBuilder::pending_of(u64 id, const Request& request, const std::string& name,
                                         std::vector<ReportFinding>& findings, const Symboliser* symbols) const {
  PendingRequest pending{.id = id,
                         .since = request.time,
                         .latched = request.ever_latched,
                         .obstacle = request.obstacle,
                         .obstacle_since = request.obstacle_since,
                         .obstacle_address = request.obstacle_address};
  if (request.obstacle == Obstacle::InServiceHigher && request.in_service != 0) {
    pending.in_service = request_name(request.in_service);
  }
  std::string why;
  if (!request.ever_latched) {
    why = "no controller has taken it";
  } else if (!pending.in_service.empty()) {
    why = fmt::format("{} is in service and has not had its EOI", pending.in_service);
  } else if (request.obstacle != Obstacle::None) {
    why = std::string(obstacle_clause(request.obstacle));
  }
  if (request.obstacle != Obstacle::None && request.ever_latched) {
    why += fmt::format(", since {} s", moment_text(request.obstacle_since));
    if (request.obstacle_address != 0) {
      why += fmt::format(", by the instruction at {}", describe_address(request.obstacle_address, symbols));
    }
  }
  findings.push_back({"pending", fmt::format("{} has been waiting since {} s{}{}.", name, moment_text(request.time),
                                             why.empty() ? "" : ": ", why)});
  return pending;
}

void ReportBuilder::judge_row(u32 index, LineReport& line, std::vector<ReportFinding>& findings,
                              const Symboliser* symbols) const {
  const Row& row = rows_[index];
  const std::string name = row_name(row);
  const bool on_line = row.line != LineReport::no_line && is_line(static_cast<u8>(row.line));
  const auto find = [&](std::string what, std::string sentence) {
    findings.push_back({std::move(what), std::move(sentence)});
  };

  // At most one request of a row is pending: a second one merges. Should there be more, the oldest speaks for them.
  const Request* oldest = nullptr;
  u64 oldest_id = 0;
  requests_.for_each([&](u64 id, const Request& request) {
    if (request.row != index || (oldest != nullptr && id > oldest_id)) return;
    oldest = &request;
    oldest_id = id;
  });
  // What a masked 8259 remembers waits for nothing where lines go through the I/O APIC, whose entry is masked too then.
  const bool stale = oldest != nullptr && io_apic_in_use_ && oldest->obstacle == Obstacle::Masked;
  if (stale) {
    ++line.lost;
  } else if (oldest != nullptr) {
    line.pending = pending_of(oldest_id, *oldest, name, findings, symbols);
  }
  // A local APIC's timer may run for being read only, and what firmware has left running asks for no handler.
  const bool swallowed = row.obstacle == Obstacle::EntryMasked && row.line != LineReport::no_line && !on_line;
  const bool nobodys =
      stale && row.line < first_pci_line && !programmed_.contains({row.source, static_cast<u8>(row.line)});
  const u64 outcomes = row.delivered + row.polled + row.failed + row.unheard + row.resets;
  if ((oldest == nullptr || stale) && row.raised != 0 && outcomes == 0 && !swallowed && !nobodys) {
    std::string why;
    if (stale) {
      why = "; its entry of the I/O APIC is masked, and so is the 8259";
    } else if (row.obstacle != Obstacle::None) {
      why = fmt::format("; the last obstacle: {}", obstacle_clause(row.obstacle));
      if (row.obstacle_address != 0) {
        why += fmt::format(", by the instruction at {}", describe_address(row.obstacle_address, symbols));
      }
    }
    find("never-delivered", fmt::format("{} was raised {} {} and never delivered{}.", name, count_text(row.raised),
                                        row.raised == 1 ? "time" : "times", why));
  }
  if (row.unheard != 0) {
    find("message-lost",
         fmt::format("{}: {} reached nobody: {}.", name, counted(row.unheard, "message"), loss_clause(row.loss)));
  }
  if (row.spurious != 0) {
    std::string causes;
    for (std::size_t cause = 0; cause < row.spurious_causes.size(); ++cause) {
      if (row.spurious_causes[cause] == 0) continue;
      causes += fmt::format("{}{} ({})", causes.empty() ? ": " : ", ",
                            spurious_clause(static_cast<SpuriousCause>(cause)), count_text(row.spurious_causes[cause]));
    }
    const std::string input = row.line == LineReport::no_line ? "" : fmt::format(" on input {}", row.line);
    find("spurious",
         fmt::format("{} gave {}{}{}.", line.source, counted(row.spurious, "spurious interrupt"), input, causes));
  }
  if (row.lost != 0 && row.delivered != 0 && !swallowed) {
    find("lost", fmt::format("{}: {} went away before a controller noticed.", name, counted(row.lost, "request")));
  }
  if (row.failed != 0) {
    find("delivery-failed",
         fmt::format("{}: the CPU could not enter the handler for {}.", name, counted(row.failed, "request")));
  }
  if (row.delivered != 0 && row.returned == 0) {
    find("no-return", fmt::format("{}: {} delivered, and no handler has returned.", name, count_text(row.delivered)));
  }
}

/// Handlers that returned without telling their controller.
void ReportBuilder::judge_ends(std::vector<ReportFinding>& findings, const Symboliser* symbols) const {
  std::vector<u64> told;
  for (const InService& entry : in_service_) {
    if (!entry.returned || std::ranges::find(told, entry.id) != told.end()) continue;
    told.push_back(entry.id);
    findings.push_back({"no-eoi", fmt::format("{}: the handler returned without an EOI (IRET at {}); {} waits for it.",
                                              row_name(rows_[entry.row]), describe_address(entry.returned_at, symbols),
                                              source_name(entry.controller))});
  }
}

void ReportBuilder::add_vectors(Report& report) const {
  for (u32 vector = 0; vector < 256; ++vector) {
    if (const auto& row = exceptions_[vector]; row && row->raised + row->delivered != 0) {
      report.exceptions.push_back({.vector = static_cast<u8>(vector),
                                   .raised = std::max(row->raised, row->delivered),
                                   .failed = row->failed,
                                   .handler = row->handler.timing()});
      if (row->failed != 0) {
        report.findings.push_back(
            {"delivery-failed", fmt::format("{} {} could not be delivered.", count_text(row->failed),
                                            vector_name(static_cast<u8>(vector)))});
      }
    }
    if (const auto& row = software_[vector]; row) {
      report.software.push_back(
          {.vector = static_cast<u8>(vector), .count = row->delivered, .handler = row->handler.timing()});
    }
  }
}

}  // namespace vitrine
