#include "observe/check/rules/fpu_state_lost.hpp"

#include <fmt/format.h>

#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr u64 not_owned = cr0_bit::ts | cr0_bit::em;
constexpr unsigned most_instructions = 64;  // that are followed to see what the interrupted code reads next

/// The condition codes C0 to C3. The exception flags are not compared: a handler of IRQ 13 clears them on purpose.
constexpr u16 condition_codes = 0x4700;

bool same_x87(const FpuState& one, const FpuState& two) {
  if (one.control != two.control || ((one.status ^ two.status) & condition_codes) != 0 || one.top != two.top ||
      one.valid != two.valid)
    return false;
  for (unsigned i = 0; i < 8; ++i) {
    const bool empty = (one.valid >> i & 1) == 0;
    if (!empty && (one.registers[i].mantissa != two.registers[i].mantissa ||
                   one.registers[i].sign_exponent != two.registers[i].sign_exponent))
      return false;
  }
  return true;
}

/// Instructions that move the whole state, or begin a new one: what was there before does not matter behind them, or is
/// kept by rules of the kernel's own.
bool moves_state(const GuestInstruction& instruction) {
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_FNINIT:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
    case ZYDIS_MNEMONIC_EMMS:
      return true;
    default:
      return false;
  }
}

/// XORPS X, X and its kind give zero whatever X was.
bool gives_zero(const GuestInstruction& instruction) {
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_XORPS:
    case ZYDIS_MNEMONIC_XORPD:
    case ZYDIS_MNEMONIC_PXOR:
      return instruction.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
             instruction.operands[0].reg.value == instruction.operands[1].reg.value;
    default:
      return false;
  }
}

template <class Reads, class Writes>
std::optional<u64> next_read(const Cpu& cpu, Reads&& reads, Writes&& writes) {
  const GuestCode code(cpu, cpu.mode.code_size());
  std::optional<u64> found;
  explore(code, cpu.linear_rip(), 0, Calls::Stop, most_instructions, [&](const GuestInstruction& instruction, int) {
    if (moves_state(instruction)) return Step::Stop;
    if (reads(instruction) && !gives_zero(instruction)) {
      found = instruction.address;
      return Step::Found;
    }
    return writes(instruction) ? Step::Stop : Step::On;
  });
  return found;
}

}  // namespace

void FpuStateLost::entered(const Cpu& cpu, Frame& frame) {
  if (!asynchronous(frame.delivery.kind)) return;
  frame.kept.owned = (cpu.state.cr0 & not_owned) == 0;
  if (frame.kept.owned) frame.kept.state = cpu.state.fpu;
}

std::optional<FpuStateLost::Change> FpuStateLost::find_change(const Cpu& cpu, const FpuState& before) {
  const FpuState& after = cpu.state.fpu;
  const bool program = cpu.cpl == 3;
  const u8 vectors = cpu.mode.is64() ? 16 : 8;
  for (u8 number = 0; number < vectors; ++number) {
    if (before.xmm[number] == after.xmm[number]) continue;
    const auto use = next_read(
        cpu, [number](const GuestInstruction& each) { return each.reads_vector(number); },
        [number](const GuestInstruction& each) { return each.writes_vector(number); });
    if (program || use) return Change{.part = Part::Vector, .number = number, .use = use};
  }
  if (!same_x87(before, after)) {
    const auto use = next_read(
        cpu, [](const GuestInstruction& each) { return each.is_x87(); }, [](const GuestInstruction&) { return false; });
    if (program || use) return Change{.part = Part::X87, .use = use};
  }
  if (program && before.mxcsr != after.mxcsr) return Change{.part = Part::Mxcsr};
  return std::nullopt;
}

void FpuStateLost::given_back(const Cpu& cpu, const ProbedReturn& iret, Frame& frame) {
  // Lazy switching: with TS set the registers are nobody's until #NM has put the right ones in.
  if (!asynchronous(frame.delivery.kind) || !frame.kept.owned || (cpu.state.cr0 & not_owned) != 0 || other_ran(frame))
    return;
  if (const auto change = find_change(cpu, frame.kept.state)) report(cpu, iret, frame, *change);
}

void FpuStateLost::report(const Cpu& cpu, const ProbedReturn& iret, const Frame& frame, const Change& change) {
  const ProbedDelivery& delivery = frame.delivery;
  const FpuState& before = frame.kept.state;
  const FpuState& after = cpu.state.fpu;
  const GuestCode code(cpu, handler_code_size());
  const auto writer = last_on_the_way(code, frame.handler, iret.instruction, [&](const GuestInstruction& instruction) {
    if (change.part == Part::Vector) return instruction.writes_vector(change.number);
    if (change.part == Part::Mxcsr) return instruction.is(ZYDIS_MNEMONIC_LDMXCSR);
    return instruction.is_x87();
  });
  std::string what;
  std::string values;
  switch (change.part) {
    case Part::Vector:
      what = fmt::format("XMM{}", change.number);
      values = fmt::format("{:016x}{:016x} before, {:016x}{:016x} after.", before.xmm[change.number].high,
                           before.xmm[change.number].low, after.xmm[change.number].high, after.xmm[change.number].low);
      break;
    case Part::X87:
      what = "the x87 registers";
      values = fmt::format(
          "control {:#06x}, status {:#06x}, top {} before; control {:#06x}, status {:#06x}, top {} "
          "after.",
          before.control, before.status, before.top, after.control, after.status, after.top);
      break;
    case Part::Mxcsr:
      what = "MXCSR";
      values = fmt::format("{:#x} before, {:#x} after.", before.mxcsr, after.mxcsr);
      break;
  }
  const std::string vector = vector_name(delivery.vector);
  const std::string handler = address_mark(frame.handler);
  const std::string rest = change.use ? fmt::format("the code that was interrupted at {} reads it next at {}",
                                                    address_mark(delivery.instruction), address_mark(*change.use))
                                      : fmt::format("the program that was interrupted at {} goes on with another value",
                                                    address_mark(delivery.instruction));
  Finding finding{.rule = "fpu-state-lost",
                  .severity = FindingSeverity::Error,
                  .address = writer.value_or(frame.handler),
                  .vector = delivery.vector,
                  .id = delivery.request};
  finding.sentence =
      writer ? fmt::format("{} changes {} in the handler of {} ({}) and nobody restores it: {}", address_mark(*writer),
                           what, vector, handler, rest)
             : fmt::format("the handler of {} ({}) returns with {} changed: {}", vector, handler, what, rest);
  finding.evidence = {fmt::format("{}: {}", what, values),
                      fmt::format("The handler returns by the IRET at {}.", address_mark(iret.instruction))};
  context_.findings.report(std::move(finding));
}

}  // namespace vitrine
