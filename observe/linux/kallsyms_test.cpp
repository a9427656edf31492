#include "observe/linux/kallsyms.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

namespace vitrine {
namespace {

/// A piece of kernel memory; everything else is not mapped.
struct Memory final : GuestView {
  u64 begin = 0;
  std::vector<u8> bytes;
  [[nodiscard]] bool read(u64 linear, std::span<u8> into) const override {
    if (linear < begin || linear - begin > bytes.size() || bytes.size() - (linear - begin) < into.size()) return false;
    std::memcpy(into.data(), bytes.data() + (linear - begin), into.size());
    return true;
  }
  void put(u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
  }
  void align(std::size_t to) {
    while (bytes.size() % to != 0) bytes.push_back(0);
  }
  [[nodiscard]] KernelRange range(unsigned width) const {
    return {.begin = begin, .end = begin + (bytes.size() + 4095) / 4096 * 4096, .pointer_size = width};
  }
};

/// How a version of scripts/kallsyms.c lays its tables out.
struct Layout {
  const char* linux_version;
  unsigned width;
  enum class Addresses : u8 { Pointers, Offsets, OffsetsBelowBase, OffsetsBehindTokens } addresses;
  unsigned marker_size;
  bool two_byte_lengths;
  bool sequence_numbers;  ///< kallsyms_seqs_of_names between markers and tokens
};

constexpr unsigned symbol_count = 600;

u64 address_of(const Layout& layout, unsigned i) {
  return (layout.width == 8 ? 0xFFFFFFFFA1000000 : 0xC1000000) + 0x10 * i;
}

Memory make_tables(const Layout& layout) {
  Memory memory;
  memory.begin = layout.width == 8 ? 0xFFFFFFFFA1000000 : 0xC1000000;
  const unsigned width = layout.width;
  memory.bytes.resize(0x4000 + 64, 0x90);  // some code
  // Tokens: each byte that names use stands for itself, one for "_irq", one for "tsym_".
  std::array<std::string, 256> tokens;
  for (unsigned c = ' '; c < 127; ++c) tokens[c] = std::string(1, static_cast<char>(c));
  tokens[1] = "_irq";
  tokens[200] = "tsym_";
  for (unsigned c = 201; c < 256; ++c) tokens[c] = "x" + std::to_string(c);

  const u64 base = address_of(layout, 0);
  const auto put_offsets = [&] {
    for (unsigned i = 0; i < symbol_count; ++i) {
      const u64 offset = address_of(layout, i) - base;
      memory.put(layout.addresses == Layout::Addresses::OffsetsBelowBase ? u64{0} - 1 - offset : offset, 4);
    }
    memory.align(width);
    memory.put(base, width);
  };
  memory.align(8);
  if (layout.addresses == Layout::Addresses::Pointers) {
    for (unsigned i = 0; i < symbol_count; ++i) memory.put(address_of(layout, i), width);
  } else if (layout.addresses != Layout::Addresses::OffsetsBehindTokens) {
    put_offsets();
  }
  memory.put(symbol_count, 4);
  memory.align(width);
  std::vector<u64> marks;
  const std::size_t names = memory.bytes.size();
  for (unsigned i = 0; i < symbol_count; ++i) {
    if (i % 256 == 0) marks.push_back(memory.bytes.size() - names);
    std::string name = "\xC8" + std::to_string(i) + "\x01";  // "tsym_" i "_irq"
    if (i == 77) name += std::string(layout.two_byte_lengths ? 150 : 100, 'a');
    if (layout.two_byte_lengths && name.size() >= 0x80) {
      memory.put((name.size() & 0x7F) | 0x80, 1);
      memory.put(name.size() >> 7, 1);
    } else {
      memory.put(name.size(), 1);
    }
    for (const char c : name) memory.put(static_cast<u8>(c), 1);
  }
  memory.align(width);
  for (const u64 mark : marks) memory.put(mark, layout.marker_size);
  memory.align(width);
  if (layout.sequence_numbers) {
    for (unsigned i = 0; i < symbol_count; ++i) memory.put(i * 37 % symbol_count, 3);
    memory.align(width);
  }
  std::vector<u64> index;
  const std::size_t table = memory.bytes.size();
  for (const std::string& token : tokens) {
    index.push_back(memory.bytes.size() - table);
    for (const char c : token) memory.put(static_cast<u8>(c), 1);
    memory.put(0, 1);
  }
  memory.align(width);
  for (const u64 at : index) memory.put(at, 2);
  memory.align(width);
  if (layout.addresses == Layout::Addresses::OffsetsBehindTokens) put_offsets();
  memory.bytes.resize(memory.bytes.size() + 0x3000, 0xCC);
  return memory;
}

class Kallsyms : public testing::TestWithParam<Layout> {};

TEST_P(Kallsyms, tables_of_this_version_are_found_by_their_shape) {
  const Memory memory = make_tables(GetParam());
  const auto found = KernelSymbols::find(memory, memory.range(GetParam().width));
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->all().size(), symbol_count);
  for (unsigned i = 0; i < symbol_count; ++i) {
    const KernelSymbols::Symbol& symbol = found->all()[i];
    EXPECT_EQ(symbol.address, address_of(GetParam(), i));
    EXPECT_EQ(symbol.type, 't');
    EXPECT_TRUE(symbol.name.starts_with("sym_" + std::to_string(i) + "_irq"));
  }
  EXPECT_EQ(found->address_of("sym_5_irq"), address_of(GetParam(), 5));
  EXPECT_EQ(found->address_of("nobody"), 0u);
}

TEST_P(Kallsyms, damaged_tables_are_refused_or_read_but_do_no_harm) {
  const Memory good = make_tables(GetParam());
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    Memory memory = good;
    for (int i = 0; i < 1 + round / 4; ++i) {
      memory.bytes[0x4000 + random() % (memory.bytes.size() - 0x4000)] = static_cast<u8>(random());
    }
    if (round % 5 == 0) memory.bytes.resize(0x4000 + random() % (memory.bytes.size() - 0x4000));
    const auto found = KernelSymbols::find(memory, memory.range(GetParam().width));
    if (found) EXPECT_LE(found->all().size(), symbol_count);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Versions, Kallsyms,
    testing::Values(Layout{"4.4, x86-64", 8, Layout::Addresses::Pointers, 8, false, false},
                    Layout{"4.4, i386", 4, Layout::Addresses::Pointers, 4, false, false},
                    Layout{"5.10, i386", 4, Layout::Addresses::Offsets, 4, false, false},
                    Layout{"5.10, x86-64", 8, Layout::Addresses::OffsetsBelowBase, 4, false, false},
                    Layout{"6.1, x86-64", 8, Layout::Addresses::OffsetsBelowBase, 4, true, false},
                    Layout{"6.2, x86-64", 8, Layout::Addresses::OffsetsBelowBase, 4, true, true},
                    Layout{"6.6, x86-64", 8, Layout::Addresses::OffsetsBehindTokens, 4, true, false},
                    Layout{"6.6, i386", 4, Layout::Addresses::OffsetsBehindTokens, 4, true, false}));

TEST(KallsymsMemory, nothing_is_found_in_zeroes_noise_or_unmapped_memory) {
  Memory memory;
  memory.begin = 0xFFFFFFFF81000000;
  EXPECT_FALSE(KernelSymbols::find(memory, {.begin = memory.begin, .end = memory.begin + 0x100000}).has_value());
  EXPECT_FALSE(KernelSymbols::find(memory, {.begin = memory.begin, .end = memory.begin}).has_value());
  memory.bytes.resize(0x100000);
  EXPECT_FALSE(KernelSymbols::find(memory, memory.range(8)).has_value());
  std::mt19937 random(1);
  for (u8& byte : memory.bytes) byte = static_cast<u8>(random());
  EXPECT_FALSE(KernelSymbols::find(memory, memory.range(8)).has_value());
}

TEST(KallsymsMemory, memory_that_is_full_of_beginnings_of_tables_does_not_hold_us_up) {
  Memory memory;
  memory.begin = 0xFFFFFFFF81000000;
  constexpr std::string_view digits("0\0001\0002\0003\0004\0005\0006\0007\0008\0009\0", 20);
  for (std::size_t i = 0; i < 0x400000; ++i) memory.bytes.push_back(static_cast<u8>(digits[i % digits.size()]));
  EXPECT_FALSE(KernelSymbols::find(memory, memory.range(8)).has_value());
}

TEST(KallsymsText, names_only_what_is_asked_for) {
  const Layout layout{"", 8, Layout::Addresses::OffsetsBelowBase, 4, true, false};
  const Memory memory = make_tables(layout);
  const auto found = KernelSymbols::find(memory, memory.range(8));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->map_text_of({0x1000, address_of(layout, 3) + 4, address_of(layout, 3) + 8, address_of(layout, 9)}),
            "ffffffffa1000030 t sym_3_irq\nffffffffa1000090 t sym_9_irq\n");
  EXPECT_TRUE(found->map_text().starts_with("ffffffffa1000000 t sym_0_irq\nffffffffa1000010 t sym_1_irq\n"));
}

}  // namespace
}  // namespace vitrine
