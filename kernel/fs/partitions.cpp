#include "kernel/fs/partitions.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace pulse {

namespace {

constexpr u32 first_logical = 5, most_number = 15;
constexpr std::size_t table_at = 446, signature_at = 510;
constexpr u8 active = 0x80;

/// An entry of the table: its status, its type, and two numbers of sectors. What cylinders and heads say is for the
/// BIOS.
struct [[gnu::packed]] Entry {
  u8 status;
  u8 first_place[3];
  u8 type;
  u8 last_place[3];
  u32 first, sectors;

  [[nodiscard]] bool is_extended() const { return type == 0x05 || type == 0x0F || type == 0x85; }
  [[nodiscard]] bool is_used() const { return type != 0 && sectors != 0; }
};
static_assert(sizeof(Entry) == 16);
using Table = std::array<Entry, 4>;

std::optional<Table> read_table(BlockDevice& disk, u64 sector) {
  std::array<u8, BlockDevice::sector_bytes> bytes;
  if (!disk.read(sector, bytes) || bytes[signature_at] != 0x55 || bytes[signature_at + 1] != 0xAA) return {};
  Table table;
  std::memcpy(&table, &bytes[table_at], sizeof table);
  // The same signature ends a boot sector without a table: there these bytes are code or text.
  for (const Entry& entry : table) {
    if (entry.status != 0 && entry.status != active) return {};
  }
  return table;
}

bool lies_in(u64 first, u64 sectors, u64 begin, u64 end) {
  return first > begin && first < end && sectors <= end - first;
}

}  // namespace

std::vector<PartitionEntry> read_partitions(BlockDevice& disk) {
  constexpr u8 protects_gpt = 0xEE;
  std::vector<PartitionEntry> found;
  const auto table = read_table(disk, 0);
  if (!table) return found;
  const Entry* extended = nullptr;
  for (u32 i = 0; i < table->size(); ++i) {
    const Entry& entry = (*table)[i];
    if (!entry.is_used() || entry.type == protects_gpt || !lies_in(entry.first, entry.sectors, 0, disk.sectors()))
      continue;
    // Of an extended one, as much as a boot loader has room in: who writes to it by mistake spoils no other.
    constexpr u32 most_of_extended = 2;
    found.push_back(
        {i + 1, entry.first, entry.is_extended() ? std::min(entry.sectors, most_of_extended) : entry.sectors});
    if (entry.is_extended() && extended == nullptr) extended = &entry;
  }
  if (extended == nullptr) return found;
  const u64 begin = extended->first, end = begin + extended->sectors;
  u64 at = begin;
  for (u32 number = first_logical; number <= most_number; ++number) {
    const auto link = read_table(disk, at);
    if (!link) break;
    // The first entry is the logical partition, from this sector on; the second the next table, from the first one on.
    const Entry& logical = (*link)[0];
    const Entry& next = (*link)[1];
    if (logical.is_used() && lies_in(at + logical.first, logical.sectors, begin, end))
      found.push_back({number, at + logical.first, logical.sectors});
    const u64 place = begin + next.first;
    if (!next.is_used() || !next.is_extended() || place <= at || place >= end) break;
    at = place;
  }
  return found;
}

}  // namespace pulse
