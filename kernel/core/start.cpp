// From the first C++ instruction to a running system.
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/core/demonstrations.hpp"
#include "kernel/core/first_process.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/drivers/pic8259.hpp"
#include "kernel/drivers/uart16550.hpp"
#include "kernel/memory/kernel_memory.hpp"

extern "C" {
using Constructor = void (*)();
extern const Constructor constructors_begin[], constructors_end[];
[[noreturn]] void kernel_start(pulse::u64 protocol, pulse::u64 info);
}

namespace pulse {

namespace {

Kernel the_kernel;
Uart16550 com1(0x3F8);
Pic8259Pair pic;

constexpr u8 default_vector_base_of_dos = 0x08;

void announce() {
  u64 bytes = 0;
  for (const MemoryRange& range : the_kernel.boot.ram()) bytes += range.end - range.begin;
  log_info("Pulse, booted by {}; {} KiB of RAM; parameters: {}", the_kernel.boot.loader, bytes >> 10,
           the_kernel.boot.command_line);
}

void start_interrupts() {
  // What the second mission document warns of: left where DOS had them, the lines come as exceptions.
  const bool remap = !the_kernel.parameters.has("no-remap");
  pic.initialise(remap ? first_line_vector : default_vector_base_of_dos);
  if (!remap) log_warning("no-remap: IRQ 0 will arrive as vector 8, the double fault's");
  the_kernel.interrupts.attach(pic);
  start_tick(static_cast<u32>(the_kernel.parameters.number("hz").value_or(1000)));
}

}  // namespace

Kernel& kernel() { return the_kernel; }

}  // namespace pulse

void kernel_start(pulse::u64 protocol, pulse::u64 info) {
  using namespace pulse;
  load_descriptors();
  for (const Constructor* constructor = constructors_begin; constructor != constructors_end; ++constructor)
    (*constructor)();
  if (com1.initialise()) add_console(com1);
  the_kernel.boot = read_boot_info(protocol, info);
  the_kernel.parameters = Parameters(the_kernel.boot.command_line);
  set_console_level(static_cast<LogLevel>(the_kernel.parameters.number("loglevel").value_or(6)));
  announce();
  initialise_memory(the_kernel.boot);
  log_info("memory: {} of {} pages free", memory_use().free_pages, memory_use().all_pages);
  const bool cooperative = the_kernel.parameters.text("scheduling") == "cooperative";
  start_scheduler(cooperative ? SchedulingMode::Cooperative : SchedulingMode::Preemptive);
  start_interrupts();
  if (the_kernel.parameters.text("demonstrate")) {
    start_demonstration(the_kernel.parameters);
  } else {
    start_user_space();
  }
  for (;;) {  // the idle thread, with interrupts off but for the HLT
    schedule();
    wait_for_interrupt();
  }
}
