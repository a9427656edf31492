// PCI functions and their interrupts: by message (MSI), or by pin (PCI Local Bus Specification 3.0 §3.2.2.3, §6).
#pragma once

#include <optional>

#include "kernel/core/interrupts.hpp"
#include "kernel/core/platform.hpp"

namespace pulse {

struct PciFunction {
  u8 bus = 0, device = 0, function = 0;

  [[nodiscard]] u32 read(u8 place) const;
  void write(u8 place, u32 value) const;
  [[nodiscard]] u16 vendor() const { return static_cast<u16>(read(0)); }
  [[nodiscard]] u16 id() const { return static_cast<u16>(read(0) >> 16); }
  /// The window in memory that BAR `number` describes, mapped; memory and bus master accesses are switched on.
  [[nodiscard]] volatile u32* map_window(u8 number, u64 bytes) const;
  /// The first of the ports that BAR `number` describes; they and bus master accesses are switched on. 0: none.
  [[nodiscard]] u16 map_ports(u8 number) const;
  /// Place of a capability in its list; 0: it has none.
  [[nodiscard]] u8 find_capability(u8 wanted) const;
};

/// On all buses, the first with these numbers.
[[nodiscard]] std::optional<PciFunction> find_pci_function(u16 vendor, u16 id);

enum class Routing : u8 { Pic8259, IoApic, Messages };
/// The first of this base class and subclass (0xBBSS).
[[nodiscard]] std::optional<PciFunction> find_pci_class(u16 wanted);
/// How interrupts of PCI functions go from now on; `destination` is the local APIC id that messages go to.
void start_pci_interrupts(Routing routing, const Platform* platform, u32 destination);

struct PciInterrupt {
  Routing routing;
  u8 line;
};
/// Adds the handler for the function's interrupt: as a message if the routing is Messages and it has MSI, else for its
/// pin. Nothing if nobody says where its pin goes.
[[nodiscard]] std::optional<PciInterrupt> add_pci_handler(const PciFunction& function, InterruptHandler& handler);

}  // namespace pulse
