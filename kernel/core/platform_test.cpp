#include "kernel/core/platform.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <random>
#include <vector>

namespace pulse {
namespace {

using Bytes = std::vector<u8>;

void put(Bytes& bytes, std::initializer_list<int> values) {
  for (const int value : values) bytes.push_back(static_cast<u8>(value));
}
void put32(Bytes& bytes, u32 value) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}
void fix_checksum(Bytes& bytes, std::size_t place) {
  bytes[place] = 0;
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  bytes[place] = static_cast<u8>(-sum);
}

/// ACPI 6.4 §5.2.12.
Bytes madt(const Bytes& entries) {
  Bytes bytes{'A', 'P', 'I', 'C'};
  bytes.resize(36);
  put32(bytes, 0xFEE00000);
  put32(bytes, 1);
  bytes.insert(bytes.end(), entries.begin(), entries.end());
  bytes[4] = static_cast<u8>(bytes.size());
  fix_checksum(bytes, 9);
  return bytes;
}

Bytes usual_madt() {
  Bytes entries;
  put(entries, {0, 8, 0, 0, 1, 0, 0, 0});  // processor with local APIC 0, enabled
  put(entries, {0, 8, 1, 3, 1, 0, 0, 0});
  put(entries, {0, 8, 2, 9, 0, 0, 0, 0});  // one that is not there
  put(entries, {1, 12, 5, 0});
  put32(entries, 0xFEC00000);
  put32(entries, 0);
  put(entries, {2, 10, 0, 0, 2, 0, 0, 0, 0, 0});     // line 0 arrives at pin 2
  put(entries, {2, 10, 0, 9, 9, 0, 0, 0, 0x0D, 0});  // line 9: active high, level
  put(entries, {2, 10, 0, 11, 11, 0, 0, 0, 0x0F, 0});
  return madt(entries);
}

TEST(Madt, tells_processors_chips_and_where_lines_arrive) {
  const auto platform = parse_madt(usual_madt());
  ASSERT_TRUE(platform);
  ASSERT_EQ(platform->cpu_count, 2u);
  EXPECT_EQ(platform->cpus[1], 3u);
  ASSERT_EQ(platform->io_apic_count, 1u);
  EXPECT_EQ(platform->io_apics[0].id, 5u);
  EXPECT_EQ(platform->io_apics[0].address, 0xFEC00000u);
  EXPECT_EQ(platform->lines[0].pin, 2u);
  EXPECT_EQ(platform->lines[1].pin, 1u);
  EXPECT_EQ(platform->lines[9].trigger, Platform::Trigger::Level);
  EXPECT_EQ(platform->lines[9].polarity, Platform::Polarity::High);
  EXPECT_EQ(platform->lines[11].polarity, Platform::Polarity::Low);
}

TEST(Madt, x2apic_entries_and_another_address_count) {
  Bytes entries;
  put(entries, {9, 16, 0, 0});
  put32(entries, 300);
  put32(entries, 1);
  put32(entries, 0);
  put(entries, {5, 12, 0, 0});
  put32(entries, 0xFED00000);
  put32(entries, 0);
  const auto platform = parse_madt(madt(entries));
  ASSERT_TRUE(platform);
  EXPECT_EQ(platform->cpus[0], 300u);
  EXPECT_EQ(platform->local_apic, 0xFED00000u);
}

TEST(Madt, one_that_is_damaged_is_no_table) {
  const Bytes good = usual_madt();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] = static_cast<u8>(bad[i] + 1);
    EXPECT_FALSE(parse_madt(bad)) << i;
    EXPECT_FALSE(parse_madt(std::span(good).first(i))) << i;
  }
}

/// MP specification §4.
Bytes mp_table() {
  Bytes bytes{'P', 'C', 'M', 'P'};
  bytes.resize(34);
  put(bytes, {6, 0});
  put32(bytes, 0xFEE00000);
  bytes.resize(44);
  Bytes processor{0, 4, 0x14, 3};
  processor.resize(20);
  bytes.insert(bytes.end(), processor.begin(), processor.end());
  put(bytes, {1, 0, 'P', 'C', 'I', ' ', ' ', ' '});
  put(bytes, {1, 1, 'I', 'S', 'A', ' ', ' ', ' '});
  put(bytes, {2, 7, 0x11, 1});
  put32(bytes, 0xFEC00000);
  put(bytes, {3, 0, 0, 0, 1, 0, 7, 2});     // line 0 of the ISA bus at pin 2
  put(bytes, {3, 0, 0x0F, 0, 1, 5, 7, 5});  // line 5: active low, level
  fix_checksum(bytes, 7);
  return bytes;
}

TEST(MpTable, tells_the_same) {
  const auto platform = parse_mp_table(mp_table());
  ASSERT_TRUE(platform);
  ASSERT_EQ(platform->cpu_count, 1u);
  EXPECT_EQ(platform->cpus[0], 4u);
  ASSERT_EQ(platform->io_apic_count, 1u);
  EXPECT_EQ(platform->lines[0].pin, 2u);
  EXPECT_EQ(platform->lines[5].trigger, Platform::Trigger::Level);
  EXPECT_EQ(platform->lines[5].polarity, Platform::Polarity::Low);
}

TEST(MpTable, one_that_is_damaged_is_no_table) {
  const Bytes good = mp_table();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] = static_cast<u8>(bad[i] + 1);
    EXPECT_FALSE(parse_mp_table(bad)) << i;
    EXPECT_FALSE(parse_mp_table(std::span(good).first(i))) << i;
  }
}

TEST(PlatformTables, any_bytes_may_come) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = i % 2 == 0 ? usual_madt() : mp_table();
    for (int n = 0; n < 3; ++n) bytes[36 + random() % (bytes.size() - 36)] = static_cast<u8>(random());
    fix_checksum(bytes, i % 2 == 0 ? 9 : 7);
    const auto platform = i % 2 == 0 ? parse_madt(bytes) : parse_mp_table(bytes);
    if (platform) EXPECT_LE(platform->cpu_count, Platform::most_cpus);
  }
}

}  // namespace
}  // namespace pulse
