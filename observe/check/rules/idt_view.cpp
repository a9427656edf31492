#include "observe/check/rules/idt_view.hpp"

#include <optional>

#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/probe.hpp"

namespace vitrine {

namespace {

template <class T>
bool peek(const Cpu& cpu, u64 linear, T& into) {
  return peek_memory(cpu, linear, {reinterpret_cast<u8*>(&into), sizeof into});
}

bool is_canonical(u64 address) {
  const auto upper = static_cast<i64>(address) >> 47;
  return upper == 0 || upper == -1;
}

/// The base of the handler's code segment; empty if it can't be one.
std::optional<u64> code_base(const Cpu& cpu, u16 selector) {
  if (null_selector(selector)) return std::nullopt;
  const bool local = (selector & 4) != 0;
  const u64 table = local ? cpu.state.ldtr.base : cpu.state.gdtr.base;
  const u32 limit = local ? cpu.state.ldtr.limit : cpu.state.gdtr.limit;
  const u32 offset = selector & 0xFFF8u;
  Descriptor code;
  if (offset + 7 > limit || !peek(cpu, table + offset, code.raw)) return std::nullopt;
  if (!code.code() || !code.present()) return std::nullopt;
  if (!cpu.state.long_mode()) return code.base();
  if (!code.long_mode() || code.big()) return std::nullopt;
  return 0;
}

}  // namespace

unsigned gate_bytes(const Cpu& cpu) { return cpu.state.long_mode() ? 16 : 8; }

GateView view_gate(const Cpu& cpu, u8 vector) {
  const unsigned size = gate_bytes(cpu);
  if (vector * size + size - 1 > cpu.state.idtr.limit) return {.problem = GateProblem::PastLimit};
  const u64 entry = cpu.state.idtr.base + vector * size;
  Descriptor gate;
  if (!peek(cpu, entry, gate.raw) || (size == 16 && !peek(cpu, entry + 8, gate.upper))) {
    return {.problem = GateProblem::Unreadable};
  }
  // Presence first: most broken gates were never written at all. SDM vol. 3A, 6.11 and 6.14.1.
  if (!gate.present()) return {.problem = GateProblem::NotPresent};
  const u8 type = gate.type();
  const bool narrow = type == system_type::interrupt_gate16 || type == system_type::trap_gate16;
  const bool wide = type == system_type::interrupt_gate32 || type == system_type::trap_gate32;
  const bool task = type == system_type::task_gate;
  if (!gate.system() || (size == 16 ? !wide : !wide && !narrow && !task)) return {.problem = GateProblem::WrongType};
  if (task) return {};
  const std::optional<u64> base = code_base(cpu, gate.gate_selector());
  if (!base) return {.problem = GateProblem::BadSelector};
  const u64 offset = narrow ? gate.gate_offset() & 0xFFFF : gate.gate_offset();
  GateView view{.target = size == 16 ? offset : static_cast<u32>(*base + offset), .trap_gate = (type & 1) != 0};
  u64 physical = 0;
  if ((size == 16 && !is_canonical(offset)) || !cpu.peek_translate(view.target, physical)) {
    view.problem = GateProblem::BadTarget;
  }
  return view;
}

std::string_view problem_clause(GateProblem problem) {
  switch (problem) {
    case GateProblem::None:
      return "is good";
    case GateProblem::PastLimit:
      return "lies past the IDT's limit";
    case GateProblem::Unreadable:
      return "lies in a page that is not mapped";
    case GateProblem::NotPresent:
      return "is not present";
    case GateProblem::WrongType:
      return "is no interrupt, trap or task gate of this mode";
    case GateProblem::BadSelector:
      return "names no code segment that fits";
    case GateProblem::BadTarget:
      return "leads to an address that is not mapped";
  }
  return "";
}

}  // namespace vitrine
