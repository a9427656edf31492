#include "observe/check/rules/gate_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bits.hpp"
#include "observe/check/rules/contains.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u8 page_fault_vector = 14;
constexpr u8 first_free_vector = 32;
constexpr unsigned enough_to_be_default = 8;  // vectors that nothing sends, with one and the same handler
constexpr u64 null_pages = 0x10000;
constexpr std::size_t most_early = 32, most_linted = 64, most_defaults = 16;

bool is_about_stack(const FailedDelivery& failed) {
  switch (failed.steps.front().check) {
    case FailedCheck::StackSelector:
    case FailedCheck::StackNotMapped:
    case FailedCheck::TssBad:
      return true;
    default:
      return failed.stack_fault != 0;
  }
}

std::string exception_text(u8 vector) {
  const std::string_view mnemonic = vector_mnemonic(vector);
  return mnemonic.empty() ? vector_name(vector) : fmt::format("{} ({})", mnemonic, vector_name(vector));
}

std::string origin_text(const FailedDelivery& failed) {
  switch (failed.origin) {
    case FailedDelivery::Origin::External:
      return fmt::format("A device's interrupt, {},", vector_name(failed.vector));
    case FailedDelivery::Origin::Nmi:
      return "An NMI";
    case FailedDelivery::Origin::Exception:
      return fmt::format("The exception {} at {}", exception_text(failed.vector), address_mark(failed.address));
    case FailedDelivery::Origin::Software:
      return fmt::format("INT {:#04x} at {}", failed.vector, address_mark(failed.address));
  }
  return "";
}

}  // namespace

RuleMaker GateRules::maker() {
  return {
      .rules = {{.id = "bad-idt",
                 .title = "a gate of the IDT can't be entered",
                 .fix = "Look at what fills this entry of the IDT: index, size of an entry (16 bytes in long mode), "
                        "limit (size of the table minus 1), code selector, type and present bit (0x8E)."},
                {.id = "enabled-too-early",
                 .title = "interrupts can come before what handles them is ready",
                 .fix = "Set up first what the handler uses, then its gate, and clear the mask bit last.",
                 .needs_live = true}},
      .make = [](const RuleContext& context) { return std::make_unique<GateRules>(context); },
      .per_cpu = true};
}

RecordKinds GateRules::record_kinds() const {
  return ControllerPicture::kinds | record_kinds_of(RecordKind::Acknowledged, RecordKind::Spurious,
                                                    RecordKind::Exception, RecordKind::DeliveryFailed,
                                                    RecordKind::Delivered, RecordKind::TripleFault,
                                                    RecordKind::Returned, RecordKind::EndOfInterrupt);
}

void GateRules::consume(const Record& record) {
  controllers_.consume(record);
  if (record.kind == RecordKind::MaskChanged) {
    opened_ |= controllers_.just_opened();
    return;
  }
  if (record.kind == RecordKind::ControllerProgrammed) {
    table_changed_ = true;
    return;
  }
  if (auto failed = chains_.consume(record)) {
    failed_ = std::move(failed);
    if (!context_.live) judge_failed();  // else the probe is about to say which mode it was
  }
  if (record.kind == RecordKind::Exception) judge_fetch(record);
  if (record.kind == RecordKind::Delivered) last_delivered_ = record;
  follow_early(record);
  follow_first(record);
}

// --- deliveries that fail
// -------------------------------------------------------------------------------------------

void GateRules::judge_failed() {
  if (!failed_) return;
  const FailedDelivery failed = *std::exchange(failed_, std::nullopt);
  if (is_about_stack(failed) || (context_.live && (!armed() || !protected_mode_))) return;
  const FailedDelivery::Step& first = failed.steps.front();
  const bool asynchronous =
      failed.origin == FailedDelivery::Origin::External || failed.origin == FailedDelivery::Origin::Nmi;
  // An empty table and then an exception: the shortest way to reset a PC.
  const bool empty_table =
      context_.live ? table_limit_ == 0 : std::ranges::all_of(failed.steps, [](const FailedDelivery::Step& step) {
        return step.check == FailedCheck::VectorPastLimit;
      });
  if (failed.shut_down && empty_table && !asynchronous) return;
  const bool users_own = failed.origin == FailedDelivery::Origin::Software && failed.privilege == 3;
  std::erase_if(linted_, [&](const Finding& finding) { return finding.vector == failed.vector; });
  told_.set(failed.vector);
  Finding finding{.rule = "bad-idt",
                  .severity = users_own ? FindingSeverity::Note : FindingSeverity::Error,
                  .time = failed.time,
                  .instructions = failed.instructions,
                  .address = failed.address,
                  .vector = failed.vector,
                  .id = failed.id};
  finding.sentence = fmt::format("{} could not be delivered: {}.", origin_text(failed), check_clause(first.check));
  for (std::size_t i = 1; i < failed.steps.size(); ++i) {
    finding.evidence.push_back(fmt::format("That made {}, which could not be delivered either: {}.",
                                           exception_text(failed.steps[i].vector),
                                           check_clause(failed.steps[i].check)));
  }
  if (failed.shut_down) {
    finding.evidence.emplace_back("The CPU shut down: a triple fault.");
  } else {
    finding.evidence.push_back(fmt::format("The handler of {}, at {}, was entered in its place.",
                                           exception_text(failed.entered), address_mark(failed.entered_address)));
  }
  if (users_own)
    finding.evidence.emplace_back("User code asked for it: this is protection at work, unless it is your system call.");
  context_.findings.report(std::move(finding));
}

/// The handler's first instruction can't be fetched: the gate leads nowhere.
void GateRules::judge_fetch(const Record& exception) {
  const bool at_entry = exception.vector == page_fault_vector && last_delivered_.address != 0 &&
                        exception.address == last_delivered_.address && exception.other == exception.address &&
                        exception.instructions - last_delivered_.instructions <= 2;
  if (!at_entry || (context_.live && (!armed() || !protected_mode_))) return;
  const u8 vector = last_delivered_.vector;
  std::erase_if(linted_, [&](const Finding& finding) { return finding.vector == vector; });
  told_.set(vector);
  Finding finding{.rule = "bad-idt",
                  .severity = FindingSeverity::Error,
                  .address = exception.address,
                  .vector = vector,
                  .id = last_delivered_.id};
  finding.sentence = fmt::format("The gate of {} leads to {}, where no code can be fetched: a page fault.",
                                 vector_name(vector), address_mark(exception.address));
  context_.findings.report(std::move(finding));
}

// --- the first delivery of a vector
// ---------------------------------------------------------------------------------

void GateRules::follow_first(const Record& record) {
  switch (record.kind) {
    case RecordKind::Delivered:
      if (static_cast<DeliveryKind>(record.detail) != DeliveryKind::External || seen_.test(record.vector)) return;
      seen_.set(record.vector);
      if (!first_ && record.id != 0)
        first_ = First{.id = record.id, .vector = record.vector, .handler = record.address};
      return;
    case RecordKind::Exception: {
      if (!first_ || first_->exception != 0) return;
      const bool null_data = record.vector == page_fault_vector && record.other < null_pages;
      const bool null_code = record.address < null_pages && first_->handler >= null_pages;
      if (!null_data && !null_code) return;
      first_->exception = record.id;
      first_->raised = record;
      return;
    }
    case RecordKind::EndOfInterrupt:
      if (first_ && first_->exception == 0 && record.id == first_->id) first_.reset();
      return;
    case RecordKind::Returned:
      if (!first_) return;
      if (record.id == first_->exception) first_->exception = 0;  // it was handled after all
      if (record.id == first_->id) first_.reset();
      return;
    case RecordKind::TripleFault:
      report_first();
      return;
    default:
      return;
  }
}

void GateRules::report_first() {
  if (!first_ || first_->exception == 0) return;
  const First& first = *first_;
  Finding finding{.rule = "enabled-too-early",
                  .severity = FindingSeverity::Error,
                  .time = first.raised.time,
                  .instructions = first.raised.instructions,
                  .address = first.raised.address,
                  .vector = first.vector,
                  .id = first.id};
  finding.sentence = fmt::format(
      "The first interrupt with {} came before its handler could work: it met a {} at {}, through a null "
      "pointer, and never returned.",
      vector_name(first.vector), vector_name(first.raised.vector), address_mark(first.raised.address));
  context_.findings.report(std::move(finding));
  first_.reset();
}

// --- before anything is delivered
// -----------------------------------------------------------------------------------

void GateRules::table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) {
  protected_mode_ = !cpu.state.real_or_v86();
  if (table != ProbedTable::Idt || !protected_mode_) return;
  table_loaded_by_ = instruction;
  table_limit_ = cpu.state.idtr.limit;
  table_changed_ = true;
}

void GateRules::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  protected_mode_ = cpu.state.protected_mode() && (delivery.before.flags & flag::virtual_8086) == 0;
  judge_failed();
}

void GateRules::looked(const Cpu& cpu) {
  if (!cpu.state.shutdown) protected_mode_ = !cpu.state.real_or_v86();
  judge_failed();
  if (opened_ == 0) return;
  if (armed() && protected_mode_) {
    if (cpu.state.has(flag::interrupt)) {
      look_at_opened(cpu);
    } else {
      table_changed_ = true;
    }
  }
  opened_ = 0;
}

void GateRules::interrupts_enabled(const Cpu& cpu, u64 /*instruction*/) {
  if (!table_changed_ || cpu.state.real_or_v86()) return;
  table_changed_ = false;
  lint(cpu);
}

void GateRules::lint(const Cpu& cpu) {
  const u32 size = u32{cpu.state.idtr.limit} + 1;
  if (size % gate_bytes(cpu) != 0) {
    Finding finding{.rule = "bad-idt", .severity = FindingSeverity::Warning, .address = table_loaded_by_};
    finding.sentence = fmt::format(
        "The IDT's limit is {:#x}, which is not a whole number of {}-byte entries less 1: the limit is the size of the "
        "table minus 1.",
        cpu.state.idtr.limit, gate_bytes(cpu));
    context_.findings.report(std::move(finding));
  }
  for (u8 line = 0; line < ControllerPicture::lines; ++line) {
    const auto vector = controllers_.vector_of(line);
    // Below 32 the vector itself is the mistake (unremapped-pic).
    if (!vector || *vector < first_free_vector || !controllers_.open(line) || told_.test(*vector)) continue;
    const GateView gate = view_gate(cpu, *vector);
    if (gate.problem == GateProblem::None && !gate.trap_gate) continue;
    told_.set(*vector);
    Finding finding{.rule = "bad-idt",
                    .severity = FindingSeverity::Warning,
                    .time = cpu.context.clock.now().value,
                    .instructions = cpu.state.instructions,
                    .address = table_loaded_by_,
                    .line = line,
                    .vector = *vector};
    if (gate.problem == GateProblem::None) {
      finding.severity = FindingSeverity::Note;
      finding.sentence = fmt::format(
          "IRQ {} comes as {} through a trap gate: its handler at {} starts with interrupts on, and can be interrupted "
          "at once.",
          line, vector_name(*vector), address_mark(gate.target));
      context_.findings.report(std::move(finding));
      continue;
    }
    finding.sentence = fmt::format("Interrupts are on and IRQ {} is unmasked, but the gate of its vector {:#04x} {}.",
                                   line, *vector, problem_clause(gate.problem));
    if (const u64 by = controllers_.opened_by(line); by != 0) {
      finding.evidence.push_back(fmt::format("It was unmasked at {}.", address_mark(by)));
    }
    if (linted_.size() < most_linted) linted_.push_back(std::move(finding));
  }
}

bool GateRules::is_default(const Cpu& cpu, u64 target) const {
  std::bitset<256> sent;
  for (u8 line = 0; line < ControllerPicture::lines; ++line) {
    if (const auto vector = controllers_.vector_of(line)) sent.set(*vector);
  }
  unsigned same = 0;
  for (unsigned vector = first_free_vector; vector < 256 && same < enough_to_be_default; ++vector) {
    if (sent.test(vector)) continue;
    const GateView other = view_gate(cpu, static_cast<u8>(vector));
    if (other.problem == GateProblem::PastLimit) break;
    if (other.problem == GateProblem::None && other.target == target) ++same;
  }
  return same >= enough_to_be_default;
}

void GateRules::look_at_opened(const Cpu& cpu) {
  for (u8 line = 0; line < ControllerPicture::lines; ++line) {
    const auto vector = controllers_.vector_of(line);
    if (!bit(opened_, line) || !vector || *vector < first_free_vector || told_.test(*vector)) continue;
    const GateView gate = view_gate(cpu, *vector);
    Early early{.line = line,
                .vector = *vector,
                .target = gate.target,
                .by = controllers_.opened_by(line),
                .time = cpu.context.clock.now().value};
    if (gate.problem != GateProblem::None) {
      report_early(early, fmt::format("At that moment its gate {}.", problem_clause(gate.problem)));
    } else if (!contains(ending_defaults_, gate.target) && is_default(cpu, gate.target)) {
      std::erase_if(early_, [&](const Early& old) { return old.vector == *vector; });
      if (early_.size() < most_early) early_.push_back(early);
    }
  }
}

void GateRules::follow_early(const Record& record) {
  if (early_.empty()) return;
  if (record.kind == RecordKind::Delivered && static_cast<DeliveryKind>(record.detail) == DeliveryKind::External) {
    const auto found = std::ranges::find(early_, record.vector, &Early::vector);
    if (found == early_.end()) return;
    if (record.address == found->target) {
      found->running = record.id;
      return;
    }
    const Early early = *found;
    early_.erase(found);
    if (contains(ending_defaults_, early.target)) return;
    report_early(early, fmt::format("At that moment its gate led to {}, as unused vectors do; its own handler, at {}, "
                                    "came later. No interrupt fell into the gap, this time.",
                                    address_mark(early.target), address_mark(record.address)));
    return;
  }
  if (record.kind != RecordKind::EndOfInterrupt && record.kind != RecordKind::Returned) return;
  const auto found =
      std::ranges::find_if(early_, [&](const Early& each) { return each.running != 0 && each.running == record.id; });
  if (found == early_.end()) return;
  const Early early = *found;
  const Life* life = context_.lives.find(record.id);
  const bool ends = record.kind == RecordKind::EndOfInterrupt ||
                    (life != nullptr && life->first(RecordKind::EndOfInterrupt) != nullptr);
  early_.erase(found);
  if (ends) {
    if (ending_defaults_.size() < most_defaults) ending_defaults_.push_back(early.target);
    return;
  }
  report_early(early, fmt::format("It then came to {}, the handler of unused vectors, which returned without an end of "
                                  "interrupt.",
                                  address_mark(early.target)));
}

void GateRules::report_early(const Early& early, std::string evidence) {
  told_.set(early.vector);
  Finding finding{.rule = "enabled-too-early",
                  .severity = FindingSeverity::Warning,
                  .time = early.time,
                  .address = early.by,
                  .line = early.line,
                  .vector = early.vector};
  finding.sentence =
      fmt::format("IRQ {} was unmasked at {}, with interrupts on, before vector {:#04x} had a handler of its own.",
                  early.line, address_mark(early.by), early.vector);
  finding.evidence.push_back(std::move(evidence));
  context_.findings.report(std::move(finding));
}

void GateRules::finish(const RunEnd& /*end*/) {
  judge_failed();
  report_first();
  for (Finding& finding : linted_) context_.findings.report(std::move(finding));
  linted_.clear();
}

}  // namespace vitrine
