// The PCI-to-ISA bridge: function 00:01.0 of a PIIX3-like southbridge.
//
// Manual: Intel 82371SB PIIX3 datasheet (290550), 2.2.
// Interrupts: none of its own. PIRQ route registers 0x60..0x63 say which ISA line each PCI interrupt pin would drive;
// they are stored, and no function on this board uses a PCI interrupt pin yet.
// Not modelled: DMA aliasing, recovery timers, APIC base: the registers read back what was written.
// The reset control register (port 0xCF9) is in pci_host, because it lies between the bytes of 0xCF8.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/pci.hpp"

namespace vitrine {

class IsaBridge final : public Device {
 public:
  explicit IsaBridge(DeviceContext context);

  [[nodiscard]] std::string_view name() const override { return "isa-bridge"; }
  void reset() override { config_.reset(); }
  void exchange(Archive& archive) override;

  /// The configuration registers of 00:01.0, for the board to attach to the bus.
  PciConfig& config() { return config_; }

 private:
  PciConfig config_;
};

}  // namespace vitrine
