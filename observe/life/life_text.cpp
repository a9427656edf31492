// One life in words: each record a step, each step a place and a sentence.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "observe/life/life.hpp"
#include "observe/life/places.hpp"
#include "observe/message_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

/// How deep in the machine a step happens; the staircase goes down from device to thread.
/// Inner: the first 8259 of a cascade, a local APIC.
enum class Floor : u8 { Device, Controller, Inner, Cpu, Handler, Thread };

struct Step {
  u64 time = 0;
  u64 after = 0;  // since the step before
  Floor floor{};
  std::string place, what;
  const Record* record = nullptr;
  u32 joined = 1;  // records that it tells
};

std::string error_code_text(u64 extra) {
  return (extra >> 32 & 1) != 0 ? fmt::format(", error code {:#x}", static_cast<u32>(extra)) : std::string();
}

std::string vector_text(u8 vector, DeliveryKind kind) {
  if (kind == DeliveryKind::External || kind == DeliveryKind::Software || vector >= 32) {
    return fmt::format("vector {:#04x}", vector);
  }
  const std::string_view mnemonic = vector_mnemonic(vector);
  return mnemonic.empty() ? vector_name(vector) : fmt::format("{} {}", mnemonic, vector_name(vector));
}

class Staircase {
 public:
  Staircase(const Life& life, const TraceHeader& header, const Symboliser* symbols)
      : life_(life), header_(header), symbols_(symbols) {
    u64 before = life.records.empty() ? 0 : life.records.front().time;
    for (const Record& record : life.records) {
      Step step{.time = record.time, .after = record.time > before ? record.time - before : 0, .record = &record};
      before = record.time;
      if (joins(record) || is_aside(record)) continue;
      describe(record, step);
      steps.push_back(std::move(step));
    }
  }

  /// Which interrupt this is.
  [[nodiscard]] std::string title() const {
    const Record* from = life_.origin();
    if (from != nullptr && from->kind == RecordKind::MessageSent) {
      return fmt::format("{}: {}", place(*from), message_text(*from));
    }
    if (from != nullptr && from->kind == RecordKind::Raised) {
      return fmt::format("{}, {}", pin_name(from->pin, header_), place(*from));
    }
    if (const Record* exception = life_.first(RecordKind::Exception);
        exception != nullptr && exception->id == life_.id) {
      return vector_text(exception->vector, DeliveryKind::Fault);
    }
    const Record* entered = life_.first(RecordKind::Delivered);
    if (entered == nullptr) entered = life_.first(RecordKind::DeliveryFailed);
    if (entered == nullptr) return "an interrupt";
    const auto kind = static_cast<DeliveryKind>(entered->detail);
    if (entered->kind == RecordKind::Delivered && kind == DeliveryKind::Nmi) return "non-maskable interrupt";
    if (entered->kind == RecordKind::Delivered && kind == DeliveryKind::External) {
      return fmt::format("interrupt with vector {:#04x}", entered->vector);
    }
    return fmt::format("INT {:#04x}", entered->vector);
  }

  std::vector<Step> steps;

 private:
  /// Requests that merge into this one, one after the other, are one step.
  bool joins(const Record& record) {
    const bool merges = record.kind == RecordKind::Merged && record.id != life_.id;
    if (!merges || steps.empty() || steps.back().record->kind != RecordKind::Merged) return false;
    Step& step = steps.back();
    ++step.joined;
    step.what = fmt::format("{} more requests, #{} to #{}, come while this one waits: all become one interrupt",
                            step.joined, step.record->id, record.id);
    return true;
  }
  [[nodiscard]] std::string at(u64 address) const { return code_place(address, symbols_); }
  [[nodiscard]] std::string place(const Record& record) const { return place_of(record.source, record.pin, header_); }
  [[nodiscard]] std::string source(const Record& record) const {
    return record.source < header_.sources.size() ? header_.sources[record.source] : std::string();
  }
  [[nodiscard]] std::string thread(u64 number) const {
    const auto name = life_.thread_names.find(number);
    return name != life_.thread_names.end() && !name->second.empty()
               ? fmt::format("thread {} ({})", number, name->second)
               : fmt::format("thread {}", number);
  }
  static std::string cpu(const Record& record) { return fmt::format("CPU {}", record.cpu); }

  /// The handler, and where in it.
  [[nodiscard]] std::string handler_place(const Record& record) const {
    return record.address != 0 ? at(record.address) : cpu(record);
  }
  /// The bit of the chip's registers that a line has.
  static u32 bit_of(const Record& record) { return record.pin & 7u; }

  [[nodiscard]] std::string set_by(const Record& record) const {
    std::string text;
    if (record.since != 0) text += fmt::format(" since {} s", moment_text(record.since));
    if (record.address != 0) text += fmt::format(", by {}", at(record.address));
    return text;
  }

  [[nodiscard]] std::string blocked(const Record& record) const {
    switch (static_cast<Obstacle>(record.detail)) {
      case Obstacle::Masked:
        return fmt::format("holds it back: mask bit {} is set{}", bit_of(record), set_by(record));
      case Obstacle::CascadeMasked:
        return fmt::format("holds it back: the input for the second 8259 (mask bit {}) is masked{}", bit_of(record),
                           set_by(record));
      case Obstacle::InServiceHigher:
        return fmt::format("holds it back: {} is still in service (no EOI yet){}",
                           record.other == life_.id ? "this same request" : fmt::format("#{}", record.other),
                           record.since != 0 ? fmt::format(" since {} s", moment_text(record.since)) : "");
      case Obstacle::HigherPending:
        return fmt::format("lets #{} go first: it has a higher priority", record.other);
      case Obstacle::PriorityTooLow:
        return record.other != 0
                   ? fmt::format("holds it back: #{}, of the same or a higher class, is in service (no EOI yet)",
                                 record.other)
                   : fmt::format("holds it back: TPR is {:#04x}{}", record.extra, set_by(record));
      case Obstacle::RemoteIrr:
        return "holds it back: it has sent this pin's request before, and no EOI has come";
      case Obstacle::NotInitialised:
        return fmt::format("holds it back: nobody has initialised this controller{}", set_by(record));
      case Obstacle::InterruptFlag:
        return record.since == 0 && record.address == 0
                   ? std::string("can't take it yet: interrupts are off (IF=0) since power-on")
                   : fmt::format("can't take it yet: interrupts are off (IF=0){}", set_by(record));
      case Obstacle::InterruptShadow:
        return fmt::format("can't take it for one more instruction: it has just executed STI or loaded SS");
      default:
        return fmt::format("must wait: {}{}", obstacle_clause(static_cast<Obstacle>(record.detail)), set_by(record));
    }
  }

  /// Does it happen in the controller next to the CPU?
  [[nodiscard]] bool is_inner(const Record& record) const {
    if (is_local_apic(record)) return true;
    const Record* raised = life_.first(RecordKind::Raised);
    return is_8259(record) && raised != nullptr && raised->pin >= 8 && record.pin < 8;
  }
  [[nodiscard]] Floor controller_floor(const Record& record) const {
    return is_inner(record) ? Floor::Inner : Floor::Controller;
  }
  [[nodiscard]] bool is_8259(const Record& record) const { return source(record).starts_with("pic"); }
  [[nodiscard]] bool is_local_apic(const Record& record) const { return source(record).starts_with("lapic"); }
  [[nodiscard]] bool is_io_apic(const Record& record) const { return source(record).starts_with("ioapic"); }

  /// All lines lead to the 8259s and to the I/O APIC. Where one of the two has delivered the request, what the other
  /// one, which is masked, made of it explains nothing.
  [[nodiscard]] bool is_aside(const Record& record) const {
    const bool by_message = life_.first(RecordKind::MessageSent) != nullptr;
    if (is_io_apic(record)) return record.kind == RecordKind::LineLost && life_.first(RecordKind::Latched) != nullptr;
    if (!is_8259(record) || !by_message) return false;
    return std::ranges::none_of(
        life_.records, [&](const Record& each) { return is_8259(each) && each.kind == RecordKind::Acknowledged; });
  }

  void describe(const Record& record, Step& step) {
    step.place = place(record);
    switch (record.kind) {
      case RecordKind::Raised:
        if (record.id != life_.id) break;
        step.what =
            fmt::format("{}: it {}", cause_clause(source(record), record.detail), raise_clause(record.pin, header_));
        return;
      case RecordKind::Lowered:
        step.what = fmt::format("lowers {} again", pin_name(record.pin, header_));
        return;
      case RecordKind::Attended:
        step.floor = Floor::Handler;
        step.what = fmt::format("turns to the device that asked: {}, {} {:#x}", place(record),
                                record.extra > 0xFFFF ? "address" : "port", record.extra);
        step.place = handler_place(record);
        return;
      case RecordKind::Latched:
      case RecordKind::Merged:
      case RecordKind::Withdrawn:
      case RecordKind::Acknowledged:
      case RecordKind::InService:
      case RecordKind::Spurious:
      case RecordKind::LineLost:
        step.floor = controller_floor(record);
        step.what = controller_step(record);
        return;
      case RecordKind::MessageSent:
        step.floor = is_local_apic(record) ? Floor::Device : Floor::Controller;
        step.what = message(record);
        return;
      case RecordKind::MessageLost:
        step.floor = Floor::Inner;
        step.what = fmt::format("nobody takes {}: {}", message_text(record),
                                loss_clause(static_cast<MessageLoss>(record.detail)));
        return;
      case RecordKind::Copied:
        step.floor = Floor::Inner;
        step.what =
            fmt::format("it is for CPU {} as well: #{} there, #{} elsewhere", record.cpu, record.id, record.other);
        return;
      case RecordKind::CpuReset:
        step.floor = Floor::Cpu;
        step.place = cpu(record);
        step.what = record.detail == 0 ? "is reset by INIT, and starts again at the reset vector"
                                       : "is reset by INIT, and waits for a start-up message";
        return;
      case RecordKind::CpuStarted:
        step.floor = Floor::Cpu;
        step.place = cpu(record);
        step.what = fmt::format("starts at {}", at(record.address));
        return;
      case RecordKind::Blocked: {
        const bool at_cpu = step.place.starts_with("CPU");
        step.floor = at_cpu ? Floor::Cpu : controller_floor(record);
        step.what = blocked(record);
        return;
      }
      case RecordKind::EndOfInterrupt:
        end_of_interrupt(record, step);
        return;
      case RecordKind::Woken:
        step.floor = Floor::Cpu;
        step.what = fmt::format("wakes from HLT, where it had slept for {}",
                                duration_text(record.time > record.since ? record.time - record.since : 0));
        return;
      case RecordKind::Exception:
        step.floor = Floor::Cpu;
        step.what = exception(record);
        return;
      case RecordKind::Delivered:
        step.floor = Floor::Cpu;
        step.place = cpu(record);
        step.what = delivered(record);
        return;
      case RecordKind::DeliveryFailed:
        step.floor = Floor::Cpu;
        step.what = fmt::format("can't enter the handler of vector {:#04x}: {}{}", record.vector,
                                check_clause(static_cast<FailedCheck>(record.detail)), error_code_text(record.extra));
        return;
      case RecordKind::Returned:
        step.floor = Floor::Handler;
        step.place = handler_place(record);
        step.what = "IRET: back to what was interrupted";
        return;
      case RecordKind::ThreadWoken:
        step.floor = Floor::Handler;
        step.place = handler_place(record);
        step.what = fmt::format("wakes {}, which had waited for this", thread(record.other));
        return;
      case RecordKind::ThreadRuns:
        step.floor = Floor::Thread;
        step.place = thread(record.other);
        step.what = fmt::format("runs on CPU {}", record.cpu);
        return;
      default:
        break;
    }
    step.what = std::string(kind_name(record.kind));
  }

  [[nodiscard]] std::string message(const Record& record) const {
    const std::string by = record.address != 0 ? fmt::format(" at {}", at(record.address)) : "";
    const u64 receivers = record.extra >> message_extra::receivers & 0xFF;
    return fmt::format("sends {}{}{}", message_text(record), by,
                       receivers > 1 ? fmt::format("; {} CPUs take it", receivers) : "");
  }

  [[nodiscard]] std::string latched(const Record& record) const {
    const u32 bit = bit_of(record);
    if (is_local_apic(record)) return fmt::format("accepts it (IRR bit {:#04x})", record.vector);
    if (is_io_apic(record)) return fmt::format("sees it on pin {}", record.pin);
    return is_inner(record) ? fmt::format("the second 8259 asks on input {}; remembered (IRR bit {})", bit, bit)
                            : fmt::format("remembers the request (IRR bit {})", bit);
  }

  [[nodiscard]] std::string in_service(const Record& record) const {
    if (is_local_apic(record))
      return fmt::format("it is in service until an EOI comes (ISR bit {:#04x})", record.vector);
    if (is_io_apic(record)) return fmt::format("waits for its EOI (remote IRR of pin {})", record.pin);
    return fmt::format("it is in service until an EOI comes (ISR bit {})", bit_of(record));
  }

  [[nodiscard]] std::string controller_step(const Record& record) const {
    switch (record.kind) {
      case RecordKind::Latched:
        return latched(record);
      case RecordKind::Merged:
        return record.id == life_.id
                   ? fmt::format("the line is high already, for #{}: both become one interrupt", record.other)
                   : fmt::format("one more request, #{}, comes while this one waits: both become one interrupt",
                                 record.id);
      case RecordKind::Withdrawn:
        return "the request goes away before the CPU takes it";
      case RecordKind::Acknowledged:
        if (static_cast<AcknowledgeKind>(record.detail) == AcknowledgeKind::Poll) {
          return fmt::format("gives it to a poll command{}",
                             record.address != 0 ? fmt::format(" at {}", at(record.address)) : "");
        }
        return fmt::format("the CPU asks which one it is; the answer is vector {:#04x}", record.vector);
      case RecordKind::InService:
        return in_service(record);
      case RecordKind::Spurious:
        return fmt::format("the CPU asks which one it is, too late: {}{}; the answer is spurious vector {:#04x}",
                           spurious_clause(static_cast<SpuriousCause>(record.detail)),
                           record.address != 0 ? fmt::format(", by {}", at(record.address)) : "", record.vector);
      default:
        return fmt::format("is lost: input {} is masked, and this controller can't remember an edge there", record.pin);
    }
  }

  void end_of_interrupt(const Record& record, Step& step) const {
    const std::string chip = place(record);
    switch (static_cast<EndKind>(record.detail)) {
      case EndKind::Automatic:
        step.floor = controller_floor(record);
        step.what = "ends the service by itself (automatic EOI)";
        return;
      case EndKind::Initialised:
        step.floor = Floor::Handler;
        step.place = handler_place(record);
        step.what = fmt::format("initialises the {}, which forgets what was in service", chip);
        return;
      default:
        step.floor = Floor::Handler;
        step.place = handler_place(record);
        step.what = is_io_apic(record) ? fmt::format("EOI: the {} may send the next one (remote IRR is clear)", chip)
                                       : fmt::format("EOI: the {} may let the next one through", chip);
    }
  }

  [[nodiscard]] std::string exception(const Record& record) const {
    std::string text = fmt::format("{} at {}{}", vector_text(record.vector, DeliveryKind::Fault), at(record.address),
                                   error_code_text(record.extra));
    if (record.vector == 14) text += fmt::format(", for address {:#x}", record.other);
    return record.id == life_.id ? text : fmt::format("so it raises {} (#{})", text, record.id);
  }

  [[nodiscard]] std::string delivered(const Record& record) const {
    const auto kind = static_cast<DeliveryKind>(record.detail);
    std::string text =
        fmt::format("enters {}{}{}", at(record.address),
                    kind == DeliveryKind::Software ? ", called by " : ", interrupting ", at(record.other));
    if (life_.thread) text += fmt::format(" in {}", thread(*life_.thread));
    if (record.id != life_.id) text += ", as a spurious interrupt";
    text += error_code_text(record.extra);
    const bool hardware = kind == DeliveryKind::External && record.vector < 32;
    if (hardware)
      text += fmt::format("; but vector {} is the CPU's own: {}", record.vector, vector_name(record.vector));
    return text;
  }

  const Life& life_;
  const TraceHeader& header_;
  const Symboliser* symbols_;
};

constexpr std::size_t time_width = 18;

}  // namespace

std::string life_text(const Life& life, const TraceHeader& header, const Symboliser* symbols, std::string_view indent) {
  const Staircase stairs(life, header, symbols);
  std::string text = fmt::format("{}#{}: {}\n", indent, life.id, stairs.title());
  auto floor = Floor::Device;
  u8 lowest = stairs.steps.empty() ? u8{0} : static_cast<u8>(stairs.steps.front().floor);
  // The last one before what is left out.
  const Record* gap = life.left_out == 0 ? nullptr : life.records.data() + Life::most_records * 3 / 4 - 1;
  for (std::size_t i = 0; i < stairs.steps.size(); ++i) {
    const Step& step = stairs.steps[i];
    floor = std::max(floor, step.floor);
    const u8 depth = static_cast<u8>(static_cast<u8>(floor) - lowest);
    const std::string when =
        i == 0 ? fmt::format("{} s", moment_text(step.time)) : fmt::format("+{}", duration_text(step.after));
    text += fmt::format("{}{:>{}}  {:{}}{}: {}\n", indent, when, time_width, "", 2 * depth, step.place, step.what);
    const bool last_before_gap =
        life.left_out != 0 && step.record <= gap && (i + 1 == stairs.steps.size() || stairs.steps[i + 1].record > gap);
    if (last_before_gap) {
      text += fmt::format("{}{:>{}}  ({} left out)\n", indent, "...", time_width, counted(life.left_out, "step"));
    }
  }
  return text;
}

std::string life_json(const Life& life, const TraceHeader& header, const Symboliser* symbols) {
  const Staircase stairs(life, header, symbols);
  nlohmann::ordered_json json = {{"id", life.id}, {"what", stairs.title()}, {"closed", life.closed}};
  json["steps"] = nlohmann::ordered_json::array();
  for (const Step& step : stairs.steps) {
    nlohmann::ordered_json each = {{"time", step.time},
                                   {"after", step.after},
                                   {"kind", kind_name(step.record->kind)},
                                   {"place", step.place},
                                   {"what", step.what}};
    if (step.record->address != 0) each["address"] = fmt::format("{:#x}", step.record->address);
    json["steps"].push_back(std::move(each));
  }
  if (life.left_out != 0) json["left_out"] = life.left_out;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace vitrine
