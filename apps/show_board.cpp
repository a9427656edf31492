#include "apps/show_board.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "machine/boot/acpi_tables.hpp"
#include "machine/devices/hpet/hpet.hpp"
#include "machine/devices/interrupt_tester/interrupt_tester.hpp"

namespace vitrine {

namespace {

std::string_view word(LineTrigger trigger) { return trigger == LineTrigger::Edge ? "edge" : "level"; }
std::string_view word(LinePolarity polarity) { return polarity == LinePolarity::ActiveHigh ? "high" : "low"; }

std::string pic_input(const WiringRow& row) {
  if (!row.irq) return "-";
  const std::string input = fmt::format("{} IR{}", *row.irq < 8 ? "pic0" : "pic1", *row.irq % 8);
  return row.route_register ? fmt::format("{}, by {:02X}h", input, *row.route_register) : input;
}

std::string number_or_dash(const std::optional<u8>& number) {
  return number ? fmt::format("{}", *number) : std::string("-");
}

/// "1,5,9" or "25-31": neighbours as a range.
std::string list_of(const std::vector<u8>& numbers) {
  std::string text;
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[first]);
    if (last != first) text += fmt::format("-{}", numbers[last]);
    first = last + 1;
  }
  return text;
}

std::string disks_text(const BoardTraits& board) {
  const std::string place = board.pirqs == 0 ? std::string("ports only, no DMA")
                                             : fmt::format("PCI function {:02x}.{}, bus-master DMA by its BAR 4",
                                                           board.southbridge.device, ide_function);
  return fmt::format(
      "\nDisks (--disk): IDE, {}\n"
      "  1 and 2: ports 1F0h-1F7h and 3F6h, IRQ 14\n"
      "  3 and 4: ports 170h-177h and 376h, IRQ 15\n",
      place);
}

std::string controllers_text(const BoardTraits& board) {
  std::string text = "\nBetween the controllers:\n  pic1's output: pic0 IR2\n";
  const std::string nmi =
      "IOCHK# or SERR# (status and switches: port 61h) or the NMI button, unless port 70h bit 7 masks them";
  if (!board.has_apics) return text + "  pic0's output: INTR of the CPU\n  NMI of the CPU: " + nmi + "\n";
  if (board.has_imcr) {
    text +=
        "  pic0's output: LINT0 of every local APIC (ExtINT on the first CPU, masked on the others), or past it\n"
        "    to INTR of the first CPU: IMCR, ports 22h and 23h; firmware chooses LINT0\n";
  } else {
    text += "  pic0's output: LINT0 of every local APIC (ExtINT on the first CPU, masked on the others)\n";
  }
  text += fmt::format("  pic0's output as well: I/O APIC pin {} (masked)\n", io_apic_external_pin);
  text += fmt::format("  LINT1 of every local APIC (NMI on the first CPU, masked on the others):\n    {}\n", nmi);
  text += "  Thermal sensor: one in each core; where --cooling says that it gets hot, LVT thermal interrupts\n";
  text += fmt::format(
      "  HPET: {} timers, at {:X}h; each to an I/O APIC pin from {} to {}, or by message; with legacy replacement\n"
      "    timer 0 to IRQ 0 in the place of the 8254, timer 1 to IRQ 8 in the place of the clock chip\n",
      Hpet::timers, hpet_address, first_hpet_pin, io_apic_pins - 1);
  text += fmt::format("  Interrupt tester: PCI device {}, {:04x}:{:04x}; INTA#, MSI or MSI-X when the guest says so\n",
                      interrupt_tester_slot, InterruptTester::vendor, InterruptTester::device);
  text += fmt::format("  I/O APIC: version {:02X}h, {} pins, id 0, at {:X}h, all pins masked\n", board.io_apic_version,
                      io_apic_pins, io_apic_address);
  return text;
}

/// What controllers_text() says, for programs.
nlohmann::ordered_json controllers_json(const BoardTraits& board) {
  using nlohmann::ordered_json;
  ordered_json all = {{"pic1_output", "pic0 IR2"},
                      {"pic0_output", board.has_apics ? "LINT0" : "INTR"},
                      {"nmi", board.has_apics ? "LINT1" : "NMI"},
                      {"imcr", nullptr},
                      {"local_apic", nullptr},
                      {"io_apic", nullptr},
                      {"hpet", nullptr}};
  if (board.has_imcr) all["imcr"] = {{"ports", {0x22, 0x23}}, {"firmware", "LINT0"}};
  if (!board.has_apics) return all;
  all["local_apic"] = {{"lint0", {{"first_cpu", "ExtINT"}, {"others", "masked"}}},
                       {"lint1", {{"first_cpu", "NMI"}, {"others", "masked"}}}};
  ordered_json low = ordered_json::array();
  for (u8 pin = 0; pin < io_apic_pins; ++pin) {
    if ((io_apic_active_low_pins >> pin & 1) != 0) low.push_back(pin);
  }
  all["io_apic"] = {{"id", 0},
                    {"version", board.io_apic_version},
                    {"address", io_apic_address},
                    {"pins", io_apic_pins},
                    {"external_pin", io_apic_external_pin},
                    {"active_low_pins", low}};
  all["hpet"] = {{"timers", Hpet::timers},
                 {"address", hpet_address},
                 {"first_io_apic_pin", first_hpet_pin},
                 {"last_io_apic_pin", io_apic_pins - 1},
                 {"messages", true},
                 {"legacy_irqs", {0, 8}}};
  return all;
}

}  // namespace

std::string board_text(BoardKind kind) {
  const BoardTraits& board = traits_of(kind);
  std::string text = fmt::format("Board {}: {}. {}.\n\n", board.name, board.description,
                                 board.most_cpus == 1 ? "1 CPU" : fmt::format("1 to {} CPUs", board.most_cpus));
  text +=
      fmt::format("{:<32}{:<8}{:<20}{:<10}{:<14}{}\n", "Source", "Line", "8259 input", "I/O APIC", "Asks by", "Vector");
  for (const WiringRow& row : wiring_table(kind)) {
    text += fmt::format("{:<32}{:<8}{:<20}{:<10}{:<14}{}\n", row.source, row.line, pic_input(row),
                        number_or_dash(row.io_apic_pin), fmt::format("{}, {}", word(row.trigger), word(row.polarity)),
                        row.vector ? fmt::format("{:02X}h", *row.vector) : "-");
  }
  text += "\nVector: as firmware leaves the 8259s.";
  if (board.has_apics)
    text +=
        " The I/O APIC's pins have none until the guest gives them one.\n"
        "Asks by: high or low as the I/O APIC's entry must say. A timer of the HPET may be a level too "
        "(bit 1 of its configuration).";
  text += "\n";
  if (board.pirqs != 0) {
    text += "By 60h: the router's register, in the southbridge's configuration space, says which input.\n";
    text += fmt::format("\n{:<36}{:<8}{:<8}{:<8}{:<8}(PIRQ)\n", "PCI slots", "INTA#", "INTB#", "INTC#", "INTD#");
    for (const SlotRow& row : slot_table(kind)) {
      text += fmt::format("{:<36}", list_of(row.devices));
      for (const u8 pirq : row.pirqs) text += fmt::format("{:<8}", static_cast<char>('A' + pirq));
      text.erase(text.find_last_not_of(' ') + 1);
      text += "\n";
    }
  }
  return text + disks_text(board) + controllers_text(board);
}

std::string board_json(BoardKind kind) {
  using nlohmann::ordered_json;
  const BoardTraits& board = traits_of(kind);
  const auto number = [](const std::optional<u8>& value) { return value ? ordered_json(*value) : ordered_json(); };
  ordered_json lines = ordered_json::array();
  for (const WiringRow& row : wiring_table(kind)) {
    lines.push_back({{"source", row.source},
                     {"line", row.line},
                     {"irq", number(row.irq)},
                     {"route_register", number(row.route_register)},
                     {"io_apic_pin", number(row.io_apic_pin)},
                     {"trigger", word(row.trigger)},
                     {"polarity", word(row.polarity)},
                     {"vector", number(row.vector)}});
  }
  ordered_json slots = ordered_json::array();
  for (const SlotRow& row : slot_table(kind)) slots.push_back({{"devices", row.devices}, {"pirqs", row.pirqs}});
  const ordered_json all = {{"board", board.name},          {"description", board.description},
                            {"most_cpus", board.most_cpus}, {"lines", lines},
                            {"pci_slots", slots},           {"controllers", controllers_json(board)}};
  return all.dump(2) + "\n";
}

}  // namespace vitrine
