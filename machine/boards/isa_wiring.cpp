#include "machine/boards/isa_wiring.hpp"

#include <string>

#include "base/assert.hpp"

namespace vitrine {

IsaLines::IsaLines(Ledger& ledger) {
  for (const IsaWire& wire : isa_wires) lines_.emplace_back(ledger, "irq" + std::to_string(wire.irq()), wire.irq());
}

LineDriver IsaLines::driver(IsaSource source, SourceId driver) {
  const IsaWire* wire = isa_wire_of(source);
  VITRINE_ASSERT(wire != nullptr);
  return lines_[static_cast<std::size_t>(wire - isa_wires.data())].add_driver(driver);
}

void IsaLines::connect(Device& first_controller, Device& second_controller) {
  for (std::size_t row = 0; row < isa_wires.size(); ++row) {
    const IsaWire& wire = isa_wires[row];
    lines_[row].connect(wire.controller == IsaController::First ? first_controller : second_controller, Pin(wire.pin));
  }
}

void IsaLines::exchange(Archive& archive) {
  for (InterruptLine& line : lines_) line.exchange(archive);
}

}  // namespace vitrine
