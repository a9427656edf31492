#include "machine/boot/pir_table.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "machine/boot/bytes.hpp"
#include "machine/boot/interrupt_map_examples.hpp"

namespace vitrine {
namespace {

TEST(PirTable, has_its_signature_version_and_size_and_sums_to_zero) {
  const std::vector<u8> bytes = make_pir_table(map_with_cpus(1));
  const ByteView view(bytes);
  EXPECT_TRUE(view.starts_with("$PIR"));
  EXPECT_EQ(view.get16(4), 0x0100u);
  EXPECT_EQ(view.get16(6), bytes.size());
  EXPECT_EQ(bytes.size(), 32u + 16);
  EXPECT_EQ(std::accumulate(bytes.begin(), bytes.end(), 0u) % 256, 0u);
}

TEST(PirTable, names_the_router_and_the_lines_that_only_pci_uses) {
  const std::vector<u8> bytes = make_pir_table(map_with_cpus(1));
  const ByteView view(bytes);
  EXPECT_EQ(view.get8(8), 0u);
  EXPECT_EQ(view.get8(9), 1u << 3);
  EXPECT_EQ(view.get16(10), 0x0C00u);
  EXPECT_EQ(view.get32(12), 0x70008086u);
}

TEST(PirTable, a_slot_has_a_link_and_its_lines_for_each_of_four_pins) {
  const std::vector<u8> bytes = make_pir_table(map_with_cpus(1));
  const ByteView view(bytes);
  EXPECT_EQ(view.get8(32), 0u);
  EXPECT_EQ(view.get8(33), 3u << 3);
  constexpr u8 links[] = {0x62, 0x63, 0x60, 0x61};
  for (u64 pin = 0; pin < 4; ++pin) {
    EXPECT_EQ(view.get8(34 + 3 * pin), links[pin]);
    EXPECT_EQ(view.get16(35 + 3 * pin), 0x0C00u);
  }
}

}  // namespace
}  // namespace vitrine
