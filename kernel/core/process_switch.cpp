#include "kernel/core/process_switch.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/floating_point.hpp"
#include "kernel/core/process.hpp"

namespace pulse {

void switch_program(Thread& before, Thread& next) {
  if (before.floating_point != nullptr && before.state != ThreadState::Dead)
    save_floating_point(*before.floating_point);
  if (next.process == nullptr) return;  // the kernel's threads live in whatever tables are there
  load_floating_point(*next.floating_point);
  write_msr(msr::fs_base, next.fs_base);
  const u64 root = next.process->space->tables().root();
  if (read_cr3() != root) write_cr3(root);
}

}  // namespace pulse
