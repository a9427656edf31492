// Symbols and source lines from what the compiler of our guests makes: DWARF 5, without .debug_aranges.
#include "observe/symbols.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

namespace vitrine {
namespace {

using testing::Contains;
using testing::MatchesRegex;

std::vector<u8> image() {
  std::ifstream file(VITRINE_INLINED_IMAGE, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> descriptions(u64 offset) {
  SymbolTable table;
  EXPECT_TRUE(table.add(image(), offset).has_value());
  std::set<std::string> all;
  for (u64 address = 0x100000; address < 0x100100; ++address) all.insert(table.describe(address + offset));
  return all;
}

TEST(DebugInformation, names_the_line_of_code_that_clang_compiled) {
  EXPECT_THAT(descriptions(0), Contains(MatchesRegex(R"(_start.* \(inlined.cpp:1[67]\))")));
}

TEST(DebugInformation, names_the_function_that_was_put_into_another) {
  EXPECT_THAT(descriptions(0),
              Contains(MatchesRegex(R"(driver::handler\(int\).* \(inlined.cpp:[67], inlined driver::poke\(int\)\))")));
}

TEST(DebugInformation, moves_with_the_offset) { EXPECT_EQ(descriptions(0), descriptions(0xFFFFFFFF80000000)); }

}  // namespace
}  // namespace vitrine
