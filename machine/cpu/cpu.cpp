#include "machine/cpu/cpu.hpp"

namespace vitrine {

Cpu::Cpu(DeviceContext device_context, MemoryBus& memory_bus, PortBus& port_bus,
         InterruptAcknowledger* interrupt_controller, u64 random_seed)
    : context(device_context),
      memory(memory_bus),
      ports(port_bus),
      controller(interrupt_controller),
      seed(random_seed),
      banks_(std::make_unique<TlbBank[]>(4)),
      scratch_(static_cast<u8*>(std::aligned_alloc(
          64, (sizeof(Block) + (most_block_instructions + block_tail_operations) * sizeof(Operation) + 63) & ~63u))) {
  std::memset(scratch_.get(), 0, sizeof(Block));
  Cpu::reset();
}

Cpu::~Cpu() = default;

void Cpu::reset() {
  const bool intr = state.intr;
  const u64 request = state.intr_request;
  const bool nmi_line = state.nmi_line;
  const u64 instructions = state.instructions;
  state = CpuState{};
  state.intr = intr;  // the pins are not ours
  state.intr_request = request;
  state.nmi_line = nmi_line;
  state.instructions = instructions;
  state.random = seed;
  state.interrupts_off_since = context.clock.now().value;
  // SDM vol. 3A table 9-1: CS F000h with base FFFF0000h, EDX the processor signature.
  state.segments[cs] = {.selector = 0xF000, .base = 0xFFFF0000, .limit = 0xFFFF, .attributes = 0x009B, .usable = true};
  state.gpr[rdx] = 0x600;
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
  switch (pin.value) {
    case intr_pin:
      state.intr = level == Level::High;
      state.intr_request = request.value;
      break;
    case nmi_pin:
      if (level == Level::High && !state.nmi_line && !state.nmi_pending) nmi_raised(request);
      state.nmi_line = level == Level::High;
      break;
    case ignne_pin:
      ignne = level == Level::High;
      break;
    default:
      break;
  }
}

void Cpu::nmi_raised(RequestId request) {
  state.nmi_pending = true;
  state.nmi_request = request.value != 0 ? request.value : context.ledger.next_request().value;
  if (!state.nmi_blocked) return;
  Record blocked{.id = state.nmi_request,
                 .since = state.nmi_blocked_since,
                 .kind = RecordKind::Blocked,
                 .detail = static_cast<u8>(Obstacle::NmiInProgress),
                 .source = context.source.value};
  for (const LiveFrame& live : live_frames) {
    if (live.vector == vector::nmi) blocked.other = live.request;
  }
  context.ledger.append(blocked);
}

void Cpu::set_fault(const Fault& raised) {
  fault = raised;
  leave = Leave::Fault;
}

void Cpu::exchange(Archive& archive) {
  archive.section("cpu", 2);
  archive(state);
  archive.sequence(live_frames, most_live_frames);
  archive(a20_mask, ignne, blocked_reported_request, fault_chain);
  if (!archive.loading()) {
    flush_tlb();  // it is not in the archive: a guest that leans on stale entries goes on here as it does once restored
    return;
  }
  blocks.clear();
  ++generations[code_generation];
  state_changed();
}

}  // namespace vitrine
