#include "kernel/core/kernel_lock.hpp"

#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"

namespace pulse {

namespace {
SpinLock kernel_lock;
}

void enter_kernel() {
  PerCpu& cpu = this_cpu();
  if (cpu.kernel_depth++ == 0) kernel_lock.lock(answer_flush_request);
}

void leave_kernel() {
  PerCpu& cpu = this_cpu();
  if (--cpu.kernel_depth == 0) kernel_lock.unlock();
}

}  // namespace pulse
