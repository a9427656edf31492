#include "machine/boards/board_wiring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "machine/boot/acpi_tables.hpp"

namespace vitrine {
namespace {

TEST(BoardWiring, every_board_is_found_by_its_name_and_is_in_its_own_place) {
  for (const BoardTraits& board : boards) {
    EXPECT_EQ(board_named(board.name), &board);
    EXPECT_EQ(&traits_of(board.kind), &board);
  }
  EXPECT_EQ(board_named("microchannel"), nullptr);
}

TEST(BoardWiring, no_two_isa_lines_share_a_pin_of_the_io_apic_and_none_has_the_8259s_pin) {
  std::set<u8> pins = {io_apic_external_pin};
  for (const IsaWire& wire : isa_wires) {
    EXPECT_TRUE(pins.insert(io_apic_pin_of_irq(wire.irq())).second) << wire.device;
    EXPECT_LT(io_apic_pin_of_irq(wire.irq()), first_pirq_pin) << wire.device;
  }
}

// PIIX3 boards turn by one from slot to slot, beginning with PIRQ A at INTA# of slot 1; ICH9 boards have E..H outside,
// A..D inside (10.1.20: D25IR..D31IR are 3210h after reset).
TEST(BoardWiring, pci_pins_turn_from_slot_to_slot) {
  struct Row {
    BoardKind kind;
    u8 device, pin, pirq;
  };
  constexpr Row rows[] = {
      {BoardKind::Pc, 1, 0, 0},   {BoardKind::Pc, 1, 3, 3},  {BoardKind::Pc, 2, 0, 1},   {BoardKind::Pc, 4, 0, 3},
      {BoardKind::Pc, 5, 0, 0},   {BoardKind::Pc, 0, 0, 3},  {BoardKind::Pc, 31, 1, 3},  {BoardKind::Q35, 0, 0, 4},
      {BoardKind::Q35, 1, 0, 5},  {BoardKind::Q35, 3, 2, 5}, {BoardKind::Q35, 24, 0, 4}, {BoardKind::Q35, 25, 0, 0},
      {BoardKind::Q35, 31, 3, 3},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(pirq_of(row.kind, row.device, row.pin), row.pirq) << int(row.device) << " " << int(row.pin);
  }
}

TEST(BoardWiring, every_pirq_has_a_pin_of_its_own_that_is_active_low) {
  for (const BoardTraits& board : boards) {
    for (u8 pirq = 0; pirq < board.pirqs; ++pirq) {
      EXPECT_LT(first_pirq_pin + pirq, io_apic_pins);
      EXPECT_TRUE(io_apic_active_low_pins >> (first_pirq_pin + pirq) & 1);
    }
  }
}

TEST(BoardWiring, firmware_routes_pirqs_to_lines_that_no_isa_device_has) {
  for (u8 pirq = 0; pirq < 8; ++pirq) EXPECT_TRUE(pci_isa_irqs >> firmware_route_of(pirq) & 1);
  for (const IsaWire& wire : isa_wires) {
    if ((pci_isa_irqs >> wire.irq() & 1) != 0) {
      EXPECT_EQ(wire.sources[0], IsaSource::Nothing) << wire.device;
    }
  }
}

TEST(BoardWiring, the_isa_board_has_no_apics_and_nothing_in_its_interrupt_map) {
  const InterruptMap map = interrupt_map_of(BoardKind::Isa, 1);
  EXPECT_TRUE(map.apic_ids.empty());
  EXPECT_TRUE(map.pci.empty());
  EXPECT_TRUE(slot_table(BoardKind::Isa).empty());
}

TEST(BoardWiring, the_map_has_the_timer_on_pin_2_and_a_level_sci) {
  const InterruptMap map = interrupt_map_of(BoardKind::Pc, 4);
  EXPECT_EQ(map.apic_ids, (std::vector<u32>{0, 1, 2, 3}));
  EXPECT_EQ(map.isa.at(0), (IsaRoute{.irq = 0, .pin = 2}));
  const auto sci = std::ranges::find(map.isa, 9, &IsaRoute::irq);
  EXPECT_EQ(*sci, (IsaRoute{.irq = 9, .pin = 9, .trigger = LineTrigger::Level, .polarity = LinePolarity::ActiveHigh}));
}

// AML of a _PRT entry (ACPI 6.3, 20.2.5.4): PackageOp, length, 4 elements, slot, pin, link or 0, 0 or pin.
std::string integer(u32 value) {
  if (value < 2) return {static_cast<char>(value)};
  if (value < 0x100) return {'\x0A', static_cast<char>(value)};
  if (value < 0x10000) return {'\x0B', static_cast<char>(value), static_cast<char>(value >> 8)};
  return {'\x0C', static_cast<char>(value), static_cast<char>(value >> 8), static_cast<char>(value >> 16),
          static_cast<char>(value >> 24)};
}
std::string package(const std::string& elements) {
  return std::string{'\x12', static_cast<char>(elements.size() + 2), '\x04'} + elements;
}

TEST(BoardWiring, the_dsdt_says_the_same_of_every_pin_of_every_slot) {
  for (const auto& [kind, which] : {std::pair{BoardKind::Pc, AcpiDsdt::Pc}, {BoardKind::Q35, AcpiDsdt::Q35}}) {
    const std::string dsdt(acpi_dsdt(which).begin(), acpi_dsdt(which).end());
    for (u8 device = 0; device < pci_slots; ++device) {
      for (u8 pin = 0; pin < pci_pins; ++pin) {
        const u8 pirq = pirq_of(kind, device, pin);
        const std::string place = integer(u32{device} << 16 | 0xFFFF) + integer(pin);
        const std::string link = std::string("LNK") + static_cast<char>('A' + pirq);
        EXPECT_NE(dsdt.find(package(place + link + integer(0))), std::string::npos) << int(device) << " " << int(pin);
        EXPECT_NE(dsdt.find(package(place + integer(0) + integer(16u + pirq))), std::string::npos)
            << int(device) << " " << int(pin);
      }
    }
  }
}

TEST(BoardWiring, the_table_has_a_row_for_every_line_of_the_board) {
  for (const BoardTraits& board : boards) {
    const std::vector<WiringRow> rows = wiring_table(board.kind);
    const std::size_t hpets_own = board.has_apics ? io_apic_pins - first_pirq_pin - board.pirqs : std::size_t{0};
    EXPECT_EQ(rows.size(), isa_wires.size() + board.pirqs + hpets_own);
    for (const WiringRow& row : rows) {
      EXPECT_EQ(row.io_apic_pin.has_value(), board.has_apics) << row.line;
      const bool low = row.io_apic_pin && (io_apic_active_low_pins >> *row.io_apic_pin & 1) != 0;
      EXPECT_EQ(row.polarity == LinePolarity::ActiveLow, low) << row.line;
    }
  }
}

// Linux 6.1 (arch/x86/pci/irq.c) knows no ICH9 whose LPC bridge is 2918h, but goes by the compatible router.
TEST(BoardWiring, kernels_may_drive_either_router_as_a_piix3) {
  for (const BoardKind kind : {BoardKind::Pc, BoardKind::Q35}) {
    const PciRouter router = interrupt_map_of(kind, 1).router;
    EXPECT_EQ(router.vendor, 0x8086);
    EXPECT_EQ(router.product, 0x7000);
  }
}

TEST(BoardWiring, the_slot_table_has_each_slot_once) {
  for (const BoardKind kind : {BoardKind::Pc, BoardKind::Q35}) {
    std::set<u8> seen;
    for (const SlotRow& row : slot_table(kind)) {
      for (const u8 device : row.devices) EXPECT_TRUE(seen.insert(device).second) << int(device);
    }
    EXPECT_EQ(seen.size(), std::size_t{pci_slots});
  }
}

}  // namespace
}  // namespace vitrine
