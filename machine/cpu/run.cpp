// The run loop: enters blocks, and does between them what the manual says happens at instruction boundaries.
#include <algorithm>
#include <utility>

#include "machine/cpu/access.hpp"
#include "machine/cpu/fpu.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

/// Instructions of the running block before `operation`.
i64 index_of(const Cpu& cpu, const Operation* operation) { return operation - cpu.block->operations; }

/// Takes back what the block paid for instructions that did not run.
void refund(Cpu& cpu, const Operation* operation, i64 ran) {
  cpu.budget += cpu.block->count - (index_of(cpu, operation) + ran);
}

/// Instructions of the block that lie inside the code segment. Its limit is not part of a block's key.
unsigned instructions_inside(const Cpu& cpu, const Block& block) {
  const u64 limit = cpu.state.segments[cs].limit;
  if (cpu.mode.is64() || cpu.state.rip + block.bytes - 1 <= limit) [[likely]]
    return block.count;
  unsigned inside = 0;
  while (inside < block.count &&
         cpu.state.rip + block.operations[inside].offset + block.operations[inside].length - 1 <= limit) {
    ++inside;
  }
  return inside;
}

}  // namespace

void leave_fault(Cpu& cpu, const Operation* operation) {
  refund(cpu, operation, 0);
  cpu.state.rip = current_rip(cpu, *operation);
  cpu.leave_operation = operation;
}

void leave_stop(Cpu& cpu, const Operation* operation) {
  refund(cpu, operation, 1);
  cpu.state.rip = following_rip(cpu, *operation);
  cpu.leave = Leave::Look;
}

void leave_jump_stop(Cpu& cpu, const Operation* operation) {
  refund(cpu, operation, 1);
  cpu.leave = Leave::Look;
}

void leave_jump(Cpu& cpu, const Operation* operation) {
  refund(cpu, operation, 1);
  const Block* target = cpu.alone ? nullptr : cpu.known_block();
  if (target != nullptr) [[likely]] {
    [[clang::musttail]] return enter_block(cpu, target->operations);
  }
  cpu.leave = Leave::None;
}

void leave_link(Cpu& cpu, const Operation* slot) {
  const Operation* branch = cpu.block->operations + cpu.block->count - 1;
  const bool taken = slot == branch + 1;  // the slot behind it is for what follows
  if (taken && cpu.mode.is64() && !canonical(cpu.state.rip)) [[unlikely]] {
    // The fault is the branch's own (SDM vol. 2, JMP, Jcc).
    cpu.raise(vector::general_protection, 0, FailedCheck::NonCanonical, cpu.state.rip);
    return leave_fault(cpu, branch);
  }
  cpu.link_slot = const_cast<Operation*>(slot);
  cpu.leave = Leave::None;
}

void leave_budget(Cpu& cpu, const Operation* first) {
  cpu.budget += block_of(first)->count;
  cpu.leave = Leave::Budget;
}

void Cpu::sync(const Operation* operation) {
  const i64 used = run_budget - (budget + (block != nullptr ? block->count - index_of(*this, operation) : 0));
  state.instructions = run_start_instructions + static_cast<u64>(used);
  context.clock.advance_to(Tick(time_share.at(static_cast<u64>(used))));
  context.ledger.context = {state.segments[cs].base + current_rip(*this, *operation), state.instructions, number};
}

void Cpu::settle() {
  const i64 used = run_budget - budget;
  state.instructions = run_start_instructions + static_cast<u64>(used);
  context.clock.advance_to(Tick(time_share.at(static_cast<u64>(used))));
  context.ledger.context = {linear_rip(), state.instructions, number};
}

u64 Cpu::rip_of(const Operation& operation) const { return state.segments[cs].base + current_rip(*this, operation); }
u64 Cpu::next_rip(const Operation& operation) const { return following_rip(*this, operation); }

Block* Cpu::find_block() {
  const bool is64 = mode.is64();
  const u64 linear = is64 ? state.rip : static_cast<u32>(state.segments[cs].base + state.rip);
  if (!is64 && state.rip > state.segments[cs].limit) {
    raise(vector::general_protection, 0, FailedCheck::SegmentLimit, linear);
    return nullptr;
  }
  const MemoryView fetch_view = cpl == 3 ? MemoryView::User : MemoryView::Supervisor;
  TlbBank& bank = banks_[static_cast<unsigned>(fetch_view)];
  const TlbEntry& entry = bank.execute[TlbBank::code_slot(linear)];
  u64 physical;
  if (entry.tag == (linear & ~u64{0xFFF})) {
    physical = entry.addend | (linear & 0xFFF);
  } else {
    Translation translation;
    if (!translate(linear, Access::Execute, fetch_view, translation)) return nullptr;
    fill(bank, linear, translation, Access::Execute);
    physical = translation.physical;
  }
  Block* found = blocks.find(physical, mode);
  if (found != nullptr && found->crosses()) {
    Translation second;
    if (!translate((linear | 0xFFF) + 1, Access::Execute, fetch_view, second)) return nullptr;
    if ((second.physical & ~u64{0xFFF}) != found->second_physical) {
      invalidate_code(physical, 1);
      found = nullptr;
    }
  }
  if (found == nullptr) {
    found = decode_block(linear, physical);
    if (found == nullptr) return nullptr;
  }
  // Not cached, or not to be entered without a look.
  if (found->physical == ~u64{0} || found->crosses() || instructions_inside(*this, *found) != found->count) {
    link_slot = nullptr;
    return found;
  }
  jump_cache[jump_slot(linear_rip())] = {linear_rip(), found, generations[fetch_generation], mode};
  if (link_slot != nullptr) {
    // Within a page, whatever maps the one block maps the other; elsewhere the mapping may change.
    const u64 from = state.segments[cs].base + state.gpr[block_rip_slot];
    const bool same_page = ((from ^ linear) & ~u64{0xFFF}) == 0;
    if (same_page || !code_views.aliased(block->physical)) {
      link_slot->link = found;
      link_slot->extra = same_page ? code_generation : fetch_generation;
      link_slot->displacement = static_cast<i32>(generations[link_slot->extra]);
    }
    link_slot = nullptr;
  }
  return found;
}

void Cpu::execute(const Block* entry) {
  leave = Leave::None;
  enter_block(*this, entry->operations);
}

void Cpu::run_part(const Operation* operations, unsigned count, const Handler* inner) {
  // The scratch block: a copy of some operations, then an end that leaves. Operations don't depend on where they stand.
  auto* scratch = reinterpret_cast<Block*>(scratch_.get());
  std::memcpy(static_cast<void*>(scratch->operations), operations, count * sizeof(Operation));
  scratch->count = static_cast<u8>(count);
  scratch->mode = mode;
  scratch->inner = inner;
  Operation& end = scratch->operations[count];
  end = Operation{};
  end.handler = end_of_part;
  end.offset = static_cast<u8>(scratch->operations[count - 1].offset + scratch->operations[count - 1].length);
  scratch->operations[count + 1] = Operation{};
  scratch->operations[count + 2] = Operation{};
  budget -= count;
  block = scratch;
  leave = Leave::None;
  scratch->operations[0].handler(*this, scratch->operations);
  if (link_slot != nullptr) link_slot = nullptr;
}

void end_of_part(Cpu& cpu, const Operation* operation) {
  cpu.state.rip = current_rip(cpu, *operation);  // as if the block went on
  cpu.leave = Leave::Look;
}

void Cpu::run_alone(const Operation* operation, const Handler* inner) {
  state.interrupt_shadow = false;
  state.debug_shadow = false;
  const bool traps = state.has(flag::trap);
  const Operation copy = *operation;  // `operation` may be in the scratch block itself
  alone = true;
  interrupt_taken = false;
  run_part(&copy, 1, inner);
  alone = false;
  if (traps && leave != Leave::Fault && !state.debug_shadow && !interrupt_taken) state.pending_debug |= 1u << 14;  // BS
}

CpuExit Cpu::run(u64 instructions, const TimeShare& share) {
  run_start_instructions = state.instructions;
  time_share = share;
  run_budget = static_cast<i64>(instructions < (u64{1} << 62) ? instructions : u64{1} << 62);
  budget = run_budget;
  device_accessed = false;
  group.disturbed = false;
  yielded = false;
  link_slot = nullptr;
  withheld = 0;
  if (performance.active()) withhold_budget(progress());
  fp_enter(*this);
  executing = true;
  const CpuExit reason = run_blocks();
  executing = false;
  fp_leave(*this);
  settle();
  return reason;
}

CpuExit Cpu::run_blocks() {
  for (;;) {
    if (performance.active() && budget <= 0) [[unlikely]]
      look_at_counters();
    if (pending_init) [[unlikely]] {
      settle();
      take_init(*std::exchange(pending_init, std::nullopt));
      link_slot = nullptr;
    }
    if (blocks_outdated) drop_outdated_blocks();
    if (state.shutdown) return CpuExit::Shutdown;
    if (device_accessed) return CpuExit::DeviceAccess;
    if (state.waits_for_startup) return CpuExit::Halted;  // it has sent INIT to itself
    if (yielded) return CpuExit::Yielded;
    if (state.halted && !can_wake()) return CpuExit::Halted;
    if (budget <= 0) return CpuExit::Budget;
    if ((attention() || stepping()) && boundary()) continue;
    const Block* next = link_slot == nullptr ? known_block() : nullptr;
    if (next == nullptr) next = find_block();
    if (next == nullptr) {
      take_fault();
      continue;
    }
    const unsigned inside = instructions_inside(*this, *next);
    if (inside == 0) {
      const u64 linear = mode.is64() ? linear_rip() : static_cast<u32>(linear_rip());
      raise(vector::general_protection, 0, FailedCheck::SegmentLimit, linear);
      take_fault();
      continue;
    }
    state.gpr[block_rip_slot] = state.rip;
    // An instruction clears RF when it begins (SDM vol. 3B §17.3.1.1); only what leaves its block to here sets it.
    state.other_flags &= ~flag::resume;
    if (stepping() || state.interrupt_shadow || state.debug_shadow) {
      run_alone(next->operations, next->inner);
    } else if (inside < next->count || next->count > budget) {
      run_part(next->operations, static_cast<unsigned>(std::min<i64>(inside, budget)), next->inner);
    } else {
      execute(next);
    }
    if (leave == Leave::Stored) {
      budget -= 1;
      state.rip = following_rip(*this, *leave_operation);
    } else if (leave == Leave::Alone) {
      // What stands before the operation has been done.
      Operation again = *leave_operation;
      if (block->inner != nullptr) again.handler = block->inner[index_of(*this, leave_operation)];
      run_alone(&again, nullptr);
    }
    if (leave == Leave::Fault) take_fault();
  }
}

/// The budget ends where the next counter runs over.
void Cpu::withhold_budget(const PerformanceMonitor::Progress& now) {
  const u64 left = overflow_due ? 0 : performance.cycles_to_overflow(now);
  budget += withheld;
  run_budget += withheld;
  withheld = budget > 0 && left < static_cast<u64>(budget) ? budget - static_cast<i64>(left) : 0;
  budget -= withheld;
  run_budget -= withheld;
}

/// From update_mode(): what changes the privilege is a delivery, or the last instruction of its block.
void Cpu::change_privilege(u8 to) {
  PerformanceMonitor::Progress now = progress();
  now.cycles = run_start_instructions + static_cast<u64>(run_budget - budget);
  overflow_due = performance.count(now) || overflow_due;
  now.user = to != 0;
  withhold_budget(now);
}

void Cpu::look_at_counters() {
  settle();
  if (performance.cycles_to_overflow(progress()) == 0) count_performance();
  if (std::exchange(overflow_due, false) && apic != nullptr) {
    apic->raise_local(LocalInterrupts::Source::PerformanceCounter);
  }
  withhold_budget(progress());
}

bool Cpu::boundary() {
  settle();
  if (!deliver_pending()) return false;
  link_slot = nullptr;  // what runs next is not the target of the branch before
  return true;
}

void Cpu::take_fault() {
  link_slot = nullptr;
  settle();
  budget -= 1;  // the attempt
  ++not_retired;
  deliver_fault();
}

}  // namespace vitrine
