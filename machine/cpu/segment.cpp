// MOV, PUSH and POP of segment registers, LDS and its kin (SDM vol. 2; checks in descriptor.cpp).
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// Assigns the segment; says whether decoded code behind this instruction is still right.
Outcome commit_segment(Cpu& cpu, SegmentIndex index, const Segment& segment) {
  cpu.state.segments[index] = segment;
  if (index >= fs) return Outcome::Next;
  const CodeMode before = cpu.mode;
  cpu.update_mode();
  if (index == ss) {
    // SDM vol. 3A §6.8.3: no interrupt and no debug exception before the next instruction is done.
    cpu.state.interrupt_shadow = true;
    cpu.state.debug_shadow = true;
    return Outcome::Stop;
  }
  return cpu.mode == before ? Outcome::Next : Outcome::Stop;
}

/// The same without the shadow: LSS.
Outcome commit_far_pointer(Cpu& cpu, SegmentIndex index, const Segment& segment) {
  const Outcome outcome = commit_segment(cpu, index, segment);
  if (index == ss) cpu.state.interrupt_shadow = cpu.state.debug_shadow = false;
  return outcome;
}

template <class T>
Outcome load_pointer(Cpu& cpu, const Operation& operation) {
  // m16:16, m16:32, m16:64: the selector stands behind the offset.
  const auto index = static_cast<SegmentIndex>(operation.extra);
  const u64 offset = effective_address<Address::General>(cpu, operation);
  u64 linear;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, sizeof(T) + 2, Access::Read,
                         linear)) {
    return Outcome::Fault;
  }
  T value;
  u16 selector;
  Segment segment;
  if (!read_linear(cpu, operation, linear, value) || !read_linear(cpu, operation, linear + sizeof(T), selector) ||
      !prepare_segment(cpu, index, selector, segment)) {
    return Outcome::Fault;
  }
  write_register<T>(cpu, operation.first, value);
  return commit_far_pointer(cpu, index, segment);
}

template <class T>
Outcome pop_segment_as(Cpu& cpu, const Operation& operation) {
  const auto index = static_cast<SegmentIndex>(operation.first);
  T value;
  Segment segment;
  if (!read_stack(cpu, operation, 0, value) || !prepare_segment(cpu, index, static_cast<u16>(value), segment)) {
    return Outcome::Fault;
  }
  set_stack_pointer(cpu, cpu.state.gpr[rsp] + sizeof(T));
  return commit_segment(cpu, index, segment);
}

}  // namespace

Outcome move_to_segment_register(Cpu& cpu, const Operation& operation) {
  const auto index = static_cast<SegmentIndex>(operation.first);
  Segment segment;
  if (!prepare_segment(cpu, index, read_register<u16>(cpu, operation.second), segment)) return Outcome::Fault;
  return commit_segment(cpu, index, segment);
}

Outcome move_to_segment_memory(Cpu& cpu, const Operation& operation) {
  const auto index = static_cast<SegmentIndex>(operation.first);
  u16 selector;
  Segment segment;
  if (!read_memory<Address::General>(cpu, operation, selector) || !prepare_segment(cpu, index, selector, segment)) {
    return Outcome::Fault;
  }
  return commit_segment(cpu, index, segment);
}

Outcome move_from_segment_register(Cpu& cpu, const Operation& operation) {
  const u16 selector = cpu.state.segments[operation.second].selector;
  if (operation.operand_size == 2) {
    write_register<u16>(cpu, operation.first, selector);
  } else {
    write_register<u64>(cpu, operation.first, selector);
  }
  return Outcome::Next;
}

Outcome move_from_segment_memory(Cpu& cpu, const Operation& operation) {
  const u16 selector = cpu.state.segments[operation.second].selector;
  return write_memory<Address::General>(cpu, operation, selector) ? Outcome::Next : Outcome::Fault;
}

Outcome push_segment(Cpu& cpu, const Operation& operation) {
  const u16 selector = cpu.state.segments[operation.first].selector;
  if (operation.operand_size == 8) return push<u64>(cpu, operation, selector) ? Outcome::Next : Outcome::Fault;
  if (operation.operand_size == 2) return push<u16>(cpu, operation, selector) ? Outcome::Next : Outcome::Fault;
  // A 32-bit push writes 16 bits and leaves the upper half of the slot as it is (SDM vol. 2, PUSH).
  if (!write_stack<u16>(cpu, operation, -4, selector)) return Outcome::Fault;
  set_stack_pointer(cpu, cpu.state.gpr[rsp] - 4);
  return Outcome::Next;
}

Outcome pop_segment(Cpu& cpu, const Operation& operation) {
  switch (operation.operand_size) {
    case 2:
      return pop_segment_as<u16>(cpu, operation);
    case 4:
      return pop_segment_as<u32>(cpu, operation);
    default:
      return pop_segment_as<u64>(cpu, operation);
  }
}

Outcome load_far_pointer(Cpu& cpu, const Operation& operation) {
  const u64 old_pointer = cpu.state.gpr[rsp];
  const auto load = [&] {
    switch (operation.operand_size) {
      case 2:
        return load_pointer<u16>(cpu, operation);
      case 4:
        return load_pointer<u32>(cpu, operation);
      default:
        return load_pointer<u64>(cpu, operation);
    }
  };
  const Outcome outcome = load();
  const bool loads_stack = operation.extra == ss && operation.first == rsp * 8;
  if (loads_stack && cpu.probe != nullptr && outcome != Outcome::Fault) {
    tell_stack_switched(cpu, operation, old_pointer);
  }
  return outcome;
}

}  // namespace vitrine
