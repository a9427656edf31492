// The workloads of local APICs: interrupts from the CPU itself, its timer, another CPU, a PCI function.
#pragma once

#include "bench/guests/workloads.hpp"

constexpr u32 apic_workload_count = 5;
extern const Workload apic_workloads[apic_workload_count];
