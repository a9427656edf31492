// The workloads that need ring 0: what kernels make a CPU do.
#pragma once

#include "bench/guests/workloads.hpp"

constexpr u32 kernel_workload_count = 8;
extern const Workload kernel_workloads[kernel_workload_count];
