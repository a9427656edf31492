#include "observe/request_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace vitrine {
namespace {

TEST(RequestTable, a_removed_value_is_not_found_and_the_next_one_has_its_memory) {
  RequestTable<std::string> table;
  table.add(7) = std::string(100, 'a');
  const std::string* first = table.find(7);
  table.remove(7);
  EXPECT_EQ(table.find(7), nullptr);
  std::string& second = table.add(8);
  EXPECT_EQ(&second, first);
  EXPECT_GE(second.capacity(), 100u);
  EXPECT_EQ(table.find(7), nullptr);
}

TEST(RequestTable, the_id_0_is_one_like_others) {
  RequestTable<int> table;
  EXPECT_EQ(table.find(0), nullptr);
  table.add(0) = 5;
  ASSERT_NE(table.find(0), nullptr);
  EXPECT_EQ(*table.find(0), 5);
  table.remove(0);
  EXPECT_EQ(table.find(0), nullptr);
}

TEST(RequestTable, it_holds_what_a_map_holds_through_any_additions_and_removals) {
  std::mt19937_64 random(1);
  RequestTable<u64> table;
  std::map<u64, u64> model;
  for (u64 step = 0; step < 20000; ++step) {
    const u64 id = random() % 500 * (step / 4000 + 1);
    if (model.contains(id)) {
      table.remove(id);
      model.erase(id);
    } else {
      table.add(id) = step;
      model[id] = step;
    }
    const u64 other = random() % 500;
    const u64* found = table.find(other);
    ASSERT_EQ(found != nullptr, model.contains(other)) << step;
    if (found != nullptr) ASSERT_EQ(*found, model[other]) << step;
  }
  std::map<u64, u64> listed;
  table.for_each([&](u64 id, u64 value) { listed[id] = value; });
  EXPECT_EQ(listed, model);
  EXPECT_EQ(table.size(), model.size());
}

TEST(RequestTable, any_can_be_removed_until_none_is_left) {
  RequestTable<int> table;
  for (u64 id = 1; id <= 100; ++id) table.add(id);
  for (std::size_t left = 100; left-- > 0;) {
    table.remove_any();
    std::size_t listed = 0;
    table.for_each([&](u64 id, int) { listed += table.find(id) != nullptr ? 1 : 0; });
    EXPECT_EQ(table.size(), left);
    EXPECT_EQ(listed, left);
  }
}

}  // namespace
}  // namespace vitrine
