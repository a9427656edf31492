#include "observe/check/rules/red_zone.hpp"

#include <fmt/format.h>

#include "observe/check/code_walk.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr unsigned most_instructions = 64;

struct Place {
  u8 base = 0;
  i64 displacement = 0;
  u8 size = 0;
  [[nodiscard]] bool covers(const Place& other) const {
    return base == other.base && displacement <= other.displacement &&
           other.displacement + other.size <= displacement + size;
  }
};

/// What the code writes on one way through it.
struct Way {
  std::vector<Place> written;
  bool frame_pointer_changed = false;
};

/// An operand that may lie in the red zone: at a negative offset from RSP or RBP, and nothing added to that.
std::optional<Place> place_of(const ZydisDecodedOperand& operand, const Way& way) {
  if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type != ZYDIS_MEMOP_TYPE_MEM ||
      operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN || operand.mem.index != ZYDIS_REGISTER_NONE ||
      operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS ||
      operand.mem.disp.value >= 0)
    return std::nullopt;
  const bool frame_pointer = operand.mem.base == ZYDIS_REGISTER_RBP && !way.frame_pointer_changed;
  if (!frame_pointer && operand.mem.base != ZYDIS_REGISTER_RSP) return std::nullopt;
  return Place{.base = static_cast<u8>(frame_pointer ? rbp : rsp),
               .displacement = operand.mem.disp.value,
               .size = static_cast<u8>(operand.size / 8)};
}

bool touches_memory(const GuestInstruction& instruction) {
  const auto category = instruction.decoded.meta.category;
  return category != ZYDIS_CATEGORY_NOP && category != ZYDIS_CATEGORY_WIDENOP && category != ZYDIS_CATEGORY_PREFETCH;
}

}  // namespace

const std::vector<RedZone::Read>& RedZone::reads_from(const Cpu& cpu, u64 rip) {
  if (const auto found = known_.find(rip); found != known_.end()) return found->second;
  if (known_.size() == most_known) known_.clear();
  std::vector<Read>& reads = known_[rip];
  const GuestCode code(cpu, CodeMode::code64);
  explore(code, rip, Way{}, Calls::Stop, most_instructions, [&](const GuestInstruction& instruction, Way& way) {
    for (unsigned i = 0; touches_memory(instruction) && i < instruction.decoded.operand_count; ++i) {
      const ZydisDecodedOperand& operand = instruction.operands[i];
      const auto place = place_of(operand, way);
      if (!place) continue;
      const bool known = std::ranges::any_of(way.written, [&](const Place& each) { return each.covers(*place); });
      if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 && !known) {
        reads.push_back({.instruction = instruction.address,
                         .base = place->base,
                         .displacement = place->displacement,
                         .size = place->size});
      }
      if ((operand.actions & ZYDIS_OPERAND_ACTION_WRITE) != 0) way.written.push_back(*place);
    }
    if (instruction.writes_general(rbp)) way.frame_pointer_changed = true;
    return instruction.writes_general(rsp) ? Step::Stop : Step::On;
  });
  return reads;
}

void RedZone::entered(const Cpu& cpu, Frame& frame) {
  const ProbedDelivery& delivery = frame.delivery;
  if (!cpu.mode.is64() || delivery.before.privilege != 0 || delivery.stack_switched) return;
  if (reads_from(cpu, delivery.before.rip).empty()) return;
  frame.kept.armed = peek_memory(cpu, delivery.before.rsp - KeptRedZone::size, frame.kept.bytes);
}

void RedZone::given_back(const Cpu& cpu, const ProbedReturn&, Frame& frame) {
  const ProbedDelivery& delivery = frame.delivery;
  std::array<u8, KeptRedZone::size> now{};
  const u64 top = delivery.before.rsp;
  const u64 bottom = top - KeptRedZone::size;
  if (!frame.kept.armed || !peek_memory(cpu, bottom, now)) return;
  const u64 frame_begin = delivery.frame - (delivery.has_error_code ? 8 : 0);
  const u64 frame_end = delivery.frame + 5 * 8;
  for (const Read& read : reads_from(cpu, delivery.before.rip)) {
    const u64 begin = cpu.state.gpr[read.base] + static_cast<u64>(read.displacement);
    for (u64 at = begin; at < begin + read.size; ++at) {
      if (at < bottom || at >= top) continue;
      const bool by_the_cpu = at >= frame_begin && at < frame_end;
      if (!by_the_cpu && now[at - bottom] == frame.kept.bytes[at - bottom]) continue;
      Finding finding{.rule = "red-zone",
                      .severity = FindingSeverity::Error,
                      .address = read.instruction,
                      .vector = delivery.vector,
                      .id = delivery.request};
      finding.sentence = fmt::format(
          "{} reads memory {} bytes below the stack pointer, which {} has overwritten {}: kernel code must not use the "
          "red zone",
          address_mark(read.instruction), top - begin, vector_name(delivery.vector),
          by_the_cpu ? "with its frame" : "in its handler");
      finding.evidence = {
          fmt::format("The interrupt came at {} with RSP {:#x}; its frame was pushed at {:#x} to {:#x} "
                      "on the same stack.",
                      address_mark(delivery.instruction), top, frame_begin, frame_end - 1)};
      context_.findings.report(std::move(finding));
      break;
    }
  }
}

}  // namespace vitrine
