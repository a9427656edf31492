// What a computer does all day, as loops: the part that needs no rights, so that the host can run it too.
#pragma once

using u8 = unsigned char;
using u32 = unsigned int;
using u64 = unsigned long long;

/// One workload: does `units` units of work and gives a number that proves it.
struct Workload {
  const char* name;
  u64 (*run)(u32 units);
  u32 units;
};

constexpr u32 user_workload_count = 9;
extern const Workload user_workloads[user_workload_count];
