#include "observe/check/rules/stack_on_two_cpus.hpp"

#include <fmt/format.h>

#include "machine/cpu/page_rights.hpp"
#include "observe/check/rules/rule_words.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
u64 distance(u64 one, u64 other) { return one > other ? one - other : other - one; }

/// What a program will run on, as a kernel loads it on its way back: two threads may share it, which is theirs to know.
/// An empty stack ends below its pointer. Where the kernel itself lies in pages that programs may use, they tell
/// nothing.
bool is_programs_stack(const Cpu& cpu, u64 instruction, u64 pointer) {
  if (page_owner(cpu, instruction) == PageOwner::User) return false;
  return page_owner(cpu, pointer) != PageOwner::Supervisor && page_owner(cpu, pointer - 1) != PageOwner::Supervisor;
}
}  // namespace

RuleMaker StackOnTwoCpus::maker() {
  return {
      .rules = {{.id = "stack-on-two-cpus",
                 .title = "a thread goes on on another CPU before the first one has left its stack",
                 .fix = "Mark the thread as runnable elsewhere only behind the switch, on the next thread's stack, or "
                        "let the other CPU wait until the first one has left it.",
                 .needs_live = true}},
      .make = [](const RuleContext& context) { return std::make_unique<StackOnTwoCpus>(context); }};
}

void StackOnTwoCpus::consume(const Record& record) {
  residents_.erase(record.cpu);
  std::erase_if(suspicions_, [&](const Suspicion& each) { return each.owner == record.cpu; });
}

void StackOnTwoCpus::stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) {
  if (cpu.cpl != 0 || cpu.state.real_or_v86()) return;
  const u8 number = context_.cpu();
  const u64 now = cpu.context.clock.now().value;
  // This CPU leaves a stack only now that another one has loaded meanwhile.
  std::erase_if(suspicions_, [&](const Suspicion& each) {
    if (each.owner != number) return false;
    if (distance(each.stack, from) > same_place) return true;
    Finding finding{.rule = "stack-on-two-cpus",
                    .severity = FindingSeverity::Error,
                    .time = each.time,
                    .instructions = each.instructions,
                    .cpu = each.taker,
                    .address = each.instruction};
    finding.sentence = fmt::format(
        "CPU {} went on with the stack at {:#x} at {} while CPU {} was still on it; that one left it {} later, at {}: "
        "both "
        "have written to it",
        each.taker, each.stack, address_mark(each.instruction), each.owner, duration_text(now - each.time),
        address_mark(instruction));
    context_.findings.report(std::move(finding));
    return true;
  });
  if (is_programs_stack(cpu, instruction, to)) {
    residents_.erase(number);
    return;
  }
  for (const auto& [other, resident] : residents_) {
    if (other == number || resident.stack == 0 || distance(resident.stack, to) > same_stack) continue;
    // User halves differ; kernels map their stacks alike in all.
    const bool kernel_half = (to >> 63) != 0;
    if (!kernel_half && resident.cr3 != cpu.state.cr3) continue;
    if (suspicions_.size() == most_suspected) suspicions_.erase(suspicions_.begin());
    suspicions_.push_back({.owner = other,
                           .taker = number,
                           .stack = to,
                           .instruction = instruction,
                           .time = now,
                           .instructions = cpu.state.instructions});
  }
  residents_[number] = {.stack = to, .cr3 = cpu.state.cr3};
}

}  // namespace vitrine
