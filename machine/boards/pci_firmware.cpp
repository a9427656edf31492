#include "machine/boards/pci_firmware.hpp"

#include <algorithm>

#include "machine/devices/isa_bridge/isa_bridge.hpp"

namespace vitrine {

namespace {

constexpr Port address_port{0xCF8}, data_port{0xCFC};
constexpr u8 command = 0x04, header_type = 0x0E, first_bar = 0x10, interrupt_line = 0x3C, interrupt_pin = 0x3D;
constexpr u32 decode_ports = 1, decode_memory = 2;
constexpr u32 bar_is_port = 1, bar_type_mask = 6, bar_is_64_bit = 4;

class Function {
 public:
  Function(PortBus& ports, PciSlot slot) : ports_(ports), slot_(slot) {}

  u32 read(u8 offset, u8 size = 4) {
    select(offset);
    return ports_.read(Port(static_cast<u16>(data_port.value + (offset & 3))), AccessSize(size));
  }
  void write(u8 offset, u32 value, u8 size = 4) {
    select(offset);
    ports_.write(Port(static_cast<u16>(data_port.value + (offset & 3))), AccessSize(size), value);
  }
  [[nodiscard]] bool is_there() { return read(0, 2) != 0xFFFF; }
  [[nodiscard]] bool is_multifunction() { return (read(header_type, 1) & 0x80) != 0; }

 private:
  void select(u8 offset) {
    ports_.write(address_port, AccessSize(4),
                 0x80000000u | u32{slot_.device} << 11 | u32{slot_.function} << 8 | (offset & 0xFCu));
  }

  PortBus& ports_;
  PciSlot slot_;
};

struct Addresses {
  u32 ports = pci_ports_begin;
  u32 memory = pci_memory_begin;
};

/// The next multiple of `size`, a power of two; moves `next` behind it.
u32 take(u32& next, u32 size) {
  const u32 start = (next + size - 1) & ~(size - 1);
  next = start + size;
  return start;
}

void give_addresses(Function& function, Addresses& next) {
  static constexpr u8 bars = 6;
  u32 decodes = 0;
  for (u8 index = 0; index < bars; ++index) {
    const auto offset = static_cast<u8>(first_bar + 4 * index);
    const u32 before = function.read(offset);
    function.write(offset, 0xFFFFFFFF);
    const u32 answer = function.read(offset);
    if (answer == 0 || answer == before) continue;  // none, or one that does not move
    if ((answer & bar_is_port) != 0) {
      const u32 size = ~((answer & 0xFFFC) | 0xFFFF0000) + 1;
      function.write(offset, take(next.ports, size));
      decodes |= decode_ports;
      continue;
    }
    const u32 size = ~(answer & ~u32{0xF}) + 1;
    // Each gets pages of its own.
    function.write(offset, take(next.memory, std::max(size, 0x1000u)));
    decodes |= decode_memory;
    if ((answer & bar_type_mask) == bar_is_64_bit) {
      ++index;
      function.write(static_cast<u8>(offset + 4), 0);
    }
  }
  if (decodes != 0) function.write(command, function.read(command, 2) | decodes, 2);
}

/// The channels of an IDE controller answer at the ports of a PC.
void let_disks_answer(Function& function) {
  static constexpr u8 class_code = 0x0A;
  static constexpr u16 mass_storage_ide = 0x0101;
  if (function.read(class_code, 2) != mass_storage_ide) return;
  for (const u8 channel : {u8{0}, u8{2}}) {
    function.write(static_cast<u8>(Ide::timing_register + channel), Ide::decode_enable_bit, 2);
  }
}

void give_line(Function& function, BoardKind board, u8 device) {
  const u32 pin = function.read(interrupt_pin, 1);
  if (pin == 0 || pin > pci_pins) return;
  function.write(interrupt_line, firmware_route_of(pirq_of(board, device, static_cast<u8>(pin - 1))), 1);
}

}  // namespace

void set_up_pci(PortBus& ports, BoardKind board) {
  const BoardTraits& traits = traits_of(board);
  Function southbridge(ports, traits.southbridge);
  for (u8 pirq = 0; pirq < traits.pirqs; ++pirq) {
    southbridge.write(IsaBridge::route_register(pirq), firmware_route_of(pirq), 1);
  }
  Addresses next;
  for (u8 device = 0; device < pci_slots; ++device) {
    for (u8 number = 0; number < 8; ++number) {
      Function function(ports, {device, number});
      if (!function.is_there()) {
        if (number == 0) break;
        continue;
      }
      give_addresses(function, next);
      let_disks_answer(function);
      give_line(function, board, device);
      if (number == 0 && !function.is_multifunction()) break;
    }
  }
}

}  // namespace vitrine
