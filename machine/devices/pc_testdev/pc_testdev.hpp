// What test suites made for QEMU's "pc-testdev" expect: a port that remembers, 24 interrupt lines to pull, memory that
// is a device. No hardware has this.
//
// Source: QEMU's pc-testdev as kvm-unit-tests use it (x86/README there).
//   Ports E0h-E3h      32 bits that read back, in accesses of 1, 2 and 4 bytes. An access begins at the port's byte.
//   Ports 2000h-2017h  a byte each: not 0 asserts line n, 0 releases it; reads tell which
//   FF000000h          64 KiB that read back what was written, each access a device's
// QEMU's port E4h (unmaps a page) is not there: it is Vitrine's annotation port (docs/annotations.md). Neither is E8h.
//
// Interrupts: line n goes to pin n of the I/O APIC, and of 0..15 to the 8259s as well, as the board wires it.
// Wiring: a LineDriver for each of the lines that the board has.
#pragma once

#include <array>
#include <vector>

#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

class PcTestdev final : public Device {
 public:
  static constexpr Region echo{0}, lines_region{1}, memory{2};
  static constexpr Port echo_port{0xE0}, lines_port{0x2000};
  static constexpr u32 echo_ports = 4;
  static constexpr u8 lines = 24;
  static constexpr PhysicalAddress memory_start{0xFF000000};
  static constexpr u64 memory_bytes = 0x10000;
  /// Raised::detail.
  enum class Cause : u8 { Command = 1 };

  PcTestdev(DeviceContext context, const std::array<LineDriver, lines>& drivers);

  [[nodiscard]] std::string_view name() const override { return "pc-testdev"; }
  void accessed(u64 where) override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

 private:
  [[nodiscard]] u8 byte(Region region, u64 offset) const;
  void update();

  std::array<LineDriver, lines> drivers_;
  std::array<u8, echo_ports> echo_{};
  u32 asserted_ = 0;
  std::vector<u8> memory_;
};

}  // namespace vitrine
