#include "observe/check/rules/misaligned_handler_stack.hpp"

#include <fmt/format.h>

#include "observe/check/code_walk.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr unsigned most_of_entry = 128, most_of_function = 256;
constexpr u64 call_alignment = 16;  // System V ABI, AMD64 supplement, §3.2.2

/// The memory operand that must be aligned to 16 bytes (SDM vol. 2, MOVAPS, MOVDQA); null: it has none.
const ZydisDecodedOperand* aligned_operand(const GuestInstruction& instruction) {
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVAPD:
    case ZYDIS_MNEMONIC_MOVDQA:
    case ZYDIS_MNEMONIC_MOVNTPS:
    case ZYDIS_MNEMONIC_MOVNTPD:
    case ZYDIS_MNEMONIC_MOVNTDQ:
      break;
    default:
      return nullptr;
  }
  for (unsigned i = 0; i < instruction.decoded.operand_count; ++i) {
    if (instruction.operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY) return &instruction.operands[i];
  }
  return nullptr;
}

bool on_the_stack(const ZydisDecodedOperand& operand) {
  return operand.mem.base == ZYDIS_REGISTER_RSP || operand.mem.base == ZYDIS_REGISTER_RBP;
}

/// RSP behind an instruction of an entry; empty if that can't be told.
std::optional<u64> stack_behind(const GuestInstruction& instruction, u64 stack) {
  const ZydisDecodedOperand* operands = instruction.operands;
  const u64 width = instruction.decoded.operand_width / 8u;
  const bool to_stack = operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == ZYDIS_REGISTER_RSP;
  const bool by_constant = to_stack && operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFQ:
      return stack - width;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFQ:
      if (to_stack) return std::nullopt;
      return stack + width;
    case ZYDIS_MNEMONIC_ADD:
      if (by_constant) return stack + operands[1].imm.value.u;
      break;
    case ZYDIS_MNEMONIC_SUB:
      if (by_constant) return stack - operands[1].imm.value.u;
      break;
    case ZYDIS_MNEMONIC_AND:
      if (by_constant) return stack & operands[1].imm.value.u;
      break;
    case ZYDIS_MNEMONIC_LEA:
      if (to_stack && operands[1].mem.base == ZYDIS_REGISTER_RSP && operands[1].mem.index == ZYDIS_REGISTER_NONE)
        return stack + static_cast<u64>(operands[1].mem.disp.value);
      break;
    default:
      break;
  }
  if (instruction.writes_general(rsp)) return std::nullopt;
  return stack;
}

u64 register_value(const Cpu& cpu, ZydisRegister name) {
  if (name == ZYDIS_REGISTER_NONE || ZydisRegisterGetClass(name) != ZYDIS_REGCLASS_GPR64) return 0;
  return cpu.state.gpr[ZydisRegisterGetId(name)];
}

}  // namespace

const MisalignedHandlerStack::Verdict& MisalignedHandlerStack::verdict_of(const Cpu& cpu) {
  const u64 entry = cpu.linear_rip();
  if (const auto found = known_.find(entry); found != known_.end()) return found->second;
  if (known_.size() == most_known) known_.clear();
  Verdict& verdict = known_[entry];
  const GuestCode code(cpu, CodeMode::code64);
  u64 function = 0;
  explore(code, entry, cpu.state.gpr[rsp], Calls::Stop, most_of_entry,
          [&](const GuestInstruction& instruction, u64& stack) {
            if (instruction.flow == CodeFlow::Branch) return Step::Stop;
            if (instruction.flow == CodeFlow::Call) {
              if (stack % call_alignment != 0) {
                verdict.call = instruction.address;
                function = instruction.target;
              }
              return Step::Found;
            }
            const auto behind = stack_behind(instruction, stack);
            if (!behind) return Step::Stop;
            stack = *behind;
            return Step::On;
          });
  if (function == 0) return verdict;
  explore(code, function, 0, Calls::StepOver, most_of_function, [&](const GuestInstruction& instruction, int) {
    // A function that aligns its own stack may be called with any.
    if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_AND && instruction.writes_general(rsp)) return Step::Stop;
    const ZydisDecodedOperand* operand = aligned_operand(instruction);
    if (operand == nullptr || !on_the_stack(*operand)) return Step::On;
    verdict.access = instruction.address;
    return Step::Found;
  });
  return verdict;
}

void MisalignedHandlerStack::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  leaving_ = 0;
  if (!cpu.mode.is64() || !within_kernel_phase(cpu, delivery)) return;
  if (delivery.kind == DeliveryKind::Fault && delivery.vector == vector::general_protection) judge_fault(cpu, delivery);
  const Verdict& verdict = verdict_of(cpu);
  // #GP by misalignment is looked for below the handlers of asynchronous vectors even when no verdict is certain.
  if (verdict.access != 0 || asynchronous(delivery.kind)) frames_.push(cpu, delivery);
}

void MisalignedHandlerStack::judge_fault(const Cpu& cpu, const ProbedDelivery& fault) {
  // The kernel that faulted runs below the frame of the handler that it is part of.
  constexpr u64 deepest_stack = 0x4000;
  if (fault.error_code != 0 || fault.before.privilege != 0) return;
  const Frame* frame = frames_.next_above(fault.before.rsp, deepest_stack);
  const auto instruction = GuestCode(cpu, CodeMode::code64).decode(fault.instruction);
  const ZydisDecodedOperand* operand = instruction ? aligned_operand(*instruction) : nullptr;
  if (frame == nullptr || operand == nullptr || !on_the_stack(*operand)) return;
  const u64 base = operand->mem.base == ZYDIS_REGISTER_RSP ? fault.before.rsp : cpu.state.gpr[rbp];
  const u64 address =
      base + register_value(cpu, operand->mem.index) * operand->mem.scale + static_cast<u64>(operand->mem.disp.value);
  if (address % call_alignment == 0) return;
  const auto known = known_.find(frame->handler);
  const u64 call = known == known_.end() ? 0 : known->second.call;
  if (reported_.size() == most_known) reported_.clear();
  reported_.insert(frame->handler);
  Finding finding{.rule = "misaligned-handler-stack",
                  .severity = FindingSeverity::Error,
                  .address = call != 0 ? call : frame->handler,
                  .vector = frame->delivery.vector,
                  .id = frame->delivery.request};
  const std::string culprit = call != 0
                                  ? fmt::format("the CALL at {} leaves the stack misaligned", address_mark(call))
                                  : fmt::format("the handler of {} ({}) runs on a misaligned stack",
                                                vector_name(frame->delivery.vector), address_mark(frame->handler));
  finding.sentence = fmt::format("{}: the aligned access at {} goes to {:#x} and faults (#GP)", culprit,
                                 address_mark(fault.instruction), address);
  finding.evidence = {
      "RSP must be a multiple of 16 at every CALL of compiled code (System V ABI, AMD64 supplement, 3.2.2). The CPU "
      "pushes five words, or six with an error code."};
  context_.findings.report(std::move(finding));
}

void MisalignedHandlerStack::returning(const Cpu& cpu, const ProbedReturn& iret) {
  const Frame* frame = frames_.match(cpu, iret);
  leaving_ = frame == nullptr ? 0 : frame->delivery.frame;
}

void MisalignedHandlerStack::returned(const Cpu&, const ProbedReturn&) {
  const Frame* frame = leaving_ == 0 ? nullptr : frames_.find(leaving_);
  if (frame == nullptr) return;
  warn(*frame);
  frames_.leave(*frame);
  leaving_ = 0;
}

void MisalignedHandlerStack::finish(const RunEnd&) {
  frames_.for_each([&](const Frame& frame) { warn(frame); });
}

void MisalignedHandlerStack::warn(const Frame& frame) {
  const auto known = known_.find(frame.handler);
  if (known == known_.end() || known->second.access == 0 || reported_.contains(frame.handler)) return;
  const Verdict& verdict = known->second;
  Finding finding{.rule = "misaligned-handler-stack",
                  .severity = FindingSeverity::Warning,
                  .address = verdict.call,
                  .vector = frame.delivery.vector,
                  .id = frame.delivery.request};
  finding.sentence = fmt::format(
      "the CALL at {} leaves the stack misaligned, and what it calls has an aligned access "
      "to its stack ({}), which faults when it is reached",
      address_mark(verdict.call), address_mark(verdict.access));
  finding.evidence = {
      "RSP must be a multiple of 16 at every CALL of compiled code (System V ABI, AMD64 supplement, 3.2.2). The CPU "
      "pushes five words, or six with an error code."};
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
