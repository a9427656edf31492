#include "kernel/drivers/pci.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

constexpr u16 address_port = 0xCF8, data_port = 0xCFC;
constexpr u32 address_enable = 0x8000'0000;
enum Place : u8 {
  command = 0x04,
  class_code = 0x08,
  header_type = 0x0C,
  first_bar = 0x10,
  capabilities = 0x34,
  interrupt = 0x3C
};
constexpr u32 port_enable = 1, memory_enable = 2, bus_master = 4, interrupt_disable = 0x400;
constexpr u8 msi_capability = 0x05;
constexpr u32 msi_enable = 0x10000, msi_64_bits = 0x800000, msi_address = 0xFEE00000;

Routing routing = Routing::Pic8259;
const Platform* platform = nullptr;
u32 destination = 0;
u8 next_message_line = InterruptManager::first_message;

/// The line of a function's pin; the firmware has written the ISA line into its configuration, the MP table knows the
/// I/O APIC's pin.
std::optional<u8> line_of_pin(const PciFunction& function) {
  const u32 words = function.read(interrupt);
  const u8 pin = static_cast<u8>(words >> 8);
  const u8 isa_line = static_cast<u8>(words);
  if (pin == 0) return std::nullopt;
  if (routing == Routing::Pic8259 || platform == nullptr) {
    return isa_line < Platform::isa_lines ? std::optional(isa_line) : std::nullopt;
  }
  for (std::size_t i = 0; i < platform->pci_pin_count; ++i) {
    const Platform::PciPin& known = platform->pci_pins[i];
    if (known.bus == function.bus && known.device == function.device && known.pin == pin - 1 &&
        known.system_pin < InterruptManager::first_message) {
      return static_cast<u8>(known.system_pin);
    }
  }
  return std::nullopt;
}

std::optional<u8> add_message(const PciFunction& function, InterruptHandler& handler) {
  const u8 place = function.find_capability(msi_capability);
  if (place == 0 || next_message_line == InterruptManager::lines) return std::nullopt;
  const u8 line = next_message_line++;
  InterruptManager& interrupts = kernel().interrupts;
  const u32 control = function.read(place);
  function.write(place + 4, msi_address | destination << 12);
  const bool wide = (control & msi_64_bits) != 0;
  if (wide) function.write(place + 8, 0);
  function.write(place + (wide ? 12 : 8), interrupts.controller()->vector_of(line));
  interrupts.add(line, handler);
  function.write(command, (function.read(command) & 0xFFFF) | interrupt_disable);  // the pin
  function.write(place, (control & ~u32{0x700000}) | msi_enable);                  // one message
  return line;
}

}  // namespace

u32 PciFunction::read(u8 place) const {
  const InterruptsOff off;
  out32(address_port, address_enable | u32{bus} << 16 | u32{device} << 11 | u32{function} << 8 | (place & 0xFC));
  return in32(data_port);
}

void PciFunction::write(u8 place, u32 value) const {
  const InterruptsOff off;
  out32(address_port, address_enable | u32{bus} << 16 | u32{device} << 11 | u32{function} << 8 | (place & 0xFC));
  out32(data_port, value);
}

volatile u32* PciFunction::map_window(u8 number, u64 bytes) const {
  constexpr u32 flags = 0xF;
  write(command, (read(command) & 0xFFFF) | memory_enable | bus_master);
  const u32 address = read(static_cast<u8>(first_bar + 4 * number)) & ~flags;
  return address != 0 ? static_cast<volatile u32*>(map_device(address, bytes)) : nullptr;
}

u16 PciFunction::map_ports(u8 number) const {
  constexpr u32 is_ports = 1, address_bits = 0xFFFC;
  const u32 value = read(static_cast<u8>(first_bar + 4 * number));
  if ((value & is_ports) == 0 || (value & address_bits) == 0) return 0;
  write(command, (read(command) & 0xFFFF) | port_enable | bus_master);
  return static_cast<u16>(value & address_bits);
}

u8 PciFunction::find_capability(u8 wanted) const {
  constexpr u32 has_list = 0x100000;
  constexpr int most = 48;
  if ((read(command) & has_list) == 0) return 0;
  u8 place = static_cast<u8>(read(capabilities)) & 0xFC;
  for (int i = 0; place != 0 && i < most; ++i) {
    const u32 words = read(place);
    if (static_cast<u8>(words) == wanted) return place;
    place = static_cast<u8>(words >> 8) & 0xFC;
  }
  return 0;
}

namespace {

template <class Matches>
std::optional<PciFunction> find_first(Matches matches) {
  constexpr u32 several_functions = 0x800000;
  for (u32 bus = 0; bus < 256; ++bus) {
    for (u8 device = 0; device < 32; ++device) {
      const PciFunction first{static_cast<u8>(bus), device, 0};
      if (first.vendor() == 0xFFFF) continue;
      const u8 functions = (first.read(header_type) & several_functions) != 0 ? 8 : 1;
      for (u8 number = 0; number < functions; ++number) {
        const PciFunction function{first.bus, device, number};
        if (function.vendor() != 0xFFFF && matches(function)) return function;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<PciFunction> find_pci_function(u16 vendor, u16 id) {
  return find_first([=](const PciFunction& function) { return function.vendor() == vendor && function.id() == id; });
}

std::optional<PciFunction> find_pci_class(u16 wanted) {
  return find_first([=](const PciFunction& function) { return function.read(class_code) >> 16 == wanted; });
}

void start_pci_interrupts(Routing wanted, const Platform* tables, u32 to) {
  routing = wanted;
  platform = tables;
  destination = to;
}

std::optional<PciInterrupt> add_pci_handler(const PciFunction& function, InterruptHandler& handler) {
  if (routing == Routing::Messages) {
    if (const auto line = add_message(function, handler)) return PciInterrupt{Routing::Messages, *line};
  }
  const auto line = line_of_pin(function);
  if (!line) return std::nullopt;
  kernel().interrupts.add(*line, handler);
  return PciInterrupt{routing == Routing::Pic8259 ? Routing::Pic8259 : Routing::IoApic, *line};
}

}  // namespace pulse
