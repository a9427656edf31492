// Our CPU alone with RAM, for suites that need no PC around it.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "machine/core/bus.hpp"
#include "machine/cpu/cpu.hpp"

namespace vitrine::conformance {

class CpuBench {
 public:
  /// RAM from 0 on, in whole pages.
  explicit CpuBench(u64 ram_bytes, InterruptAcknowledger* controller = nullptr)
      : ram_(ram_bytes),
        cpu_({clock_, events_, ledger_, DeviceId(0), ledger_.register_source("cpu0")}, memory_, ports_, controller, 1) {
    VITRINE_ASSERT(memory_.map_ram(PhysicalAddress(0), ram_.size(), ram_.data(), MemoryBus::Kind::Ram));
  }

  [[nodiscard]] Cpu& cpu() { return cpu_; }
  [[nodiscard]] MemoryBus& memory() { return memory_; }
  [[nodiscard]] PortBus& ports() { return ports_; }
  [[nodiscard]] const std::vector<u8>& ram() const { return ram_; }
  void write(u64 address, u8 value) {
    ram_[address] = value;
    cpu_.ram_written(PhysicalAddress(address), 1);
  }

 private:
  Clock clock_;
  EventQueue events_;
  Ledger ledger_{clock_};
  MemoryBus memory_;
  PortBus ports_;
  std::vector<u8> ram_;
  Cpu cpu_;
};

}  // namespace vitrine::conformance
