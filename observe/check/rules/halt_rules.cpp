#include "observe/check/rules/halt_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "observe/apic_fields.hpp"
#include "observe/check/rules/contains.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr std::size_t most_watched = 32;
constexpr std::size_t most_halts = 64;
constexpr std::size_t most_running = 32;
constexpr u64 longest_gap = 64;  // instructions from the handler's return to the HLT
constexpr u8 cli_opcode = 0xFA;
constexpr u64 largest_handler_stack = 65536;
constexpr u64 stack_to_search = 2048;  // bytes, for return addresses
constexpr u64 nearest_frame = 1024;    // bytes that an entry has on the stack before it leaves for another one
constexpr u64 largest_function = 512;  // bytes from a CLI to a call behind it
constexpr u64 near_behind_cli = 32;    // bytes: "cli; hlt", with a little between

bool in_kernel(const Cpu& cpu) { return cpu.cpl == 0 && !cpu.state.real_or_v86(); }

bool is_cli(const Cpu& cpu, u64 address) {
  return address != 0 && peek_word(cpu, address, 1) == std::optional<u64>(cli_opcode);
}

}  // namespace

RuleMaker HaltRules::maker() {
  return {.rules = {{.id = "lost-wakeup-before-hlt",
                     .title = "an interrupt between the test and the HLT is slept through",
                     .fix = "Test with interrupts off and let STI stand right before HLT: CLI, test, STI, HLT. No "
                            "interrupt is taken between STI and the instruction behind it.",
                     .needs_live = true},
                    {.id = "dead-halt",
                     .title = "HLT with interrupts off: nothing can end it",
                     .fix = "Put STI right before the HLT of an idle loop or a wait; look for the path that left "
                            "interrupts off.",
                     .needs_live = true}},
          .make = [](const RuleContext& context) { return std::make_unique<HaltRules>(context); },
          .per_cpu = true};
}

void HaltRules::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  const u64 now = cpu.context.clock.now().value;
  if (lost_ && delivery.kind != DeliveryKind::Software) tell_lost(now);
  if (watched_.empty() || (delivery.kind != DeliveryKind::External && delivery.kind != DeliveryKind::Nmi)) return;
  if (running_.size() == most_running) running_.erase(running_.begin());
  Running handler{.request = delivery.request,
                  .frame = delivery.frame,
                  .vector = delivery.vector,
                  .handler = cpu.linear_rip(),
                  .interrupted = delivery.instruction,
                  .time = now};
  for (const Watched& each : watched_) {
    handler.values.push_back(peek_word(cpu, each.word.linear, each.word.size).value_or(0));
  }
  running_.push_back(std::move(handler));
}

void HaltRules::returned(const Cpu& cpu, const ProbedReturn& iret) {
  if (iret.request == 0 || running_.empty()) return;
  const auto found = std::ranges::find_if(running_, [&](const Running& each) { return each.request == iret.request; });
  if (found == running_.end()) return;
  const Running handler = std::move(*found);
  running_.erase(found);
  note_changes(cpu, handler);
}

void HaltRules::note_changes(const Cpu& cpu, const Running& handler) {
  const std::size_t known = std::min(handler.values.size(), watched_.size());
  for (std::size_t i = 0; i < known; ++i) {
    Watched& each = watched_[i];
    const auto value = peek_word(cpu, each.word.linear, each.word.size);
    if (!value || *value == handler.values[i]) continue;
    const bool counts = *value == handler.values[i] + 1 && (each.changes == 0 || handler.values[i] == each.last_value);
    each.only_counts = each.only_counts && counts;
    ++each.changes;
    each.last_value = *value;
    each.changed_by = handler.vector;
    each.changed_in = handler.handler;
    const bool same_place = cpu.linear_rip() == handler.interrupted;  // else the frame was edited: the kernel knows
    if (same_place && contains(each.word.gap, handler.interrupted)) {
      missed_ = Missed{.watched = i,
                       .by = handler,
                       .instructions = cpu.state.instructions,
                       .old_value = handler.values[i],
                       .new_value = *value};
    }
  }
}

void HaltRules::halted(const Cpu& cpu, u64 instruction, CpuProbe::HaltShadow shadow) {
  if (!in_kernel(cpu)) return;
  if (!cpu.state.has(flag::interrupt)) {
    judge_dead(cpu, instruction);
  } else if (shadow == CpuProbe::HaltShadow::None) {
    judge_gap(cpu, instruction);
  }
  missed_.reset();
}

void HaltRules::watch(const Cpu& cpu, u64 halt) {
  if (contains(halts_, halt) || halts_.size() == most_halts) return;
  halts_.push_back(halt);
  for (IdleWord& word : idle_loop_around(cpu, halt).words) {
    if (watched_.size() == most_watched) return;
    watched_.push_back({.halt = halt, .word = std::move(word)});
  }
}

void HaltRules::judge_gap(const Cpu& cpu, u64 halt) {
  watch(cpu, halt);
  if (missed_ && watched_[missed_->watched].halt == halt &&
      cpu.state.instructions - missed_->instructions <= longest_gap) {
    Watched& watched = watched_[missed_->watched];
    watched.told = true;
    Finding finding{.rule = "lost-wakeup-before-hlt",
                    .severity = FindingSeverity::Error,
                    .time = cpu.context.clock.now().value,
                    .instructions = cpu.state.instructions,
                    .address = halt,
                    .vector = missed_->by.vector,
                    .id = missed_->by.request};
    finding.sentence = fmt::format(
        "The CPU went to sleep at {} although the interrupt that it waits for had just come: the word at {} was read "
        "at {}, then the handler of {} changed it from {:#x} to {:#x}, and HLT came without another look.",
        address_mark(halt), address_mark(watched.word.linear), address_mark(watched.word.read_at),
        vector_name(missed_->by.vector), missed_->old_value, missed_->new_value);
    finding.evidence.push_back(fmt::format("It was taken {} before the HLT, at {}, with interrupts on.",
                                           duration_text(finding.time - missed_->by.time),
                                           address_mark(missed_->by.interrupted)));
    lost_ = std::move(finding);
    return;
  }
  for (Watched& each : watched_) {
    if (each.halt != halt || each.told || each.changes == 0) continue;
    if (each.word.ordered && each.only_counts) continue;  // a tick count: the next tick is never far
    each.told = true;
    Finding finding{.rule = "lost-wakeup-before-hlt",
                    .severity = FindingSeverity::Warning,
                    .address = halt,
                    .vector = each.changed_by};
    finding.sentence = fmt::format(
        "An interrupt that comes between the test of the word at {}, read at {}, and the HLT at {} is slept through: "
        "interrupts are on all the way.",
        address_mark(each.word.linear), address_mark(each.word.read_at), address_mark(halt));
    finding.evidence.push_back(
        fmt::format("The handler of {}, at {}, changes that word. It has not come in this gap so "
                    "far.",
                    vector_name(each.changed_by), address_mark(each.changed_in)));
    context_.findings.report(std::move(finding));
  }
}

void HaltRules::tell_lost(u64 woken) {
  lost_->evidence.push_back(fmt::format("The next interrupt woke it {} later.", duration_text(woken - lost_->time)));
  context_.findings.report(*std::exchange(lost_, std::nullopt));
}

void HaltRules::finish(const RunEnd& end) {
  if (!lost_) return;
  lost_->evidence.push_back(
      fmt::format("Nothing had woken it when the run ended, {} later.", duration_text(end.time - lost_->time)));
  context_.findings.report(*std::exchange(lost_, std::nullopt));
}

/// Is the CLI in a function that is being executed: in the one that halts, or in one of its callers, before the call?
/// Then somebody meant it: a panic, or a kernel's last words.
bool HaltRules::belongs_to_callers(const Cpu& cpu, u64 cli, u64 halt) const {
  std::vector<u64> places = {halt};
  const unsigned slot = cpu.mode.is64() ? 8 : 4;
  const u64 top = cpu.state.segments[ss].base + cpu.state.gpr[rsp];
  for (u64 offset = 0; offset < stack_to_search; offset += slot) {
    const auto value = peek_word(cpu, top + offset, slot);
    if (!value) break;
    if (*value > cli && *value - cli < largest_function) places.push_back(*value);
  }
  for (const u64 place : places) {
    if (place <= cli || place - cli >= largest_function) continue;
    u64 at = cli;
    while (at < place) {
      const auto instruction = GuestCode(cpu, cpu.mode.code_size()).decode(at);
      if (!instruction || instruction->decoded.meta.category == ZYDIS_CATEGORY_RET) break;
      at = instruction->next();
    }
    if (at == place) return true;
  }
  return false;
}

bool HaltRules::stack_leads_to(const Cpu& cpu, u64 frame) {
  const unsigned slot = cpu.mode.is64() ? 8 : 4;
  const u64 top = cpu.state.segments[ss].base + cpu.state.gpr[rsp];
  for (u64 offset = 0; offset < stack_to_search; offset += slot) {
    const auto value = peek_word(cpu, top + offset, slot);
    if (!value) return false;
    if (*value <= frame && frame - *value < nearest_frame) return true;
  }
  return false;
}

void HaltRules::judge_dead(const Cpu& cpu, u64 halt) {
  const CpuState& state = cpu.state;
  const u64 cause = state.interrupts_off_address;
  const IdleLoop loop = idle_loop_around(cpu, halt);
  const bool by_cli = is_cli(cpu, cause);
  const bool own_cli =
      loop.clears_interrupts || is_cli(cpu, halt - 1) || (by_cli && cause < halt && halt - cause <= near_behind_cli);

  const LiveFrame* gate = nullptr;  // the entry that cleared IF
  for (const LiveFrame& each : context_.lives.frames(context_.cpu())) {
    if (each.time == state.interrupts_off_since && each.address == cause) gate = &each;
  }
  const u64 stack = state.segments[ss].base + state.gpr[rsp];
  const bool in_gate_handler = gate != nullptr && stack <= gate->frame && gate->frame - stack < largest_handler_stack;
  const bool by_exception = gate != nullptr && gate->kind != DeliveryKind::External && gate->kind != DeliveryKind::Nmi;
  // Another CPU has told it to stop. The handler may run on a stack of its own, whose end leads back to the frame.
  const Life* life = gate != nullptr && gate->id != 0 ? context_.lives.find(gate->id) : nullptr;
  const bool told_to = life != nullptr && life->first(RecordKind::MessageSent) != nullptr &&
                       life->first(RecordKind::MessageSent)->pin == interprocessor_pin &&
                       stack_leads_to(cpu, gate->frame);
  const bool meant =
      cause == 0 || by_exception || told_to || in_gate_handler || (by_cli && belongs_to_callers(cpu, cause, halt));
  const bool last_words = own_cli || by_exception || (loop.endless && meant);

  Finding finding{.rule = "dead-halt",
                  .severity = last_words ? FindingSeverity::Note : FindingSeverity::Error,
                  .address = halt,
                  .id = gate != nullptr ? gate->id : 0};
  const std::string ago = duration_text(cpu.context.clock.now().value - state.interrupts_off_since);
  std::string who;
  if (cause == 0) {
    who = "interrupts have been off since the guest began";
  } else if (gate != nullptr) {
    who = fmt::format("interrupts are off since {} was delivered to {}, {} ago, and this code inherited that",
                      vector_name(gate->vector), address_mark(gate->address), ago);
  } else {
    who = fmt::format("interrupts are off since {}, {} ago", address_mark(cause), ago);
  }
  finding.sentence = fmt::format("HLT at {} can never end: {}.", address_mark(halt), who);
  if (last_words) {
    finding.evidence.emplace_back("It looks meant: the last stop of a panic or of a CPU that is parked.");
  } else if (!loop.endless) {
    finding.evidence.emplace_back("The code behind the HLT shows that it expects to go on.");
  } else {
    finding.evidence.push_back(
        fmt::format("No CLI belongs to this loop; {} is where it was turned off, and nothing "
                    "turned it on again.",
                    address_mark(cause)));
  }
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
