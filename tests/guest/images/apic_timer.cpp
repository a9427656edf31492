// The local APIC's timer (SDM vol. 3, 10.5.4). Checked is what holds on a machine of any speed.
#include "tests/guest/runtime/apic.hpp"

namespace {

constexpr u8 vector = 0x41;
constexpr u32 msr_tsc = 0x10;
volatile u32 count;

void on_timer(Frame&) {
  count = count + 1;
  apic::end_of_interrupt();
}

u64 time_stamp() {
  u32 low, high;
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
  return u64{high} << 32 | low;
}

bool waits_for(u32 number) {
  interrupts_on();
  for (u32 i = 0; i < 100'000'000 && count < number; ++i) asm volatile("pause");
  interrupts_off();
  return count >= number;
}

bool has_tsc_deadline() {
  u32 eax = 1, ebx, ecx = 0, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (ecx >> 24 & 1) != 0;
}

}  // namespace

void guest_main() {
  apic::start();
  set_handler(vector, on_timer);
  apic::write(apic::divide, apic::divide_by_1);

  apic::write(apic::lvt_timer, vector);
  check("it stands still", apic::read(apic::current_count), 0);
  apic::write(apic::initial_count, 0xFFFFFFFF);
  const u32 first = apic::read(apic::current_count);
  for (int i = 0; i < 1000; ++i) asm volatile("pause");
  check_true("it counts down", apic::read(apic::current_count) < first);
  apic::write(apic::initial_count, 0);
  check("count 0 stops it", apic::read(apic::current_count), 0);

  apic::write(apic::initial_count, 20'000);
  check_true("one-shot comes", waits_for(1));
  check("and leaves 0", apic::read(apic::current_count), 0);
  check("the initial count stays", apic::read(apic::initial_count), 20'000);

  count = 0;
  apic::write(apic::lvt_timer, apic::periodic | vector);
  apic::write(apic::initial_count, 100'000);
  check_true("periodic comes again and again", waits_for(5));
  apic::write(apic::initial_count, 0);
  window();

  count = 0;
  apic::write(apic::lvt_timer, apic::masked | vector);
  apic::write(apic::initial_count, 10'000);
  while (apic::read(apic::current_count) != 0) {
  }
  window();
  check("masked it counts but does not come", count, 0);
  apic::write(apic::lvt_timer, vector);
  window();
  check("nor is it remembered", count, 0);

  if (has_tsc_deadline()) {
    const NotCompared here("SDM vol. 3, 10.5.4.1");
    write_msr(apic::msr_tsc_deadline, ~u64{0});
    check("in other modes the deadline reads 0", read_msr(apic::msr_tsc_deadline), 0);
    apic::write(apic::lvt_timer, apic::tsc_deadline | vector);
    const u64 then = time_stamp() + 50'000;
    write_msr(apic::msr_tsc_deadline, then);
    check("the deadline reads back", read_msr(apic::msr_tsc_deadline), then);
    check_true("it comes", waits_for(1));
    check_true("not before the deadline", time_stamp() >= then);
    check("and reads 0 then", read_msr(apic::msr_tsc_deadline), 0);
    write_msr(apic::msr_tsc_deadline, 1);
    window();
    check("one in the past comes at once", count, 2);
    const u64 far = time_stamp() + 1'000'000'000;
    write_msr(apic::msr_tsc_deadline, far);
    write_msr(msr_tsc, far - 1'000);
    interrupts_on();
    for (u32 i = 0; i < 10'000 && count < 3; ++i) asm volatile("pause");
    interrupts_off();
    check("a TSC that is set forward brings the deadline near", count, 3);
    apic::write(apic::lvt_timer, vector);
  }
  check("the timer's vector is in no register",
        apic::has(apic::requests, vector) || apic::has(apic::in_service, vector), 0);
}
