// One workload as a guest: WORKLOAD is its name, DIVISOR how much less it does than its units. It prints name and
// result on port 0xE9, as bench_native does, and ends.
#include "bench/guests/apic_workloads.hpp"
#include "bench/guests/kernel_workloads.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

bool same(const char* left, const char* right) {
  for (; *left == *right; ++left, ++right) {
    if (*left == 0) return true;
  }
  return false;
}

void run_one(const Workload& workload) {
  const u64 result = workload.run(workload.units / DIVISOR);
  print(workload.name);
  print(" ");
  print_hex(result);
  print("\n");
  finish();
}

}  // namespace

void guest_main() {
  set_cr0((cr0() & ~cr0_em & ~cr0_ts) | cr0_mp | cr0_ne);
  set_cr4(cr4() | cr4_osfxsr | cr4_osxmmexcpt);
  asm volatile("fninit");
  for (const Workload& each : user_workloads) {
    if (same(each.name, WORKLOAD)) run_one(each);
  }
  for (const Workload& each : kernel_workloads) {
    if (same(each.name, WORKLOAD)) run_one(each);
  }
  for (const Workload& each : apic_workloads) {
    if (same(each.name, WORKLOAD)) run_one(each);
  }
  panic("no such workload: " WORKLOAD);
}
