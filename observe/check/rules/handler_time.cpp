#include "observe/check/rules/handler_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "observe/check/rules/code_path.hpp"
#include "observe/check/rules/contains.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u64 longest_handler = 25'000;      // T_HANDLER, ns
constexpr u64 longest_boot = 1'000'000'000;  // ns; a guest that never halts has booted by then
constexpr u64 enough_in_a_row = 100;         // NOPROG_K
constexpr u64 no_instruction = 1;            // from an IRET's count to a delivery's: the IRET itself
constexpr u32 much_text = 32;                // bytes in one handler
constexpr std::size_t most_running = 64, most_stacks = 64;

/// The port of the OUT that stands right before this instruction, if it is a serial or debug port's data register.
std::optional<u16> text_port_before(const Cpu& cpu, u64 rip) {
  u8 bytes[2];
  if (!peek_memory(cpu, rip - 2, bytes)) return std::nullopt;
  u16 port = 0;
  if (bytes[0] == 0xE6) {
    port = bytes[1];
  } else if (bytes[1] == 0xEE) {
    port = static_cast<u16>(cpu.state.gpr[rdx]);
  }
  switch (port) {
    case 0xE9:
    case 0x3F8:
    case 0x2F8:
    case 0x3E8:
    case 0x2E8:
      return port;
    default:
      return std::nullopt;
  }
}

/// IRQ of the UART whose data register this is; -1 for others.
int line_of_port(u16 port) {
  if (port == 0x3F8 || port == 0x3E8) return 4;
  if (port == 0x2F8 || port == 0x2E8) return 3;
  return -1;
}

}  // namespace

RuleMaker HandlerTimeRules::maker() {
  return {.rules = {{.id = "handler-too-long",
                     .title = "a handler keeps all others waiting",
                     .fix = "Let the handler take what the device has, end the interrupt and leave; do the rest later, "
                            "with interrupts on."},
                    {.id = "no-progress",
                     .title = "handlers follow one another with nothing in between",
                     .fix = "Give the timer a longer period, or the handler less to do: the one must be well above the "
                            "other."}},
          .make = [](const RuleContext& context) { return std::make_unique<HandlerTimeRules>(context); },
          .per_cpu = true};
}

RecordKinds HandlerTimeRules::record_kinds() const {
  return record_kinds_of(RecordKind::Delivered, RecordKind::Returned, RecordKind::EndOfInterrupt, RecordKind::Halted,
                         RecordKind::ThreadRuns);
}

void HandlerTimeRules::consume(const Record& record) {
  booted_ = booted_ || record.time >= longest_boot;
  switch (record.kind) {
    case RecordKind::Delivered:
      follow_progress(record);
      begin(record);
      return;
    case RecordKind::Returned:
      follow_progress(record);
      end(record);
      return;
    case RecordKind::EndOfInterrupt:
      for (Running& each : running_) {
        if (each.id == record.id && record.id != 0) measure(each, record.time);
      }
      return;
    case RecordKind::Halted:
      booted_ = booted_ || record.detail == 1;
      for (Running& each : running_) each.measured = true;
      return;
    case RecordKind::ThreadRuns:
      for (Running& each : running_) each.measured = true;
      return;
    default:
      return;
  }
}

void HandlerTimeRules::begin(const Record& record) {
  if (running_.size() == most_running) running_.erase(running_.begin());
  running_.push_back({.id = record.id,
                      .frame = record.frame,
                      .vector = record.vector,
                      .kind = static_cast<DeliveryKind>(record.detail),
                      .handler = record.address,
                      .since = record.time});
}

void HandlerTimeRules::end(const Record& record) {
  const auto found = std::ranges::find_if(
      running_, [&](const Running& each) { return each.id == record.id && each.frame == record.frame; });
  if (found == running_.end()) return;
  // What stands above it was left some other way: another context goes on here.
  const bool innermost = found + 1 == running_.end();
  if (innermost) {
    measure(*found, record.time);
    if (found->kind == DeliveryKind::External && found->printed >= much_text && booted_) tell_printed(*found);
  }
  const u64 whole = record.time - found->since;
  const bool has_outer = found != running_.begin();
  if (has_outer) (found - 1)->nested += whole;
  running_.erase(found, running_.end());
}

void HandlerTimeRules::measure(Running& handler, u64 now) {
  if (std::exchange(handler.measured, true) || !booted_ || handler.kind != DeliveryKind::External) return;
  const u64 whole = now - handler.since;
  const u64 own = whole - std::min(whole, handler.nested);
  if (own <= longest_handler) return;
  Finding finding{.rule = "handler-too-long",
                  .severity = FindingSeverity::Warning,
                  .address = handler.handler,
                  .vector = handler.vector,
                  .id = handler.id};
  finding.sentence = fmt::format(
      "The handler of {} at {} took {} from its delivery to its end of interrupt; all interrupts of the same or lower "
      "priority waited.",
      vector_name(handler.vector), address_mark(handler.handler), duration_text(own));
  finding.evidence.push_back(
      fmt::format("More than {} is long; one instruction counts as 1 ns.", duration_text(longest_handler)));
  context_.findings.report(std::move(finding));
}

void HandlerTimeRules::tell_printed(const Running& handler) {
  const Life* life = context_.lives.find(handler.id);
  const Record* raised = life != nullptr ? life->first(RecordKind::Raised) : nullptr;
  if (raised != nullptr && raised->pin == line_of_port(handler.port)) return;  // the port's own driver
  Finding finding{.rule = "handler-too-long",
                  .severity = FindingSeverity::Note,
                  .address = handler.handler,
                  .vector = handler.vector,
                  .id = handler.id};
  finding.sentence = fmt::format(
      "The handler of {} at {} wrote {} bytes to port {:#x}: on a serial line at 115,200 baud that takes {}.",
      vector_name(handler.vector), address_mark(handler.handler), handler.printed, handler.port,
      duration_text(u64{handler.printed} * 86'806));
  context_.findings.report(std::move(finding));
}

void HandlerTimeRules::follow_progress(const Record& record) {
  if (record.kind == RecordKind::Returned) {
    if (record.id == starved_.request) starved_.returned_at = record.instructions;
    return;
  }
  if (static_cast<DeliveryKind>(record.detail) != DeliveryKind::External || record.id == 0) return;
  // A level that stays high is unserviced-device's.
  const bool at_once = starved_.returned_at && record.other == starved_.interrupted && record.id != starved_.request &&
                       record.instructions - *starved_.returned_at <= no_instruction;
  const bool still_inside = !starved_.returned_at && starved_.request != 0;
  if (still_inside && !running_.empty() && running_.back().id == starved_.request) return;  // nested
  starved_ = {.interrupted = record.other, .request = record.id, .in_a_row = at_once ? starved_.in_a_row + 1 : 0};
  if (starved_.in_a_row != enough_in_a_row) return;
  Finding finding{.rule = "no-progress",
                  .severity = FindingSeverity::Error,
                  .address = record.address,
                  .vector = record.vector,
                  .id = record.id};
  finding.sentence = fmt::format(
      "The code at {} gets nowhere: {} times in a row the next interrupt, {}, came before a single instruction of it "
      "had run.",
      address_mark(record.other), enough_in_a_row, vector_name(record.vector));
  finding.evidence.push_back(fmt::format("The handler at {} takes longer than the time from one interrupt to the next.",
                                         address_mark(record.address)));
  context_.findings.report(std::move(finding));
}

void HandlerTimeRules::looked(const Cpu& cpu) {
  if (running_.empty() || !booted_ || cpu.cpl != 0 || cpu.state.instructions == counted_at_) return;
  Running& handler = running_.back();
  if (handler.kind != DeliveryKind::External) return;
  const auto port = text_port_before(cpu, cpu.linear_rip());
  if (!port) return;
  counted_at_ = cpu.state.instructions;
  handler.port = *port;
  ++handler.printed;
}

/// A stack that was left earlier goes on: a context switch, after which the time is another thread's.
void HandlerTimeRules::stack_switched(const Cpu& /*cpu*/, u64 /*instruction*/, u64 from, u64 to) {
  if (contains(left_stacks_, to)) {
    for (Running& each : running_) each.measured = true;
  }
  std::erase(left_stacks_, from);
  if (left_stacks_.size() == most_stacks) left_stacks_.erase(left_stacks_.begin());
  left_stacks_.push_back(from);
}

}  // namespace vitrine
