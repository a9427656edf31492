#include "observe/check/rules/stack_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "observe/names.hpp"

namespace vitrine {

void StackRules::consume(const Record& record) {
  if (record.kind == RecordKind::DeliveryFailed) {
    failed_ = record;
    return;
  }
  const auto check = static_cast<FailedCheck>(failed_.detail);
  const bool was_delivering = failed_.kind == RecordKind::DeliveryFailed && failed_.privilege == 3;
  const Record failed = failed_;
  failed_ = {};
  // Only #SS and #TS, or a page fault at a push, are about the stack that the TSS names.
  const bool stack = check == FailedCheck::StackNotMapped || check == FailedCheck::TssBad ||
                     (record.vector == vector::stack_fault && check == FailedCheck::NonCanonical) ||
                     (record.vector == vector::invalid_tss && check == FailedCheck::StackSelector);
  if (!was_delivering || !stack) return;
  Finding finding{.rule = "stale-tss-stack",
                  .severity = FindingSeverity::Error,
                  .address = failed.address,
                  .vector = failed.vector,
                  .id = failed.id};
  finding.sentence = fmt::format("{} can't be delivered from privilege 3 at {}: {}", vector_name(failed.vector),
                                 address_mark(failed.address),
                                 check == FailedCheck::TssBad ? "TR holds no task state segment with a stack for it"
                                                              : "the stack that the TSS names can't be used");
  if (check == FailedCheck::StackNotMapped)
    finding.evidence.push_back(fmt::format("The push goes to {:#x}, which faults.", record.other));
  finding.evidence.emplace_back(
      "The CPU takes the stack for privilege 0 from the TSS that TR names (SDM vol. 3A, 6.12.1, 6.14.2).");
  context_.findings.report(std::move(finding));
}

StackRules::Frame* StackRules::newest_at(u64 address) {
  for (auto at = frames_.rbegin(); at != frames_.rend(); ++at) {
    if (at->delivery.frame == address) return &*at;
  }
  return nullptr;
}

const StackRules::Frame* StackRules::base_of(u64 pointer) const {
  const Frame* found = nullptr;
  for (const Frame& frame : frames_) {
    const bool above = frame.delivery.frame >= pointer && frame.delivery.frame - pointer < deepest_stack;
    if (above && (found == nullptr || frame.delivery.frame <= found->delivery.frame)) found = &frame;
  }
  return found;
}

void StackRules::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  if (!within_kernel_phase(cpu, delivery)) return;
  Frame fresh{.delivery = delivery, .handler = cpu.linear_rip(), .order = ++order_, .switches = switches_};
  if (!peek_words(cpu, delivery.frame, delivery.slot_size, delivery.slots, fresh.pushed)) return;
  fresh.depth = asynchronous(delivery.kind) ? 1 : 0;
  // What this handler lies on: the frame that the interrupted stack hangs from. Behind a switch of stacks it may be
  // that of another thread, whose stack lies next to this one.
  if (delivery.before.privilege == 0) {
    const Frame* below = base_of(delivery.before.rsp);
    if (below != nullptr && below->switches == switches_) fresh.depth += below->depth;
  }
  overwrite(fresh);
  if (frames_.size() == most_frames) frames_.erase(frames_.begin());
  frames_.push_back(fresh);
  check_depth(fresh);
}

void StackRules::overwrite(const Frame& fresh) {
  const ProbedDelivery& delivery = fresh.delivery;
  const auto meets = [&](u64 low, u64 high) { return fresh.low() < high && low < fresh.high(); };
  for (Frame& frame : frames_) {
    if (!meets(frame.low(), frame.high())) continue;
    frame.over_it = fresh.order;
    frame.words_over_it = fresh.pushed;
    frame.ist_over_it = delivery.ist;
    frame.vector_over_it = delivery.vector;
    frame.instruction_over_it = delivery.instruction;
  }
  const bool by_tss = delivery.stack_switched && delivery.ist == 0;
  if (delivery.ist != 0) return;
  for (Waiting& waiting : waiting_) {
    if (!meets(waiting.low, waiting.high) || waiting.request != 0) continue;
    waiting.request = delivery.request;
    waiting.frame = delivery.frame;
    waiting.interrupted = delivery.instruction;
    waiting.vector = delivery.vector;
    waiting.by_tss = by_tss;
  }
}

void StackRules::check_depth(const Frame& fresh) {
  if (!asynchronous(fresh.delivery.kind) || fresh.depth <= nest_max) return;
  Finding finding{.rule = "stack-collision",
                  .severity = FindingSeverity::Warning,
                  .address = fresh.handler,
                  .vector = fresh.delivery.vector,
                  .id = fresh.delivery.request};
  finding.sentence = fmt::format(
      "handlers are nested more than {} deep on one stack: {} comes at {}, before the ones "
      "under it have returned",
      nest_max, vector_name(fresh.delivery.vector), address_mark(fresh.delivery.instruction));
  finding.evidence = {fmt::format("The stack pointer was {:#x}. A device that is fast enough uses up the stack.",
                                  fresh.delivery.before.rsp)};
  context_.findings.report(std::move(finding));
}

void StackRules::returning(const Cpu& cpu, const ProbedReturn& iret) {
  leaving_ = 0;
  if (cpu.state.real_or_v86()) return;
  Frame* frame = newest_at(iret.frame);
  FrameWords popped;
  if (frame == nullptr) {
    // The kernel has copied the frame: it leaves the one with these words.
    for (auto at = frames_.rbegin(); at != frames_.rend() && leaving_ == 0; ++at) {
      if (at->delivery.slot_size == iret.operand_size &&
          peek_words(cpu, iret.frame, iret.operand_size, at->pushed.count, popped) && popped == at->pushed)
        leaving_ = at->order;
    }
    return;
  }
  leaving_ = frame->order;
  if (frame->over_it == 0 || frame->delivery.slot_size != iret.operand_size ||
      !peek_words(cpu, iret.frame, iret.operand_size, frame->pushed.count, popped))
    return;
  // The newer frame has been left already, and its words are popped a second time. What comes from another ring on a
  // stale stack is seen at the switch.
  const bool same_ring = frame->ist_over_it != 0 || !frame->delivery.stack_switched;
  if (same_ring && popped != frame->pushed && popped.same_context(frame->words_over_it)) report_collision(*frame, iret);
}

void StackRules::returned(const Cpu& cpu, const ProbedReturn& iret) {
  if (leaving_ != 0) leave(leaving_);
  leaving_ = 0;
  // In 64-bit mode IRET loads the stack pointer of kernel code too.
  if (cpu.cpl == 0 && !waiting_.empty()) resumed(iret.instruction, cpu.state.gpr[rsp]);
}

void StackRules::leave(u64 order) {
  std::erase_if(frames_, [order](const Frame& frame) { return frame.order == order; });
  std::erase_if(waiting_, [order](const Waiting& waiting) { return waiting.base_order == order; });
}

void StackRules::stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) {
  ++switches_;
  if (cpu.state.real_or_v86() || cpu.cpl != 0) return;
  if (!waiting_.empty()) resumed(instruction, to);
  const Frame* base = base_of(from);
  if (base == nullptr || base == base_of(to)) return;  // not in a handler, or still in the same one
  std::erase_if(waiting_, [&](const Waiting& each) { return each.base_order == base->order; });
  if (waiting_.size() == most_waiting) waiting_.erase(waiting_.begin());
  waiting_.push_back({.low = from, .high = base->high(), .switched_at = instruction, .base_order = base->order});
}

void StackRules::resumed(u64 instruction, u64 to) {
  const auto found =
      std::ranges::find_if(waiting_, [to](const Waiting& each) { return to >= each.low && to <= each.high; });
  if (found == waiting_.end()) return;
  const Waiting waiting = *found;
  waiting_.erase(found);
  // At its upper end the stack begins anew: nothing of it is used.
  if (waiting.request != 0 && to < waiting.high) report_waiting(waiting, instruction);
}

void StackRules::report_waiting(const Waiting& waiting, u64 instruction) {
  Finding finding{.rule = waiting.by_tss ? "stale-tss-stack" : "stack-collision",
                  .severity = FindingSeverity::Error,
                  .address = waiting.switched_at,
                  .vector = waiting.vector,
                  .id = waiting.request};
  const std::string vector = vector_name(waiting.vector);
  if (waiting.by_tss) {
    finding.sentence = fmt::format(
        "the switch at {} leaves the old stack in the TSS: {} has been pushed over what waits there, and {} goes on "
        "with that stack",
        address_mark(waiting.switched_at), vector, address_mark(instruction));
    finding.evidence.push_back(
        fmt::format("{} came from privilege 3 at {}; the CPU took the stack pointer from the TSS "
                    "and pushed the frame at {:#x}.",
                    vector, address_mark(waiting.interrupted), waiting.frame));
  } else {
    finding.sentence = fmt::format(
        "a stack has grown into another: {} has been pushed over the stack that was left at "
        "{}, and {} goes on with that stack",
        vector, address_mark(waiting.switched_at), address_mark(instruction));
    finding.evidence.push_back(fmt::format("{} came at {} and pushed its frame at {:#x}.", vector,
                                           address_mark(waiting.interrupted), waiting.frame));
  }
  finding.evidence.push_back(
      fmt::format("In use by the context that waited: {:#x} to {:#x}.", waiting.low, waiting.high - 1));
  context_.findings.report(std::move(finding));
  // What it did to the frame is said by this.
  std::erase_if(frames_, [&](const Frame& frame) { return frame.order == waiting.base_order; });
}

void StackRules::report_collision(const Frame& frame, const ProbedReturn& iret) {
  const std::string vector = vector_name(frame.delivery.vector);
  const std::string over = vector_name(frame.vector_over_it);
  Finding finding{.rule = "stack-collision",
                  .severity = FindingSeverity::Error,
                  .address = iret.instruction,
                  .vector = frame.delivery.vector,
                  .id = frame.delivery.request};
  finding.sentence = fmt::format(
      "{} was pushed over the frame of {}{}: the IRET at {} returns to {} and not to {}", over, vector,
      frame.ist_over_it == 0 ? "" : fmt::format(", both on stack {} of the IST", frame.ist_over_it),
      address_mark(iret.instruction), address_mark(frame.words_over_it.ip()), address_mark(frame.delivery.instruction));
  finding.evidence = {fmt::format("{} runs in {} from the frame at {:#x}; {} came inside it at {}.", vector,
                                  address_mark(frame.handler), frame.delivery.frame, over,
                                  address_mark(frame.instruction_over_it))};
  if (frame.ist_over_it != 0) {
    finding.evidence.emplace_back(
        "A stack of the IST begins at the same place each time: what comes while it is in use overwrites it (SDM vol. "
        "3A, 6.14.5).");
  }
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
