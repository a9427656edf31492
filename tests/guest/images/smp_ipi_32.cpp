// Two CPUs: INIT and SIPI start the second one, and IPIs of every kind reach the right one (SDM vol. 3, 8.4 and 10.6).
#include "tests/guest/runtime/interrupt.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {

constexpr u8 fixed_vector = 0x41;

volatile u32 starts, second_id, second_base, work, nmis;
volatile bool in_clusters;  // what the second CPU is to be
volatile u32 received[2];

u32 own_id() { return apic::read(apic::id) >> 24; }

INTERRUPT_HANDLER(on_fixed) {
  const u32 self = own_id() & 1;
  received[self] = received[self] + 1;
  apic::end_of_interrupt();
}
INTERRUPT_HANDLER(on_nmi) { nmis = nmis + 1; }
INTERRUPT_HANDLER(on_spurious) {}

/// Waits a while for what the other CPU does.
bool comes(volatile u32& counter, u32 number) {
  for (u32 i = 0; i < 20'000'000 && counter < number; ++i) asm volatile("pause");
  return counter >= number;
}
void pause_for_a_while() {
  for (u32 i = 0; i < 200'000; ++i) asm volatile("pause");
}

void start_second(u32 number) {
  apic::send(apic::mode_init | apic::asserted, 1);
  pause_for_a_while();
  apic::send(apic::mode_start_up | apic::asserted | second_cpu_page >> 12, 1);
  check_true("SIPI starts the second CPU", comes(starts, number));
}

/// Sends, and checks how many interrupts each has got then.
void expect(const char* what, u32 command, u32 destination, u32 first, u32 second) {
  received[0] = 0;
  received[1] = 0;
  apic::send(command | fixed_vector, destination);
  window();
  if (second != 0) comes(received[1], second);
  pause_for_a_while();
  window();
  check(what, received[0] << 4 | received[1], first << 4 | second);
}

}  // namespace

void second_cpu_main() {
  apic::write(apic::logical_destination, 0x02000000);
  second_id = own_id();
  second_base = static_cast<u32>(read_msr(apic::msr_base));
  starts = starts + 1;
  interrupts_on();
  for (bool clusters = false;;) {
    work = work + 1;
    if (clusters != in_clusters) {
      clusters = in_clusters;
      apic::write(apic::destination_format, clusters ? 0x0FFFFFFF : 0xFFFFFFFF);
      apic::write(apic::logical_destination, clusters ? 0x12000000 : 0x02000000);
    }
    asm volatile("pause");
  }
}

void guest_main() {
  apic::start();
  set_gate_target(fixed_vector, reinterpret_cast<const void*>(on_fixed));
  set_gate_target(2, reinterpret_cast<const void*>(on_nmi));
  set_gate_target(0xFF, reinterpret_cast<const void*>(on_spurious));
  prepare_second_cpu();

  start_second(1);
  check("its id is 1", second_id, 1);
  check("it is not the one that starts the machine", second_base & 0x100, 0);

  apic::write(apic::logical_destination, 0x01000000);
  expect("physical: the second", apic::asserted, 1, 0, 1);
  expect("physical: the first, itself", apic::asserted, 0, 1, 0);
  expect("physical: nobody", apic::asserted, 7, 0, 0);
  expect("physical: everybody", apic::asserted, 0xFF, 1, 1);
  expect("flat: the second", apic::asserted | apic::logical, 2, 0, 1);
  expect("flat: both", apic::asserted | apic::logical, 3, 1, 1);
  expect("flat: nobody", apic::asserted | apic::logical, 4, 0, 0);
  expect("to self", apic::asserted | apic::to_self, 0, 1, 0);
  expect("to all", apic::asserted | apic::to_all, 0, 1, 1);
  expect("to the others", apic::asserted | apic::to_others, 0, 0, 1);
  {
    const NotCompared here("SDM vol. 3, 10.6.2.4");
    apic::write(apic::task_priority, 0x20);
    expect("lowest priority: the second, whose TPR is 0", apic::asserted | apic::logical | 1u << 8, 3, 0, 1);
    apic::write(apic::task_priority, 0);
  }

  // SDM vol. 3, 10.6.2.2: the high half is the cluster, of the low half one bit must agree.
  in_clusters = true;
  apic::write(apic::destination_format, 0x0FFFFFFF);
  pause_for_a_while();
  expect("clusters: the second, in cluster 1", apic::asserted | apic::logical, 0x12, 0, 1);
  expect("clusters: the first, in cluster 0", apic::asserted | apic::logical, 0x01, 1, 0);
  expect("clusters: whoever is in cluster 1", apic::asserted | apic::logical, 0x1F, 0, 1);
  expect("clusters: a bit that nobody has in cluster 1", apic::asserted | apic::logical, 0x11, 0, 0);
  expect("clusters: a cluster of nobody's", apic::asserted | apic::logical, 0x23, 0, 0);
  in_clusters = false;
  apic::write(apic::destination_format, 0xFFFFFFFF);
  pause_for_a_while();

  apic::send(apic::mode_nmi | apic::asserted, 1);
  check_true("NMI reaches the second", comes(nmis, 1));
  check("once", nmis, 1);

  apic::send(apic::mode_start_up | apic::asserted | second_cpu_page >> 12, 1);
  pause_for_a_while();
  check("a CPU that runs does not hear SIPI", starts, 1);

  apic::send(apic::mode_init | apic::asserted, 1);
  pause_for_a_while();
  const u32 done = work;
  pause_for_a_while();
  check("INIT stops it", work, done);
  expect("its APIC is disabled then", apic::asserted, 1, 0, 0);
  start_second(2);
  expect("started again, it hears", apic::asserted, 1, 0, 1);
}
