// The PCI host bridge: an i440FX-like northbridge or a Q35-like memory controller hub (function 00:00.0), and the ports
// that reach configuration space.
//
// Manuals: Intel 82441FX PMC datasheet (290549), 3.1; Intel 3 Series Express Chipset (316966), 5.1; PCI Local Bus
// Specification 2.2, 3.2.2.3.2 (configuration mechanism #1); Intel 82371SB PIIX3 datasheet (290550), 2.5.2.4 (reset
// control register, port 0xCF9, which lies between the bytes of the address register and is reached by byte accesses
// only). Interrupts: none. Not modelled: memory attribute and DRAM timing registers have no effect (they read back what
// was written); SERR#.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/outside.hpp"
#include "machine/core/pci.hpp"

namespace vitrine {

class PciHost final : public Device {
 public:
  /// Its one register window: eight ports at 0xCF8.
  enum class Window : u8 { Config };
  static constexpr Port first_port{0xCF8};
  static constexpr u32 port_count = 8;

  enum class Model : u8 { I440fx, Mch };

  PciHost(DeviceContext context, PciBus& bus, MachineControl& control, Model model = Model::I440fx);

  [[nodiscard]] std::string_view name() const override { return "pci-host"; }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

  /// The configuration registers of 00:00.0, for the board to attach to the bus.
  PciConfig& config() { return config_; }

 private:
  struct State {
    u32 address = 0;       // CONFADD: enable, bus, device, function, register
    u8 reset_control = 0;  // RC, port 0xCF9
  };
  [[nodiscard]] bool selected() const;
  [[nodiscard]] PciSlot slot() const;

  PciBus& bus_;
  MachineControl& control_;
  PciConfig config_;
  State state_;
};

}  // namespace vitrine
