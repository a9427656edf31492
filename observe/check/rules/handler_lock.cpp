#include "observe/check/rules/handler_lock.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/check/rules/contains.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u64 worth_a_look = 100'000;  // ns with IF=0 before code is decoded at all
constexpr u64 patience = 1'000'000;    // ns from the first look at a loop to the finding
constexpr u64 patience_with_others = 100'000'000;
constexpr unsigned enough_looks = 3;
constexpr std::size_t longest_loop = 32;  // SPIN_LEN counts 16; a call of a function that is not inlined adds some
constexpr std::size_t most_sights = 64;
constexpr u64 largest_handler_stack = 65536;

bool is_stack_operand(const ZydisDecodedOperand& operand) {
  return operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && operand.mem.segment == ZYDIS_REGISTER_SS;
}

}  // namespace

HandlerLockRule::HandlerLockRule(const RuleContext& context)
    : Rule(context), one_cpu_(!contains(context.header.sources, "cpu1")) {}

RuleMaker HandlerLockRule::maker() {
  return {.rules = {{.id = "handler-lock",
                     .title = "a handler waits for a lock that the interrupted code holds",
                     .fix = "Take a lock that handlers use with interrupts off everywhere (save IF, CLI, lock; unlock, "
                            "restore IF), or let the handler only note the work.",
                     .needs_live = true}},
          .make = [](const RuleContext& context) { return std::make_unique<HandlerLockRule>(context); },
          .per_cpu = true};
}

void HandlerLockRule::looked(const Cpu& cpu) {
  const CpuState& state = cpu.state;
  const u64 now = cpu.context.clock.now().value;
  const bool may_spin = one_cpu_ && !state.has(flag::interrupt) && !state.halted && cpu.cpl == 0 &&
                        !state.real_or_v86() && now - state.interrupts_off_since >= worth_a_look;
  if (!may_spin) {
    wait_.reset();
    return;
  }
  const u64 rip = cpu.linear_rip();
  if (!wait_ || !contains(wait_->addresses, rip)) {
    wait_.reset();
    // Decoding is dear, and a handler that talks to devices is looked at with each access.
    if (now < next_decoding_) return;
    next_decoding_ = now + worth_a_look;
    if (handler(cpu) == nullptr) return;
    wait_ = find_wait(cpu, rip, now);
    sights_.clear();
    looks_ = 0;
    told_ = false;
  }
  if (!wait_ || told_) return;
  const std::optional<Sight> sight = sight_of(cpu, *wait_, rip);
  if (!sight) {
    wait_.reset();
    return;
  }
  ++looks_;
  const bool again = contains(sights_, *sight);
  if (!again) {
    if (sights_.size() == most_sights) sights_.erase(sights_.begin());
    sights_.push_back(*sight);
    return;
  }
  // Another CPU may hold the lock, and will let it go.
  const bool alone = std::ranges::find(context_.header.sources, "cpu1") == context_.header.sources.end();
  if (looks_ < enough_looks || now - wait_->since < (alone ? patience : patience_with_others)) return;
  const LiveFrame* frame = handler(cpu);
  if (frame == nullptr) return;
  told_ = true;
  report(*wait_, sight->words.front(), *frame, now);
}

/// The handler of an interrupt that the CPU is in: interrupts are off since it began, or the stack is still its own.
const LiveFrame* HandlerLockRule::handler(const Cpu& cpu) const {
  const u64 stack = cpu.state.segments[ss].base + cpu.state.gpr[rsp];
  const std::span<const LiveFrame> frames = context_.lives.frames(context_.cpu());
  for (std::size_t i = frames.size(); i-- > 0;) {
    const LiveFrame& frame = frames[i];
    if (frame.kind != DeliveryKind::External && frame.kind != DeliveryKind::Nmi) continue;
    const bool on_its_stack = stack <= frame.frame && frame.frame - stack < largest_handler_stack;
    if (on_its_stack || cpu.state.interrupts_off_since >= frame.time) return &frame;
  }
  return nullptr;
}

std::optional<HandlerLockRule::Wait> HandlerLockRule::find_wait(const Cpu& cpu, u64 rip, u64 now) {
  const std::vector<GuestInstruction> loop = find_path(cpu, rip, rip, longest_loop);
  if (loop.empty() || !std::ranges::all_of(loop, only_computes)) return std::nullopt;
  u32 changing = 0;
  for (const GuestInstruction& each : loop) changing |= written_registers(each);
  Wait wait{.since = now};
  bool polled_by_exchange = false;
  for (const GuestInstruction& each : loop) {
    wait.addresses.push_back(each.address);
    for (const ZydisDecodedOperand& operand : each.all_operands()) {
      if (!in_memory(operand) || is_stack_operand(operand)) continue;
      const bool fixed = (address_registers(operand) & changing) == 0;
      if (!fixed && writes(operand)) return std::nullopt;
      if (!fixed) continue;
      const Word word{.linear = linear_address(cpu, each, operand), .size = operand.size / 8u};
      const bool exchanges = reads(operand) && writes(operand);
      if (!exchanges && writes(operand)) wait.written.push_back(word);
      const bool local = (address_registers(operand) & (1u << rsp | 1u << rbp)) != 0;
      if (!reads(operand) || local || (polled_by_exchange && !exchanges)) continue;
      if (wait.polled.size == 0 || exchanges) {
        wait.polled = word;
        wait.polling = each.address;
        polled_by_exchange = exchanges;
      }
    }
  }
  if (wait.polled.size == 0) return std::nullopt;
  return wait;
}

std::optional<HandlerLockRule::Sight> HandlerLockRule::sight_of(const Cpu& cpu, const Wait& wait, u64 rip) {
  Sight sight{.rip = rip, .flags = cpu.state.flags()};
  std::copy_n(cpu.state.gpr, 16, sight.registers);
  const auto add = [&](const Word& word) {
    const std::optional<u64> value = peek_word(cpu, word.linear, word.size);
    if (value) sight.words.push_back(*value);
    return value.has_value();
  };
  if (!add(wait.polled) || !std::ranges::all_of(wait.written, add)) return std::nullopt;
  return sight;
}

void HandlerLockRule::report(const Wait& wait, u64 value, const LiveFrame& frame, u64 now) {
  Finding finding{.rule = "handler-lock",
                  .severity = FindingSeverity::Error,
                  .address = wait.polling,
                  .vector = frame.vector,
                  .id = frame.id};
  finding.sentence = fmt::format(
      "The handler of {} waits, with interrupts off, for the word at {} to change, and nothing can change it any more: "
      "the code that was interrupted, at {}, goes on only when the handler returns.",
      vector_name(frame.vector), address_mark(wait.polled.linear), address_mark(frame.interrupted));
  finding.evidence.push_back(
      fmt::format("The loop at {} has read {:#x} there for {} at least, and its registers come "
                  "back to the same values.",
                  address_mark(wait.polling), value, duration_text(now - wait.since)));
  finding.evidence.push_back(
      fmt::format("The handler at {} began {} earlier.", address_mark(frame.address), duration_text(now - frame.time)));
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
