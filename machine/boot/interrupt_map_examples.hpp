// An interrupt map for tests: a PC with one PCI slot.
#pragma once

#include "machine/boot/interrupt_map.hpp"

namespace vitrine {

inline InterruptMap map_with_cpus(u32 cpus) {
  InterruptMap map;
  for (u32 cpu = 0; cpu < cpus; ++cpu) map.apic_ids.push_back(cpu);
  map.isa = {{.irq = 0, .pin = 2},
             {.irq = 1, .pin = 1},
             {.irq = 9, .pin = 9, .trigger = LineTrigger::Level, .polarity = LinePolarity::ActiveHigh},
             {.irq = 11, .pin = 11, .trigger = LineTrigger::Level, .polarity = LinePolarity::ActiveLow}};
  for (u8 pin = 0; pin < 4; ++pin) {
    map.pci.push_back({.device = 3,
                       .pin = pin,
                       .io_apic_pin = static_cast<u8>(16 + (pin + 2) % 4),
                       .link = static_cast<u8>(0x60 + (pin + 2) % 4),
                       .isa_irqs = 0x0C00});
  }
  map.router = {.device = 1, .function = 0, .vendor = 0x8086, .product = 0x7000};
  map.pci_only_irqs = 0x0C00;
  return map;
}

}  // namespace vitrine
