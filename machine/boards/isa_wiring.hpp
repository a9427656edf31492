// Which device sits on which interrupt line of the PC: the standard table, and the wires that are made from it.
//
// Source: IBM PC AT Technical Reference (1502494), "Interrupts"; ACPI 2.0, 5.2.8 (SCI on 9); for the devices of today
// the table of the third mission document, row by row.
#pragma once

#include <array>
#include <deque>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

enum class IsaController : u8 { First, Second };

/// What can drive an ISA interrupt line on this board. Nothing: the row's device is not there (yet).
enum class IsaSource : u8 {
  Nothing,
  Timer,
  Keyboard,
  Serial1,
  Serial2,
  Serial3,
  Serial4,
  Parallel1,
  Parallel2,
  Rtc,
  Acpi,
  Mouse,
  FpuError,
  Disk1,
  Disk2,
};

struct IsaWire {
  IsaController controller;
  u8 pin;
  /// The vector while the controllers count from 0, as the mission's table has it. Firmware counts the first controller
  /// from 0x08 and the second from 0x70; kernels move both.
  Vector vector;
  std::string_view device;
  std::array<IsaSource, 2> sources;  ///< two where two devices share the line

  /// The line's number on the board, IRQ 0..15.
  [[nodiscard]] constexpr u8 irq() const {
    return static_cast<u8>((controller == IsaController::Second ? 8 : 0) + pin);
  }
};

/// Pin 2 of the first controller is not here: the second controller's output drives it (isa_cascade_pin).
// clang-format off
inline constexpr std::array<IsaWire, 15> isa_wires = {{
    // controller            pin  vector      device              driven by
    {IsaController::First,   0,   Vector(0),  "Timer",            {IsaSource::Timer}},
    {IsaController::First,   1,   Vector(1),  "Keyboard",         {IsaSource::Keyboard}},
    {IsaController::First,   3,   Vector(3),  "Serial Port 2",    {IsaSource::Serial2, IsaSource::Serial4}},
    {IsaController::First,   4,   Vector(4),  "Serial Port 1",    {IsaSource::Serial1, IsaSource::Serial3}},
    {IsaController::First,   5,   Vector(5),  "Parallel Port 2",  {IsaSource::Parallel2}},
    {IsaController::First,   6,   Vector(6),  "Floppy Disk",      {IsaSource::Nothing}},
    {IsaController::First,   7,   Vector(7),  "Parallel Port 1",  {IsaSource::Parallel1}},
    {IsaController::Second,  0,   Vector(8),  "Real Time Clock",  {IsaSource::Rtc}},
    {IsaController::Second,  1,   Vector(9),  "ACPI",             {IsaSource::Acpi}},
    {IsaController::Second,  2,   Vector(10), "Any",              {IsaSource::Nothing}},
    {IsaController::Second,  3,   Vector(11), "Any",              {IsaSource::Nothing}},
    {IsaController::Second,  4,   Vector(12), "Mouse",            {IsaSource::Mouse}},
    {IsaController::Second,  5,   Vector(13), "Co-Processor",     {IsaSource::FpuError}},
    {IsaController::Second,  6,   Vector(14), "Primary ATA",      {IsaSource::Disk1}},
    {IsaController::Second,  7,   Vector(15), "Secondary ATA",    {IsaSource::Disk2}},
}};
// clang-format on
inline constexpr Pin isa_cascade_pin{2};

/// The row that a source drives; null for Nothing.
[[nodiscard]] constexpr const IsaWire* isa_wire_of(IsaSource source) {
  if (source == IsaSource::Nothing) return nullptr;
  for (const IsaWire& wire : isa_wires) {
    for (const IsaSource each : wire.sources) {
      if (each == source) return &wire;
    }
  }
  return nullptr;
}

/// The fifteen wires, one per row of the table.
class IsaLines {
 public:
  explicit IsaLines(Ledger& ledger);

  /// A vote on the line of `source`, for the device that the ledger knows as `driver`.
  LineDriver driver(IsaSource source, SourceId driver);
  /// A vote on line `irq`, which has a row.
  LineDriver driver_of_irq(u8 irq, SourceId driver);
  /// Ends each wire at its pin.
  void connect(Device& first_controller, Device& second_controller);
  /// Ends line `irq`, which has a row, at one more pin.
  void connect_irq(u8 irq, Device& listener, Pin pin);
  /// The wire of row `row`.
  [[nodiscard]] const InterruptLine& line(std::size_t row) const { return lines_[row]; }
  void exchange(Archive& archive);

 private:
  [[nodiscard]] InterruptLine& line_of_irq(u8 irq);

  std::deque<InterruptLine> lines_;  // by row; an InterruptLine can't move
};

}  // namespace vitrine
