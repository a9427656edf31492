#include "machine/boot/acpi_madt.hpp"

#include <gtest/gtest.h>

#include <map>

#include "machine/boot/bytes.hpp"
#include "machine/boot/interrupt_map_examples.hpp"

namespace vitrine {
namespace {

struct Madt {
  explicit Madt(const InterruptMap& map) : bytes(make_madt(map)) {
    for (u64 at = 44; at < bytes.size() && view().get8(at + 1) != 0; at += view().get8(at + 1)) {
      entries[view().get8(at)].push_back(at);
    }
  }
  [[nodiscard]] ByteView view() const { return ByteView(bytes); }

  std::vector<u8> bytes;
  std::map<u8, std::vector<u64>> entries;  // where they are, by type
};

TEST(AcpiMadt, says_that_there_are_8259s_and_where_the_local_apics_are) {
  const Madt madt(map_with_cpus(1));
  EXPECT_TRUE(madt.view().starts_with("APIC"));
  EXPECT_EQ(madt.view().get32(36), 0xFEE00000u);
  EXPECT_EQ(madt.view().get32(40), 1u);
}

TEST(AcpiMadt, has_an_enabled_processor_for_each_cpu_with_its_apic_id) {
  InterruptMap map = map_with_cpus(3);
  map.apic_ids = {0, 2, 5};
  const Madt madt(map);
  ASSERT_EQ(madt.entries.at(0).size(), 3u);
  for (u8 cpu = 0; cpu < 3; ++cpu) {
    const u64 at = madt.entries.at(0)[cpu];
    EXPECT_EQ(madt.view().get8(at + 2), cpu);
    EXPECT_EQ(madt.view().get8(at + 3), map.apic_ids[cpu]);
    EXPECT_EQ(madt.view().get32(at + 4), 1u);
  }
}

TEST(AcpiMadt, ids_from_255_on_are_x2apic_entries_and_have_their_own_nmi_entry) {
  InterruptMap map = map_with_cpus(1);
  map.apic_ids = {0, 254, 255, 300};
  const Madt madt(map);
  EXPECT_EQ(madt.entries.at(0).size(), 2u);
  ASSERT_EQ(madt.entries.at(9).size(), 2u);
  const u64 at = madt.entries.at(9)[1];
  EXPECT_EQ(madt.view().get32(at + 4), 300u);
  EXPECT_EQ(madt.view().get32(at + 12), 3u);
  EXPECT_EQ(madt.entries.at(4).size(), 1u);
  ASSERT_EQ(madt.entries.at(10).size(), 1u);
  EXPECT_EQ(madt.view().get8(madt.entries.at(10)[0] + 8), 1u);
}

TEST(AcpiMadt, has_the_io_apic) {
  const Madt madt(map_with_cpus(1));
  const u64 at = madt.entries.at(1).at(0);
  EXPECT_EQ(madt.view().get8(at + 2), 0u);
  EXPECT_EQ(madt.view().get32(at + 4), 0xFEC00000u);
  EXPECT_EQ(madt.view().get32(at + 8), 0u);
}

// Table 5-50: polarity 1 high, 3 low; trigger 1 edge, 3 level, two bits further up.
TEST(AcpiMadt, overrides_only_lines_that_are_not_as_isa_has_them) {
  const Madt madt(map_with_cpus(1));
  struct Row {
    u8 irq;
    u32 pin;
    u16 flags;
  };
  constexpr Row rows[] = {{0, 2, 0}, {9, 9, 1 | 3 << 2}, {11, 11, 3 | 3 << 2}};
  ASSERT_EQ(madt.entries.at(2).size(), std::size(rows));
  for (std::size_t index = 0; index < std::size(rows); ++index) {
    const u64 at = madt.entries.at(2)[index];
    EXPECT_EQ(madt.view().get8(at + 2), 0u);
    EXPECT_EQ(madt.view().get8(at + 3), rows[index].irq);
    EXPECT_EQ(madt.view().get32(at + 4), rows[index].pin);
    EXPECT_EQ(madt.view().get16(at + 8), rows[index].flags);
  }
}

TEST(AcpiMadt, nmi_is_on_lint1_of_all_processors) {
  const Madt madt(map_with_cpus(2));
  const u64 at = madt.entries.at(4).at(0);
  EXPECT_EQ(madt.view().get8(at + 2), 0xFFu);
  EXPECT_EQ(madt.view().get8(at + 5), 1u);
}

}  // namespace
}  // namespace vitrine
