// Several probes on one CPU, called in the order in which they were added.
#pragma once

#include <vector>

#include "machine/cpu/probe.hpp"

namespace vitrine {

class ProbeFanout final : public CpuProbe {
 public:
  /// `probe` is not owned.
  void add(CpuProbe& probe) {
    probes_.push_back(&probe);
    gather_wishes();
  }
  [[nodiscard]] bool empty() const { return probes_.empty(); }

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override {
    tell([&](CpuProbe& probe) { probe.delivered(cpu, delivery); });
  }
  void returning(const Cpu& cpu, const ProbedReturn& iret) override {
    tell([&](CpuProbe& probe) { probe.returning(cpu, iret); });
  }
  void returned(const Cpu& cpu, const ProbedReturn& iret) override {
    tell([&](CpuProbe& probe) { probe.returned(cpu, iret); });
  }
  void left_kernel(const Cpu& cpu, u64 instruction) override {
    tell([&](CpuProbe& probe) { probe.left_kernel(cpu, instruction); });
  }
  void entered_kernel(const Cpu& cpu, u64 instruction) override {
    tell([&](CpuProbe& probe) { probe.entered_kernel(cpu, instruction); });
  }
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override {
    tell([&](CpuProbe& probe) { probe.table_loaded(cpu, table, instruction); });
  }
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override {
    tell([&](CpuProbe& probe) {
      if (probe.wants_interrupt_flag) probe.interrupts_enabled(cpu, instruction);
    });
  }
  void halted(const Cpu& cpu, u64 instruction, HaltShadow shadow) override {
    tell([&](CpuProbe& probe) { probe.halted(cpu, instruction, shadow); });
  }
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override {
    tell([&](CpuProbe& probe) { probe.stack_switched(cpu, instruction, from, to); });
  }
  void gs_changed(const Cpu& cpu, u64 instruction, GsChange change) override {
    tell([&](CpuProbe& probe) { probe.gs_changed(cpu, instruction, change); });
  }
  void gs_used(const Cpu& cpu, u64 instruction) override {
    tell([&](CpuProbe& probe) {
      if (probe.wants_gs_use) probe.gs_used(cpu, instruction);
    });
  }
  void code_point(const Cpu& cpu, u64 address) override {
    tell([&](CpuProbe& probe) { probe.code_point(cpu, address); });
  }
  void looked(const Cpu& cpu) override {
    tell([&](CpuProbe& probe) { probe.looked(cpu); });
  }

 private:
  template <class Call>
  void tell(const Call& call) {
    for (CpuProbe* probe : probes_) call(*probe);
    gather_wishes();
  }
  void gather_wishes() {
    wants_interrupt_flag = wants_gs_use = false;
    for (const CpuProbe* probe : probes_) {
      wants_interrupt_flag |= probe->wants_interrupt_flag;
      wants_gs_use |= probe->wants_gs_use;
    }
  }

  std::vector<CpuProbe*> probes_;
};

}  // namespace vitrine
