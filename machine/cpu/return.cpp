// RETF and IRET in all their forms (SDM vol. 2, RET, IRET; vol. 3A §6.12, §6.14.3, §20.2.2).
//
// The frame is read and checked whole before anything changes: a fault in the middle is a fault of the instruction,
// with the stack pointer where it was.
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/return_frame.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// Reads the stack's slot number `slot`; slots are as wide as the operand size.
bool read_slot(Cpu& cpu, const Operation& operation, unsigned slot, u64& value, i64 extra = 0) {
  const i64 displacement = static_cast<i64>(slot) * operation.operand_size + extra;
  value = 0;
  switch (operation.operand_size) {
    case 2: {
      u16 narrow;
      if (!read_stack(cpu, operation, displacement, narrow)) return false;
      value = narrow;
      return true;
    }
    case 4: {
      u32 narrow;
      if (!read_stack(cpu, operation, displacement, narrow)) return false;
      value = narrow;
      return true;
    }
    default:
      return read_stack(cpu, operation, displacement, value);
  }
}

/// Linear address of the slot at the top of the stack: what identifies a frame.
u64 frame_address(const Cpu& cpu) {
  const u64 offset = stack_offset(cpu, 0);
  return cpu.mode.is64() ? offset : static_cast<u32>(cpu.state.segments[ss].base + offset);
}

/// The code segment that a return goes to (SDM vol. 2, RET: checks in their order).
bool prepare_return_code(Cpu& cpu, u16 selector, Descriptor& code) {
  if (null_selector(selector)) return refuse(cpu, vector::general_protection, 0, FailedCheck::SelectorNull);
  if (!require_descriptor(cpu, selector, vector::general_protection, code)) return false;
  if (!code.code()) return refuse(cpu, vector::general_protection, selector, FailedCheck::NotCode);
  if (cpu.state.long_mode() && code.long_mode() && code.big()) {
    return refuse(cpu, vector::general_protection, selector, FailedCheck::BadLongMode);
  }
  const u8 rpl = rpl_of(selector);
  const bool fits = rpl >= cpu.cpl && (code.conforming() ? code.dpl() <= rpl : code.dpl() == rpl);
  if (!fits) return refuse(cpu, vector::general_protection, selector, FailedCheck::BadPrivilege);
  if (!code.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  return mark_accessed(cpu, code);
}

/// SS for code at `privilege`. Null is good when the code is 64-bit and not for privilege 3.
bool prepare_return_stack(Cpu& cpu, u16 selector, u8 privilege, const Descriptor& code, Segment& segment) {
  if (null_selector(selector) && cpu.state.long_mode() && code.long_mode() && privilege != 3 &&
      rpl_of(selector) == privilege) {
    segment = make_null_stack(privilege, selector);
    return true;
  }
  return prepare_stack(cpu, selector, privilege, vector::general_protection, segment);
}

/// Data segments that the outer level may not use become null (SDM vol. 3A §5.8.6).
void drop_inner_segments(Cpu& cpu, u8 privilege) {
  for (const SegmentIndex index : {es, ds, fs, gs}) {
    Segment& segment = cpu.state.segments[index];
    const bool conforming = segment.code() && (segment.type() & 4) != 0;
    if (!segment.usable || conforming || segment.dpl() >= privilege) continue;
    segment.selector = 0;  // only this: FS and GS keep the base that 64-bit code uses
    segment.usable = false;
  }
}

/// RSP of the outer level: as wide as its stack.
void load_outer_pointer(Cpu& cpu, const Segment& stack, bool to_64bit, u64 pointer) {
  if (to_64bit) {
    cpu.state.gpr[rsp] = pointer;
  } else {
    commit_stack_pointer(cpu, stack, pointer);
  }
}

Outcome return_real(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  u64 target;
  u64 selector;
  u64 image;
  if (!read_slot(cpu, operation, 0, target) || !read_slot(cpu, operation, 1, selector) ||
      !read_slot(cpu, operation, 2, image)) {
    return Outcome::Fault;
  }
  const auto code_selector = static_cast<u16>(selector);
  const Segment code =
      state.v86() ? make_v86_segment(code_selector) : make_real_segment(state.segments[cs], code_selector);
  if (target > code.limit)
    return cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, code.base + target);
  cpu.sync(&operation);
  const Popped popped = {.instruction = cpu.rip_of(operation),
                         .frame = frame_address(cpu),
                         .image = {.rip = target, .flags = static_cast<u32>(image), .cs = code_selector}};
  u32 writable = writable_flags(cpu, operation.operand_size);
  // In real mode all is privileged, but VM, VIF and VIP stay; in virtual-8086 mode IOPL stays too.
  writable &= ~(flag::virtual_interrupt | flag::virtual_interrupt_pending);
  const u32 flags = (state.flags() & ~writable & ~flag::resume) | (static_cast<u32>(image) & writable);
  set_stack_pointer(cpu, state.gpr[rsp] + 3u * operation.operand_size);
  state.segments[cs] = code;
  state.rip = target;
  return finish_return(cpu, flags, popped);
}

/// Virtual-8086 mode with IOPL < 3: only a 16-bit IRET under VME, and IF stands for VIF (SDM vol. 3B §20.3).
Outcome return_virtual(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  if (operation.operand_size != 2 || (state.cr4 & cr4_bit::vme) == 0) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  }
  u64 target;
  u64 selector;
  u64 image;
  if (!read_slot(cpu, operation, 0, target) || !read_slot(cpu, operation, 1, selector) ||
      !read_slot(cpu, operation, 2, image)) {
    return Outcome::Fault;
  }
  const bool wants_interrupts = (image & flag::interrupt) != 0;
  if ((image & flag::trap) != 0 || (wants_interrupts && state.has(flag::virtual_interrupt_pending))) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  }
  cpu.sync(&operation);
  const Popped popped = {.instruction = cpu.rip_of(operation),
                         .frame = frame_address(cpu),
                         .image = {.rip = target, .flags = static_cast<u32>(image), .cs = static_cast<u16>(selector)}};
  const u32 writable = writable_flags(cpu, 2) & ~flag::interrupt;
  u32 flags = (state.flags() & ~writable & ~flag::resume) | (static_cast<u32>(image) & writable);
  flags = wants_interrupts ? flags | flag::virtual_interrupt : flags & ~flag::virtual_interrupt;
  set_stack_pointer(cpu, state.gpr[rsp] + 6);
  state.segments[cs] = make_v86_segment(static_cast<u16>(selector));
  state.rip = target;
  return finish_return(cpu, flags, popped);
}

/// IRETD at privilege 0 with VM in the image: nine doublewords (SDM vol. 3B §20.2.2).
Outcome return_to_v86(Cpu& cpu, const Operation& operation, u64 target, u16 selector, u32 image) {
  CpuState& state = cpu.state;
  u64 slots[9] = {};
  for (unsigned i = 3; i < 9; ++i) {
    if (!read_slot(cpu, operation, i, slots[i])) return Outcome::Fault;
  }
  if (target > 0xFFFF) return cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, target);
  cpu.sync(&operation);
  const Popped popped = {.instruction = cpu.rip_of(operation),
                         .frame = frame_address(cpu),
                         .image = {.rip = target,
                                   .rsp = slots[3],
                                   .flags = image,
                                   .cs = selector,
                                   .ss = static_cast<u16>(slots[4]),
                                   .has_stack = true}};
  state.gpr[rsp] = static_cast<u32>(slots[3]);
  constexpr SegmentIndex order[] = {ss, es, ds, fs, gs};
  for (unsigned i = 0; i < 5; ++i) state.segments[order[i]] = make_v86_segment(static_cast<u16>(slots[4 + i]));
  state.segments[cs] = make_v86_segment(selector);
  state.rip = target;
  const u32 flags = (image & 0x3F7FD5) | flag::always_one;
  return finish_return(cpu, flags, popped);
}

/// A task gate's frame is the saved EIP of the task that it entered.
u64 task_frame(const Segment& task) { return task.base + ((task.type() & 8) != 0 ? 0x20 : 0x0E); }

/// NT: back to the task whose TSS the back link of this one names (SDM vol. 3A §7.4).
Outcome return_from_task(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  u16 link;
  if (!cpu.read_system(state.tr.base, &link, 2)) return Outcome::Fault;
  Descriptor tss;
  if ((link & 4) != 0 || null_selector(link)) {
    return cpu.raise(vector::invalid_tss, link & 0xFFFCu, FailedCheck::SelectorPastLimit);
  }
  if (!require_descriptor(cpu, link, vector::invalid_tss, tss)) return Outcome::Fault;
  if (!tss.system() || (tss.type() != system_type::tss32_busy && tss.type() != system_type::tss16_busy)) {
    return cpu.raise(vector::invalid_tss, link & 0xFFFCu, FailedCheck::TssBad);
  }
  if (!tss.present()) return cpu.raise(vector::segment_not_present, link & 0xFFFCu, FailedCheck::SegmentNotPresent);
  cpu.sync(&operation);
  const u64 frame = task_frame(state.tr);
  const u64 address = cpu.rip_of(operation);
  const Outcome outcome =
      task_switch_outcome(cpu, switch_task(cpu, link, TaskSwitch::Return, following_rip(cpu, operation), nullptr));
  if (outcome == Outcome::JumpStop) {
    state.nmi_blocked = false;
    note_return(cpu, frame, {}, address);
  }
  return outcome;
}

Outcome return_protected(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  const bool from_64bit = cpu.mode.is64();
  u64 slots[5] = {};
  const bool known = read_frame64(cpu, operation, slots);
  if (!known && (!read_slot(cpu, operation, 0, slots[0]) || !read_slot(cpu, operation, 1, slots[1]) ||
                 !read_slot(cpu, operation, 2, slots[2]))) {
    return Outcome::Fault;
  }
  const u64 target = slots[0];
  const auto selector = static_cast<u16>(slots[1]);
  const auto image = static_cast<u32>(slots[2]);
  if (!state.long_mode() && operation.operand_size == 4 && (image & flag::virtual_8086) != 0 && cpu.cpl == 0) {
    return return_to_v86(cpu, operation, target, selector, image);
  }
  Descriptor code;
  if (!prepare_return_code(cpu, selector, code)) return Outcome::Fault;
  const u8 privilege = rpl_of(selector);
  const bool outward = privilege != cpu.cpl;
  const bool to_64bit = state.long_mode() && code.long_mode();
  // 64-bit code always pops SS:RSP (SDM vol. 3A §6.14.3).
  const bool pops_stack = outward || from_64bit;
  Segment stack = state.segments[ss];
  u64 pointer = 0;
  u16 stack_selector = 0;
  if (pops_stack) {
    if (!known && (!read_slot(cpu, operation, 3, slots[3]) || !read_slot(cpu, operation, 4, slots[4]))) {
      return Outcome::Fault;
    }
    pointer = slots[3];
    stack_selector = static_cast<u16>(slots[4]);
    if (!prepare_return_stack(cpu, stack_selector, privilege, code, stack)) return Outcome::Fault;
  }
  if (!check_target(cpu, code, target)) return Outcome::Fault;

  cpu.sync(&operation);
  const Popped popped = {.instruction = cpu.rip_of(operation),
                         .frame = frame_address(cpu),
                         .image = {.rip = target,
                                   .rsp = pointer,
                                   .flags = image,
                                   .cs = selector,
                                   .ss = stack_selector,
                                   .has_stack = pops_stack}};
  const u32 writable = writable_flags(cpu, operation.operand_size);
  const u32 flags = (state.flags() & ~writable & ~flag::resume) | (image & writable);
  if (pops_stack) {
    load_outer_pointer(cpu, stack, to_64bit, pointer);
    state.segments[ss] = stack;
  } else {
    set_stack_pointer(cpu, state.gpr[rsp] + 3u * operation.operand_size);
  }
  state.segments[cs] = make_segment(selector, code);
  state.rip = target;
  if (outward) drop_inner_segments(cpu, privilege);
  return finish_return(cpu, flags, popped);
}

/// IRETQ to the code and the stack segment that it is in: as return_protected(), when nothing about them has changed.
std::optional<Outcome> return_to_same_segments(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  u64 slots[5];
  if (!read_frame64(cpu, operation, slots) || state.has(flag::nested_task)) return std::nullopt;
  const auto code = static_cast<u16>(slots[1]);
  const auto stack = static_cast<u16>(slots[4]);
  if (!same_code64(cpu, code) || !same_stack64(cpu, stack) || !canonical(slots[0])) return std::nullopt;
  cpu.sync(&operation);
  const auto image = static_cast<u32>(slots[2]);
  const Popped popped = {
      .instruction = cpu.rip_of(operation),
      .frame = state.gpr[rsp],
      .image = {.rip = slots[0], .rsp = slots[3], .flags = image, .cs = code, .ss = stack, .has_stack = true}};
  const u32 writable = writable_flags(cpu, operation.operand_size);
  state.rip = slots[0];
  state.gpr[rsp] = slots[3];
  return finish_return(cpu, (state.flags() & ~writable & ~flag::resume) | (image & writable), popped,
                       SegmentsThen::Same);
}

Outcome return_by_mode(Cpu& cpu, const Operation& operation) {
  if (const std::optional<Outcome> outcome = return_to_same_segments(cpu, operation)) return *outcome;
  const CpuState& state = cpu.state;
  if (!state.protected_mode()) return return_real(cpu, operation);
  if (state.v86()) return state.iopl() == 3 ? return_real(cpu, operation) : return_virtual(cpu, operation);
  if (state.has(flag::nested_task)) {
    if (!state.long_mode()) return return_from_task(cpu, operation);
    return cpu.raise(vector::general_protection, 0, FailedCheck::Undefined);
  }
  return return_protected(cpu, operation);
}

/// The words that the IRET will pop, read without effect.
FrameImage peek_frame(const Cpu& cpu, const Operation& operation) {
  const CpuState& state = cpu.state;
  u64 slots[5] = {};
  const auto peek = [&](unsigned first, unsigned last) {
    bool good = true;
    for (unsigned i = first; i <= last && good; ++i) {
      const u64 offset = stack_offset(cpu, static_cast<i64>(i) * operation.operand_size);
      const u64 linear = cpu.mode.is64() ? offset : static_cast<u32>(state.segments[ss].base + offset);
      good = peek_memory(cpu, linear, {reinterpret_cast<u8*>(&slots[i]), operation.operand_size});
    }
    return good;
  };
  if (!peek(0, 2)) return {};
  FrameImage image{.rip = slots[0], .flags = static_cast<u32>(slots[2]), .cs = static_cast<u16>(slots[1])};
  if (state.real_or_v86()) return image;
  const bool to_v86 = operation.operand_size == 4 && (image.flags & flag::virtual_8086) != 0 && cpu.cpl == 0;
  image.has_stack = cpu.mode.is64() || to_v86 || rpl_of(image.cs) != cpu.cpl;
  if (!image.has_stack) return image;
  if (!peek(3, 4)) return {};
  image.rsp = slots[3];
  image.ss = static_cast<u16>(slots[4]);
  return image;
}

Outcome probed_return(Cpu& cpu, const Operation& operation) {
  const CpuState& state = cpu.state;
  cpu.sync(&operation);
  ProbedReturn iret{
      .instruction = cpu.rip_of(operation), .frame = frame_address(cpu), .operand_size = operation.operand_size};
  FrameImage image;
  if (state.protected_mode() && !state.long_mode() && !state.v86() && state.has(flag::nested_task)) {
    iret.frame = task_frame(state.tr);
  } else {
    image = peek_frame(cpu, operation);
  }
  if (const Cpu::LiveFrame* live = find_live_frame(cpu, iret.frame, image)) {
    iret.request = live->request;
    iret.vector = live->vector;
  }
  const CpuProbe* const probe = cpu.probe;
  cpu.probe->returning(cpu, iret);
  const Outcome outcome = return_by_mode(cpu, operation);
  // A callback may have taken the probe off.
  if (outcome != Outcome::Fault && cpu.probe == probe && probe != nullptr) cpu.probe->returned(cpu, iret);
  return outcome;
}

}  // namespace

Outcome interrupt_return(Cpu& cpu, const Operation& operation) {
  const Outcome outcome = cpu.probe != nullptr ? probed_return(cpu, operation) : return_by_mode(cpu, operation);
  // An IRET that faults has been executed: NMIs come before the handler of its fault (SDM vol. 3A §6.7.1). What must
  // run alone has not been executed yet.
  if (outcome == Outcome::Fault && cpu.leave == Leave::Fault) [[unlikely]]
    cpu.state.nmi_blocked = false;
  return outcome;
}

Outcome far_return(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  const auto released = static_cast<u16>(operation.immediate);
  u64 target;
  u64 selector_slot;
  if (!read_slot(cpu, operation, 0, target) || !read_slot(cpu, operation, 1, selector_slot)) return Outcome::Fault;
  const auto selector = static_cast<u16>(selector_slot);
  const u64 popped = 2u * operation.operand_size + released;
  if (state.real_or_v86()) {
    const Segment code = state.v86() ? make_v86_segment(selector) : make_real_segment(state.segments[cs], selector);
    if (target > code.limit)
      return cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, code.base + target);
    set_stack_pointer(cpu, state.gpr[rsp] + popped);
    state.segments[cs] = code;
    state.rip = target;
    cpu.update_mode();
    return Outcome::JumpStop;
  }
  Descriptor code;
  if (!prepare_return_code(cpu, selector, code)) return Outcome::Fault;
  const u8 privilege = rpl_of(selector);
  const bool to_64bit = state.long_mode() && code.long_mode();
  if (privilege == cpu.cpl) {
    if (!check_target(cpu, code, target)) return Outcome::Fault;
    set_stack_pointer(cpu, state.gpr[rsp] + popped);
    state.segments[cs] = make_segment(selector, code);
    state.rip = target;
    cpu.update_mode();
    return Outcome::JumpStop;
  }
  u64 pointer;
  u64 stack_selector;
  Segment stack;
  if (!read_slot(cpu, operation, 2, pointer, released) || !read_slot(cpu, operation, 3, stack_selector, released) ||
      !prepare_return_stack(cpu, static_cast<u16>(stack_selector), privilege, code, stack) ||
      !check_target(cpu, code, target)) {
    return Outcome::Fault;
  }
  load_outer_pointer(cpu, stack, to_64bit, pointer + released);
  const u64 address = cpu.rip_of(operation);
  if (cpu.probe != nullptr) cpu.sync(&operation);
  state.segments[ss] = stack;
  state.segments[cs] = make_segment(selector, code);
  state.rip = target;
  drop_inner_segments(cpu, privilege);
  cpu.update_mode();
  if (cpu.probe != nullptr) cpu.probe->left_kernel(cpu, address);
  return Outcome::JumpStop;
}

}  // namespace vitrine
