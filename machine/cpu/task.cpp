// Hardware task switch (SDM vol. 3A ch. 7; order of steps: §7.3, checks: tables 7-1 and 7-2).
//
// What can be checked before the new task's registers are loaded is checked first, and faults in the old task. From the
// commit point on a fault belongs to the new task, whose RIP it saves.
#include "machine/cpu/descriptor.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// A TSS as either layout holds it (SDM vol. 3A figures 7-2 and 7-10).
struct TaskImage {
  u32 cr3 = 0;
  u32 rip = 0;
  u32 flags = 0;
  u32 gpr[8]{};
  u16 segments[segment_count]{};  // in the order of SegmentIndex, which is the TSS's
  u16 ldt = 0;
  bool debug_trap = false;
};

struct Layout {
  bool wide;
  [[nodiscard]] u32 rip() const { return wide ? 0x20 : 0x0E; }
  [[nodiscard]] u32 flags() const { return wide ? 0x24 : 0x10; }
  [[nodiscard]] u32 gpr(unsigned i) const { return wide ? 0x28 + i * 4 : 0x12 + i * 2; }
  [[nodiscard]] u32 segment(unsigned i) const { return wide ? 0x48 + i * 4 : 0x22 + i * 2; }
  [[nodiscard]] u32 ldt() const { return wide ? 0x60 : 0x2A; }
  [[nodiscard]] unsigned width() const { return wide ? 4 : 2; }
  [[nodiscard]] unsigned segments() const { return wide ? 6 : 4; }  // a 16-bit TSS has no FS and GS
  [[nodiscard]] u32 smallest_limit() const { return wide ? 0x67 : 0x2B; }
};

bool read_image(Cpu& cpu, u64 base, Layout layout, TaskImage& image) {
  const auto read = [&](u32 offset, void* into, unsigned size) { return cpu.read_system(base + offset, into, size); };
  bool good = read(layout.rip(), &image.rip, layout.width()) && read(layout.flags(), &image.flags, layout.width());
  for (unsigned i = 0; i < 8; ++i) good = good && read(layout.gpr(i), &image.gpr[i], layout.width());
  for (unsigned i = 0; i < layout.segments(); ++i) good = good && read(layout.segment(i), &image.segments[i], 2);
  good = good && read(layout.ldt(), &image.ldt, 2);
  if (layout.wide) {
    u16 trap = 0;
    good = good && read(0x1C, &image.cr3, 4) && read(0x64, &trap, 2);
    image.debug_trap = (trap & 1) != 0;
  } else {
    // The upper halves of a 16-bit TSS's registers are undefined; hardware fills them with ones.
    for (u32& value : image.gpr) value |= 0xFFFF0000;
  }
  return good;
}

/// Saves the running task: what a TSS holds but CR3, LDT and the inner stacks, which a switch never writes.
bool write_image(Cpu& cpu, u64 base, Layout layout, u32 rip, u32 flags) {
  const auto write = [&](u32 offset, const void* from, unsigned size) {
    return cpu.write_system(base + offset, from, size);
  };
  bool good = write(layout.rip(), &rip, layout.width()) && write(layout.flags(), &flags, layout.width());
  for (unsigned i = 0; i < 8; ++i) good = good && write(layout.gpr(i), &cpu.state.gpr[i], layout.width());
  for (unsigned i = 0; i < layout.segments(); ++i) {
    good = good && write(layout.segment(i), &cpu.state.segments[i].selector, 2);
  }
  return good;
}

bool set_busy(Cpu& cpu, u16 selector, bool busy) {
  Descriptor descriptor;
  if (!require_descriptor(cpu, selector, vector::invalid_tss, descriptor)) return false;
  const u8 access_byte = static_cast<u8>(descriptor.raw >> 40);
  const u8 changed = static_cast<u8>(busy ? access_byte | 2 : access_byte & ~2);
  return cpu.write_system(descriptor.address + 5, &changed, 1);
}

bool load_local_table(Cpu& cpu, u16 selector) {
  Segment& ldtr = cpu.state.ldtr;
  ldtr.selector = selector;
  ldtr.usable = false;
  if (null_selector(selector)) return true;
  if ((selector & 4) != 0) return refuse(cpu, vector::invalid_tss, selector, FailedCheck::SelectorPastLimit);
  Descriptor descriptor;
  if (!require_descriptor(cpu, selector, vector::invalid_tss, descriptor)) return false;
  if (!descriptor.system() || descriptor.type() != system_type::ldt || !descriptor.present()) {
    return refuse(cpu, vector::invalid_tss, selector, FailedCheck::SegmentType);
  }
  ldtr = make_segment(selector, descriptor);
  return true;
}

bool load_code(Cpu& cpu, u16 selector) {
  if (null_selector(selector)) return refuse(cpu, vector::invalid_tss, 0, FailedCheck::SelectorNull);
  Descriptor code;
  if (!require_descriptor(cpu, selector, vector::invalid_tss, code)) return false;
  if (!code.code()) return refuse(cpu, vector::invalid_tss, selector, FailedCheck::NotCode);
  const u8 privilege = rpl_of(selector);
  const bool fits = code.conforming() ? code.dpl() <= privilege : code.dpl() == privilege;
  if (!fits) return refuse(cpu, vector::invalid_tss, selector, FailedCheck::BadPrivilege);
  if (!code.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  if (!mark_accessed(cpu, code)) return false;
  cpu.state.segments[cs] = make_segment(selector, code);
  return true;
}

bool load_data(Cpu& cpu, SegmentIndex index, u16 selector, u8 privilege) {
  if (null_selector(selector)) return true;  // left null by the commit
  Descriptor data;
  if (!require_descriptor(cpu, selector, vector::invalid_tss, data)) return false;
  if (!data.readable()) return refuse(cpu, vector::invalid_tss, selector, FailedCheck::SegmentType);
  const bool privileged = !(data.code() && data.conforming());
  if (privileged && (data.dpl() < privilege || data.dpl() < rpl_of(selector))) {
    return refuse(cpu, vector::invalid_tss, selector, FailedCheck::BadPrivilege);
  }
  if (!data.present()) return refuse(cpu, vector::segment_not_present, selector, FailedCheck::SegmentNotPresent);
  if (!mark_accessed(cpu, data)) return false;
  cpu.state.segments[index] = make_segment(selector, data);
  return true;
}

/// Loads the segments of the new task. A fault comes in the new task's context.
bool load_segments(Cpu& cpu, const TaskImage& image) {
  CpuState& state = cpu.state;
  if (!load_local_table(cpu, image.ldt)) return false;
  if (state.v86()) {
    for (unsigned i = 0; i < segment_count; ++i) state.segments[i] = make_v86_segment(image.segments[i]);
    cpu.update_mode();
    return true;
  }
  const u8 privilege = rpl_of(image.segments[cs]);
  Segment stack;
  bool good = load_code(cpu, image.segments[cs]) &&
              prepare_stack(cpu, image.segments[ss], privilege, vector::invalid_tss, stack);
  if (good) state.segments[ss] = stack;
  for (const SegmentIndex index : {ds, es, fs, gs})
    good = good && load_data(cpu, index, image.segments[index], privilege);
  cpu.update_mode();
  return good;
}

/// The selectors of the new task without their hidden parts: what stands there if loading one of them faults.
void place_selectors(Cpu& cpu, const TaskImage& image) {
  for (unsigned i = 0; i < segment_count; ++i) {
    Segment& segment = cpu.state.segments[i];
    segment = make_null_segment(segment, image.segments[i]);
    segment.attributes = static_cast<u16>((segment.attributes & ~0x60) | rpl_of(image.segments[cs]) << 5);
  }
}

/// Pushes the error code of the event on the new task's stack.
bool push_error_code(Cpu& cpu, const Delivery& event, unsigned width) {
  CpuState& state = cpu.state;
  StackWriter stack(cpu, state.segments[ss], state.gpr[rsp], cpu.cpl == 3, 0);
  if (!stack.push(event.error_code, width)) return false;
  commit_stack_pointer(cpu, state.segments[ss], stack.pointer());
  return true;
}

}  // namespace

Outcome task_switch_outcome(Cpu& cpu, bool switched) {
  if (switched) return Outcome::JumpStop;
  if (!cpu.fault.in_new_task) return Outcome::Fault;
  cpu.deliver_fault();
  return Outcome::JumpStop;
}

bool switch_task(Cpu& cpu, u16 selector, TaskSwitch reason, u64 next, const Delivery* event) {
  CpuState& state = cpu.state;
  const u8 bad_vector = vector::invalid_tss;
  Descriptor descriptor;
  if (!require_descriptor(cpu, selector, bad_vector, descriptor)) return false;
  const Layout to{.wide = (descriptor.type() & 8) != 0};
  const Layout from{.wide = (state.tr.type() & 8) != 0};
  if (descriptor.limit() < to.smallest_limit()) return refuse(cpu, bad_vector, selector, FailedCheck::TssBad);
  if (!state.tr.usable || state.tr.limit < from.smallest_limit()) {
    return refuse(cpu, bad_vector, state.tr.selector, FailedCheck::TssBad);
  }
  const u64 base = static_cast<u32>(descriptor.base());
  TaskImage image;
  if (!read_image(cpu, base, to, image)) return false;
  const bool nests = reason == TaskSwitch::Call || reason == TaskSwitch::Gate;
  u16 back_link = state.tr.selector;
  // Both TSS must be writable as far as they are written: after this nothing but the new task's own state can fault.
  if (!cpu.read_system(state.tr.base, &back_link, 2)) return false;
  back_link = state.tr.selector;
  if (nests && !cpu.write_system(base, &back_link, 2)) return false;

  u32 saved_flags = state.flags();
  if (reason == TaskSwitch::Return) saved_flags &= ~flag::nested_task;
  if (event != nullptr && event->sets_resume) saved_flags |= flag::resume;
  if (!write_image(cpu, state.tr.base, from, static_cast<u32>(next), saved_flags)) return false;
  if (!nests && !set_busy(cpu, state.tr.selector, false)) return false;
  if (reason != TaskSwitch::Return && !set_busy(cpu, selector, true)) return false;

  // The commit: from here on the new task runs.
  ProbedDelivery delivery;
  if (event != nullptr) delivery = describe_delivery(cpu, *event, saved_flags);
  const u64 old_pointer = state.gpr[rsp];
  const u64 interrupted_instruction = cpu.context.ledger.context.address;
  state.tr = make_segment(selector, descriptor);
  state.tr.attributes |= 2;
  state.cr0 |= cr0_bit::ts;
  if (to.wide && state.paging()) {
    const bool pointers = (state.cr4 & cr4_bit::pae) != 0;
    if (!pointers || load_page_directory_pointers(cpu, image.cr3)) state.cr3 = image.cr3;
    cpu.flush_tlb_non_global();
  }
  for (unsigned i = 0; i < 8; ++i) state.gpr[i] = image.gpr[i];
  const bool was_set = state.has(flag::interrupt);
  u32 flags = image.flags & 0x3F7FD5;
  if (!to.wide) flags &= 0xFFFF;
  if (nests) flags |= flag::nested_task;
  state.set_flags(flags);
  state.rip = image.rip;
  place_selectors(cpu, image);
  state.dr[7] &= ~u64{0x155};  // local breakpoints are the old task's (SDM vol. 3B §17.2.4)
  cpu.update_mode();
  cpu.interrupt_flag_changed(was_set, interrupted_instruction);

  bool good = load_segments(cpu, image);
  if (good && image.rip > state.segments[cs].limit) {
    cpu.raise(vector::general_protection, 0, FailedCheck::SegmentLimit, state.segments[cs].base + image.rip);
    good = false;
  }
  if (good && event != nullptr && event->has_error_code) good = push_error_code(cpu, *event, to.width());
  if (good && image.debug_trap) state.pending_debug |= u64{1} << 15;  // BT
  if (good && event != nullptr) {
    delivery.task_gate = true;
    delivery.frame = base + to.rip();
    delivery.slot_size = static_cast<u8>(to.width());
    note_delivery(cpu, delivery);
  }
  if (event == nullptr && cpu.probe != nullptr) {
    cpu.probe->stack_switched(cpu, interrupted_instruction, old_pointer, state.gpr[rsp]);
  }
  if (good) return true;
  // The fault is the new task's: it is delivered from there, as if its first instruction had raised it.
  cpu.fault.in_new_task = true;
  return false;
}

}  // namespace vitrine
