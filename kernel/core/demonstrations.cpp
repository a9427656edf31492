#include "kernel/core/demonstrations.hpp"

#include <algorithm>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/test_devices.hpp"

namespace pulse {

namespace {

constexpr u16 debug_exit_port = 0xF4;
constexpr u64 millisecond = 1'000'000;

volatile u64 rounds[2];

void spin(void* argument) {
  auto& count = *static_cast<volatile u64*>(argument);
  {
    const InterruptsOff off;
    leave_kernel();  // it touches nothing that others do: they need not wait
  }
  for (;;) count = count + 1;
}

void watch_spinners(void*) {
  for (int look = 1; look <= 4; ++look) {
    sleep_until(nanoseconds_since_boot() + 50 * millisecond);
    log_info("look {}: the first spinner {}, the second {}", look, rounds[0] > 0 ? "got on" : "never ran",
             rounds[1] > 0 ? "got on" : "never ran");
  }
  out8(debug_exit_port, 0);
}

void sleep_often(void*) {
  u64 latest = 0;
  for (int i = 0; i < 20; ++i) {
    const u64 due = nanoseconds_since_boot() + 3 * millisecond;
    sleep_until(due);
    const u64 late = nanoseconds_since_boot() - due;
    if (late > latest) latest = late;
  }
  log_info("20 sleeps of 3 ms; woken at most {} us late", latest / 1000);
  out8(debug_exit_port, 0);
}

void show_device(void* use) {
  demonstrate_device_interrupts(*static_cast<const TestDeviceUse*>(use));
  out8(debug_exit_port, 0);
}

void start(std::string_view name, ThreadFunction function, void* argument, u8 priority) {
  Thread* const thread = make_kernel_thread(name, function, argument, priority);
  if (thread == nullptr) panic("no memory for the thread {}", name);
  start_thread(*thread);
}

// Mistakes that a kernel can make, each in the way of the CPU's check for it.

[[gnu::noinline]] u64 use_up_the_stack(u64 depth) {
  volatile u64 here[32];
  here[0] = depth;
  return depth < ~u64{0} ? use_up_the_stack(depth + 1) + here[0] : 0;
}

struct Mistake {
  std::string_view name;
  void (*make)();
};
constexpr Mistake mistakes[] = {
    {"stack-overflow", [] { (void)use_up_the_stack(0); }},
    {"write-to-code", [] { *reinterpret_cast<volatile u8*>(&start_demonstration) = 0; }},
    {"run-data", [] { reinterpret_cast<void (*)()>(const_cast<u64*>(&rounds[0]))(); }},
    {"read-nothing", [] { (void)*reinterpret_cast<volatile u64*>(0xFFFF'9000'0000'0000); }},
    {"divide-by-zero", [] { asm volatile("divl %0" ::"r"(0), "a"(1), "d"(0)); }},
    {"undefined-opcode", [] { asm volatile("ud2"); }},
    {"bad-selector", [] { asm volatile("mov %0, %%es" ::"r"(0x58)); }},
    {"odd-address", [] { (void)*reinterpret_cast<volatile u64*>(0x8000'0000'0000'0000); }},
};

void make_mistake(void* argument) {
  static_cast<const Mistake*>(argument)->make();
  log_info("{}: nothing happened", static_cast<const Mistake*>(argument)->name);
  out8(debug_exit_port, 0);
}

}  // namespace

void start_demonstration(const Parameters& parameters) {
  const auto wanted = parameters.text("demonstrate");
  if (wanted == "spinners") {
    start("watcher", watch_spinners, nullptr, RunEntry::normal_priority - 1);
    for (volatile u64& count : rounds) start("spinner", spin, const_cast<u64*>(&count), RunEntry::normal_priority);
  } else if (wanted == "sleepers") {
    start("sleeper", sleep_often, nullptr, RunEntry::normal_priority);
  } else if (wanted == "device") {
    static TestDeviceUse use = TestDeviceUse::Count;
    start("device", show_device, &use, RunEntry::normal_priority);
  } else if (wanted == "storm") {
    static TestDeviceUse use = TestDeviceUse::Storm;
    start("device", show_device, &use, RunEntry::normal_priority);
  } else if (const auto mistake = std::ranges::find(mistakes, wanted.value_or(""), &Mistake::name);
             mistake != std::end(mistakes)) {
    start(mistake->name, make_mistake, const_cast<Mistake*>(mistake), RunEntry::normal_priority);
  } else if (wanted) {
    log_warning("demonstrate={}: there is no such demonstration (docs/pulse.md has the list)", *wanted);
  }
}

}  // namespace pulse
