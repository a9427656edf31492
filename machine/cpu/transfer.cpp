// Far JMP and CALL (SDM vol. 2, JMP, CALL; vol. 3A §5.8): direct, through call gates, through task gates and TSS.
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

enum class Kind : u8 { Jump, Call };

struct FarPointer {
  u16 selector = 0;
  u64 offset = 0;
};

bool read_far_pointer(Cpu& cpu, const Operation& operation, FarPointer& pointer) {
  const unsigned width = operation.operand_size;
  const u64 offset = effective_address<Address::General>(cpu, operation);
  u64 linear;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, width + 2, Access::Read, linear)) {
    return false;
  }
  bool read = false;
  if (width == 2) {
    u16 value = 0;
    read = read_linear(cpu, operation, linear, value);
    pointer.offset = value;
  } else if (width == 4) {
    u32 value = 0;
    read = read_linear(cpu, operation, linear, value);
    pointer.offset = value;
  } else {
    read = read_linear(cpu, operation, linear, pointer.offset);
  }
  return read && read_linear(cpu, operation, linear + width, pointer.selector);
}

FarPointer direct_pointer(const Operation& operation) {
  const auto offset = static_cast<u32>(operation.immediate);
  return {.selector = static_cast<u16>(operation.immediate >> 32),
          .offset = operation.operand_size == 2 ? static_cast<u16>(offset) : offset};
}

/// Writes CS and RIP as CALL does, each `width` bytes wide, below the current stack pointer. RSP is not moved.
bool write_return_address(Cpu& cpu, const Operation& operation, unsigned width) {
  const u16 selector = cpu.state.segments[cs].selector;
  const u64 next = following_rip(cpu, operation);
  switch (width) {
    case 2:
      return write_stack<u16>(cpu, operation, -2, selector) &&
             write_stack<u16>(cpu, operation, -4, static_cast<u16>(next));
    case 4:
      return write_stack<u32>(cpu, operation, -4, selector) &&
             write_stack<u32>(cpu, operation, -8, static_cast<u32>(next));
    default:
      return write_stack<u64>(cpu, operation, -8, selector) && write_stack<u64>(cpu, operation, -16, next);
  }
}

Outcome land(Cpu& cpu, const Segment& code, u64 target) {
  cpu.state.segments[cs] = code;
  cpu.state.rip = target;
  cpu.update_mode();
  return Outcome::JumpStop;
}

Outcome transfer_real(Cpu& cpu, const Operation& operation, Kind kind, FarPointer pointer) {
  CpuState& state = cpu.state;
  const Segment code =
      state.v86() ? make_v86_segment(pointer.selector) : make_real_segment(state.segments[cs], pointer.selector);
  if (pointer.offset > code.limit) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, code.base + pointer.offset);
  }
  if (kind == Kind::Call) {
    if (!write_return_address(cpu, operation, operation.operand_size)) return Outcome::Fault;
    set_stack_pointer(cpu, state.gpr[rsp] - 2u * operation.operand_size);
  }
  return land(cpu, code, pointer.offset);
}

Outcome transfer_to_code(Cpu& cpu, const Operation& operation, Kind kind, FarPointer pointer, Descriptor& code) {
  if (!check_code_same_privilege(cpu, pointer.selector, code, rpl_of(pointer.selector))) return Outcome::Fault;
  const bool to_64bit = cpu.state.long_mode() && code.long_mode();
  const u64 target = to_64bit ? pointer.offset : static_cast<u32>(pointer.offset);
  if (kind == Kind::Call && !write_return_address(cpu, operation, operation.operand_size)) return Outcome::Fault;
  if (!check_target(cpu, code, target) || !mark_accessed(cpu, code)) return Outcome::Fault;
  if (kind == Kind::Call) set_stack_pointer(cpu, cpu.state.gpr[rsp] - 2u * operation.operand_size);
  return land(cpu, make_segment(static_cast<u16>((pointer.selector & ~3) | cpu.cpl), code), target);
}

/// A call gate's way inward: stack from the TSS, parameters copied, return address on the new stack.
Outcome call_inward(Cpu& cpu, const Operation& operation, const Descriptor& gate, const Descriptor& code, u64 target) {
  CpuState& state = cpu.state;
  const u8 privilege = code.dpl();
  const unsigned width = state.long_mode() ? 8 : gate.type() == system_type::call_gate32 ? 4 : 2;
  u64 pointer = 0;
  Segment stack_segment;
  if (state.long_mode()) {
    if (!read_long_stack(cpu, privilege, pointer)) return Outcome::Fault;
    stack_segment = make_null_stack(privilege, privilege);
  } else {
    u16 selector = 0;
    if (!read_inner_stack(cpu, privilege, selector, pointer) ||
        !prepare_stack(cpu, selector, privilege, vector::invalid_tss, stack_segment)) {
      return Outcome::Fault;
    }
  }
  StackWriter stack(cpu, stack_segment, pointer, privilege == 3, stack_segment.selector);
  if (state.long_mode()) stack.make_flat64();
  if (!stack.push(state.segments[ss].selector, width) || !stack.push(state.gpr[rsp], width)) return Outcome::Fault;
  const unsigned parameters = state.long_mode() ? 0 : gate.gate_parameters();
  for (unsigned i = parameters; i-- > 0;) {
    // Copied from the old stack, the last one first.
    u32 value = 0;
    u16 narrow = 0;
    const i64 displacement = static_cast<i64>(i) * width;
    if (width == 4 ? !read_stack(cpu, operation, displacement, value)
                   : !read_stack(cpu, operation, displacement, narrow)) {
      return Outcome::Fault;
    }
    if (!stack.push(width == 4 ? value : narrow, width)) return Outcome::Fault;
  }
  if (!stack.push(state.segments[cs].selector, width) || !stack.push(following_rip(cpu, operation), width)) {
    return Outcome::Fault;
  }
  state.segments[ss] = stack_segment;
  if (state.long_mode()) {
    state.gpr[rsp] = stack.pointer();
  } else {
    commit_stack_pointer(cpu, stack_segment, stack.pointer());
  }
  return land(cpu, make_segment(static_cast<u16>((gate.gate_selector() & ~3) | privilege), code), target);
}

Outcome transfer_by_call_gate(Cpu& cpu, const Operation& operation, Kind kind, u16 gate_selector, Descriptor& gate) {
  const auto protection = [&cpu](u16 selector, FailedCheck check) {
    return cpu.raise(vector::general_protection, selector & 0xFFFCu, check);
  };
  if (gate.dpl() < cpu.cpl || gate.dpl() < rpl_of(gate_selector))
    return protection(gate_selector, FailedCheck::BadPrivilege);
  if (cpu.state.long_mode()) {
    const Lookup lookup = widen_descriptor(cpu, gate_selector, gate);
    if (lookup == Lookup::Fault) return Outcome::Fault;
    if (lookup == Lookup::PastLimit) return protection(gate_selector, FailedCheck::BadGateType);
  }
  if (!gate.present()) {
    return cpu.raise(vector::segment_not_present, gate_selector & 0xFFFCu, FailedCheck::GateNotPresent);
  }
  const u16 selector = gate.gate_selector();
  if (null_selector(selector)) return protection(0, FailedCheck::SelectorNull);
  Descriptor code;
  if (!require_descriptor(cpu, selector, vector::general_protection, code)) return Outcome::Fault;
  if (!code.code()) return protection(selector, FailedCheck::NotCode);
  // JMP never changes the privilege (SDM vol. 3A table 5-4).
  const bool same_or_inward = code.dpl() <= cpu.cpl;
  const bool fits = kind == Kind::Call || code.conforming() ? same_or_inward : code.dpl() == cpu.cpl;
  if (!fits) return protection(selector, FailedCheck::BadPrivilege);
  if (cpu.state.long_mode() && (!code.long_mode() || code.big())) return protection(selector, FailedCheck::BadLongMode);
  if (!code.present())
    return cpu.raise(vector::segment_not_present, selector & 0xFFFCu, FailedCheck::SegmentNotPresent);
  if (!mark_accessed(cpu, code)) return Outcome::Fault;
  const u64 target = gate.type() == system_type::call_gate16 ? gate.gate_offset() & 0xFFFF : gate.gate_offset();
  if (!check_target(cpu, code, target)) return Outcome::Fault;
  if (kind == Kind::Call && !code.conforming() && code.dpl() < cpu.cpl) {
    return call_inward(cpu, operation, gate, code, target);
  }
  if (kind == Kind::Call) {
    const unsigned width = cpu.state.long_mode() ? 8 : gate.type() == system_type::call_gate32 ? 4 : 2;
    if (!write_return_address(cpu, operation, width)) return Outcome::Fault;
    set_stack_pointer(cpu, cpu.state.gpr[rsp] - u64{2} * width);
  }
  return land(cpu, make_segment(static_cast<u16>((selector & ~3) | cpu.cpl), code), target);
}

Outcome transfer_to_task(Cpu& cpu, const Operation& operation, Kind kind, u16 selector, const Descriptor& tss) {
  if ((selector & 4) != 0 || (tss.type() != system_type::tss32 && tss.type() != system_type::tss16)) {
    return cpu.raise(vector::general_protection, selector & 0xFFFCu, FailedCheck::TssBad);
  }
  if (!tss.present()) return cpu.raise(vector::segment_not_present, selector & 0xFFFCu, FailedCheck::SegmentNotPresent);
  cpu.sync(&operation);
  const TaskSwitch reason = kind == Kind::Call ? TaskSwitch::Call : TaskSwitch::Jump;
  return task_switch_outcome(cpu, switch_task(cpu, selector, reason, following_rip(cpu, operation), nullptr));
}

Outcome transfer_by_task_gate(Cpu& cpu, const Operation& operation, Kind kind, const Descriptor& gate) {
  const u16 selector = gate.gate_selector();
  if (null_selector(selector)) return cpu.raise(vector::general_protection, 0, FailedCheck::SelectorNull);
  if ((selector & 4) != 0)
    return cpu.raise(vector::general_protection, selector & 0xFFFCu, FailedCheck::SelectorPastLimit);
  Descriptor tss;
  if (!require_descriptor(cpu, selector, vector::general_protection, tss)) return Outcome::Fault;
  if (!tss.system()) return cpu.raise(vector::general_protection, selector & 0xFFFCu, FailedCheck::TssBad);
  return transfer_to_task(cpu, operation, kind, selector, tss);
}

Outcome transfer(Cpu& cpu, const Operation& operation, Kind kind, FarPointer pointer) {
  if (cpu.state.real_or_v86()) return transfer_real(cpu, operation, kind, pointer);
  const u16 selector = pointer.selector;
  if (null_selector(selector)) return cpu.raise(vector::general_protection, 0, FailedCheck::SelectorNull);
  Descriptor descriptor;
  if (!require_descriptor(cpu, selector, vector::general_protection, descriptor)) return Outcome::Fault;
  if (!descriptor.system()) return transfer_to_code(cpu, operation, kind, pointer, descriptor);
  const u8 type = descriptor.type();
  const bool long_mode = cpu.state.long_mode();
  if (type == system_type::call_gate32 || (type == system_type::call_gate16 && !long_mode)) {
    return transfer_by_call_gate(cpu, operation, kind, selector, descriptor);
  }
  // Task switches don't exist in IA-32e mode (SDM vol. 3A §7.7).
  const bool task = type == system_type::task_gate || type == system_type::tss16 || type == system_type::tss32 ||
                    type == system_type::tss16_busy || type == system_type::tss32_busy;
  if (!task || long_mode) return cpu.raise(vector::general_protection, selector & 0xFFFCu, FailedCheck::SegmentType);
  if (descriptor.dpl() < cpu.cpl || descriptor.dpl() < rpl_of(selector)) {
    return cpu.raise(vector::general_protection, selector & 0xFFFCu, FailedCheck::BadPrivilege);
  }
  if (type != system_type::task_gate) return transfer_to_task(cpu, operation, kind, selector, descriptor);
  if (!descriptor.present()) {
    return cpu.raise(vector::segment_not_present, selector & 0xFFFCu, FailedCheck::GateNotPresent);
  }
  return transfer_by_task_gate(cpu, operation, kind, descriptor);
}

Outcome transfer_by_memory(Cpu& cpu, const Operation& operation, Kind kind) {
  FarPointer pointer;
  if (!read_far_pointer(cpu, operation, pointer)) return Outcome::Fault;
  return transfer(cpu, operation, kind, pointer);
}

}  // namespace

Outcome far_jump_direct(Cpu& cpu, const Operation& operation) {
  return transfer(cpu, operation, Kind::Jump, direct_pointer(operation));
}
Outcome far_jump_memory(Cpu& cpu, const Operation& operation) { return transfer_by_memory(cpu, operation, Kind::Jump); }
Outcome far_call_direct(Cpu& cpu, const Operation& operation) {
  return transfer(cpu, operation, Kind::Call, direct_pointer(operation));
}
Outcome far_call_memory(Cpu& cpu, const Operation& operation) { return transfer_by_memory(cpu, operation, Kind::Call); }

}  // namespace vitrine
