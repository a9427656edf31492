#include "machine/boot/acpi_madt.hpp"

#include "machine/boot/acpi_header.hpp"

namespace vitrine {

namespace {

constexpr u8 madt_revision = 4;
constexpr u32 has_8259s = 1;  // PCAT_COMPAT (table 5-44)
// Table 5-45: types of entries.
constexpr u8 local_apic = 0, io_apic = 1, source_override = 2, local_apic_nmi = 4, local_x2apic = 9,
             local_x2apic_nmi = 10;
constexpr u32 enabled = 1;
// 5.2.12.12: ids from 255 on need an entry of the longer kind; those below must not have one.
constexpr u32 first_x2apic_id = 255;
constexpr u8 lint1 = 1;

bool is_as_isa_has_it(const IsaRoute& route) {
  return route.pin == route.irq && route.trigger == LineTrigger::Edge && route.polarity == LinePolarity::ActiveHigh;
}

void put_processors(ByteBuilder& table, const InterruptMap& map) {
  for (u32 cpu = 0; cpu < map.apic_ids.size(); ++cpu) {
    const u32 id = map.apic_ids[cpu];
    if (id < first_x2apic_id) {
      table.put8(local_apic);
      table.put8(8);
      table.put8(static_cast<u8>(cpu));  // the _UID of its device in the DSDT
      table.put8(static_cast<u8>(id));
      table.put32(enabled);
    } else {
      table.put8(local_x2apic);
      table.put8(16);
      table.put16(0);
      table.put32(id);
      table.put32(enabled);
      table.put32(cpu);
    }
  }
}

// NMI is on LINT1 of every processor.
void put_nmi(ByteBuilder& table, const InterruptMap& map) {
  table.put8(local_apic_nmi);
  table.put8(6);
  table.put8(0xFF);  // all of them
  table.put16(0);
  table.put8(lint1);
  bool has_x2apic = false;
  for (const u32 id : map.apic_ids) has_x2apic = has_x2apic || id >= first_x2apic_id;
  if (!has_x2apic) return;
  table.put8(local_x2apic_nmi);
  table.put8(12);
  table.put16(0);
  table.put32(0xFFFFFFFF);
  table.put8(lint1);
  table.put8(0);
  table.put16(0);
}

}  // namespace

std::vector<u8> make_madt(const InterruptMap& map) {
  ByteBuilder table;
  put_acpi_header(table, "APIC", madt_revision);
  table.put32(map.local_apic_address);
  table.put32(has_8259s);
  put_processors(table, map);
  table.put8(io_apic);
  table.put8(12);
  table.put8(map.io_apic_id);
  table.put8(0);
  table.put32(map.io_apic_address);
  table.put32(0);  // its first global system interrupt
  for (const IsaRoute& route : map.isa) {
    if (is_as_isa_has_it(route)) continue;
    table.put8(source_override);
    table.put8(10);
    table.put8(0);  // ISA
    table.put8(route.irq);
    table.put32(route.pin);
    // An edge on an active-high pin is what ISA has anyway; 0 says so.
    const bool conforms = route.trigger == LineTrigger::Edge && route.polarity == LinePolarity::ActiveHigh;
    table.put16(conforms ? 0 : inti_flags_of(route.polarity, route.trigger));
  }
  put_nmi(table, map);
  return finish_acpi_table(table);
}

}  // namespace vitrine
