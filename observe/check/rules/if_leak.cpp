#include "observe/check/rules/if_leak.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u64 restoring = 64;     // instructions in which the switch may still put IF right
constexpr u64 same_stack = 2048;  // bytes: a function's epilogue, not another thread
constexpr std::size_t most_left = 256;

u64 distance(u64 one, u64 other) { return one > other ? one - other : other - one; }
}  // namespace

RuleMaker IfLeakRule::maker() {
  return {.rules = {{.id = "if-leak",
                     .title = "IF is not what it was when the thread gave up the CPU",
                     .fix = "Save EFLAGS with the thread's registers and restore them (PUSHF, CLI ... POPF), or switch "
                            "with interrupts off everywhere and restore IF behind the switch.",
                     .needs_live = true}},
          .make = [](const RuleContext& context) { return std::make_unique<IfLeakRule>(context); },
          .per_cpu = true};
}

void IfLeakRule::stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) {
  judge(cpu);
  if (cpu.cpl != 0 || cpu.state.real_or_v86() || distance(from, to) < same_stack) return;
  resumed_.reset();
  const bool enabled = cpu.state.has(flag::interrupt);
  const u64 now = cpu.context.clock.now().value;
  if (const auto found = std::ranges::find(left_, to, &Left::stack); found != left_.end()) {
    if (found->enabled != enabled) {
      resumed_ =
          Resumed{.left = *found, .instruction = instruction, .instructions = cpu.state.instructions, .time = now};
    }
    left_.erase(found);
  }
  // The stack that is left now: what was known of places near to it is over.
  std::erase_if(left_, [&](const Left& each) { return distance(each.stack, from) < same_stack; });
  if (left_.size() == most_left) left_.erase(left_.begin());
  left_.push_back({.stack = from, .instruction = instruction, .time = now, .enabled = enabled});
}

void IfLeakRule::judge(const Cpu& cpu) {
  if (!resumed_ || cpu.state.instructions - resumed_->instructions <= restoring) return;
  const Resumed resumed = *std::exchange(resumed_, std::nullopt);
  // From 0 to 1 is told of by interrupts_enabled(); from 1 to 0 the CPU remembers.
  if (resumed.left.enabled) {
    if (cpu.state.has(flag::interrupt)) return;
  } else {
    const u64 off_since = cpu.state.interrupts_off_since;
    if (off_since >= resumed.time && off_since - resumed.time <= restoring) return;
  }
  Finding finding{.rule = "if-leak", .severity = FindingSeverity::Warning, .address = resumed.instruction};
  finding.sentence = fmt::format(
      "A thread that gave up the CPU with interrupts {} goes on with interrupts {}: the switch at {} takes IF from the "
      "thread before.",
      resumed.left.enabled ? "on" : "off", resumed.left.enabled ? "off" : "on", address_mark(resumed.instruction));
  finding.evidence.push_back(
      fmt::format("It had left its stack at {}, {} earlier; more than {} instructions after it "
                  "came back, IF is still not what it was.",
                  address_mark(resumed.left.instruction), duration_text(resumed.time - resumed.left.time), restoring));
  if (resumed.left.enabled) {
    finding.evidence.push_back(
        fmt::format("Interrupts were turned off at {}.", address_mark(cpu.state.interrupts_off_address)));
  }
  context_.findings.report(std::move(finding));
}

void IfLeakRule::interrupts_enabled(const Cpu& cpu, u64 /*instruction*/) {
  if (!resumed_ || !resumed_->left.enabled) return;
  if (cpu.state.instructions - resumed_->instructions <= restoring) {
    resumed_.reset();
    return;
  }
  judge(cpu);
}

// A frame brings its own IF with it: whatever the switch did is undone by an IRET right behind it.
void IfLeakRule::returned(const Cpu& cpu, const ProbedReturn& /*iret*/) {
  judge(cpu);
  resumed_.reset();
}
void IfLeakRule::left_kernel(const Cpu& cpu, u64 /*instruction*/) {
  judge(cpu);
  resumed_.reset();
}

void IfLeakRule::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  if (!resumed_) return;
  // The gate has cleared IF already: what counts is the interrupted code's.
  const bool enabled = (delivery.before.flags & flag::interrupt) != 0;
  if (enabled == resumed_->left.enabled) resumed_.reset();
  judge(cpu);
}

void IfLeakRule::looked(const Cpu& cpu) { judge(cpu); }

}  // namespace vitrine
