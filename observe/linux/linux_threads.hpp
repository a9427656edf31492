// What a Linux guest runs: watches its scheduler, and puts its threads into the ledger as an annotated guest would.
//
// Looks for the kernel whenever the guest loads an IDT; then __switch_to and ttwu_do_activate (where there is none,
// try_to_wake_up) are code points. Needs the kernel's symbol table and its BTF; without them nothing is recorded.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "machine/cpu/probe.hpp"
#include "observe/linux/linux_kernel.hpp"

namespace vitrine {

class LinuxThreads final : public CpuProbe {
 public:
  /// `set_code_points`: Machine::set_code_points.
  LinuxThreads(Ledger& ledger, std::function<void(std::vector<u64>)> set_code_points)
      : ledger_(&ledger), set_code_points_(std::move(set_code_points)) {}

  /// Called once, when the kernel is found: within a callback of the probe.
  std::function<void(const LinuxKernel&)> on_kernel;
  [[nodiscard]] const std::optional<LinuxKernel>& kernel() const { return kernel_; }

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu&, const ProbedReturn&) override {}
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void left_kernel(const Cpu& cpu, u64 instruction) override;
  void entered_kernel(const Cpu&, u64) override {}
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override;
  void interrupts_enabled(const Cpu&, u64) override {}
  void halted(const Cpu&, u64, HaltShadow) override {}
  void stack_switched(const Cpu&, u64, u64, u64) override {}
  void gs_changed(const Cpu&, u64, GsChange) override {}
  void gs_used(const Cpu&, u64) override {}
  void code_point(const Cpu& cpu, u64 address) override;
  void looked(const Cpu&) override {}

 private:
  static constexpr std::size_t most_threads = 65536, deepest_nesting = 64;
  static constexpr unsigned most_searches = 8;

  /// A handler that a thread is in.
  struct Entry {
    u64 request = 0;
    DeliveryKind kind{};
  };
  struct Thread {
    std::string name;
    u64 woken = 0;             ///< when, if it has not run since; else 0
    std::vector<Entry> stack;  ///< handlers that it has not left, the innermost last
  };

  /// What a CPU does now.
  struct Running {
    u64 thread = 0;
    std::vector<Entry> stack;  ///< of that thread
  };

  [[nodiscard]] Running& here() { return running_[ledger_->context.cpu]; }
  void watch(const Cpu& cpu);
  void switched(const Cpu& cpu, u64 address, u64 task);
  void woken(const Cpu& cpu, u64 address, u64 task);
  /// Reads the task's number, and keeps its name. False: it can't be read. Each CPU has an idle task, all of number 0:
  /// those but the first CPU's get numbers that no task has.
  [[nodiscard]] bool know(const Cpu& cpu, u64 task, u64& number);
  [[nodiscard]] u64 waking_request();
  void append(const Cpu& cpu, const Record& record);

  Ledger* ledger_;
  std::function<void(std::vector<u64>)> set_code_points_;
  std::optional<LinuxKernel> kernel_;
  unsigned searches_ = 0;
  u64 switch_to_ = 0, wake_ = 0, wake_new_ = 0;
  unsigned wake_argument_ = 0;  ///< which argument of the function at wake_ is the task
  std::map<u64, Thread> threads_;
  std::map<u8, Running> running_;  ///< by CPU
};

}  // namespace vitrine
