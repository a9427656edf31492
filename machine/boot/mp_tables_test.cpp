#include "machine/boot/mp_tables.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "machine/boot/bytes.hpp"
#include "machine/boot/interrupt_map_examples.hpp"

namespace vitrine {
namespace {

constexpr u64 base = 0xF1000;

u8 sum(std::span<const u8> bytes) { return static_cast<u8>(std::accumulate(bytes.begin(), bytes.end(), 0u)); }

struct Tables {
  explicit Tables(const InterruptMap& map) : bytes(make_mp_tables(map, PhysicalAddress(base))) {
    for (u64 at = table + 44; at < bytes.size(); at += view().get8(at) == 0 ? 20 : 8) {
      order.push_back(view().get8(at));
      entries[view().get8(at)].push_back(at);
    }
  }
  [[nodiscard]] ByteView view() const { return ByteView(bytes); }

  static constexpr u64 table = 16;
  std::vector<u8> bytes;
  std::map<u8, std::vector<u64>> entries;  // where they are, by type
  std::vector<u8> order;
};

TEST(MpTables, the_floating_pointer_leads_to_the_table_and_both_sum_to_zero) {
  const Tables built(map_with_cpus(2));
  const ByteView view = built.view();
  EXPECT_TRUE(view.starts_with("_MP_"));
  EXPECT_EQ(view.get32(4), base + Tables::table);
  EXPECT_EQ(view.get8(8), 1u);
  EXPECT_EQ(view.get8(9), 4u);
  EXPECT_EQ(view.get8(11), 0u);
  EXPECT_EQ(sum(view.part(0, 16)), 0u);
  EXPECT_TRUE(view.starts_with("PCMP", Tables::table));
  EXPECT_EQ(view.get16(Tables::table + 4), built.bytes.size() - Tables::table);
  EXPECT_EQ(sum(view.part(Tables::table, view.get16(Tables::table + 4))), 0u);
  EXPECT_EQ(view.get16(Tables::table + 34), built.order.size());
  EXPECT_EQ(view.get32(Tables::table + 36), 0xFEE00000u);
}

// MP 1.4, 4.1: with bit 7 a kernel would take the board to be in PIC mode.
TEST(MpTables, say_virtual_wire_mode) { EXPECT_EQ(Tables(map_with_cpus(1)).view().get8(12), 0u); }

// MP 1.4, 4.3: "entries are sorted on ENTRY TYPE in ascending order".
TEST(MpTables, entries_come_in_the_order_of_their_types) {
  EXPECT_TRUE(std::ranges::is_sorted(Tables(map_with_cpus(4)).order));
}

TEST(MpTables, the_first_processor_is_the_boot_processor_and_all_are_usable) {
  InterruptMap map = map_with_cpus(3);
  map.cpu_signature = 0x106CA;
  map.cpu_features = 0x201;
  const Tables built(map);
  ASSERT_EQ(built.entries.at(0).size(), 3u);
  for (u8 cpu = 0; cpu < 3; ++cpu) {
    const u64 at = built.entries.at(0)[cpu];
    EXPECT_EQ(built.view().get8(at + 1), cpu);
    EXPECT_EQ(built.view().get8(at + 2), 0x14u);
    EXPECT_EQ(built.view().get8(at + 3), cpu == 0 ? 3u : 1u);
    EXPECT_EQ(built.view().get32(at + 4), 0x106CAu);
    EXPECT_EQ(built.view().get32(at + 8), 0x201u);
  }
}

TEST(MpTables, processors_whose_id_has_more_than_eight_bits_are_left_out) {
  InterruptMap map = map_with_cpus(1);
  map.apic_ids = {0, 254, 255, 256};
  EXPECT_EQ(Tables(map).entries.at(0).size(), 2u);
}

struct Interrupt {
  u8 kind;
  u16 flags;
  u8 bus, source, destination, pin;
  bool operator==(const Interrupt&) const = default;
};

std::vector<Interrupt> interrupts(const Tables& built, u8 type) {
  std::vector<Interrupt> found;
  for (const u64 at : built.entries.at(type)) {
    const ByteView view = built.view();
    found.push_back({view.get8(at + 1), view.get16(at + 2), view.get8(at + 4), view.get8(at + 5), view.get8(at + 6),
                     view.get8(at + 7)});
  }
  return found;
}

TEST(MpTables, interrupt_entries_say_what_the_map_says) {
  constexpr u8 pci = 0, isa = 1, vectored = 0, ext_int = 3;
  constexpr u16 level_high = 1 | 3 << 2, level_low = 3 | 3 << 2;
  const std::vector<Interrupt> expected = {
      {ext_int, 0, isa, 0, 0, 0},
      {vectored, 0, isa, 0, 0, 2},
      {vectored, 0, isa, 1, 0, 1},
      {vectored, level_high, isa, 9, 0, 9},
      {vectored, level_low, isa, 11, 0, 11},
      {vectored, level_low, pci, 3 << 2 | 0, 0, 18},
      {vectored, level_low, pci, 3 << 2 | 1, 0, 19},
      {vectored, level_low, pci, 3 << 2 | 2, 0, 16},
      {vectored, level_low, pci, 3 << 2 | 3, 0, 17},
  };
  EXPECT_EQ(interrupts(Tables(map_with_cpus(1)), 3), expected);
}

TEST(MpTables, lint0_has_the_8259s_and_lint1_the_nmi_on_every_processor) {
  const std::vector<Interrupt> expected = {{3, 0, 1, 0, 0xFF, 0}, {1, 0, 1, 0, 0xFF, 1}};
  EXPECT_EQ(interrupts(Tables(map_with_cpus(4)), 4), expected);
}

}  // namespace
}  // namespace vitrine
