#include "observe/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

// Bounds on what a damaged trace, or a guest that never returns from handlers, can make us keep.
constexpr std::size_t requests_limit = 65536;
constexpr std::size_t handlers_limit = 256;
constexpr std::size_t in_service_limit = 256;
constexpr std::size_t rows_limit = 4096;
constexpr unsigned most_cpus = 256;

Distribution distribution(const Histogram& from) {
  return {from.count(), from.minimum(), from.percentile(50), from.percentile(99), from.maximum()};
}

constexpr u8 cascade_pin = 2;
constexpr u8 no_cpu = 0xFF;

u64 since(u64 later, u64 earlier) { return later > earlier ? later - earlier : 0; }

std::optional<u64> passed(u8 cpu, u64 instructions, const Record& now) {
  if (cpu != now.cpu) return std::nullopt;
  return since(now.instructions, instructions);
}

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

ReportBuilder::ReportBuilder(const TraceHeader& header) : header_(header) {
  for (const std::string& source : header.sources) {
    is_local_apic_.push_back(source.starts_with("lapic"));
    several_cpus_ = several_cpus_ || source == "cpu1";
  }
}
ReportBuilder::~ReportBuilder() = default;

Timing ReportBuilder::Times::timing() const { return {distribution(instructions), distribution(nanoseconds)}; }

void ReportBuilder::consume(std::span<const Record> records) {
  for (const Record& record : records) add(record);
  digest_.add(records);
  records_ += records.size();
}

void ReportBuilder::add(const Record& record) {
  last_cpu_ = std::max(last_cpu_, record.cpu);
  switch (record.kind) {
    case RecordKind::Raised:
      return raised(record);
    case RecordKind::Lowered:
      return lowered(record);
    case RecordKind::Latched:
      return latched(record);
    case RecordKind::Merged:
      return merged(record);
    case RecordKind::Blocked:
      return blocked(record);
    case RecordKind::Withdrawn:
      return withdrawn(record);
    case RecordKind::Delivered:
      return delivered(record);
    case RecordKind::Returned:
      return returned(record);
    case RecordKind::DeliveryFailed:
      return delivery_failed(record);
    case RecordKind::Spurious:
      return spurious(record);
    case RecordKind::Acknowledged:
      return acknowledged(record);
    case RecordKind::InService: {
      const Request* request = request_of(record.id);
      if (request == nullptr) return;
      if (in_service_.size() == in_service_limit) in_service_.erase(in_service_.begin());
      in_service_.push_back({.id = record.id, .row = request->row, .controller = record.source});
      return;
    }
    case RecordKind::EndOfInterrupt:
      std::erase_if(in_service_,
                    [&](const InService& entry) { return entry.id == record.id && entry.controller == record.source; });
      return;
    case RecordKind::Exception: {
      auto& row = exceptions_[record.vector];
      if (!row) row = std::make_unique<VectorRow>();
      ++row->raised;
      return;
    }
    case RecordKind::TripleFault:
      triple_fault_ = record;
      return;
    case RecordKind::Halted:
    case RecordKind::Woken:
      return halt(record);
    case RecordKind::InterruptsOff: {
      std::optional<OffStretch>& longest = record.address != 0 ? off_ : off_from_start_;
      const u64 stretch = since(record.time, record.since);
      if (!longest || stretch > longest->nanoseconds) {
        longest = OffStretch{.nanoseconds = stretch,
                             .since = record.since,
                             .cpu = record.cpu,
                             .cleared_by = record.address,
                             .set_by = record.other};
      }
      return;
    }
    case RecordKind::LineLost:
      if (const Request* request = request_of(record.id); request != nullptr && !request->ever_latched) {
        end_as(record.id, &Row::lost);
      }
      return;
    case RecordKind::MessageSent:
      return message_sent(record);
    case RecordKind::MessageLost:
      return message_lost(record);
    case RecordKind::Copied:
      return copied(record);
    case RecordKind::CpuReset:
    case RecordKind::CpuStarted:
      if (const Request* request = request_of(record.id)) {
        ++rows_[request->row].resets;
        requests_.erase(record.id);
      }
      return;
    case RecordKind::MaskChanged:
    case RecordKind::GuestExit:
    case RecordKind::Withheld:
    case RecordKind::DeviceProgrammed:
      return;
    case RecordKind::ControllerProgrammed: {
      const VectorEntry entry{record.extra};
      const bool is_entry = static_cast<ControllerRegister>(record.detail) == ControllerRegister::RedirectionEntry;
      if (is_entry && !entry.masked() && entry.has_vector()) io_apic_in_use_ = true;
      return;
    }
    case RecordKind::Attended:
    case RecordKind::ThreadRuns:
    case RecordKind::ThreadWoken:
    case RecordKind::ThreadBlocked:
    case RecordKind::ThreadExited:
    case RecordKind::ThreadNamed:
      return;
  }
}

u32 ReportBuilder::row_of(u16 source, int line) {
  for (u32 i = 0; i < rows_.size(); ++i) {
    if (rows_[i].source == source && rows_[i].line == line) return i;
  }
  if (rows_.size() == rows_limit) return 0;
  Row row;
  row.source = source;
  row.line = line;
  rows_.push_back(std::move(row));
  return static_cast<u32>(rows_.size() - 1);
}

ReportBuilder::Request* ReportBuilder::request_of(u64 id) {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : &found->second;
}

/// A level line that is still high makes its controller latch a request again whose life had ended: it starts anew.
ReportBuilder::Request* ReportBuilder::adopt(const Record& record) {
  if (record.id == 0) return nullptr;
  for (u32 i = 0; i < rows_.size(); ++i) {
    if (rows_[i].carried != record.id) continue;
    Row& row = rows_[i];
    // One controller had no use for it, but another one has it.
    if (row.ended_id == record.id && row.ended_as != nullptr) --(row.*row.ended_as);
    row.ended_as = nullptr;
    Request& request = requests_[record.id];
    request = Request{.row = i, .time = record.time, .instructions = record.instructions, .cpu = record.cpu};
    return &request;
  }
  return nullptr;
}

void ReportBuilder::raised(const Record& record) {
  const u32 index = row_of(record.source, record.pin);
  Row& row = rows_[index];
  ++row.raised;
  row.carried = record.id;
  if (requests_.size() >= requests_limit) requests_.erase(requests_.begin());
  // A local APIC speaks while any CPU runs, whose count it is then.
  const u8 cpu = is_local_apic(record.source) && several_cpus_ ? no_cpu : record.cpu;
  requests_[record.id] = Request{.row = index, .time = record.time, .instructions = record.instructions, .cpu = cpu};
}

void ReportBuilder::end_as(u64 id, u64 Row::* count) {
  Row& row = rows_[request_of(id)->row];
  ++(row.*count);
  row.ended_as = count;
  row.ended_id = id;
  requests_.erase(id);
}

void ReportBuilder::lowered(const Record& record) {
  const Request* request = request_of(record.id);
  if (request == nullptr || request->ever_latched) return;
  end_as(record.id, &Row::lost);
}

void ReportBuilder::latched(const Record& record) {
  Request* request = request_of(record.id);
  if (request == nullptr) request = adopt(record);
  if (request == nullptr) return;
  request->latched_in.add(record.source);
  request->ever_latched = true;
  const bool is_cascade = record.pin == cascade_pin && request->wire >= 8;
  if (!is_local_apic(record.source) && !is_cascade) request->wire = record.pin;
}

void ReportBuilder::merged(const Record& record) {
  const Request* request = request_of(record.id);
  // A request that another controller holds has not ended: only its carrying further has.
  const bool arrived = is_local_apic(record.source);  // it has come all the way
  if (request == nullptr || record.id == record.other || (!request->latched_in.empty() && !arrived)) return;
  end_as(record.id, &Row::merged);
}

void ReportBuilder::blocked(const Record& record) {
  Request* request = request_of(record.id);
  if (request == nullptr || is_others_wire(record)) return;
  request->obstacle = static_cast<Obstacle>(record.detail);
  request->obstacle_since = record.since;
  request->obstacle_address = record.address;
  request->in_service = record.other;
  rows_[request->row].obstacle = request->obstacle;
  rows_[request->row].obstacle_address = request->obstacle_address;
  if (is_swallowed(record)) end_as(record.id, &Row::lost);
}

void ReportBuilder::withdrawn(const Record& record) {
  Request* request = request_of(record.id);
  if (request == nullptr) return;
  request->latched_in.remove(record.source);
  if (!request->latched_in.empty()) return;
  ++rows_[request->row].withdrawn;
  requests_.erase(record.id);
}

void ReportBuilder::acknowledged(const Record& record) {
  if (static_cast<AcknowledgeKind>(record.detail) != AcknowledgeKind::Poll) return;
  if (const Request* request = request_of(record.id)) {
    ++rows_[request->row].polled;
    requests_.erase(record.id);
  }
}

void ReportBuilder::spurious(const Record& record) {
  spurious_row_ = row_of(record.source, is_local_apic(record.source) ? LineReport::no_line : int{record.pin});
  Row& row = rows_[spurious_row_];
  ++row.spurious;
  ++row.vectors[record.vector];
  if (record.detail < row.spurious_causes.size()) ++row.spurious_causes[record.detail];
  spurious_vector_ = record.vector;
}

void ReportBuilder::delivered(const Record& record) {
  Handler handler{.id = record.id,
                  .frame = record.frame,
                  .time = record.time,
                  .instructions = record.instructions,
                  .cpu = record.cpu,
                  .vector = record.vector};
  switch (static_cast<DeliveryKind>(record.detail)) {
    case DeliveryKind::External:
    case DeliveryKind::Nmi: {
      handler.origin = Origin::Line;
      Request* request = request_of(record.id);
      if (request == nullptr) request = adopt(record);
      count_for_cpu(record, request);
      if (request != nullptr) {
        Row& row = rows_[request->row];
        ++row.delivered;
        ++row.vectors[record.vector];
        row.delay.add(passed(request->cpu, request->instructions, record), since(record.time, request->time));
        handler.row = request->row;
        requests_.erase(record.id);
      } else if (spurious_vector_ == record.vector) {
        handler.row = spurious_row_;
      } else {
        handler.row = row_of(record.source, LineReport::no_line);
        ++rows_[handler.row].delivered;
        ++rows_[handler.row].vectors[record.vector];
      }
      spurious_vector_ = -1;
      break;
    }
    case DeliveryKind::Software: {
      handler.origin = Origin::Software;
      auto& row = software_[record.vector];
      if (!row) row = std::make_unique<VectorRow>();
      ++row->delivered;
      break;
    }
    default: {
      handler.origin = Origin::Exception;
      auto& row = exceptions_[record.vector];
      if (!row) row = std::make_unique<VectorRow>();
      ++row->delivered;
      break;
    }
  }
  // A frame at the same place has overwritten the older one: that handler will never return.
  std::erase_if(handlers_, [&](const Handler& older) { return older.frame == record.frame; });
  if (handlers_.size() == handlers_limit) handlers_.erase(handlers_.begin());
  handlers_.push_back(handler);
}

void ReportBuilder::returned(const Record& record) {
  const auto found = std::find_if(handlers_.rbegin(), handlers_.rend(), [&](const Handler& handler) {
    return handler.id == record.id && handler.frame == record.frame;
  });
  if (found == handlers_.rend()) return;
  const std::optional<u64> instructions = passed(found->cpu, found->instructions, record);
  const u64 time = since(record.time, found->time);
  switch (found->origin) {
    case Origin::Line:
      ++rows_[found->row].returned;
      rows_[found->row].handler.add(instructions, time);
      for (InService& entry : in_service_) {
        if (entry.id != record.id) continue;
        entry.returned = true;
        entry.returned_at = record.address;
      }
      break;
    case Origin::Exception:
      exceptions_[found->vector]->handler.add(instructions, time);
      break;
    case Origin::Software:
      software_[found->vector]->handler.add(instructions, time);
      break;
  }
  handlers_.erase(std::next(found).base());
}

void ReportBuilder::delivery_failed(const Record& record) {
  if (Request* request = request_of(record.id)) {
    ++rows_[request->row].failed;
    requests_.erase(record.id);
  } else if (exceptions_[record.vector]) {
    ++exceptions_[record.vector]->failed;
  }
}

/// The line or the MSI is known already; of an IPI this is the first that one hears. INIT and start-up are none.
void ReportBuilder::message_sent(const Record& record) {
  Request* request = request_of(record.id);
  const auto mode = static_cast<MessageMode>(record.detail);
  if (request == nullptr && mode != MessageMode::Init && mode != MessageMode::StartUp) {
    request = adopt(record);
    if (request == nullptr && record.id != 0) {
      raised(record);
      request = request_of(record.id);
    }
  }
  if (request == nullptr) return;
  request->latched_in.remove(record.source);
  request->ever_latched = true;
}

void ReportBuilder::message_lost(const Record& record) {
  const Request* request = request_of(record.id);
  if (request == nullptr) return;
  Row& row = rows_[request->row];
  const auto loss = static_cast<MessageLoss>(record.detail);
  // The second of the usual pair of start-up messages.
  if (loss == MessageLoss::NotWaiting) {
    ++row.resets;
  } else {
    ++row.unheard;
    row.loss = loss;
  }
  requests_.erase(record.id);
}

void ReportBuilder::copied(const Record& record) {
  const Request* sent = request_of(record.other);
  if (sent == nullptr || record.id == 0) return;
  Request request = *sent;
  request.latched_in.clear();
  ++rows_[request.row].raised;
  if (requests_.size() >= requests_limit) requests_.erase(requests_.begin());
  requests_[record.id] = request;
}

void ReportBuilder::halt(const Record& record) {
  Halts& halts = halted_[record.cpu];
  if (record.kind == RecordKind::Halted) {
    ++halts_;
    halts.since = record.time;
    return;
  }
  halts.total += since(record.time, record.since);
  halts.since.reset();
}

void ReportBuilder::count_for_cpu(const Record& record, const Request* request) {
  using enum InterruptOrigin;
  const auto count = [&](InterruptOrigin origin, u32 number, const std::string& name) {
    by_cpu_.add(origin, number, name, record.vector, record.cpu);
  };
  if (static_cast<DeliveryKind>(record.detail) == DeliveryKind::Nmi) return count(Nmi, 0, "NMI");
  if (request == nullptr) {
    return spurious_vector_ == record.vector ? count(Spurious, 0, "spurious")
                                             : count(Unknown, record.vector, "unknown");
  }
  const Row& row = rows_[request->row];
  const auto pin = static_cast<u8>(row.line);
  if (row.line == LineReport::no_line) return count(Unknown, record.vector, source_name(row.source));
  if (is_line(pin)) {
    const bool is_pci = pin >= first_pci_line && request->wire != LineReport::no_line;
    return count(Line, static_cast<u32>(is_pci ? request->wire : row.line), source_name(row.source));
  }
  if (pin == static_cast<u8>(ApicPin::Message)) return count(Message, record.vector, source_name(row.source));
  if (pin == static_cast<u8>(ApicPin::Interprocessor)) return count(Interprocessor, record.vector, pin_name(pin));
  count(LocalApic, pin, pin_name(pin));
}

std::string ReportBuilder::source_name(u16 source) const {
  return source < header_.sources.size() ? header_.sources[source] : fmt::format("source {}", source);
}

std::string ReportBuilder::row_name(const Row& row) const {
  const std::string source = source_name(row.source);
  return row.line == LineReport::no_line ? source : fmt::format("{} ({})", pin_name(static_cast<u8>(row.line)), source);
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

  const auto find = [&](std::string what, std::string sentence) {
    report.findings.push_back({std::move(what), std::move(sentence)});
  };
  if (triple_fault_) {
    find("triple-fault",
         fmt::format("The CPU shut down (triple fault) at {} s, at {}.", moment_text(triple_fault_->time),
                     describe_address(triple_fault_->address, symbols)));
  }

  std::vector<u32> order(rows_.size());
  for (u32 i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](u32 a, u32 b) {
    const auto key = [&](u32 i) {
      return std::tuple(rows_[i].line == LineReport::no_line, rows_[i].line, rows_[i].source);
    };
    return key(a) < key(b);
  });
  for (const u32 index : order) {
    const Row& row = rows_[index];
    LineReport line;
    line.source = source_name(row.source);
    if (row.line != LineReport::no_line) line.on = pin_name(static_cast<u8>(row.line));
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

    // At most one request of a row is pending: a second one merges. Should there be more, the oldest speaks for them.
    const std::pair<const u64, Request>* oldest = nullptr;
    for (const auto& entry : requests_) {
      if (entry.second.row == index && (oldest == nullptr || entry.first < oldest->first)) oldest = &entry;
    }
    const std::string name = row_name(row);
    // What a masked 8259 remembers of a line that goes through the I/O APIC waits for nothing.
    if (oldest != nullptr && io_apic_in_use_ && oldest->second.obstacle == Obstacle::Masked) {
      ++line.lost;
      report.lines.push_back(std::move(line));
      continue;
    }
    if (oldest != nullptr) {
      const Request& request = oldest->second;
      PendingRequest pending{.id = oldest->first,
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
      find("pending", fmt::format("{} has been waiting since {} s{}{}.", name, moment_text(request.time),
                                  why.empty() ? "" : ": ", why));
      line.pending = std::move(pending);
    }
    // A local APIC's timer may run for being read only.
    const bool swallowed =
        row.obstacle == Obstacle::EntryMasked && row.line != LineReport::no_line && !is_line(static_cast<u8>(row.line));
    const u64 outcomes = row.delivered + row.polled + row.failed + row.unheard + row.resets;
    if (oldest == nullptr && row.raised != 0 && outcomes == 0 && !swallowed) {
      std::string why;
      if (row.obstacle != Obstacle::None) {
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
        causes +=
            fmt::format("{}{} ({})", causes.empty() ? ": " : ", ", spurious_clause(static_cast<SpuriousCause>(cause)),
                        count_text(row.spurious_causes[cause]));
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
    report.lines.push_back(std::move(line));
  }

  std::vector<u64> told;
  for (const InService& entry : in_service_) {
    if (!entry.returned || std::ranges::find(told, entry.id) != told.end()) continue;
    told.push_back(entry.id);
    find("no-eoi", fmt::format("{}: the handler returned without an EOI (IRET at {}); {} waits for it.",
                               row_name(rows_[entry.row]), describe_address(entry.returned_at, symbols),
                               source_name(entry.controller)));
  }

  for (u32 vector = 0; vector < 256; ++vector) {
    if (const auto& row = exceptions_[vector]; row && row->raised + row->delivered != 0) {
      report.exceptions.push_back({.vector = static_cast<u8>(vector),
                                   .raised = std::max(row->raised, row->delivered),
                                   .failed = row->failed,
                                   .handler = row->handler.timing()});
      if (row->failed != 0) {
        find("delivery-failed", fmt::format("{} {} could not be delivered.", count_text(row->failed),
                                            vector_name(static_cast<u8>(vector))));
      }
    }
    if (const auto& row = software_[vector]; row) {
      report.software.push_back(
          {.vector = static_cast<u8>(vector), .count = row->delivered, .handler = row->handler.timing()});
    }
  }
  return report;
}

}  // namespace vitrine
