#include "machine/boot/acpi_header.hpp"

namespace vitrine {

void put_acpi_header(ByteBuilder& table, std::string_view signature, u8 revision) {
  table.put_text(signature);
  table.put32(0);  // length
  table.put8(revision);
  table.put8(0);  // checksum
  table.put_text(acpi_header::oem_id);
  table.put_text(acpi_header::oem_table);
  table.put32(1);  // OEM revision
  table.put_text(acpi_header::creator_id);
  table.put32(1);  // creator revision
}

std::vector<u8> finish_acpi_table(ByteBuilder& table) {
  table.set32(acpi_header::length, static_cast<u32>(table.size()));
  table.set8(acpi_header::checksum, 0);
  table.set8(acpi_header::checksum, checksum_of(table.bytes()));
  return table.take();
}

}  // namespace vitrine
