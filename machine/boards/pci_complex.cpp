#include "machine/boards/pci_complex.hpp"

#include <string>

#include "base/assert.hpp"

namespace vitrine {

PciComplex::PciComplex(const BoardTraits& board, const Surroundings& surroundings, Places& places)
    : kind_(board.kind), bus_(surroundings.memory, surroundings.ports) {
  const DeviceContext host_place = places.next("pci-host");
  host_ = std::make_unique<PciHost>(host_place, bus_, surroundings.control,
                                    kind_ == BoardKind::Q35 ? PciHost::Model::Mch : PciHost::Model::I440fx);
  places.put(host_place, *host_);

  const DeviceContext bridge_place = places.next("isa-bridge");
  IsaBridge::IsaDrivers drivers;
  for (const IsaWire& wire : isa_wires) {
    drivers[wire.irq()] = surroundings.isa.driver_of_irq(wire.irq(), bridge_place.source);
  }
  isa_bridge_ = std::make_unique<IsaBridge>(
      bridge_place,
      IsaBridge::Strapping{.model = kind_ == BoardKind::Q35 ? IsaBridge::Model::Ich9 : IsaBridge::Model::Piix3,
                           .pm_base = surroundings.pm_base},
      drivers);
  places.put(bridge_place, *isa_bridge_);

  for (u8 pirq = 0; pirq < board.pirqs; ++pirq) {
    InterruptLine& line = pirqs_.emplace_back(surroundings.ledger, std::string("pirq") + static_cast<char>('A' + pirq),
                                              static_cast<u8>(IsaBridge::first_pirq_line + pirq));
    line.connect(*isa_bridge_, Pin(pirq));
  }
  plug({0, 0}, host_->config());
  plug(board.southbridge, isa_bridge_->config(), isa_bridge_.get());
  const bool mapped =
      surroundings.ports
          .map(PciHost::first_port, PciHost::port_count, *host_, Region(static_cast<u8>(PciHost::Window::Config)))
          .has_value();
  VITRINE_ASSERT(mapped);
}

void PciComplex::plug(PciSlot slot, PciConfig& config, PciFunction* listener) {
  const bool attached = bus_.attach(slot, config, listener).has_value();
  VITRINE_ASSERT(attached);
}

LineDriver PciComplex::pin(u8 device, u8 pin, SourceId driver) {
  return pirqs_[pirq_of(kind_, device, pin)].add_driver(driver);
}

void PciComplex::connect_io_apic(Device& io_apic) {
  for (std::size_t pirq = 0; pirq < pirqs_.size(); ++pirq) {
    pirqs_[pirq].connect(io_apic, Pin(static_cast<u8>(first_pirq_pin + pirq)));
  }
}

void PciComplex::exchange(Archive& archive) {
  for (InterruptLine& line : pirqs_) line.exchange(archive);
}

}  // namespace vitrine
