#include "observe/show.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "observe/apic_fields.hpp"
#include "observe/device_words.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr std::size_t known_requests = 4096;
constexpr u64 last_port = 0xFFFF;

std::string source_name(const Record& record, const TraceHeader& header) {
  return record.source < header.sources.size() ? header.sources[record.source]
                                               : fmt::format("source {}", record.source);
}

u64 waited(const Record& record) { return record.time > record.since ? record.time - record.since : 0; }

bool is_local_apic(std::string_view source) { return source.starts_with("lapic"); }

/// Which input of the sender it came from, where the sender's name does not say it.
std::string sender_text(const Record& record) {
  if (is_line(record.pin)) return fmt::format(" (input {})", record.pin);
  if (record.pin == static_cast<u8>(ApicPin::Message)) return fmt::format(" (MSI write to {:#x})", record.since);
  return record.pin == interprocessor_pin ? "" : fmt::format(" ({})", pin_name(record.pin));
}

bool has_error_code(const Record& record) { return (record.extra >> 32 & 1) != 0; }

std::string error_code_text(const Record& record) {
  return has_error_code(record) ? fmt::format(", error code {:#x}", static_cast<u32>(record.extra)) : std::string();
}

std::string exception_text(const Record& record) {
  const std::string_view mnemonic = vector_mnemonic(record.vector);
  return mnemonic.empty() ? vector_name(record.vector) : fmt::format("{} {}", mnemonic, vector_name(record.vector));
}

std::string blocked_text(const Record& record, const Symboliser* symbols) {
  const auto obstacle = static_cast<Obstacle>(record.detail);
  std::string text = fmt::format("must wait: {}", obstacle_clause(obstacle));
  if (obstacle == Obstacle::InServiceHigher && record.other != 0) text += fmt::format(" (#{})", record.other);
  if (obstacle == Obstacle::PriorityTooLow) {
    text += record.other != 0 ? fmt::format(" (PPR {:#04x}, by #{} in service)", record.extra, record.other)
                              : fmt::format(" (PPR {:#04x}, by TPR)", record.extra);
  }
  if (obstacle == Obstacle::ApicDisabled) text += record.extra != 0 ? " (IA32_APIC_BASE bit 11)" : " (SVR bit 8)";
  if (record.since != 0) text += fmt::format(", since {}", moment_text(record.since));
  if (record.address != 0) text += fmt::format(", by {}", describe_address(record.address, symbols));
  return text;
}

/// A device that has cause for an interrupt, and something of its own in the way.
std::string withheld_text(const Record& record, const TraceHeader& header, const Symboliser* symbols) {
  const std::string who = source_name(record, header);
  if (static_cast<WithheldCause>(record.detail) == WithheldCause::None) {
    const Record before = {.extra = record.extra, .detail = static_cast<u8>(record.other)};
    return fmt::format("{} no longer holds its interrupt back; that was because {}", who, withheld_clause(before, who));
  }
  std::string text = fmt::format("{} does not {}: {}{}", who, raise_infinitive(record.pin, header),
                                 withheld_clause(record, who), setting_text(record, symbols));
  // In the other cases the cause itself has not come as far as its register.
  const auto cause = static_cast<WithheldCause>(record.detail);
  if (cause == WithheldCause::InterruptEnableOff || cause == WithheldCause::OutputGateOff) {
    text += fmt::format(" ({})", cause_clause(who, record.extra));
  }
  return text;
}

/// What happened, without when and to which request.
std::string fragment(const Record& record, const TraceHeader& header, const Symboliser* symbols) {
  const std::string who = source_name(record, header);
  const auto at = [&](u64 address) { return describe_address(address, symbols); };
  const std::string by = record.address != 0 ? fmt::format(" at {}", at(record.address)) : std::string();
  switch (record.kind) {
    case RecordKind::Raised:
      return fmt::format("{} {}{}", who, raise_clause(record.pin, header),
                         record.detail != 0 ? fmt::format(": {}", cause_clause(who, record.detail)) : "");
    case RecordKind::Lowered:
      return fmt::format("{} lowers {}", who, pin_name(record.pin, header));
    case RecordKind::Latched:
      return is_local_apic(who) ? fmt::format("{} accepts vector {:#04x}", who, record.vector)
                                : fmt::format("{} latches it on input {}", who, record.pin);
    case RecordKind::Merged:
      return fmt::format("merges into #{}, which is still pending in {}", record.other, who);
    case RecordKind::Blocked:
      return fmt::format("in {} {}", who, blocked_text(record, symbols));
    case RecordKind::Withdrawn:
      return fmt::format("is gone from {} before the CPU took it", who);
    case RecordKind::Acknowledged:
      if (static_cast<AcknowledgeKind>(record.detail) == AcknowledgeKind::Poll) {
        return fmt::format("{} gives it to a poll command{}", who, by);
      }
      return fmt::format("{} hands vector {:#04x} to the CPU", who, record.vector);
    case RecordKind::Spurious:
      return fmt::format("{} finds no request and answers with spurious vector {:#04x}: {}{}{}", who, record.vector,
                         spurious_clause(static_cast<SpuriousCause>(record.detail)),
                         record.other != 0 ? fmt::format(" (it was #{})", record.other) : "",
                         record.address != 0 ? fmt::format(", by {}", at(record.address)) : "");
    case RecordKind::Delivered: {
      const auto kind = static_cast<DeliveryKind>(record.detail);
      const std::string what = record.vector < 32 && kind != DeliveryKind::External
                                   ? exception_text(record)
                                   : fmt::format("vector {:#04x}", record.vector);
      return fmt::format("{} enters {} ({}) at {}, interrupting {}{}", who, what, delivery_name(kind),
                         at(record.address), at(record.other), error_code_text(record));
    }
    case RecordKind::EndOfInterrupt:
      switch (static_cast<EndKind>(record.detail)) {
        case EndKind::Automatic:
          return fmt::format("is no longer in service in {} (automatic EOI)", who);
        case EndKind::Initialised:
          return fmt::format("is no longer in service in {}, which was initialised{}", who, by);
        default:
          return fmt::format("EOI to {}{}{}", who, record.id == 0 ? " ends nothing" : "", by);
      }
    case RecordKind::Returned:
      return fmt::format("IRET of vector {:#04x}{}", record.vector, by);
    case RecordKind::Exception:
      return fmt::format("{}{}{}{}", exception_text(record), by, error_code_text(record),
                         record.vector == 14 ? fmt::format(", CR2 {:#x}", record.other) : "");
    case RecordKind::DeliveryFailed:
      return fmt::format("vector {:#04x} can't be delivered: {}{}", record.vector,
                         check_clause(static_cast<FailedCheck>(record.detail)), error_code_text(record));
    case RecordKind::TripleFault:
      return fmt::format("triple fault{}: the CPU shuts down", by);
    case RecordKind::Halted:
      return fmt::format("HLT{} with interrupts {}", by, record.detail != 0 ? "on" : "off");
    case RecordKind::Woken:
      return fmt::format("wakes the CPU after {}", duration_text(waited(record)));
    case RecordKind::InterruptsOff:
      return fmt::format("interrupts were off for {}: from {} to {}", duration_text(waited(record)), at(record.address),
                         at(record.other));
    case RecordKind::LineLost:
      return fmt::format("is lost: {} can't remember an edge on masked pin {}", who, record.pin);
    case RecordKind::MaskChanged:
      if (who.starts_with("ioapic")) {
        return fmt::format("{} {} pin {}{}", who, record.extra != 0 ? "masks" : "opens", record.pin, by);
      }
      return fmt::format("{} mask {:#04x} -> {:#04x}{}", who, record.other, record.extra, by);
    case RecordKind::InService:
      return who.starts_with("ioapic") ? fmt::format("{} waits for its EOI (remote IRR)", who)
                                       : fmt::format("is in service in {}", who);
    case RecordKind::GuestExit:
      return fmt::format("the guest asks for the end with value {:#x}", record.extra);
    case RecordKind::Withheld:
      return withheld_text(record, header, symbols);
    case RecordKind::DeviceProgrammed:
    case RecordKind::ControllerProgrammed:
      return fmt::format("{}: {}{}", who, programmed_text(record), by);
    case RecordKind::Attended:
      return fmt::format("the guest turns to {}: {} {:#x}{}", who, record.extra > last_port ? "address" : "port",
                         record.extra, by);
    case RecordKind::MessageSent:
      return fmt::format("{} sends {}{}{}", who, message_text(record), sender_text(record), by);
    case RecordKind::MessageLost:
      return fmt::format("{}: nobody takes {}: {}", who, message_text(record),
                         loss_clause(static_cast<MessageLoss>(record.detail)));
    case RecordKind::Copied:
      return fmt::format("is the same message as #{}, for CPU {}", record.other, record.cpu);
    case RecordKind::CpuStarted:
      return fmt::format("CPU {} starts at {}", record.cpu, at(record.address));
    case RecordKind::CpuReset:
      return fmt::format("INIT resets CPU {}, which {}", record.cpu,
                         record.detail == 0 ? "starts again at the reset vector" : "waits for a start-up message now");
    case RecordKind::ThreadRuns:
      return fmt::format("CPU {} goes on with thread {}{}{}", record.cpu, record.other,
                         record.since != 0 ? fmt::format(", {} after it was woken", duration_text(waited(record))) : "",
                         by);
    case RecordKind::ThreadWoken:
      return fmt::format("wakes thread {}{}", record.other, by);
    case RecordKind::ThreadBlocked:
      return fmt::format("thread {} waits{}", record.other, by);
    case RecordKind::ThreadExited:
      return fmt::format("thread {} ends", record.other);
    case RecordKind::ThreadNamed:
      return fmt::format("thread {} is called \"{}\"", record.other, printable_thread_name(record));
  }
  return fmt::format("record of kind {}", static_cast<u32>(record.kind));
}

/// The detail of the records that have one from an enum of the ledger's, in the field's words.
std::string_view detail_word(const Record& record) {
  switch (record.kind) {
    case RecordKind::Withheld:
      return withheld_name(static_cast<WithheldCause>(record.detail));
    case RecordKind::DeviceProgrammed:
      return register_name(static_cast<DeviceRegister>(record.detail), record.pin);
    case RecordKind::ControllerProgrammed:
      return register_name(static_cast<ControllerRegister>(record.detail));
    case RecordKind::Blocked:
      return obstacle_name(static_cast<Obstacle>(record.detail));
    case RecordKind::MessageSent:
      return mode_name(static_cast<MessageMode>(record.detail));
    case RecordKind::MessageLost:
      return loss_name(static_cast<MessageLoss>(record.detail));
    default:
      return {};
  }
}

}  // namespace

ShowSelector::ShowSelector(const ShowFilter& filter, const TraceHeader& header)
    : filter_(filter), header_(&header), known_(known_requests) {}

bool ShowSelector::selects(const Record& record) {
  Known& known = known_[record.id % known_requests];
  if (record.kind == RecordKind::Raised && record.id != 0) known = {record.id, record.pin, record.source};
  if (record.kind == RecordKind::Copied) {
    const Known& original = known_[record.other % known_requests];
    if (original.id == record.other) known = {record.id, original.line, original.source};
  }
  const bool is_known = record.id != 0 && known.id == record.id;
  if (filter_.from && record.time < *filter_.from) return false;
  if (filter_.to && record.time > *filter_.to) return false;
  if (filter_.id && record.id != *filter_.id) return false;
  if (filter_.vector && (record.vector != *filter_.vector || record.vector == 0)) {
    const bool divide_error = *filter_.vector == 0 && record.vector == 0 &&
                              (record.kind == RecordKind::Exception || record.kind == RecordKind::Delivered ||
                               record.kind == RecordKind::Returned || record.kind == RecordKind::DeliveryFailed);
    if (!divide_error) return false;
  }
  if (filter_.line && !(is_known && known.line == *filter_.line)) {
    const bool is_of_line = record.kind == RecordKind::Spurious || record.kind == RecordKind::Withheld ||
                            record.kind == RecordKind::DeviceProgrammed;
    const bool own = is_of_line && record.pin == *filter_.line;
    if (!own) return false;
  }
  if (filter_.source) {
    const auto named = [&](u16 source) {
      return source < header_->sources.size() && header_->sources[source] == *filter_.source;
    };
    if (!named(record.source) && !(is_known && named(known.source))) return false;
  }
  return true;
}

std::string show_line(const Record& record, const TraceHeader& header, const Symboliser* symbols) {
  const std::string id = record.id != 0 ? fmt::format("#{}", record.id) : std::string();
  return fmt::format("{:>14}  {:<8} {}", moment_text(record.time), id, fragment(record, header, symbols));
}

std::string show_json(const Record& record, const TraceHeader& header, const Symboliser* symbols) {
  nlohmann::ordered_json json = {{"time", record.time},
                                 {"instructions", record.instructions},
                                 {"kind", kind_name(record.kind)},
                                 {"source", source_name(record, header)}};
  const auto number = [&](const char* name, u64 value) {
    if (value != 0) json[name] = value;
  };
  const auto address = [&](const char* name, u64 value) {
    if (value != 0) json[name] = fmt::format("{:#x}", value);
  };
  number("id", record.id);
  number("vector", record.vector);
  number("pin", record.pin);
  number("detail", record.detail);
  if (const std::string_view word = detail_word(record); !word.empty()) json["what"] = word;
  const bool is_name = record.kind == RecordKind::ThreadNamed;
  if (is_name) json["name"] = printable_thread_name(record);
  address("address", record.address);
  if (symbols != nullptr && record.address != 0 && !is_name) {
    if (std::string name = symbols->describe(record.address); !name.empty()) json["symbol"] = std::move(name);
  }
  address("other", record.other);
  address("frame", record.frame);
  number("since", record.since);
  address("extra", record.extra);
  number("cpu", record.cpu);
  number("privilege", record.privilege);
  json["text"] = fragment(record, header, symbols);
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace vitrine
