#include "machine/boards/pc_firmware.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/boards/pci_firmware.hpp"
#include "machine/boards/physical_memory.hpp"
#include "machine/boot/acpi_tables.hpp"

namespace vitrine {

namespace {

struct PortWrite {
  u16 port;
  u8 value;
};

// clang-format off
constexpr std::array power_on_self_test = {
    // 8254: channel 0 in mode 3, 65536 counts (18.2 Hz); channel 1 in mode 2, refresh; channel 2 in mode 3, silent.
    PortWrite{0x43, 0x36}, PortWrite{0x40, 0x00}, PortWrite{0x40, 0x00},
    PortWrite{0x43, 0x54}, PortWrite{0x41, 0x12},
    PortWrite{0x43, 0xB6}, PortWrite{0x42, 0x33}, PortWrite{0x42, 0x05},
    // Both 8259s, after the timer, whose first edge they so forget: edge, cascade, ICW4; vectors 0x08 and 0x70; cascade on pin 2; 8086 mode.
    PortWrite{0x20, 0x11}, PortWrite{0x21, 0x08}, PortWrite{0x21, 0x04}, PortWrite{0x21, 0x01},
    PortWrite{0xA0, 0x11}, PortWrite{0xA1, 0x70}, PortWrite{0xA1, 0x02}, PortWrite{0xA1, 0x01},
    // Open: timer, keyboard, cascade; mouse.
    PortWrite{0x21, 0xF8}, PortWrite{0xA1, 0xEF},
    // 8237s: channel 4 in cascade mode, its mask off, so that channels 0..3 get through.
    PortWrite{0x0D, 0x00}, PortWrite{0xDA, 0x00}, PortWrite{0xD6, 0xC0}, PortWrite{0xD4, 0x00},
    // Serial ports: eight bits, no parity, one stop bit.
    PortWrite{0x3FB, 0x03}, PortWrite{0x2FB, 0x03}, PortWrite{0x3EB, 0x03}, PortWrite{0x2EB, 0x03},
};

// clang-format on

void put(MemoryBus& memory, u64 address, u8 size, u64 value) {
  memory.write(PhysicalAddress(address), AccessSize(size), value);
}

void write_bios_data(MemoryBus& memory) {
  // The interrupt table: nobody is there to handle anything, so everything returns at once.
  for (u64 vector = 0; vector < 256; ++vector) {
    put(memory, vector * 4, 4, u64{PhysicalMemory::rom_segment} << 16 | PhysicalMemory::dummy_handler);
  }
  static constexpr std::array<u16, 4> serial_ports = {0x3F8, 0x2F8, 0x3E8, 0x2E8};
  static constexpr std::array<u16, 2> parallel_ports = {0x378, 0x278};
  for (u64 i = 0; i < serial_ports.size(); ++i) put(memory, 0x400 + 2 * i, 2, serial_ports[i]);
  for (u64 i = 0; i < parallel_ports.size(); ++i) put(memory, 0x408 + 2 * i, 2, parallel_ports[i]);
  put(memory, 0x40E, 2, PhysicalMemory::extended_bda >> 4);
  // Equipment: coprocessor, mouse, 80x25 colour, serial and parallel ports.
  put(memory, 0x410, 2, 1 << 1 | 1 << 2 | 2 << 4 | serial_ports.size() << 9 | parallel_ports.size() << 14);
  put(memory, 0x413, 2, PhysicalMemory::extended_bda >> 10);
  put(memory, 0x449, 1, 3);                         // video mode
  put(memory, 0x44A, 2, 80);                        // columns
  put(memory, 0x44C, 2, 0x1000);                    // bytes of a page
  put(memory, 0x460, 2, 0x0D0E);                    // cursor shape
  put(memory, 0x463, 2, 0x3D4);                     // the CRTC's port
  put(memory, 0x465, 1, 0x29);                      // mode control
  put(memory, 0x484, 1, 24);                        // rows - 1
  put(memory, 0x485, 2, 16);                        // scan lines of a character
  put(memory, PhysicalMemory::extended_bda, 1, 1);  // its size in KiB
  // A clear screen: light grey on black.
  for (u64 i = 0; i < VgaText::columns * VgaText::rows; ++i) put(memory, VgaText::text_memory.value + 2 * i, 2, 0x0720);
}

/// Virtual wire: the 8259s' output is an ExtINT at LINT0 of the first CPU, NMI is at LINT1.
void set_up_apics(PortBus& ports, ApicComplex& apics) {
  static constexpr u32 spurious_vector = 0xF0, local_vector_lint0 = 0x350, local_vector_lint1 = 0x360;
  static constexpr u32 enabled_vector_15 = 0x10F, ext_int = 0x700, nmi = 0x400;
  LocalApic& first = apics.local(0);
  first.write_register(spurious_vector, 4, enabled_vector_15);
  first.write_register(local_vector_lint0, 4, ext_int);
  first.write_register(local_vector_lint1, 4, nmi);
  if (apics.imcr() == nullptr) return;
  ports.write(Port(0x22), AccessSize(1), Imcr::imcr_register);
  ports.write(Port(0x23), AccessSize(1), Imcr::through_apic);
}

/// ELCR: what is not an edge.
void set_up_levels(PortBus& ports, BoardKind kind) {
  u16 levels = 0;
  for (const WiringRow& row : wiring_table(kind)) {
    if (row.irq && row.trigger == LineTrigger::Level) levels |= static_cast<u16>(1u << *row.irq);
  }
  ports.write(Port(0x4D0), AccessSize(1), levels & 0xFF);
  ports.write(Port(0x4D1), AccessSize(1), levels >> 8);
}

AcpiDsdt dsdt_of(BoardKind kind) {
  switch (kind) {
    case BoardKind::Isa:
      return AcpiDsdt::Isa;
    case BoardKind::Pc:
      return AcpiDsdt::Pc;
    case BoardKind::Q35:
      break;
  }
  return AcpiDsdt::Q35;
}

}  // namespace

void leave_as_firmware_does(PortBus& ports, MemoryBus& memory, PcBoard& board) {
  for (const PortWrite& each : power_on_self_test) ports.write(Port(each.port), AccessSize(1), each.value);
  set_up_levels(ports, board.kind());
  if (board.pci != nullptr) set_up_pci(ports, board.kind());
  if (board.apics != nullptr) set_up_apics(ports, *board.apics);
  write_bios_data(memory);
}

PhysicalAddress put_acpi_tables(MemoryBus& memory, const PcBoard& board) {
  AcpiBoard described{.dsdt = dsdt_of(board.kind()),
                      .interrupts = interrupt_map_of(board.kind(), board.processors()),
                      .pm1_event = PcBoard::pm_base,
                      .pm1_control = PcBoard::pm_base + AcpiPm::pm1_control,
                      .pm_timer = PcBoard::pm_base + AcpiPm::pm_timer,
                      .pm_timer_is_32_bit = PcBoard::pm_timer_width == AcpiPm::TimerWidth::Bits32,
                      .sci_irq = isa_wire_of(IsaSource::Acpi)->irq(),
                      .vga_present = true};
  if (board.apics != nullptr) {
    described.hpet_block_id =
        static_cast<u32>(board.apics->hpet().peek(Hpet::registers, Hpet::capabilities, AccessSize(4)));
  }
  if (board.pci == nullptr) {
    // Port CF9h is PCI's: the keyboard controller pulses the reset line instead.
    described.reset_port = Port(0x64);
    described.reset_value = 0xFE;
  }
  const AcpiTables tables = build_acpi_tables(described, PhysicalAddress(PhysicalMemory::tables_start));
  const bool written = memory.write_block(PhysicalAddress(PhysicalMemory::tables_start), tables.bytes);
  VITRINE_ASSERT(written && tables.bytes.size() <= PhysicalMemory::tables_size);
  return tables.rsdp;
}

}  // namespace vitrine
