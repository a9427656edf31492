#include "machine/boards/board_wiring.hpp"

#include <algorithm>

#include "machine/cpu/signature.hpp"
#include "machine/devices/isa_bridge/isa_bridge.hpp"

namespace vitrine {

namespace {

// 1502494: the BIOS lets the controllers count from here.
constexpr u8 first_vector = 0x08, second_vector = 0x70;
constexpr u8 firmware_vector(u8 irq) {
  return static_cast<u8>(irq < 8 ? first_vector + irq : second_vector + (irq - 8));
}

// The SCI is ISA's only level: shared by its causes, high when one asks (ICH9, 13.8.1.1).
constexpr u8 sci_irq = isa_wire_of(IsaSource::Acpi)->irq();
constexpr LineTrigger trigger_of_irq(u8 irq) { return irq == sci_irq ? LineTrigger::Level : LineTrigger::Edge; }

}  // namespace

const BoardTraits* board_named(std::string_view name) {
  for (const BoardTraits& board : boards) {
    if (board.name == name) return &board;
  }
  return nullptr;
}

InterruptMap interrupt_map_of(BoardKind kind, unsigned cpus) {
  const BoardTraits& board = traits_of(kind);
  InterruptMap map;
  if (!board.has_apics) return map;
  for (u32 cpu = 0; cpu < cpus; ++cpu) map.apic_ids.push_back(cpu);
  map.io_apic_address = static_cast<u32>(io_apic_address);
  map.io_apic_version = board.io_apic_version;
  map.cpu_signature = processor_signature;
  map.cpu_features = processor_mp_features;
  for (const IsaWire& wire : isa_wires) {
    map.isa.push_back(
        {.irq = wire.irq(), .pin = io_apic_pin_of_irq(wire.irq()), .trigger = trigger_of_irq(wire.irq())});
  }
  for (u8 device = 0; device < pci_slots; ++device) {
    for (u8 pin = 0; pin < pci_pins; ++pin) {
      const u8 pirq = pirq_of(kind, device, pin);
      map.pci.push_back({.device = device,
                         .pin = pin,
                         .io_apic_pin = static_cast<u8>(first_pirq_pin + pirq),
                         .link = IsaBridge::route_register(pirq),
                         .isa_irqs = pci_isa_irqs});
    }
  }
  constexpr u16 intel = 0x8086, piix3 = 0x7000;
  map.router = {
      .device = board.southbridge.device, .function = board.southbridge.function, .vendor = intel, .product = piix3};
  map.pci_only_irqs = pci_isa_irqs;
  return map;
}

std::vector<WiringRow> wiring_table(BoardKind kind) {
  const BoardTraits& board = traits_of(kind);
  const auto pin_if_there = [&](u8 pin) { return board.has_apics ? std::optional(pin) : std::nullopt; };
  std::vector<WiringRow> rows;
  for (const IsaWire& wire : isa_wires) {
    const u8 irq = wire.irq();
    // Firmware makes the lines that it gives to PCI level-triggered.
    const bool routed = board.pirqs != 0 && (pci_isa_irqs >> irq & 1) != 0;
    std::string source(routed ? "PCI, by the router" : wire.device);
    if (wire.sources[0] == IsaSource::Nothing && !routed) source += " (nothing there)";
    rows.push_back({.source = std::move(source),
                    .line = "IRQ " + std::to_string(irq),
                    .irq = irq,
                    .io_apic_pin = pin_if_there(io_apic_pin_of_irq(irq)),
                    .trigger = routed ? LineTrigger::Level : trigger_of_irq(irq),
                    .vector = firmware_vector(irq)});
  }
  for (u8 pirq = 0; pirq < board.pirqs; ++pirq) {
    const u8 irq = firmware_route_of(pirq);
    rows.push_back({.source = "PCI slots",
                    .line = std::string("PIRQ ") + static_cast<char>('A' + pirq),
                    .irq = irq,
                    .route_register = IsaBridge::route_register(pirq),
                    .io_apic_pin = pin_if_there(static_cast<u8>(first_pirq_pin + pirq)),
                    .trigger = LineTrigger::Level,
                    .polarity = LinePolarity::ActiveLow,
                    .vector = firmware_vector(irq)});
  }
  // The HPET's: those that have no PIRQ beside it.
  for (u8 pin = static_cast<u8>(first_pirq_pin + board.pirqs); board.has_apics && pin < io_apic_pins; ++pin) {
    rows.push_back(
        {.source = "HPET, when a timer says so",
         .line = "pin " + std::to_string(pin),
         .io_apic_pin = pin,
         .polarity = (io_apic_active_low_pins >> pin & 1) != 0 ? LinePolarity::ActiveLow : LinePolarity::ActiveHigh});
  }
  return rows;
}

std::vector<SlotRow> slot_table(BoardKind kind) {
  std::vector<SlotRow> rows;
  if (traits_of(kind).pirqs == 0) return rows;
  for (u8 device = 0; device < pci_slots; ++device) {
    std::array<u8, pci_pins> pirqs{};
    for (u8 pin = 0; pin < pci_pins; ++pin) pirqs[pin] = pirq_of(kind, device, pin);
    const auto same = std::ranges::find(rows, pirqs, &SlotRow::pirqs);
    if (same != rows.end()) {
      same->devices.push_back(device);
    } else {
      rows.push_back({.devices = {device}, .pirqs = pirqs});
    }
  }
  return rows;
}

}  // namespace vitrine
