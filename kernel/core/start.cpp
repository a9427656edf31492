// From the first C++ instruction to a running system.
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/arch/x86_64/exceptions.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/arch/x86_64/tsc.hpp"
#include "kernel/core/demonstrations.hpp"
#include "kernel/core/first_process.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/known_parameters.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/platform.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/drivers/io_apic.hpp"
#include "kernel/drivers/local_apic.hpp"
#include "kernel/drivers/pci.hpp"
#include "kernel/drivers/pic8259.hpp"
#include "kernel/drivers/uart16550.hpp"
#include "kernel/drivers/vga_console.hpp"
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
IoApicLines io_apic;
std::optional<Platform> platform;

struct Warnings final : ParameterComplaints {
  void add(std::string_view word, std::string_view wanted) override {
    if (wanted.empty()) return log_warning("parameters: {} is not known (docs/pulse.md has the list)", word);
    log_warning("parameters: {} is wrong: it should be {}", word, wanted);
  }
};

void announce() {
  u64 bytes = 0;
  for (const MemoryRange& range : the_kernel.boot.ram()) bytes += range.end - range.begin;
  log_info("Pulse, booted by {}; {} KiB of RAM; parameters: {}", the_kernel.boot.loader, bytes >> 10,
           the_kernel.boot.command_line);
  Warnings warnings;
  check_parameters(the_kernel.parameters, warnings);
}

/// The tables if interrupts go by APICs: because the user wants it, or because there are several CPUs. Else the 8259s
/// stay.
const Platform* start_apics() {
  const Parameters& parameters = the_kernel.parameters;
  const std::string_view wanted = parameters.text("routing").value_or("");
  const auto tables = parameters.text("tables");
  platform = find_platform(the_kernel.boot.rsdp, tables == "mp"     ? PlatformTables::Mp
                                                 : tables == "acpi" ? PlatformTables::Acpi
                                                                    : PlatformTables::Any);
  const bool is_needed = wanted == "ioapic" || wanted == "msi" || (platform && platform->cpu_count > 1);
  if (!is_needed || wanted == "8259") return nullptr;
  const auto mode = parameters.has("x2apic") ? LocalApic::Mode::X2Apic : LocalApic::Mode::XApic;
  if (!platform || platform->io_apic_count == 0) {
    log_warning("routing: no table tells of an I/O APIC; the 8259s stay");
    return nullptr;
  }
  if (!LocalApic::start(platform->local_apic, mode)) {
    log_warning("routing: the CPU has no {}; the 8259s stay",
                mode == LocalApic::Mode::X2Apic ? "x2APIC" : "local APIC");
    return nullptr;
  }
  io_apic.initialise(*platform, LocalApic::id());
  the_kernel.interrupts.attach(io_apic);
  log_info("interrupts by I/O APIC and local APIC ({}), as {} says",
           mode == LocalApic::Mode::X2Apic ? "x2APIC" : "xAPIC", platform->source);
  start_pci_interrupts(wanted == "msi" ? Routing::Messages : Routing::IoApic, &*platform, LocalApic::id());
  return &*platform;
}

void leave_lines_on_exceptions(bool they_are_used) {
  if (!they_are_used) {
    return log_warning("no-remap: interrupts don't come by the 8259s, so their vectors do no harm; try routing=8259");
  }
  expect_lines_as_exceptions();
  log_warning("no-remap: IRQ 0 will arrive as vector 8, the double fault's");
}

void start_interrupts() {
  const Parameters& parameters = the_kernel.parameters;
  // What the second mission document warns of: left where DOS had them, the lines come as exceptions.
  const bool remap = !parameters.has("no-remap");
  pic.initialise(remap ? first_8259_vector : default_8259_vector);
  the_kernel.interrupts.attach(pic);
  const Platform* const tables = start_apics();
  if (tables == nullptr) log_info("interrupts by the 8259s");
  if (!remap) leave_lines_on_exceptions(tables == nullptr);
  const bool pit_ticks = tables == nullptr || parameters.text("timer") == "pit";
  start_tick(static_cast<u32>(parameters.number("hz").value_or(1000)),
             parameters.has("tickless") ? Idle::Tickless : Idle::Ticks,
             pit_ticks ? TickSource::Pit : TickSource::LocalApic,
             parameters.lists("polled", "timer") ? TickService::Polled : TickService::Interrupts);
  // Another CPU's tick is its local APIC's.
  if (!pit_ticks) start_processors(*tables, static_cast<u32>(parameters.number("cpus").value_or(most_cpus)));
  if (!platform || platform->cpu_count <= 1) return;
  log_info("{} of {} CPUs run{}", cpu_count(), platform->cpu_count,
           tables == nullptr                   ? ": the 8259s interrupt only the first"
           : pit_ticks                         ? ": timer=pit ticks only for the first"
           : cpu_count() < platform->cpu_count ? ", no more than cpus= and those that started"
                                               : "");
}

}  // namespace

Kernel& kernel() { return the_kernel; }
Uart16550& serial_port() { return com1; }

}  // namespace pulse

void kernel_start(pulse::u64 protocol, pulse::u64 info) {
  using namespace pulse;
  load_descriptors(boot_processor_data());
  enter_kernel();
  for (const Constructor* constructor = constructors_begin; constructor != constructors_end; ++constructor)
    (*constructor)();
  start_tsc_clock();
  const bool has_serial_port = com1.initialise();
  the_kernel.boot = read_boot_info(protocol, info);
  the_kernel.parameters = Parameters(the_kernel.boot.command_line);
  // The log goes to every console that is named; without any, to the serial port.
  const bool on_screen = the_kernel.parameters.has("console=tty0");
  if (has_serial_port && (!on_screen || the_kernel.parameters.has("console=ttyS0"))) add_console(com1);
  if (on_screen) add_console(screen_console());
  set_console_level(static_cast<LogLevel>(the_kernel.parameters.number("loglevel").value_or(6)));
  announce();
  initialise_memory(the_kernel.boot);
  log_info("memory: {} of {} pages free", memory_use().free_pages, memory_use().all_pages);
  const bool cooperative = the_kernel.parameters.text("scheduling") == "cooperative";
  log_info("scheduling: {}", cooperative ? "cooperative" : "pre-emptive");
  start_scheduler(cooperative ? SchedulingMode::Cooperative : SchedulingMode::Preemptive);
  start_interrupts();
  if (the_kernel.parameters.text("demonstrate")) {
    start_demonstration(the_kernel.parameters);
  } else {
    // Devices may interrupt meanwhile; the first process waits until all is there for it.
    const PreemptionOff alone;
    interrupts_on();
    start_user_space();
    interrupts_off();
  }
  run_idle_thread();
}
