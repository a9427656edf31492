// The report's handlers: when they are entered and left, for whose sake, and on which CPU.
#include <algorithm>

#include "observe/apic_fields.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"
#include "observe/report.hpp"

namespace vitrine {

namespace {

// A guest may never return from any.
constexpr std::size_t handlers_limit = 256;

}  // namespace

std::optional<u64> ReportBuilder::passed(u8 cpu, u64 instructions, const Record& now) {
  if (cpu != now.cpu) return std::nullopt;
  return since(now.instructions, instructions);
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
        requests_.remove(record.id);
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
    requests_.remove(record.id);
  } else if (exceptions_[record.vector]) {
    ++exceptions_[record.vector]->failed;
  }
}

void ReportBuilder::count_for_cpu(const Record& record, const Request* request) {
  const bool is_nmi = static_cast<DeliveryKind>(record.detail) == DeliveryKind::Nmi;
  if (request == nullptr || is_nmi) {
    if (CpuCounts::Row* row = counts_by_cpu(record, request)) row->add(record.cpu);
    return;
  }
  Counted& counted = rows_[request->row].counted;
  if (counted.row == nullptr || counted.wire != request->wire || counted.message != request->message ||
      counted.vector != record.vector) {
    counted = {.row = counts_by_cpu(record, request),
               .message = request->message,
               .wire = request->wire,
               .vector = record.vector};
  }
  if (counted.row != nullptr) counted.row->add(record.cpu);
}

CpuCounts::Row* ReportBuilder::counts_by_cpu(const Record& record, const Request* request) {
  using enum InterruptOrigin;
  const auto count = [&](InterruptOrigin origin, u32 number, const std::string& name) {
    return by_cpu_.row(origin, number, name, record.vector);
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
  if (pin == static_cast<u8>(ApicPin::Message)) return count(Message, request->message, source_name(row.source));
  if (pin == interprocessor_pin) return count(Interprocessor, record.vector, pin_name(pin));
  return count(LocalApic, pin, pin_name(pin));
}

}  // namespace vitrine
