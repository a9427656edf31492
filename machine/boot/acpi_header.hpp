// The header that every ACPI table but RSDP and FACS begins with, and the sum that closes tables of firmware.
//
// Manual: ACPI specification 6.3, 5.2.6.
#pragma once

#include <string_view>

#include "machine/boot/bytes.hpp"

namespace vitrine {

namespace acpi_header {
inline constexpr u64 size = 36;
inline constexpr u64 length = 4, checksum = 9, creator = 28, creator_revision = 32;
inline constexpr std::string_view oem_id = "VTRINE";
inline constexpr std::string_view oem_table = "VTRINEPC";
inline constexpr std::string_view creator_id = "VTRN";
}  // namespace acpi_header

/// The byte that makes the sum of `bytes` and it 0.
[[nodiscard]] constexpr u8 checksum_of(std::span<const u8> bytes) {
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  return static_cast<u8>(0 - sum);
}

/// Begins a table; finish_acpi_table() fills in its length and checksum.
void put_acpi_header(ByteBuilder& table, std::string_view signature, u8 revision);
[[nodiscard]] std::vector<u8> finish_acpi_table(ByteBuilder& table);

}  // namespace vitrine
