#include "machine/cpu/cpu.hpp"

#include <string>
#include <utility>

#include "machine/cpu/signature.hpp"

namespace vitrine {

namespace {

constexpr u8 no_pin = 0xFF;  // of records: an NMI comes by a message, or by a wire without number

/// What INIT looks at (SDM vol. 3A §8.4.2): the BSP flag of IA32_APIC_BASE, which software may change.
bool is_bootstrap_processor(const Cpu& cpu) {
  constexpr u32 apic_base = 0x1B;
  constexpr u64 bsp = 1u << 8;
  u64 base = 0;
  const bool has_flag = cpu.apic != nullptr && cpu.apic->read_msr(apic_base, base) == LocalInterrupts::MsrResult::Done;
  return has_flag ? (base & bsp) != 0 : cpu.number == 0;
}

}  // namespace

Cpu::Cpu(DeviceContext device_context, MemoryBus& memory_bus, PortBus& port_bus,
         InterruptAcknowledger* interrupt_controller, u64 random_seed, CpuGroup* machine_group)
    : number(machine_group != nullptr ? static_cast<u8>(machine_group->cpus.size()) : u8{0}),
      context(device_context),
      memory(memory_bus),
      ports(port_bus),
      controller(interrupt_controller),
      own_group(machine_group != nullptr ? nullptr : std::make_unique<CpuGroup>(1)),
      group(machine_group != nullptr ? *machine_group : *own_group),
      seed(random_seed + number),
      blocks(group.code_owners, number, group.count),
      name_("cpu" + std::to_string(number)),
      banks_(std::make_unique<TlbBank[]>(4)),
      scratch_(static_cast<u8*>(std::aligned_alloc(
          64, (sizeof(Block) + (most_block_instructions + block_tail_operations) * sizeof(Operation) + 63) & ~63u))) {
  std::memset(scratch_.get(), 0, sizeof(Block));
  group.cpus.push_back(this);
  Cpu::reset();
}

Cpu::~Cpu() = default;

void Cpu::connect_apic(LocalInterrupts& local) {
  apic = &local;
  controller = &local;
}

void Cpu::reset() {
  restart(state.instructions);
  performance = {};
  machine_checks = {};
  overflow_due = false;
  // The first CPU of those that come out of reset starts the machine (SDM vol. 3A §8.4.1).
  state.waits_for_startup = number != 0;
}

void Cpu::restart(u64 kept_instructions) {
  if (state.nmi_pending) {
    context.ledger.append_for(number, {.id = state.nmi_request,
                                       .kind = RecordKind::Withdrawn,
                                       .vector = vector::nmi,
                                       .pin = no_pin,
                                       .source = context.source.value});
  }
  const bool intr = state.intr;
  const u64 request = state.intr_request;
  const bool nmi_line = state.nmi_line;
  state = CpuState{};
  state.intr = intr;  // the pins are not ours
  state.intr_request = request;
  state.nmi_line = nmi_line;
  state.instructions = kept_instructions;
  state.random = seed;
  state.interrupts_off_since = context.clock.now().value;
  // SDM vol. 3A table 9-1: CS F000h with base FFFF0000h, EDX the processor signature.
  state.segments[cs] = {.selector = 0xF000, .base = 0xFFFF0000, .limit = 0xFFFF, .attributes = 0x009B, .usable = true};
  state.gpr[rdx] = processor_signature;
  live_frames.clear();
  fault_chain.clear();
  state_changed();
}

void Cpu::state_changed() {
  state.gpr[zero_slot] = 0;
  flush_tlb();
  update_mode();
}

void Cpu::line_changed(Pin pin, Level level, RequestId request) {
  if (!executing) group.disturbed = true;
  switch (pin.value) {
    case intr_pin:
      state.intr = level == Level::High;
      state.intr_request = request.value;
      break;
    case nmi_pin:
      if (level == Level::High && !state.nmi_line) nmi(request);
      state.nmi_line = level == Level::High;
      break;
    case ignne_pin:
      ignne = level == Level::High;
      break;
    default:
      break;
  }
}

void Cpu::nmi(RequestId request) {
  if (!executing) group.disturbed = true;
  const u64 id = request.value != 0 ? request.value : context.ledger.next_request().value;
  Record ended{.id = id, .vector = vector::nmi, .pin = no_pin, .source = context.source.value};
  if (state.waits_for_startup) {  // SDM vol. 3A §8.4.1: nothing but a SIPI (and INIT) gets through
    ended.kind = RecordKind::MessageLost;
    ended.detail = static_cast<u8>(MessageLoss::WaitsForStartUp);
    return context.ledger.append_for(number, ended);
  }
  if (state.nmi_pending) {
    ended.kind = RecordKind::Merged;
    ended.other = state.nmi_request;
    return context.ledger.append_for(number, ended);
  }
  state.nmi_pending = true;
  state.nmi_request = id;
  if (!state.nmi_blocked) return;
  Record blocked{.id = state.nmi_request,
                 .since = state.nmi_blocked_since,
                 .kind = RecordKind::Blocked,
                 .detail = static_cast<u8>(Obstacle::NmiInProgress),
                 .source = context.source.value};
  for (const LiveFrame& live : live_frames) {
    if (live.vector == vector::nmi) blocked.other = live.request;
  }
  context.ledger.append_for(number, blocked);
}

void Cpu::init(RequestId request) {
  if (!executing) return take_init(request);
  if (!pending_init) {
    pending_init = request;
    return;
  }
  context.ledger.append_for(number, {.id = request.value,
                                     .other = pending_init->value,
                                     .kind = RecordKind::Merged,
                                     .pin = no_pin,
                                     .source = context.source.value});
}

void Cpu::take_init(RequestId request) {
  if (!executing) group.disturbed = true;
  // Table 9-1: unlike RESET, INIT keeps the caches, x87 and SSE, and all model-specific registers but IA32_EFER and the
  // bases of FS and GS.
  const CpuState before = state;
  restart(before.instructions);
  state.fpu = before.fpu;
  state.star = before.star;
  state.lstar = before.lstar;
  state.cstar = before.cstar;
  state.syscall_mask = before.syscall_mask;
  state.kernel_gs_base = before.kernel_gs_base;
  state.sysenter_cs = before.sysenter_cs;
  state.sysenter_esp = before.sysenter_esp;
  state.sysenter_eip = before.sysenter_eip;
  state.tsc_aux = before.tsc_aux;
  state.tsc_offset = before.tsc_offset;
  state.tsc_adjust = before.tsc_adjust;
  state.mtrr_default = before.mtrr_default;
  state.mtrr_fixed = before.mtrr_fixed;
  state.mtrr_variable = before.mtrr_variable;
  state.pat = before.pat;
  state.misc_enable = before.misc_enable;
  state.xcr0 = before.xcr0;
  state.random = before.random;
  state.cr0 = (state.cr0 & ~(cr0_bit::cd | cr0_bit::nw)) | (before.cr0 & (cr0_bit::cd | cr0_bit::nw));
  state.waits_for_startup = !is_bootstrap_processor(*this);
  if (apic != nullptr) apic->init();  // INTR stays high where the 8259s drive it past the local APIC
  context.ledger.append_for(number, {.id = request.value,
                                     .kind = RecordKind::CpuReset,
                                     .detail = state.waits_for_startup ? u8{1} : u8{0},
                                     .source = context.source.value});
}

void Cpu::start_up(u8 vector, RequestId request) {
  if (!state.waits_for_startup) {
    context.ledger.append_for(number, {.id = request.value,
                                       .address = context.ledger.context.address,
                                       .kind = RecordKind::MessageLost,
                                       .vector = vector,
                                       .pin = static_cast<u8>(ApicPin::Interprocessor),
                                       .detail = static_cast<u8>(MessageLoss::NotWaiting),
                                       .source = context.source.value});
    return;
  }
  if (!executing) group.disturbed = true;
  state.waits_for_startup = false;
  state.segments[cs].selector = static_cast<u16>(vector << 8);
  state.segments[cs].base = u64{vector} << 12;
  state.rip = 0;
  state.interrupts_off_since = context.clock.now().value;
  state_changed();
  context.ledger.append_for(number, {.id = request.value,
                                     .address = u64{vector} << 12,
                                     .kind = RecordKind::CpuStarted,
                                     .vector = vector,
                                     .source = context.source.value});
}

void Cpu::set_fault(const Fault& raised) {
  fault = raised;
  leave = Leave::Fault;
}

void Cpu::exchange(Archive& archive) {
  archive.section("cpu", 6);
  archive(state);
  archive.sequence(live_frames, most_live_frames);
  archive(a20_mask, ignne, blocked_reported_request, fault_chain);
  archive(performance, machine_checks, not_retired, overflow_due);
  // What is derived from state and memory is not in the archive. Saving drops it too, so that the machine that was
  // saved goes on as one that is restored, also for a guest that relies on stale translations (docs/decisions/0013).
  blocks.clear();
  ++generations[code_generation];
  flush_tlb();
  if (!archive.loading()) return;
  run_start_instructions = state.instructions;
  run_budget = budget = 0;
  const PerformanceMonitor counters = std::exchange(performance, {});  // no privilege changes here
  state_changed();
  performance = counters;
}

}  // namespace vitrine
