// What a run knows of a Linux guest without any file: names from the kernel's own table, threads from its scheduler.
#pragma once

#include <memory>
#include <string>

#include "machine/boards/machine.hpp"
#include "observe/linux/linux_threads.hpp"
#include "observe/probe_fanout.hpp"
#include "observe/seen_addresses.hpp"
#include "observe/symbols.hpp"

namespace vitrine {

class LinuxWatch {
 public:
  /// Does the loader's description of a guest say that it is Linux?
  [[nodiscard]] static bool is_linux(const std::string& description) { return description.starts_with("Linux "); }

  /// `symbols` gets the kernel's names once they are known, unless it has some by then.
  LinuxWatch(Machine& machine, SymbolTable& symbols) : machine_(machine), symbols_(symbols) {}

  void watch_threads(ProbeFanout& probes);
  void keep_addresses() { machine_.ledger().attach(addresses_); }

  /// At the end of the run: looks for names if nobody has looked yet.
  void find_names();
  /// The names of the addresses in the records, for the trace; empty if they do not come from the guest.
  [[nodiscard]] std::string names_for_trace() const;

 private:
  void found(const LinuxKernel& kernel);

  Machine& machine_;
  SymbolTable& symbols_;
  SeenAddresses addresses_;
  std::unique_ptr<LinuxThreads> threads_;
  KernelSymbols names_;
  bool named_ = false;
};

}  // namespace vitrine
