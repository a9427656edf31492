#include "machine/boot/mp_tables.hpp"

#include "machine/boot/acpi_header.hpp"
#include "machine/boot/bytes.hpp"

namespace vitrine {

namespace {

constexpr u64 pointer_size = 16;
constexpr u64 table_length = 4, table_checksum = 7, entry_count = 34;
constexpr u8 specification = 4;  // 1.4

// 4.3: types of entries, in the order in which they must come.
constexpr u8 processor = 0, bus = 1, io_apic = 2, io_interrupt = 3, local_interrupt = 4;
constexpr u8 pci_bus = 0, isa_bus = 1;
constexpr u8 usable = 1, boot_processor = 2;
constexpr u8 all_local_apics = 0xFF;
constexpr u32 beyond_8_bits = 255;

// Table 4-10.
enum class Kind : u8 { Vectored = 0, Nmi = 1, Smi = 2, ExtInt = 3 };

// Table 4-10, flags. Else inti_flags_of().
constexpr u16 as_the_bus = 0;

class Table {
 public:
  Table() {
    body_.put_text("PCMP");
    body_.put16(0);  // length, by finish()
    body_.put8(specification);
    body_.put8(0);  // checksum, by finish()
    body_.put_text("VITRINE ");
    body_.put_text("PC          ");
  }
  void put_header(u32 local_apic_address) {
    body_.put32(0);  // no OEM table
    body_.put16(0);
    body_.put16(0);  // number of entries, by finish()
    body_.put32(local_apic_address);
    body_.put32(0);  // no extended table
  }
  void put_processor(u8 id, u8 version, u8 flags, u32 signature, u32 features) {
    put8s({processor, id, version, flags});
    body_.put32(signature);
    body_.put32(features);
    body_.put32(0);
    body_.put32(0);
    ++entries_;
  }
  void put_bus(u8 id, std::string_view name) {
    put8s({bus, id});
    body_.put_text(name);
    ++entries_;
  }
  void put_io_apic(u8 id, u8 version, u32 address) {
    put8s({io_apic, id, version, usable});
    body_.put32(address);
    ++entries_;
  }
  void put_interrupt(u8 type, Kind kind, u16 flags, u8 source_bus, u8 source, u8 destination, u8 pin) {
    put8s({type, static_cast<u8>(kind)});
    body_.put16(flags);
    put8s({source_bus, source, destination, pin});
    ++entries_;
  }
  std::vector<u8> finish() {
    body_.set16(table_length, static_cast<u16>(body_.size()));
    body_.set16(entry_count, entries_);
    body_.set8(table_checksum, checksum_of(body_.bytes()));
    return body_.take();
  }

 private:
  void put8s(std::initializer_list<u8> values) {
    for (const u8 value : values) body_.put8(value);
  }

  ByteBuilder body_;
  u16 entries_ = 0;
};

std::vector<u8> make_configuration(const InterruptMap& map) {
  Table table;
  table.put_header(map.local_apic_address);
  for (u32 cpu = 0; cpu < map.apic_ids.size(); ++cpu) {
    if (map.apic_ids[cpu] >= beyond_8_bits) continue;
    const u8 flags = cpu == 0 ? usable | boot_processor : usable;
    table.put_processor(static_cast<u8>(map.apic_ids[cpu]), map.local_apic_version, flags, map.cpu_signature,
                        map.cpu_features);
  }
  table.put_bus(pci_bus, "PCI   ");
  table.put_bus(isa_bus, "ISA   ");
  table.put_io_apic(map.io_apic_id, map.io_apic_version, map.io_apic_address);
  table.put_interrupt(io_interrupt, Kind::ExtInt, as_the_bus, isa_bus, 0, map.io_apic_id, 0);
  for (const IsaRoute& route : map.isa) {
    const bool as_isa_has_it = route.trigger == LineTrigger::Edge && route.polarity == LinePolarity::ActiveHigh;
    table.put_interrupt(io_interrupt, Kind::Vectored,
                        as_isa_has_it ? as_the_bus : inti_flags_of(route.polarity, route.trigger), isa_bus, route.irq,
                        map.io_apic_id, route.pin);
  }
  // Appendix D.3: bits 0 and 1 are the interrupt pin, bits 2 to 6 the slot.
  for (const PciRoute& route : map.pci) {
    table.put_interrupt(io_interrupt, Kind::Vectored, inti_flags_of(LinePolarity::ActiveLow, LineTrigger::Level),
                        pci_bus, static_cast<u8>(route.device << 2 | route.pin), map.io_apic_id, route.io_apic_pin);
  }
  table.put_interrupt(local_interrupt, Kind::ExtInt, as_the_bus, isa_bus, 0, all_local_apics, 0);
  table.put_interrupt(local_interrupt, Kind::Nmi, as_the_bus, isa_bus, 0, all_local_apics, 1);
  return table.finish();
}

}  // namespace

std::vector<u8> make_mp_tables(const InterruptMap& map, PhysicalAddress base) {
  constexpr u64 pointer_checksum = 10;
  ByteBuilder pointer;
  pointer.put_text("_MP_");
  pointer.put32(static_cast<u32>(base.value + pointer_size));
  pointer.put8(pointer_size / 16);
  pointer.put8(specification);
  pointer.put8(0);
  pointer.put8(0);  // feature byte 1: a configuration table is there
  // 4.1, byte 2: the IMCR bit would say that the board is in PIC mode. Firmware leaves it in virtual wire mode, with
  // the IMCR set.
  pointer.put8(0);
  pointer.align(pointer_size);
  pointer.set8(pointer_checksum, checksum_of(pointer.bytes()));
  pointer.put_bytes(make_configuration(map));
  return pointer.take();
}

}  // namespace vitrine
