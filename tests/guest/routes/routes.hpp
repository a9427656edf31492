// The interrupt of one PCI device, by every way that a board has: 8259s, I/O APIC, MSI, MSI-X, each with every kind of
// destination, on two CPUs. What differs between the images is which of firmware's tables says where the pin ends.
//
// The device is Vitrine's interrupt-tester (machine/devices/interrupt_tester).
#pragma once

#include "tests/guest/routes/firmware.hpp"
#include "tests/guest/runtime/pic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace routes {

// --- the device
// --------------------------------------------------------------------------------------------------------

constexpr u32 tester_id = 0x7E571234;
enum TesterRegister : u32 { way = 0x04, message = 0x08, start = 0x14, status = 0x18 };
inline u32 tester_slot, tester_base, tester_messages;

inline void find_tester() {
  for (tester_slot = 0; tester_slot < 32; ++tester_slot) {
    if (pci_read(tester_slot, 0, 0) != tester_id) continue;
    tester_base = pci_read(tester_slot, 0, 0x10) & ~u32{0xF};
    tester_messages = pci_read(tester_slot, 0, 0x18) & ~u32{0xF};
    pci_write(tester_slot, 0, 4, pci_read(tester_slot, 0, 4) | 4);  // bus master: it may write messages
    return;
  }
  panic("there is no interrupt-tester");
}
inline u32 tester(u32 offset) { return *reinterpret_cast<volatile u32*>(tester_base + offset); }
inline void set_tester(u32 offset, u32 value) { *reinterpret_cast<volatile u32*>(tester_base + offset) = value; }

/// The capability with this id (PCI 3.0, 6.7).
inline u32 capability(u8 id) {
  for (u32 at = pci_read8(tester_slot, 0, 0x34); at != 0; at = pci_read8(tester_slot, 0, at + 1)) {
    if (pci_read8(tester_slot, 0, at) == id) return at;
  }
  panic("it has no such capability", id);
}

// --- who gets it
// --------------------------------------------------------------------------------------------------------

constexpr u8 vector = 0x51;
inline volatile u32 served[2];  ///< by CPU
inline volatile bool by_8259;   ///< EOI there instead of at the local APIC
inline volatile u8 irq;
inline volatile bool second_is_ready;
inline volatile u32 second_task_priority;
inline volatile u32 second_model, second_logical_id;  ///< DFR and LDR to be; 0: nothing new

inline void on_interrupt(Frame&) {
  const u32 cpu = apic::read(apic::id) >> 24;
  served[cpu] = served[cpu] + 1;
  set_tester(status, 1);
  if (by_8259) {
    pic_end(irq);
  } else {
    apic::end_of_interrupt();
  }
}

/// Raises one interrupt, and lets it in on this CPU; the other one has IF set all the time.
inline void raise() {
  served[0] = 0;
  served[1] = 0;
  set_tester(start, 1);
  for (u32 turn = 0; turn < 20000; ++turn) {
    window();
    if (served[0] + served[1] != 0) break;
    asm volatile("pause");
  }
  for (u32 turn = 0; turn < 100; ++turn) window();  // a second one would come now
}
inline void check_served(const char* what, u32 first, u32 second) {
  check(what, served[0] | served[1] << 8, first | second << 8);
}
inline void expect(const char* what, u32 first, u32 second) {
  raise();
  check_served(what, first, second);
}

/// Logical ids 1 and 2 in the flat model (SDM vol. 3A, 10.6.2.2); task priorities decide who has the lowest.
inline void set_task_priorities(u8 first, u8 second) {
  apic::write(apic::task_priority, first);
  second_task_priority = second;
  for (u32 turn = 0; turn < 20000 && second_task_priority != 0; ++turn) asm volatile("pause");
}

// --- the ways
// -----------------------------------------------------------------------------------------------------------

enum class Destination { Fixed, Logical, Lowest };
constexpr u32 mode_of(Destination kind) { return kind == Destination::Lowest ? 1u << 8 : 0; }

/// The flat model with logical ids 1 and 2, or clusters: the first CPU is bit 0 in cluster 0, the second bit 1 in 1.
enum class Model { Flat, Clusters };
inline void set_model(Model model) {
  const u32 format = model == Model::Flat ? 0xFFFFFFFF : 0x0FFFFFFF;
  apic::write(apic::destination_format, format);
  apic::write(apic::logical_destination, 1u << 24);
  second_logical_id = model == Model::Flat ? 0x02000000 : 0x12000000;
  second_model = format;
  for (u32 turn = 0; turn < 20000 && second_model != 0; ++turn) asm volatile("pause");
}

/// A redirection entry (82093AA, 3.2.4), or MSI data and address, for this kind of destination. Logical ids 1 and 2.
inline void each_destination(const char* const names[6], void (*set)(Destination kind, u32 destination)) {
  set(Destination::Fixed, 0);
  expect(names[0], 1, 0);
  set(Destination::Fixed, 1);
  expect(names[1], 0, 1);
  set(Destination::Logical, 2);
  expect(names[2], 0, 1);
  set(Destination::Lowest, 3);
  set_task_priorities(0x10, 0x40);
  expect(names[3], 1, 0);
  set_task_priorities(0x40, 0x10);
  expect(names[4], 0, 1);
  set_task_priorities(0x01, 0x01);
  set_model(Model::Clusters);
  set(Destination::Logical, 0x12);
  expect(names[5], 0, 1);
  set(Destination::Logical, 0x01);
  set_model(Model::Flat);
}

inline Route route;
inline u32 io_apic_input;
inline bool input_is_low;

inline void write_io_apic(u8 index, u32 value) {
  *reinterpret_cast<volatile u32*>(route.io_apic_address) = index;
  *reinterpret_cast<volatile u32*>(route.io_apic_address + 0x10) = value;
}
inline void set_entry(u32 pin, u32 low, u32 destination) {
  const auto index = static_cast<u8>(0x10 + 2 * pin);
  write_io_apic(index, 0x10000);
  write_io_apic(index + 1, destination << 24);
  write_io_apic(index, low);
}

/// By the 8259s: to LINT0 of this CPU, as firmware leaves it; then by pin 0 of the I/O APIC. A table that knows no
/// router leaves it to the device's interrupt line register (PCI 3.0, 6.2.4).
inline void by_the_8259s() {
  irq = route.link != Route::none ? pci_read8(find_isa_bridge(), 0, route.link) : pci_read8(tester_slot, 0, 0x3C);
  check_true("the pin leads to an ISA line", irq < 16);
  by_8259 = true;
  set_handler(static_cast<u8>(irq_base + irq), on_interrupt);
  pic_allow(static_cast<u16>(1u << irq | 1u << 2));
  apic::write(apic::lvt_lint0, 0x700);
  expect("8259, ExtINT at LINT0", 1, 0);
  apic::write(apic::lvt_lint0, apic::masked);

  constexpr u32 ext_int = 0x700, logical = 0x800;
  set_entry(0, ext_int, 0);
  expect("8259, ExtINT by I/O APIC pin 0, physical", 1, 0);
  set_entry(0, ext_int, 1);
  expect("8259, ExtINT by I/O APIC pin 0, physical, second CPU", 0, 1);
  set_entry(0, ext_int | logical, 1);
  expect("8259, ExtINT by I/O APIC pin 0, logical", 1, 0);
  set_entry(0, ext_int | logical, 2);
  expect("8259, ExtINT by I/O APIC pin 0, logical, second CPU", 0, 1);
  set_entry(0, 0x10000, 0);
  pic_allow(0);
  by_8259 = false;
}

inline void by_the_io_apic() {
  static constexpr const char* names[] = {
      "I/O APIC, physical, first CPU",         "I/O APIC, physical, second CPU",
      "I/O APIC, logical, second CPU",         "I/O APIC, lowest priority, first CPU",
      "I/O APIC, lowest priority, second CPU", "I/O APIC, clusters, second CPU"};
  each_destination(names, [](Destination kind, u32 destination) {
    const u32 logical = kind == Destination::Fixed ? 0 : 0x800;
    set_entry(io_apic_input, u32{vector} | mode_of(kind) | logical | (input_is_low ? 0x2000u : 0) | 0x8000,
              destination);
  });
  set_entry(io_apic_input, 0x10000, 0);
}

/// Address and data of a message (SDM vol. 3A, 10.11).
constexpr u32 message_address(Destination kind, u32 destination) {
  const u32 flags = kind == Destination::Fixed ? 0 : kind == Destination::Logical ? 0x4 : 0xC;
  return 0xFEE00000 | destination << 12 | flags;
}

inline void by_msi() {
  static constexpr const char* names[] = {"MSI, physical, first CPU",         "MSI, physical, second CPU",
                                          "MSI, logical, second CPU",         "MSI, lowest priority, first CPU",
                                          "MSI, lowest priority, second CPU", "MSI, clusters, second CPU"};
  each_destination(names, [](Destination kind, u32 destination) {
    const u32 at = capability(0x05);
    const u32 control = pci_read(tester_slot, 0, at);
    pci_write(tester_slot, 0, at + 4, message_address(kind, destination));
    pci_write(tester_slot, 0, at + 8, 0);
    pci_write(tester_slot, 0, at + 12, u32{vector} | mode_of(kind));
    pci_write(tester_slot, 0, at, control | 1u << 16);
  });
  const u32 at = capability(0x05);
  pci_write(tester_slot, 0, at, pci_read(tester_slot, 0, at) & ~(1u << 16));
}

inline void by_msi_x() {
  static constexpr const char* names[] = {"MSI-X, physical, first CPU",         "MSI-X, physical, second CPU",
                                          "MSI-X, logical, second CPU",         "MSI-X, lowest priority, first CPU",
                                          "MSI-X, lowest priority, second CPU", "MSI-X, clusters, second CPU"};
  set_tester(message, 5);
  each_destination(names, [](Destination kind, u32 destination) {
    auto* entry = reinterpret_cast<volatile u32*>(tester_messages + 5 * 16);
    entry[0] = message_address(kind, destination);
    entry[1] = 0;
    entry[2] = u32{vector} | mode_of(kind);
    entry[3] = 0;
    const u32 at = capability(0x11);
    pci_write(tester_slot, 0, at, pci_read(tester_slot, 0, at) | 1u << 31);
  });
  const u32 at = capability(0x11);
  pci_write(tester_slot, 0, at, pci_read(tester_slot, 0, at) & ~(1u << 31));
  set_tester(message, 0);
}

/// Everything, with what `table` says. 8259s: the register of the router that it names; I/O APIC: the pin that it
/// names, or, where it knows only the router, the pin of the ISA line.
inline void run(Route (*table)(u32 device, u32 pin)) {
  apic::start();
  find_tester();
  route = table(tester_slot, 0);
  if (route.cpus != Route::none) check("CPUs in the table", route.cpus, 2);

  set_handler(vector, on_interrupt);
  apic::write(apic::destination_format, 0xFFFFFFFF);
  apic::write(apic::logical_destination, 1u << 24);
  start_second_cpu();
  for (u32 turn = 0; turn < 100000 && !second_is_ready; ++turn) asm volatile("pause");
  check_true("the second CPU runs", second_is_ready);

  const bool knows_the_pin = route.io_apic_pin != Route::none;
  if (route.io_apic_address == Route::none) route.io_apic_address = 0xFEC00000;
  by_the_8259s();
  io_apic_input = knows_the_pin ? route.io_apic_pin : irq;
  input_is_low = knows_the_pin && route.active_low;
  by_the_io_apic();
  by_msi();
  by_msi_x();
}

}  // namespace routes

extern "C" void second_cpu_main() {
  apic::start();
  apic::write(apic::destination_format, 0xFFFFFFFF);
  apic::write(apic::logical_destination, 2u << 24);
  routes::second_is_ready = true;
  for (;;) {
    if (routes::second_task_priority != 0) {
      apic::write(apic::task_priority, routes::second_task_priority);
      routes::second_task_priority = 0;
    }
    if (routes::second_model != 0) {
      apic::write(apic::destination_format, routes::second_model);
      apic::write(apic::logical_destination, routes::second_logical_id);
      routes::second_model = 0;
    }
    window();
    asm volatile("pause");
  }
}
