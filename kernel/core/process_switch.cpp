#include "kernel/core/process_switch.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/floating_point.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/process.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

void use_address_space(AddressSpace* space) {
  PerCpu& cpu = this_cpu();
  if (cpu.space == space) return;
  if (cpu.space != nullptr) cpu.space->leave(cpu.number);
  if (space != nullptr) space->enter(cpu.number);
  cpu.space = space;
  write_cr3(space != nullptr ? space->tables().root() : kernel_page_tables().root());
}

void switch_program(Thread& before, Thread& next) {
  if (before.floating_point != nullptr && before.state != ThreadState::Dead)
    save_floating_point(*before.floating_point);
  if (next.process == nullptr) {
    // The kernel's threads live in whatever tables are there, unless another CPU may take those away meanwhile.
    if (cpu_count() > 1) use_address_space(nullptr);
    return;
  }
  load_floating_point(*next.floating_point);
  write_msr(msr::fs_base, next.fs_base);
  use_address_space(next.process->space.get());
}

}  // namespace pulse
