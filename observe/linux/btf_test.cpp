#include "observe/linux/btf.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace vitrine {
namespace {

/// Puts a BTF section together.
struct Btf {
  std::vector<u8> types;
  std::string strings = std::string(1, '\0');

  u32 name(const std::string& text) {
    if (text.empty()) return 0;
    const auto at = static_cast<u32>(strings.size());
    strings += text + '\0';
    return at;
  }
  void word(u32 value) {
    for (unsigned i = 0; i < 4; ++i) types.push_back(static_cast<u8>(value >> (8 * i)));
  }
  void type(const std::string& text, u32 kind, u32 members, u32 size, bool bit_fields = false) {
    word(name(text));
    word(members | kind << 24 | (bit_fields ? 1u << 31 : 0));
    word(size);
  }
  void member(const std::string& text, u32 type_number, u32 offset) {
    word(name(text));
    word(type_number);
    word(offset);
  }
  [[nodiscard]] std::vector<u8> bytes() const {
    std::vector<u8> all = {0x9F, 0xEB, 1, 0};
    for (const std::size_t value : {std::size_t{24}, std::size_t{0}, types.size(), types.size(), strings.size()}) {
      for (unsigned i = 0; i < 4; ++i) all.push_back(static_cast<u8>(value >> (8 * i)));
    }
    all.insert(all.end(), types.begin(), types.end());
    all.insert(all.end(), strings.begin(), strings.end());
    return all;
  }
};

Btf task_types() {
  Btf btf;
  btf.type("int", 1, 0, 4);  // 1
  btf.word(32);
  btf.type("", 3, 0, 0);  // 2: an array
  for (int i = 0; i < 3; ++i) btf.word(1);
  btf.type("", 4, 1, 8);  // 3: an unnamed structure
  btf.member("pid", 1, 32);
  btf.type("task_struct", 7, 0, 0);         // 4: a forward declaration
  btf.type("task_struct", 4, 3, 64, true);  // 5
  btf.member("state", 1, 3 << 24 | 8);
  btf.member("", 3, 128);
  btf.member("comm", 2, 256);
  return btf;
}

TEST(Btf, members_are_found_in_bytes_also_within_unnamed_structures) {
  const std::vector<u8> btf = task_types().bytes();
  EXPECT_EQ(btf_member_offset(btf, "task_struct", "comm"), 32u);
  EXPECT_EQ(btf_member_offset(btf, "task_struct", "pid"), 20u);
  EXPECT_EQ(btf_member_offset(btf, "task_struct", "state"), 1u);
  EXPECT_FALSE(btf_member_offset(btf, "task_struct", "com").has_value());
  EXPECT_FALSE(btf_member_offset(btf, "task", "comm").has_value());
}

TEST(Btf, any_bytes_do_no_harm) {
  const std::vector<u8> good = task_types().bytes();
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<u8> bad = good;
    for (int i = 0; i < 1 + round % 8; ++i) bad[random() % bad.size()] = static_cast<u8>(random());
    if (round % 3 == 0) bad.resize(random() % bad.size());
    [[maybe_unused]] const auto any = btf_member_offset(bad, "task_struct", "comm");
  }
}

TEST(Btf, structures_that_contain_themselves_end) {
  Btf btf;
  btf.type("", 4, 1000, 8);  // 1: a thousand times itself
  for (int i = 0; i < 1000; ++i) btf.member("", 1, 0);
  btf.type("task_struct", 4, 1, 8);
  btf.member("", 1, 0);
  EXPECT_FALSE(btf_member_offset(btf.bytes(), "task_struct", "comm").has_value());
}

}  // namespace
}  // namespace vitrine
