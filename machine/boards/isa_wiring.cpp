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
  return line_of_irq(wire->irq()).add_driver(driver);
}

LineDriver IsaLines::driver_of_irq(u8 irq, SourceId driver) { return line_of_irq(irq).add_driver(driver); }

void IsaLines::connect_irq(u8 irq, Device& listener, Pin pin) { line_of_irq(irq).connect(listener, pin); }

InterruptLine& IsaLines::line_of_irq(u8 irq) {
  for (InterruptLine& line : lines_) {
    if (line.number() == irq) return line;
  }
  VITRINE_ASSERT(false);
  return lines_.front();
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
