#include "observe/check/rules/stale_selector.hpp"

#include <fmt/format.h>

#include "observe/names.hpp"

namespace vitrine {

namespace {

/// A descriptor's bits (SDM vol. 3A §3.4.5).
struct RawDescriptor {
  u64 raw = 0;
  [[nodiscard]] bool present() const { return (raw >> 47 & 1) != 0; }
  [[nodiscard]] u8 privilege() const { return raw >> 45 & 3; }
  [[nodiscard]] bool code() const { return (raw >> 43 & 3) == 3; }  // S and the code bit
  [[nodiscard]] bool writable_data() const { return (raw >> 43 & 3) == 2 && (raw >> 41 & 1) != 0; }
  [[nodiscard]] bool conforming() const { return (raw >> 42 & 1) != 0; }
  [[nodiscard]] bool long_mode() const { return (raw >> 53 & 3) == 1; }  // L without D
};

/// Would IRET load it? Only the GDT is looked at.
FailedCheck check_selector(const Cpu& cpu, u16 selector, bool as_code, u8 privilege) {
  const CpuState& state = cpu.state;
  if ((selector & ~3u) == 0) {
    const bool may_be_null = !as_code && state.long_mode() && privilege != 3;
    return may_be_null ? FailedCheck::None : FailedCheck::SelectorNull;
  }
  if ((selector & 4) != 0) return FailedCheck::None;
  const u32 offset = selector & 0xFFF8u;
  if (offset + 7 > state.gdtr.limit) return FailedCheck::SelectorPastLimit;
  FrameWords word;
  if (!peek_words(cpu, state.gdtr.base + offset, 8, 1, word)) return FailedCheck::None;
  const RawDescriptor descriptor{word.word[0]};
  if (as_code) {
    if (!descriptor.code()) return FailedCheck::NotCode;
    const bool fits =
        descriptor.conforming() ? descriptor.privilege() <= privilege : descriptor.privilege() == privilege;
    if (!fits) return FailedCheck::BadPrivilege;
    // Code at privilege 0 of a 64-bit kernel is 64-bit code.
    if (state.long_mode() && privilege == 0 && !descriptor.long_mode()) return FailedCheck::BadLongMode;
  } else {
    if (!descriptor.writable_data()) return FailedCheck::StackSelector;
    if (descriptor.privilege() != privilege) return FailedCheck::BadPrivilege;
  }
  return descriptor.present() ? FailedCheck::None : FailedCheck::SegmentNotPresent;
}

std::string reason(FailedCheck check, bool code) {
  switch (check) {
    case FailedCheck::SelectorPastLimit:
      return "the new GDT ends before it";
    case FailedCheck::NotCode:
      return "the new GDT has no code segment there";
    case FailedCheck::BadLongMode:
      return "the code segment there is not a 64-bit one";
    case FailedCheck::StackSelector:
      return "the new GDT has no stack segment there";
    default:
      return fmt::format("in the new GDT {}", code ? "the code segment there does not fit: " : "it does not fit: ") +
             std::string(check_clause(check));
  }
}

bool names_selector(u8 fault) {
  return fault == vector::general_protection || fault == vector::segment_not_present || fault == vector::stack_fault;
}

}  // namespace

void StaleSelector::table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) {
  if (table != ProbedTable::Gdt || cpu.state.real_or_v86()) return;
  lgdt_ = instruction;
}

StaleSelector::Stale StaleSelector::find_stale(const Cpu& cpu, const ProbedDelivery& delivery) {
  const InterruptedContext& before = delivery.before;
  const FailedCheck code = check_selector(cpu, before.cs, true, before.privilege);
  if (code != FailedCheck::None) return {.check = code, .selector = before.cs, .code = true};
  if (delivery.slots < 5) return {};
  const FailedCheck stack = check_selector(cpu, before.ss, false, before.privilege);
  return stack == FailedCheck::None ? Stale{} : Stale{.check = stack, .selector = before.ss, .code = false};
}

void StaleSelector::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  if (!within_kernel_phase(cpu, delivery)) return;
  if (delivery.kind == DeliveryKind::Fault) judge_fault(cpu, delivery);
  leaving_ = {};
  Frame& frame = frames_.push(cpu, delivery);
  if (lgdt_ != 0) frame.kept = find_stale(cpu, delivery);
}

void StaleSelector::returning(const Cpu& cpu, const ProbedReturn& iret) {
  leaving_ = {};
  const Frame* frame = cpu.state.real_or_v86() ? nullptr : frames_.match(cpu, iret);
  if (frame == nullptr) return;
  FrameWords words;
  const bool known = frame->words_known && iret.operand_size == frame->delivery.slot_size &&
                     peek_words(cpu, iret.frame, iret.operand_size, frame->pushed.count, words);
  leaving_ = {.frame = frame->delivery.frame,
              .instruction = iret.instruction,
              .unedited = known && words.same_context(frame->pushed)};
}

void StaleSelector::judge_fault(const Cpu& cpu, const ProbedDelivery& fault) {
  if (leaving_.frame == 0 || !leaving_.unedited || fault.instruction != leaving_.instruction || !fault.has_error_code ||
      !names_selector(fault.vector))
    return;
  const Frame* frame = frames_.find(leaving_.frame);
  if (frame == nullptr) return;
  const Stale stale = find_stale(cpu, frame->delivery);
  if (stale.check == FailedCheck::None || (fault.error_code & 0xFFFCu) != (stale.selector & 0xFFFCu)) return;
  report(FindingSeverity::Error, *frame, stale, leaving_.instruction);
  frames_.leave(*frame);
}

void StaleSelector::returned(const Cpu&, const ProbedReturn& iret) {
  const Frame* frame = leaving_.frame == 0 ? nullptr : frames_.find(leaving_.frame);
  if (frame == nullptr) return;
  if (frame->kept.check != FailedCheck::None) report(FindingSeverity::Warning, *frame, frame->kept, iret.instruction);
  frames_.leave(*frame);
  leaving_ = {};
}

void StaleSelector::finish(const RunEnd&) {
  frames_.for_each([&](const Frame& frame) {
    if (frame.kept.check != FailedCheck::None) report(FindingSeverity::Warning, frame, frame.kept, 0);
  });
}

void StaleSelector::report(FindingSeverity severity, const Frame& frame, const Stale& stale, u64 iret) {
  const ProbedDelivery& delivery = frame.delivery;
  Finding finding{.rule = "stale-selector",
                  .severity = severity,
                  .address = lgdt_ != 0 ? lgdt_ : iret,
                  .vector = delivery.vector,
                  .id = delivery.request};
  const std::string subject = fmt::format("{} {:#06x}", stale.code ? "CS" : "SS", stale.selector);
  const std::string since =
      lgdt_ != 0 ? fmt::format("is stale since the LGDT at {}", address_mark(lgdt_)) : "no longer fits its descriptor";
  finding.sentence = fmt::format("{} {}: {}", subject, since, reason(stale.check, stale.code));
  finding.sentence += severity == FindingSeverity::Error
                          ? fmt::format(", so the IRET at {} fails", address_mark(iret))
                          : fmt::format(", and {} saves it in its frame", vector_name(delivery.vector));
  finding.evidence = {
      fmt::format("{} saved it at {} and runs the handler {}; IRET loads it from the frame again.",
                  vector_name(delivery.vector), address_mark(delivery.instruction), address_mark(frame.handler)),
      "A segment register keeps the old descriptor until it is loaded: code goes on as if nothing had "
      "happened (SDM vol. 3A, 3.4.3)."};
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
