#include "kernel/arch/x86_64/processors.hpp"

#include <cstring>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/local_apic.hpp"
#include "kernel/memory/kernel_memory.hpp"

extern "C" {
extern const char trampoline_begin[], trampoline_end[];
pulse::u64 processor_stack, processor_tables;  // of the one that starts now: boot.S takes them
[[noreturn]] void processor_start();
}

namespace pulse {

namespace {

constexpr u64 patience = 100'000'000;

PerCpu* starting = nullptr;
Atomic<bool> has_started{false};

void start_processor(u32 number, u32 apic_id) {
  PerCpu* const cpu = make_cpu(number);
  const auto stack = allocate_kernel_stack();
  if (cpu == nullptr || !stack) return log_warning("CPU {}: no memory for it", number);
  cpu->apic_id = apic_id;
  cpu->kernel_stack = *stack;
  if (!make_idle_thread(*cpu)) return log_warning("CPU {}: no memory for it", number);
  starting = cpu;
  processor_stack = *stack;
  processor_tables = kernel_page_tables().root();
  has_started.store(false);
  LocalApic::start_processor(apic_id, TRAMPOLINE_PAGE);
  const u64 deadline = nanoseconds_since_boot() + patience;
  while (!has_started.load()) {
    if (nanoseconds_since_boot() > deadline) return log_warning("CPU {} (APIC id {}) does not start", number, apic_id);
    asm volatile("pause");
  }
  announce_cpu();
}

}  // namespace

void start_processors(const Platform& platform, u32 most) {
  this_cpu().apic_id = LocalApic::id();
  std::memcpy(direct(u64{TRAMPOLINE_PAGE} << page_bits), trampoline_begin,
              static_cast<std::size_t>(trampoline_end - trampoline_begin));
  for (std::size_t i = 0; i < platform.cpu_count && cpu_count() < std::min<u32>(most, most_cpus); ++i) {
    if (platform.cpus[i] != this_cpu().apic_id) start_processor(cpu_count(), platform.cpus[i]);
  }
}

void interrupt_cpu(PerCpu& cpu) {
  if (&cpu == &this_cpu()) {
    cpu.reschedule = true;
  } else {
    LocalApic::send(cpu.apic_id, vector::reschedule);
  }
}

void answer_flush_request() {
  PerCpu& cpu = this_cpu();
  if (!cpu.flush_wanted.load()) return;
  write_cr3(read_cr3());
  cpu.flush_wanted.store(false);
}

void flush_pages_on(u64 cpus) {
  PerCpu& self = this_cpu();
  for (u32 i = 0; i < cpu_count(); ++i) {
    PerCpu& cpu = cpu_at(i);
    if (!bit(cpus, i) || &cpu == &self) continue;
    cpu.flush_wanted.store(true);
    LocalApic::send(cpu.apic_id, vector::flush_pages);
  }
  for (u32 i = 0; i < cpu_count(); ++i) {
    PerCpu& cpu = cpu_at(i);
    while (bit(cpus, i) && &cpu != &self && cpu.flush_wanted.load()) asm volatile("pause");
  }
}

void stop_other_cpus() {
  for (u32 i = 0; i < cpu_count(); ++i) {
    if (&cpu_at(i) != &this_cpu()) LocalApic::send(cpu_at(i).apic_id, vector::stop);
  }
}

}  // namespace pulse

/// From boot.S, on the stack that was given, interrupts off.
void processor_start() {
  using namespace pulse;
  PerCpu& cpu = *starting;
  load_descriptors(cpu);
  use_kernel_tables();
  LocalApic::start_here();
  has_started.store(true);
  enter_kernel();
  start_idle_thread_here();
  run_idle_thread();
}
