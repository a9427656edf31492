#include "observe/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

// Bounds on what a damaged trace, or a guest that never returns from handlers, can make us keep.
constexpr std::size_t requests_limit = 65536;
constexpr std::size_t in_service_limit = 256;
constexpr std::size_t rows_limit = 4096;

Distribution distribution(const Histogram& from) {
  return {from.count(), from.minimum(), from.percentile(50), from.percentile(99), from.maximum()};
}

constexpr u8 cascade_pin = 2;
constexpr u8 no_cpu = 0xFF;

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
    case RecordKind::InService:
    case RecordKind::EndOfInterrupt:
      return service(record);
    case RecordKind::Exception:
      return exception(record);
    case RecordKind::TripleFault:
      triple_fault_ = record;
      return;
    case RecordKind::Halted:
    case RecordKind::Woken:
      return halt(record);
    case RecordKind::InterruptsOff:
      return interrupts_off(record);
    case RecordKind::LineLost:
      return lowered(record);
    case RecordKind::MessageSent:
      return message_sent(record);
    case RecordKind::MessageLost:
      return message_lost(record);
    case RecordKind::Copied:
      return copied(record);
    case RecordKind::CpuReset:
    case RecordKind::CpuStarted:
      return reset_or_started(record);
    case RecordKind::MaskChanged:
    case RecordKind::GuestExit:
    case RecordKind::Withheld:
      return;
    case RecordKind::DeviceProgrammed:
    case RecordKind::ControllerProgrammed:
      return programmed(record);
    case RecordKind::Attended:
    case RecordKind::ThreadRuns:
    case RecordKind::ThreadWoken:
    case RecordKind::ThreadBlocked:
    case RecordKind::ThreadExited:
    case RecordKind::ThreadNamed:
      return;
  }
}

void ReportBuilder::service(const Record& record) {
  if (record.kind == RecordKind::EndOfInterrupt) {
    std::erase_if(in_service_,
                  [&](const InService& entry) { return entry.id == record.id && entry.controller == record.source; });
    return;
  }
  const Request* request = request_of(record.id);
  if (request == nullptr) return;
  if (in_service_.size() == in_service_limit) in_service_.erase(in_service_.begin());
  in_service_.push_back({.id = record.id, .row = request->row, .controller = record.source});
}

void ReportBuilder::exception(const Record& record) {
  auto& row = exceptions_[record.vector];
  if (!row) row = std::make_unique<VectorRow>();
  ++row->raised;
}

void ReportBuilder::interrupts_off(const Record& record) {
  std::optional<OffStretch>& longest = record.address != 0 ? off_ : off_from_start_;
  const u64 stretch = since(record.time, record.since);
  if (longest && stretch <= longest->nanoseconds) return;
  longest = OffStretch{.nanoseconds = stretch,
                       .since = record.since,
                       .cpu = record.cpu,
                       .cleared_by = record.address,
                       .set_by = record.other};
}

void ReportBuilder::reset_or_started(const Record& record) {
  const Request* request = request_of(record.id);
  if (request == nullptr) return;
  ++rows_[request->row].resets;
  requests_.remove(record.id);
}

void ReportBuilder::programmed(const Record& record) {
  if (record.kind == RecordKind::DeviceProgrammed) {
    if (record.address != 0 && programmed_.size() < rows_limit) programmed_.insert({record.source, record.pin});
    return;
  }
  const VectorEntry entry{record.extra};
  const bool is_entry = static_cast<ControllerRegister>(record.detail) == ControllerRegister::RedirectionEntry;
  if (is_entry && !entry.masked() && entry.has_vector()) io_apic_in_use_ = true;
}

u32 ReportBuilder::row_of(u16 source, int line) {
  const auto is_it = [&](const Row& row) { return row.source == source && row.line == line; };
  if (last_row_ < rows_.size() && is_it(rows_[last_row_])) return last_row_;
  for (u32 i = 0; i < rows_.size(); ++i) {
    if (is_it(rows_[i])) return last_row_ = i;
  }
  if (rows_.size() == rows_limit) return 0;
  Row row;
  row.source = source;
  row.line = line;
  rows_.push_back(std::move(row));
  return static_cast<u32>(rows_.size() - 1);
}

/// A level line that is still high makes its controller latch a request again whose life had ended: it starts anew.
ReportBuilder::Request* ReportBuilder::adopt(const Record& record) {
  if (record.id == 0 || record.id > newest_carried_) return nullptr;
  for (u32 i = 0; i < rows_.size(); ++i) {
    if (rows_[i].carried != record.id) continue;
    Row& row = rows_[i];
    // One controller had no use for it, but another one has it.
    if (row.ended_id == record.id && row.ended_as != nullptr) --(row.*row.ended_as);
    row.ended_as = nullptr;
    Request& request = requests_.at(record.id);
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
  newest_carried_ = std::max(newest_carried_, record.id);
  if (requests_.size() >= requests_limit) requests_.remove_any();
  // A local APIC speaks while any CPU runs, whose count it is then.
  const u8 cpu = is_local_apic(record.source) && several_cpus_ ? no_cpu : record.cpu;
  Request& request = requests_.at(record.id);
  request = Request{.row = index, .time = record.time, .instructions = record.instructions, .cpu = cpu};
  if (record.pin == static_cast<u8>(ApicPin::Message)) request.message = static_cast<u32>(record.extra);
}

void ReportBuilder::end_as(u64 id, u64 Row::* count) {
  Row& row = rows_[request_of(id)->row];
  ++(row.*count);
  row.ended_as = count;
  row.ended_id = id;
  requests_.remove(id);
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
  requests_.remove(record.id);
}

void ReportBuilder::acknowledged(const Record& record) {
  if (static_cast<AcknowledgeKind>(record.detail) != AcknowledgeKind::Poll) return;
  if (const Request* request = request_of(record.id)) {
    ++rows_[request->row].polled;
    requests_.remove(record.id);
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
  requests_.remove(record.id);
}

void ReportBuilder::copied(const Record& record) {
  const Request* sent = request_of(record.other);
  if (sent == nullptr || record.id == 0) return;
  Request request = *sent;
  request.latched_in.clear();
  ++rows_[request.row].raised;
  if (requests_.size() >= requests_limit) requests_.remove_any();
  requests_.at(record.id) = request;
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

}  // namespace vitrine
