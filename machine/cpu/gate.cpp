// Through the IDT: from a vector to the handler's first instruction (SDM vol. 3A §6.10 - §6.14, §20.1.4, §20.3; vol. 2,
// INT n).
//
// Everything is checked and the frame is written before any register changes, so a fault in the middle leaves the
// interrupted state as it was. Bytes below the stack pointer may have been written by then, as on hardware.
#include <algorithm>
#include <cstring>
#include <ranges>
#include <span>

#include "base/bits.hpp"
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

bool StackWriter::push(u64 value, unsigned bytes) {
  if (flat64_) {
    pointer_ -= bytes;
    linear_ = pointer_;
    if (!canonical(linear_)) {
      cpu_.raise(vector::stack_fault, fault_selector_ & 0xFFFCu, FailedCheck::NonCanonical, linear_);
      return false;
    }
  } else {
    const u64 mask = stack_.big() ? 0xFFFFFFFF : 0xFFFF;
    pointer_ = (pointer_ & ~mask) | ((pointer_ - bytes) & mask);
    const u64 offset = pointer_ & mask;
    const bool inside = stack_.expand_down() ? offset > stack_.limit && offset + bytes - 1 <= mask
                                             : offset + bytes - 1 <= stack_.limit || stack_.limit == 0xFFFFFFFF;
    if (!inside) {
      cpu_.raise(vector::stack_fault, fault_selector_ & 0xFFFCu, FailedCheck::SegmentLimit, stack_.base + offset);
      return false;
    }
    linear_ = static_cast<u32>(stack_.base + offset);
  }
  const bool written =
      user_ ? cpu_.write_slow(nullptr, linear_, &value, bytes) : cpu_.write_system(linear_, &value, bytes);
  if (!written && cpu_.fault.vector == vector::page_fault) cpu_.fault.check = FailedCheck::StackNotMapped;
  return written;
}

bool read_inner_stack(Cpu& cpu, u8 privilege, u16& selector, u64& pointer) {
  const Segment& tss = cpu.state.tr;
  const bool wide = (tss.type() & 8) != 0;
  const u32 offset = wide ? 4 + privilege * 8u : 2 + privilege * 4u;
  if (!tss.usable || offset + (wide ? 5 : 3) > tss.limit)
    return refuse(cpu, vector::invalid_tss, tss.selector, FailedCheck::TssBad);
  u32 narrow_pointer = 0;
  if (!cpu.read_system(tss.base + offset, &narrow_pointer, wide ? 4 : 2) ||
      !cpu.read_system(tss.base + offset + (wide ? 4 : 2), &selector, 2)) {
    return false;
  }
  pointer = narrow_pointer;
  return true;
}

bool read_long_stack(Cpu& cpu, unsigned slot, u64& pointer) {
  const Segment& tss = cpu.state.tr;
  const u32 offset = 4 + slot * 8;
  if (!tss.usable || offset + 7 > tss.limit) return refuse(cpu, vector::invalid_tss, tss.selector, FailedCheck::TssBad);
  if (!cpu.read_system(tss.base + offset, &pointer, 8)) return false;
  if (canonical(pointer)) return true;
  cpu.raise(vector::stack_fault, 0, FailedCheck::NonCanonical, pointer);
  return false;
}

void commit_stack_pointer(Cpu& cpu, const Segment& stack, u64 pointer) {
  u64& value = cpu.state.gpr[rsp];
  value = stack.big() ? static_cast<u32>(pointer) : (value & ~u64{0xFFFF}) | (pointer & 0xFFFF);
}

ProbedDelivery describe_delivery(const Cpu& cpu, const Delivery& event, u32 flags) {
  const CpuState& state = cpu.state;
  return {.request = event.request,
          .vector = event.vector,
          .kind = event.kind,
          .has_error_code = event.has_error_code,
          .error_code = event.error_code,
          .instruction = cpu.linear_rip(),
          .before = {.rip = event.return_rip,
                     .rsp = state.gpr[rsp],
                     .flags = flags,
                     .cs = state.segments[cs].selector,
                     .ss = state.segments[ss].selector,
                     .privilege = cpu.cpl}};
}

namespace {

/// RFLAGS as the frame holds it.
u32 pushed_flags(const Cpu& cpu, const Delivery& event) {
  const u32 flags = cpu.state.flags();
  return event.sets_resume ? flags | flag::resume : flags;
}

bool refuse_gate(Cpu& cpu, u8 fault_vector, u8 gate, FailedCheck check) {
  // The IDT flag (bit 1) says that the index is one of a gate (SDM vol. 3A §6.13).
  cpu.raise(fault_vector, gate * 8u + 2, check, cpu.state.idtr.base + gate * (cpu.state.long_mode() ? 16u : 8u));
  return false;
}

/// The last step: flags, mode and account. All else has been assigned. `same_mode`: CS and SS are what they were, and
/// neither VM nor AC is cleared.
void enter_handler(Cpu& cpu, const ProbedDelivery& entry, u32 cleared, bool same_mode = false) {
  const bool was_set = cpu.state.has(flag::interrupt);
  cpu.state.other_flags &= ~cleared;
  if (!same_mode) cpu.update_mode();
  cpu.interrupt_flag_changed(was_set, cpu.linear_rip());
  note_delivery(cpu, entry);
}

/// Real-address mode, and software interrupts that virtual-8086 extensions send to the 8086 program's own table.
bool deliver_by_vector_table(Cpu& cpu, const Delivery& event, u64 table, u32 limit, u32 flags, u32 cleared) {
  CpuState& state = cpu.state;
  const u32 offset = event.vector * 4u;
  if (offset + 3 > limit) {
    cpu.raise(vector::general_protection, 0, FailedCheck::VectorPastLimit, table + offset);
    return false;
  }
  u32 entry = 0;
  const bool user = cpu.cpl == 3;
  const bool found =
      user ? cpu.read_slow(nullptr, table + offset, &entry, 4) : cpu.read_system(table + offset, &entry, 4);
  if (!found) return false;
  ProbedDelivery delivery = describe_delivery(cpu, event, flags & 0xFFFF);
  StackWriter stack(cpu, state.segments[ss], state.gpr[rsp], user, 0);
  if (!stack.push(flags & 0xFFFF, 2) || !stack.push(state.segments[cs].selector, 2) ||
      !stack.push(event.return_rip, 2)) {
    return false;
  }
  const u16 selector = static_cast<u16>(entry >> 16);
  const Segment code = state.v86() ? make_v86_segment(selector) : make_real_segment(state.segments[cs], selector);
  if ((entry & 0xFFFF) > code.limit) {
    cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, code.base + (entry & 0xFFFF));
    return false;
  }
  delivery.frame = stack.linear();
  delivery.slot_size = 2;
  delivery.slots = 3;
  commit_stack_pointer(cpu, state.segments[ss], stack.pointer());
  state.segments[cs] = code;
  state.rip = entry & 0xFFFF;
  enter_handler(cpu, delivery, cleared);
  return true;
}

bool deliver_real(Cpu& cpu, const Delivery& event) {
  return deliver_by_vector_table(cpu, event, cpu.state.idtr.base, cpu.state.idtr.limit, pushed_flags(cpu, event),
                                 flag::interrupt | flag::trap | flag::resume | flag::alignment_check);
}

/// INT n in virtual-8086 mode (SDM vol. 3B table 20-2). Sets `handled` if it does not go through the IDT.
bool deliver_virtual_8086(Cpu& cpu, const Delivery& event, bool& handled) {
  CpuState& state = cpu.state;
  handled = false;
  const bool extensions = (state.cr4 & cr4_bit::vme) != 0;
  bool redirected = false;
  if (extensions) {
    u16 map = 0;
    if (state.tr.limit < 103) return refuse(cpu, vector::general_protection, 0, FailedCheck::TssBad);
    if (!cpu.read_system(state.tr.base + 102, &map, 2)) return false;
    const u32 byte = map - 32u + event.vector / 8;
    if (map < 32 || byte > state.tr.limit) return refuse(cpu, vector::general_protection, 0, FailedCheck::TssBad);
    u8 bitmap = 0;
    if (!cpu.read_system(state.tr.base + byte, &bitmap, 1)) return false;
    redirected = !bit(bitmap, event.vector & 7u);
  }
  if (!redirected) {
    if (state.iopl() == 3) return true;
    return refuse(cpu, vector::general_protection, 0, FailedCheck::Privileged);
  }
  handled = true;
  u32 flags = pushed_flags(cpu, event);
  u32 cleared = flag::trap | flag::nested_task | flag::resume;
  if (state.iopl() == 3) {
    cleared |= flag::interrupt;
  } else {
    flags = (flags & ~flag::interrupt) | flag::iopl | (state.has(flag::virtual_interrupt) ? flag::interrupt : 0);
    cleared |= flag::virtual_interrupt;
  }
  return deliver_by_vector_table(cpu, event, 0, 0x3FF, flags, cleared);
}

bool deliver_task_gate(Cpu& cpu, const Delivery& event, const Descriptor& gate) {
  const u16 selector = gate.gate_selector();
  if ((selector & 4) != 0) return refuse(cpu, vector::general_protection, selector, FailedCheck::SelectorPastLimit);
  if (null_selector(selector)) return refuse(cpu, vector::general_protection, 0, FailedCheck::SelectorNull);
  Descriptor tss;
  if (!require_descriptor(cpu, selector, vector::general_protection, tss)) return false;
  if (!tss.system() || (tss.type() != system_type::tss32 && tss.type() != system_type::tss16)) {
    return refuse(cpu, vector::general_protection, selector, FailedCheck::TssBad);
  }
  if (!tss.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  return switch_task(cpu, selector, TaskSwitch::Gate, event.return_rip, &event);
}

/// The handler's code segment, and the privilege that it runs with.
bool prepare_handler(Cpu& cpu, const Descriptor& gate, Descriptor& code, u8& privilege) {
  const u16 selector = gate.gate_selector();
  if (null_selector(selector)) return refuse(cpu, vector::general_protection, 0, FailedCheck::SelectorNull);
  if (!require_descriptor(cpu, selector, vector::general_protection, code)) return false;
  if (!code.code()) return refuse(cpu, vector::general_protection, selector, FailedCheck::NotCode);
  if (code.dpl() > cpu.cpl) return refuse(cpu, vector::general_protection, selector, FailedCheck::BadPrivilege);
  if (cpu.state.long_mode() && (!code.long_mode() || code.big())) {
    return refuse(cpu, vector::general_protection, selector, FailedCheck::BadLongMode);
  }
  privilege = code.conforming() ? cpu.cpl : code.dpl();
  // Out of virtual-8086 mode the only way leads to privilege 0 (SDM vol. 2, INT n).
  if (cpu.state.v86() && privilege != 0)
    return refuse(cpu, vector::general_protection, selector, FailedCheck::BadPrivilege);
  if (!code.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  return mark_accessed(cpu, code);
}

u32 cleared_by(u8 gate_type) {
  const bool interrupt_gate = (gate_type & 1) == 0;
  return flag::trap | flag::nested_task | flag::resume | flag::virtual_8086 | (interrupt_gate ? flag::interrupt : 0);
}

bool deliver_protected(Cpu& cpu, const Delivery& event) {
  CpuState& state = cpu.state;
  if (event.vector * 8u + 7 > state.idtr.limit) {
    return refuse_gate(cpu, vector::general_protection, event.vector, FailedCheck::VectorPastLimit);
  }
  Descriptor gate;
  if (!cpu.read_system(static_cast<u32>(state.idtr.base + event.vector * 8u), &gate.raw, 8)) return false;
  const u8 type = gate.type();
  const bool known = type == system_type::task_gate || (type & 6) == 6;
  if (!gate.system() || !known)
    return refuse_gate(cpu, vector::general_protection, event.vector, FailedCheck::BadGateType);
  if (event.checks_dpl && gate.dpl() < cpu.cpl) {
    return refuse_gate(cpu, vector::general_protection, event.vector, FailedCheck::DplTooLow);
  }
  if (!gate.present()) return refuse_gate(cpu, vector::segment_not_present, event.vector, FailedCheck::GateNotPresent);
  if (type == system_type::task_gate) return deliver_task_gate(cpu, event, gate);

  Descriptor code;
  u8 privilege = 0;
  if (!prepare_handler(cpu, gate, code, privilege)) return false;
  const unsigned width = (type & 8) != 0 ? 4 : 2;
  const u64 target = width == 4 ? gate.gate_offset() : gate.gate_offset() & 0xFFFF;
  const bool switches = privilege != cpu.cpl;
  Segment stack_segment = state.segments[ss];
  u64 pointer = state.gpr[rsp];
  if (switches) {
    u16 selector = 0;
    if (!read_inner_stack(cpu, privilege, selector, pointer)) return false;
    if (!prepare_stack(cpu, selector, privilege, vector::invalid_tss, stack_segment)) return false;
  }
  ProbedDelivery delivery = describe_delivery(cpu, event, pushed_flags(cpu, event));
  StackWriter stack(cpu, stack_segment, pointer, privilege == 3, switches ? stack_segment.selector : u16{0});
  bool written = true;
  if (switches) {
    if (state.v86()) {
      for (const SegmentIndex index : {gs, fs, ds, es}) {
        written = written && stack.push(state.segments[index].selector, width);
      }
    }
    written = written && stack.push(state.segments[ss].selector, width) && stack.push(state.gpr[rsp], width);
  }
  written = written && stack.push(delivery.before.flags, width) && stack.push(state.segments[cs].selector, width) &&
            stack.push(event.return_rip, width);
  if (!written) return false;
  delivery.frame = stack.linear();
  delivery.slot_size = static_cast<u8>(width);
  delivery.slots = !switches ? 3 : state.v86() ? 9 : 5;
  delivery.stack_switched = switches;
  if (event.has_error_code && !stack.push(event.error_code, width)) return false;
  if (!check_target(cpu, code, target)) return false;

  if (switches && state.v86()) {
    for (const SegmentIndex index : {gs, fs, ds, es}) {
      state.segments[index] = make_null_segment(state.segments[index], 0);
    }
  }
  if (switches) state.segments[ss] = stack_segment;
  commit_stack_pointer(cpu, stack_segment, stack.pointer());
  state.segments[cs] = make_segment(static_cast<u16>((gate.gate_selector() & ~3) | privilege), code);
  state.rip = target;
  enter_handler(cpu, delivery, cleared_by(type));
  return true;
}

/// Puts quadwords, as they will stand in memory, onto a stack of 64-bit mode.
template <std::size_t Count>
bool push_frame(Cpu& cpu, u64 top, bool user, std::span<const u64, Count> words) {
  constexpr unsigned bytes = Count * sizeof(u64);
  if (u8* host = user ? nullptr : cpu.system_pointer(top - bytes, bytes, Access::Write); host != nullptr) [[likely]] {
    std::memcpy(host, words.data(), bytes);
    return true;
  }
  StackWriter stack(cpu, cpu.state.segments[ss], top, user, 0);
  stack.make_flat64();
  return std::ranges::all_of(words | std::views::reverse, [&](u64 word) { return stack.push(word, sizeof word); });
}

bool deliver_long(Cpu& cpu, const Delivery& event) {
  CpuState& state = cpu.state;
  if (event.vector * 16u + 15 > state.idtr.limit) {
    return refuse_gate(cpu, vector::general_protection, event.vector, FailedCheck::VectorPastLimit);
  }
  Descriptor gate;
  u64 halves[2] = {};
  if (!cpu.read_system(state.idtr.base + event.vector * 16u, halves, 16)) return false;
  gate.raw = halves[0];
  gate.upper = static_cast<u32>(halves[1]);
  const u8 type = gate.type();
  const bool known = type == system_type::interrupt_gate32 || type == system_type::trap_gate32;
  if (!gate.system() || !known || (halves[1] >> 40 & 0x1F) != 0) {
    return refuse_gate(cpu, vector::general_protection, event.vector, FailedCheck::BadGateType);
  }
  if (event.checks_dpl && gate.dpl() < cpu.cpl) {
    return refuse_gate(cpu, vector::general_protection, event.vector, FailedCheck::DplTooLow);
  }
  if (!gate.present()) return refuse_gate(cpu, vector::segment_not_present, event.vector, FailedCheck::GateNotPresent);

  // Most often the handler's code segment is the one that is interrupted.
  Segment handler = state.segments[cs];
  u8 privilege = cpu.cpl;
  const bool same_code = same_code64(cpu, static_cast<u16>((gate.gate_selector() & ~3) | cpu.cpl));
  if (!same_code) {
    Descriptor code;
    if (!prepare_handler(cpu, gate, code, privilege)) return false;
    handler = make_segment(static_cast<u16>((gate.gate_selector() & ~3) | privilege), code);
  }
  const bool switches = privilege != cpu.cpl;
  u64 pointer = state.gpr[rsp];
  if (gate.gate_stack_table() != 0) {
    if (!read_long_stack(cpu, 3u + gate.gate_stack_table(), pointer)) return false;
  } else if (switches) {
    if (!read_long_stack(cpu, privilege, pointer)) return false;
  }
  const u64 target = gate.gate_offset();
  if (!canonical(target)) {
    cpu.raise(vector::general_protection, 0, FailedCheck::NonCanonical, target);
    return false;
  }
  ProbedDelivery delivery = describe_delivery(cpu, event, pushed_flags(cpu, event));
  delivery.slot_size = 8;
  delivery.slots = 5;
  delivery.ist = gate.gate_stack_table();
  delivery.stack_switched = switches || delivery.ist != 0;
  // The frame is aligned to 16 bytes (SDM vol. 3A §6.14.2).
  pointer &= ~u64{15};
  const u64 words[] = {event.error_code,      event.return_rip, state.segments[cs].selector,
                       delivery.before.flags, state.gpr[rsp],   state.segments[ss].selector};
  const bool user = privilege == 3;
  const bool pushed = event.has_error_code ? push_frame(cpu, pointer, user, std::span(words))
                                           : push_frame(cpu, pointer, user, std::span(words).subspan<1>());
  if (!pushed) return false;
  delivery.frame = pointer - sizeof(u64) * delivery.slots;

  if (switches) state.segments[ss] = make_null_stack(privilege, privilege);
  state.gpr[rsp] = event.has_error_code ? delivery.frame - sizeof(u64) : delivery.frame;
  state.segments[cs] = handler;
  state.rip = target;
  enter_handler(cpu, delivery, cleared_by(type), same_code);
  return true;
}

}  // namespace

bool deliver_through_idt(Cpu& cpu, const Delivery& event) {
  if (!cpu.state.protected_mode()) return deliver_real(cpu, event);
  if (cpu.state.long_mode()) return deliver_long(cpu, event);
  if (event.int_n && cpu.state.v86()) {
    bool handled = false;
    if (!deliver_virtual_8086(cpu, event, handled)) return false;
    if (handled) return true;
  }
  return deliver_protected(cpu, event);
}

}  // namespace vitrine
