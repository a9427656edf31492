#include "machine/boot/pir_table.hpp"

#include "machine/boot/acpi_header.hpp"
#include "machine/boot/bytes.hpp"

namespace vitrine {

std::vector<u8> make_pir_table(const InterruptMap& map) {
  constexpr u64 table_size = 6, checksum = 31;
  constexpr u8 pins = 4;
  ByteBuilder table;
  table.put_text("$PIR");
  table.put16(0x0100);  // version
  table.put16(0);       // size, below
  table.put8(0);        // the router's bus
  table.put8(static_cast<u8>(map.router.device << 3 | map.router.function));
  table.put16(map.pci_only_irqs);
  table.put32(u32{map.router.product} << 16 | map.router.vendor);
  table.put32(0);  // miniport data
  table.put_bytes(std::vector<u8>(11));
  table.put8(0);  // checksum, below
  for (const PciRoute& route : map.pci) {
    if (route.pin == 0) {
      table.put8(0);  // bus
      table.put8(static_cast<u8>(route.device << 3));
    }
    table.put8(route.link);
    table.put16(route.isa_irqs);
    if (route.pin == pins - 1) {
      table.put8(0);  // slot: on the board itself
      table.put8(0);
    }
  }
  table.set16(table_size, static_cast<u16>(table.size()));
  table.set8(checksum, checksum_of(table.bytes()));
  return table.take();
}

}  // namespace vitrine
