#include "observe/check/rules/frame_layout.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u64 reach = 64;  ///< bytes between the stack pointer and the frame that it misses
constexpr int most_slots_off = 2;

std::string words(u64 count) { return count == 1 ? "one word" : "two words"; }

/// What went wrong, as the cause; `off` slots from the frame to the stack pointer.
std::string cause(const ProbedDelivery& delivery, int off) {
  const auto count = static_cast<u64>(std::abs(off));
  if (off == -1 && delivery.has_error_code) return "returns with the error code still on the stack";
  if (off < 0) return fmt::format("returns with {} of its own still on the stack", words(count));
  if (off == 1 && !delivery.has_error_code)
    return fmt::format("takes an error code off the stack that {} does not push", vector_name(delivery.vector));
  if (off == 1) return "takes the error code off the stack twice";
  return fmt::format("takes {} too many off the stack", words(count));
}

/// What IRET takes for the return address.
std::string popped_text(const ProbedDelivery& delivery, int off, u64 popped) {
  if (off == -1 && delivery.has_error_code) return fmt::format("the error code {:#x}", popped);
  if (off == 1) return fmt::format("CS {:#x}", popped);
  if (off == 2) return fmt::format("the flags {:#x}", popped);
  return fmt::format("the word {:#x}", popped);
}

}  // namespace

void FrameLayout::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  if (within_kernel_phase(cpu, delivery)) frames_.push(cpu, delivery);
}

void FrameLayout::returning(const Cpu& cpu, const ProbedReturn& iret) {
  leaving_ = 0;
  if (cpu.state.real_or_v86() || frames_.empty()) return;
  if (const Frame* frame = frames_.match(cpu, iret)) {
    leaving_ = frame->delivery.frame;
    if (frame->delivery.slot_size != iret.operand_size) check_size(cpu, iret, *frame);
    return;
  }
  if (const Frame* frame = frames_.newest_near(iret.frame, reach)) check_shift(cpu, iret, *frame);
}

void FrameLayout::returned(const Cpu&, const ProbedReturn&) {
  if (const Frame* frame = leaving_ == 0 ? nullptr : frames_.find(leaving_)) frames_.leave(*frame);
  leaving_ = 0;
}

void FrameLayout::check_size(const Cpu& cpu, const ProbedReturn& iret, const Frame& frame) {
  FrameWords now;
  const u8 size = frame.delivery.slot_size;
  const bool as_pushed = frame.words_known && peek_words(cpu, frame.delivery.frame, size, frame.pushed.count, now) &&
                         now.same_context(frame.pushed);
  if (!as_pushed) return;
  report(iret, frame,
         fmt::format("{} returns with an IRET of {}-byte words from a frame of {}-byte words",
                     address_mark(frame.handler), iret.operand_size, size),
         {size == 8 ? "In 64-bit code IRETQ is needed; a plain IRET has 32-bit operands (SDM vol. 2, IRET)."
                    : "The operand size of IRET must be that of the gate (SDM vol. 2, IRET)."});
}

void FrameLayout::check_shift(const Cpu& cpu, const ProbedReturn& iret, const Frame& frame) {
  const ProbedDelivery& delivery = frame.delivery;
  const i64 distance = static_cast<i64>(iret.frame - delivery.frame);
  const i64 off = distance / delivery.slot_size;
  if (!frame.words_known || iret.operand_size != delivery.slot_size || distance % delivery.slot_size != 0 || off == 0 ||
      std::abs(off) > most_slots_off)
    return;
  FrameWords popped;
  if (!peek_words(cpu, iret.frame, iret.operand_size, frame.pushed.count, popped)) return;
  for (i64 slot = 0; slot < popped.count; ++slot) {
    const i64 pushed_slot = slot + off;
    if (pushed_slot < 0 || pushed_slot >= frame.pushed.count) continue;
    if (popped.word[static_cast<std::size_t>(slot)] != frame.pushed.word[static_cast<std::size_t>(pushed_slot)]) return;
  }
  const int slots_off = static_cast<int>(off);
  report(iret, frame,
         fmt::format("{} {}: IRET takes {} for the return address", address_mark(frame.handler),
                     cause(delivery, slots_off), popped_text(delivery, slots_off, popped.ip())),
         {fmt::format("The frame of {} lies at {:#x} and returns to {}; at the IRET ({}) the stack pointer is {:#x}.",
                      vector_name(delivery.vector), delivery.frame, address_mark(delivery.instruction),
                      address_mark(iret.instruction), iret.frame),
          delivery.has_error_code
              ? fmt::format("{} pushes an error code ({:#x} this time) below the frame; IRET does "
                            "not pop it (SDM vol. 3A, 6.13).",
                            vector_name(delivery.vector), delivery.error_code)
              : fmt::format("{} pushes no error code (SDM vol. 3A, 6.13).", vector_name(delivery.vector))});
  frames_.leave(frame);
}

void FrameLayout::report(const ProbedReturn& iret, const Frame& frame, std::string sentence,
                         std::vector<std::string> evidence) {
  context_.findings.report({.rule = "frame-layout",
                            .severity = FindingSeverity::Error,
                            .address = iret.instruction,
                            .vector = frame.delivery.vector,
                            .id = frame.delivery.request,
                            .sentence = std::move(sentence),
                            .evidence = std::move(evidence)});
}

}  // namespace vitrine
