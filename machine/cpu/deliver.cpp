// Which event is delivered when, and what happens when a delivery fails (SDM vol. 3A §6.7 - §6.9, §6.15).
#include <algorithm>

#include "base/bits.hpp"
#include "machine/core/delivered_mode.hpp"
#include "machine/cpu/access.hpp"
#include "machine/cpu/debug_status.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// For the double-fault table (SDM vol. 3A table 6-4).
enum class Severity : u8 { Benign, Contributory, PageFault, DoubleFault };

Severity severity_of(u8 number) {
  switch (number) {
    case vector::divide_error:
    case vector::invalid_tss:
    case vector::segment_not_present:
    case vector::stack_fault:
    case vector::general_protection:
      return Severity::Contributory;
    case vector::page_fault:
      return Severity::PageFault;
    case vector::double_fault:
      return Severity::DoubleFault;
    default:
      return Severity::Benign;
  }
}

/// Interrupts and traps of instructions are benign whatever their vector.
Severity severity_of(const Delivery& event) {
  const bool exception = event.kind == DeliveryKind::Fault || event.kind == DeliveryKind::Abort;
  return exception ? severity_of(event.vector) : Severity::Benign;
}

bool names_selector(u8 number) { return number >= vector::invalid_tss && number <= vector::general_protection; }

u64 extra_of(bool has_error_code, u32 error_code) { return has_error_code ? error_code | u64{1} << 32 : 0; }

u64 mode_of(const Cpu& cpu, const ProbedDelivery& entry) {
  if (!cpu.state.protected_mode()) return u64{1} << delivered_in_real_mode;
  return (entry.before.flags & flag::virtual_8086) != 0 ? u64{1} << delivered_from_virtual_8086 : 0;
}

VITRINE_INLINE void record(Cpu& cpu, Record&& entry) {
  entry.source = cpu.context.source.value;
  entry.privilege = cpu.cpl;
  cpu.context.ledger.append_for(cpu.number, entry);
}

/// Takes note of an exception: CR2, DR7, fault chain, ledger. Makes the event that is to be delivered.
Delivery begin_exception(Cpu& cpu, const Fault& raised) {
  CpuState& state = cpu.state;
  if (raised.vector == vector::page_fault) state.cr2 = raised.address;
  if (raised.vector == vector::debug) state.dr[7] &= ~(u64{1} << 13);  // GD (SDM vol. 3B §17.2.4)
  Delivery event;
  event.vector = raised.vector;
  event.kind = raised.vector == vector::double_fault ? DeliveryKind::Abort : DeliveryKind::Fault;
  event.has_error_code = raised.has_error_code;
  event.error_code = raised.error_code;
  event.sets_resume = event.kind == DeliveryKind::Fault;
  event.return_rip = state.rip;
  event.request = cpu.context.ledger.next_request().value;
  const bool selector = raised.has_error_code && names_selector(raised.vector);
  cpu.fault_chain.add({.vector = raised.vector,
                       .has_error_code = raised.has_error_code,
                       .check = raised.check,
                       .privilege = cpu.cpl,
                       .error_code = static_cast<u16>(raised.error_code),
                       .selector = selector ? static_cast<u16>(raised.error_code & 0xFFF8) : u16{0},
                       .cs = state.segments[cs].selector,
                       .ss = state.segments[ss].selector,
                       .delivering_vector = raised.delivering_vector,
                       .during_delivery = raised.during_delivery,
                       .delivering_kind = raised.delivering_kind,
                       .linear_address = raised.address,
                       .rip = state.rip,
                       .rsp = state.gpr[rsp],
                       .cr2 = state.cr2,
                       .time = cpu.context.clock.now().value});
  record(cpu, {.id = event.request,
               .address = cpu.linear_rip(),
               .other = raised.vector == vector::page_fault ? raised.address : 0,
               .extra = extra_of(raised.has_error_code, raised.error_code),
               .kind = RecordKind::Exception,
               .vector = raised.vector});
  return event;
}

/// cpu.fault came up while `event` was on its way: completes it with what only the delivery knows.
void blame_delivery(Cpu& cpu, const Delivery& event) {
  cpu.fault.during_delivery = true;
  cpu.fault.delivering_vector = event.vector;
  cpu.fault.delivering_kind = event.kind;
  // EXT (SDM vol. 3A §6.13).
  if (!event.checks_dpl && cpu.fault.has_error_code && names_selector(cpu.fault.vector)) cpu.fault.error_code |= 1;
  record(cpu, {.id = event.request,
               .address = cpu.linear_rip(),
               .extra = extra_of(cpu.fault.has_error_code, cpu.fault.error_code),
               .kind = RecordKind::DeliveryFailed,
               .vector = event.vector,
               .detail = static_cast<u8>(cpu.fault.check)});
}

void shut_down(Cpu& cpu) {
  cpu.state.shutdown = true;
  record(cpu, {.address = cpu.linear_rip(), .kind = RecordKind::TripleFault});
}

/// Delivers the event, or whatever comes of it.
void deliver(Cpu& cpu, Delivery event) {
  for (;;) {
    cpu.budget -= 1;
    ++cpu.not_retired;
    if (deliver_through_idt(cpu, event)) return;
    blame_delivery(cpu, event);
    const Severity first = severity_of(event);
    const Severity second = severity_of(cpu.fault.vector);
    event = begin_exception(cpu, cpu.fault);
    if (first == Severity::DoubleFault && second != Severity::Benign) return shut_down(cpu);
    const bool doubled = (first == Severity::Contributory && second == Severity::Contributory) ||
                         (first == Severity::PageFault && second != Severity::Benign);
    if (doubled) {
      event = begin_exception(cpu, {.vector = vector::double_fault,
                                    .has_error_code = true,
                                    .during_delivery = true,
                                    .delivering_vector = cpu.fault.delivering_vector,
                                    .delivering_kind = cpu.fault.delivering_kind});
    }
  }
}

void wake(Cpu& cpu, u64 request) {
  if (!cpu.state.halted) return;
  cpu.state.halted = false;
  record(cpu, {.id = request, .address = cpu.linear_rip(), .since = cpu.state.halted_since, .kind = RecordKind::Woken});
}

void deliver_debug(Cpu& cpu, u64 reasons, DeliveryKind kind) {
  note_debug_reasons(cpu.state, reasons);
  cpu.fault_chain.clear();
  Delivery event = begin_exception(cpu, {.vector = vector::debug});
  event.kind = kind;
  event.sets_resume = false;  // an instruction breakpoint's frame has RF clear (SDM vol. 3B §17.3.1.1)
  wake(cpu, event.request);
  deliver(cpu, event);
}

void report_blocked(Cpu& cpu, Obstacle obstacle) {
  if (cpu.blocked_reported_request == cpu.state.intr_request) return;
  cpu.blocked_reported_request = cpu.state.intr_request;
  const bool flag_clear = obstacle == Obstacle::InterruptFlag;
  record(cpu, {.id = cpu.state.intr_request,
               .address = flag_clear ? cpu.state.interrupts_off_address : cpu.linear_rip(),
               .since = flag_clear ? cpu.state.interrupts_off_since : cpu.context.clock.now().value,
               .kind = RecordKind::Blocked,
               .detail = static_cast<u8>(obstacle)});
}

/// DR6 bits of the instruction breakpoints that the next instruction meets.
u64 code_breakpoints(const Cpu& cpu) {
  const u64 control = cpu.state.dr[7];
  u64 met = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const bool enabled = bits(control, 2 * i + 1, 2 * i) != 0;
    if (enabled && bits(control, 17 + 4 * i, 16 + 4 * i) == 0 && cpu.state.dr[i] == cpu.linear_rip())
      met |= u64{1} << i;
  }
  return met;
}

// CR3 without PCID and cache control: an operating system may change those for the same tables (SDM 3A, 4.10.1).
u64 address_space_of(const Cpu& cpu) { return cpu.state.cr3 & ~u64{0xFFF}; }

}  // namespace

void note_delivery(Cpu& cpu, const ProbedDelivery& entry) {
  // A frame at this address before is gone: this one has overwritten it.
  auto& frames = cpu.live_frames;
  for (std::size_t i = frames.size(); i-- > 0;) {
    if (frames[i].frame == entry.frame) frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (frames.size() == Cpu::most_live_frames) frames.erase(frames.begin());
  FrameImage image;
  if (!entry.task_gate) {
    image = {.rip = entry.before.rip, .flags = entry.before.flags, .cs = entry.before.cs, .has_stack = entry.slots > 3};
    if (image.has_stack) {
      image.rsp = entry.before.rsp;
      image.ss = entry.before.ss;
    }
  }
  frames.push_back({.frame = entry.frame,
                    .request = entry.request,
                    .vector = entry.vector,
                    .image = image,
                    .address_space = address_space_of(cpu)});
  record(cpu, {.id = entry.request,
               .address = cpu.linear_rip(),
               .other = entry.instruction,
               .frame = entry.frame,
               .extra = extra_of(entry.has_error_code, entry.error_code) | mode_of(cpu, entry),
               .kind = RecordKind::Delivered,
               .vector = entry.vector,
               .detail = static_cast<u8>(entry.kind)});
  if (cpu.probe != nullptr) cpu.probe->delivered(cpu, entry);
}

const Cpu::LiveFrame* find_live_frame(const Cpu& cpu, u64 frame, const FrameImage& image) {
  const Cpu::LiveFrame* moved = nullptr;
  for (std::size_t i = cpu.live_frames.size(); i-- > 0;) {
    const Cpu::LiveFrame& live = cpu.live_frames[i];
    if (live.frame == frame) return &live;
    if (moved == nullptr && image.cs != 0 && live.image == image && live.address_space == address_space_of(cpu)) {
      moved = &live;
    }
  }
  if (moved != nullptr || cpu.group.cpus.size() == 1) return moved;
  // A thread that was interrupted on another CPU goes on here.
  for (const Cpu* other : cpu.group.cpus) {
    for (std::size_t i = other->live_frames.size(); i-- > 0;) {
      const Cpu::LiveFrame& live = other->live_frames[i];
      if (live.frame == frame && live.image == image) return &live;
    }
  }
  return nullptr;
}

void note_return(Cpu& cpu, u64 frame, const FrameImage& image, u64 iret_address) {
  const bool innermost = !cpu.live_frames.empty() && cpu.live_frames.back().frame == frame;
  const Cpu::LiveFrame* live = innermost ? &cpu.live_frames.back() : find_live_frame(cpu, frame, image);
  if (live == nullptr) return;
  record(cpu, {.id = live->request,
               .address = iret_address,
               .frame = live->frame,
               .kind = RecordKind::Returned,
               .vector = live->vector});
  if (innermost) return cpu.live_frames.pop_back();
  for (Cpu* owner : cpu.group.cpus) {
    auto& frames = owner->live_frames;
    const auto found = std::ranges::find_if(frames, [&](const Cpu::LiveFrame& each) { return &each == live; });
    if (found == frames.end()) continue;
    frames.erase(found);
    return;
  }
}

void Cpu::deliver_fault() {
  if (!fault.during_delivery) fault_chain.clear();
  deliver(*this, begin_exception(*this, fault));
}

bool Cpu::deliver_pending() {
  if (state.shadow_at == state.instructions) state.interrupt_shadow = true;
  // Priority: SDM vol. 3A table 6-2. Machine checks, traps of the instruction before ...
  if (state.machine_check_pending) {
    state.machine_check_pending = false;
    fault_chain.clear();
    Delivery event = begin_exception(*this, {.vector = vector::machine_check});
    event.kind = DeliveryKind::Abort;
    event.sets_resume = false;
    wake(*this, event.request);
    deliver(*this, event);
    return true;
  }
  if (state.pending_debug != 0 && !state.debug_shadow) {
    const u64 reasons = state.pending_debug;
    state.pending_debug = 0;
    deliver_debug(*this, reasons, DeliveryKind::Trap);
    return true;
  }
  // ... then NMI (which MOV SS holds off too), then INTR ...
  if (state.nmi_pending && !state.nmi_blocked && !state.debug_shadow) {
    state.nmi_pending = false;
    state.nmi_blocked = true;
    fault_chain.clear();
    state.nmi_blocked_since = context.clock.now().value;
    const Delivery event{
        .vector = vector::nmi, .kind = DeliveryKind::Nmi, .return_rip = state.rip, .request = state.nmi_request};
    wake(*this, event.request);
    deliver(*this, event);
    return true;
  }
  if (state.intr && controller != nullptr) {
    if (!state.has(flag::interrupt)) {
      report_blocked(*this, Obstacle::InterruptFlag);
    } else if (state.interrupt_shadow) {
      report_blocked(*this, Obstacle::InterruptShadow);
    } else {
      fault_chain.clear();
      wake(*this, state.intr_request);
      const Tick due = context.events.next_due();
      const Acknowledged acknowledged = controller->acknowledge();
      local_apic_done(due);
      deliver(*this, {.vector = acknowledged.vector.value,
                      .kind = DeliveryKind::External,
                      .return_rip = state.rip,
                      .request = acknowledged.request.value});
      return true;
    }
  }
  // ... then instruction breakpoints of the next instruction.
  if ((state.dr[7] & 0xFF) != 0 && !state.halted && !state.has(flag::resume) && !state.debug_shadow) {
    const u64 met = code_breakpoints(*this);
    if (met != 0) {
      deliver_debug(*this, met, DeliveryKind::Fault);
      return true;
    }
  }
  return false;
}

Outcome Cpu::software_interrupt(u8 called, u64 next, const Operation& operation) {
  sync(&operation);
  Delivery event{.vector = called, .kind = DeliveryKind::Software, .return_rip = next};
  event.checks_dpl = operation.extra != int1_marker;
  event.int_n = operation.extra == int_n_marker;
  event.request = context.ledger.next_request().value;
  state.rip = current_rip(*this, operation);
  budget -= 1;
  ++not_retired;
  if (deliver_through_idt(*this, event)) {
    interrupt_taken = true;
    if (operation.extra == int1_marker && state.pending_debug != 0) {
      // unverified: what a MOV SS before it held back comes with INT1's own #DB, as kvm-unit-tests has seen it
      note_debug_reasons(state, state.pending_debug);
      state.pending_debug = 0;
    }
    return Outcome::JumpStop;
  }
  blame_delivery(*this, event);
  return task_switch_outcome(*this, false);
}

void Cpu::machine_check(const MachineCheck::Error& error) {
  if (machine_checks.log(error) && apic != nullptr) apic->raise_local(LocalInterrupts::Source::CorrectedMachineCheck);
  if (error.severity == MachineCheck::Severity::Corrected || !machine_checks.signals()) return;
  // SDM vol. 3B §15.3.1.2: without CR4.MCE, or while one is in progress, the CPU shuts down.
  if ((state.cr4 & cr4_bit::mce) == 0 || !machine_checks.enter()) {
    fault_chain.clear();
    fault_chain.add({.vector = vector::machine_check,
                     .privilege = cpl,
                     .cs = state.segments[cs].selector,
                     .ss = state.segments[ss].selector,
                     .rip = state.rip,
                     .rsp = state.gpr[rsp],
                     .time = context.clock.now().value});
    return shut_down(*this);
  }
  state.machine_check_pending = true;
}

void Cpu::interrupt_flag_changed(bool was_set, u64 address) {
  const bool set = state.has(flag::interrupt);
  if (was_set == set) return;
  const u64 now = context.clock.now().value;
  if (!set) {
    state.interrupts_off_address = address;
    state.interrupts_off_since = now;
    return;
  }
  if (now - state.interrupts_off_since >= notable_interrupts_off) {
    record(*this, {.address = state.interrupts_off_address,
                   .other = address,
                   .since = state.interrupts_off_since,
                   .kind = RecordKind::InterruptsOff});
  }
  if (probe != nullptr && probe->wants_interrupt_flag) probe->interrupts_enabled(*this, address);
}

}  // namespace vitrine
