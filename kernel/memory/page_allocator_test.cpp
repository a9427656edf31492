#include "kernel/memory/page_allocator.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace pulse {
namespace {

struct PageAllocatorTest : testing::Test {
  PageAllocatorTest() { pages.initialise(table); }
  std::vector<Page> table = std::vector<Page>(5000);
  PageAllocator pages;
};

TEST_F(PageAllocatorTest, nothing_is_free_before_pages_are_added) { EXPECT_FALSE(pages.allocate()); }

TEST_F(PageAllocatorTest, blocks_are_aligned_to_their_size_and_inside_what_was_added) {
  pages.add(3, 1000);
  for (u8 order = 0; order < 9; ++order) {
    const auto page = pages.allocate(order);
    ASSERT_TRUE(page);
    EXPECT_EQ(*page % (1u << order), 0u);
    EXPECT_GE(*page, 3u);
    EXPECT_LE(*page + (1u << order), 1000u);
  }
}

TEST_F(PageAllocatorTest, every_page_can_be_had_once_and_comes_back_as_the_blocks_it_was) {
  pages.add(0, 4096);
  std::set<u32> seen;
  while (const auto page = pages.allocate()) EXPECT_TRUE(seen.insert(*page).second);
  EXPECT_EQ(seen.size(), 4096u);
  EXPECT_EQ(pages.free_pages(), 0u);
  for (const u32 page : seen) EXPECT_TRUE(pages.release(page));
  EXPECT_TRUE(pages.allocate(PageAllocator::orders - 1));
  EXPECT_TRUE(pages.allocate(PageAllocator::orders - 1));
  EXPECT_FALSE(pages.allocate());
}

TEST_F(PageAllocatorTest, a_shared_block_is_freed_by_its_last_user) {
  pages.add(0, 16);
  const u32 page = *pages.allocate(2);
  pages.share(page);
  EXPECT_FALSE(pages.release(page));
  EXPECT_EQ(pages.free_pages(), 12u);
  EXPECT_TRUE(pages.release(page));
  EXPECT_EQ(pages.free_pages(), 16u);
}

TEST_F(PageAllocatorTest, blocks_never_overlap_under_random_use) {
  pages.add(1, 2000);
  pages.add(2500, 5000);
  std::mt19937 random(7);
  std::vector<std::pair<u32, u8>> held;
  std::vector<bool> used(5000);
  for (int i = 0; i < 20000; ++i) {
    const auto order = static_cast<u8>(random() % 5);
    if (random() % 2 == 0) {
      const auto page = pages.allocate(order);
      if (!page) continue;
      for (u32 p = *page; p < *page + (1u << order); ++p) {
        ASSERT_TRUE(pages.is_ram(p));
        ASSERT_FALSE(used[p]);
        used[p] = true;
      }
      held.emplace_back(*page, order);
    } else if (!held.empty()) {
      std::swap(held[random() % held.size()], held.back());
      const auto [page, size] = held.back();
      held.pop_back();
      for (u32 p = page; p < page + (1u << size); ++p) used[p] = false;
      EXPECT_TRUE(pages.release(page));
    }
  }
  u64 in_use = 0;
  for (const auto& [page, size] : held) in_use += u64{1} << size;
  EXPECT_EQ(pages.free_pages(), pages.all_pages() - in_use);
}

}  // namespace
}  // namespace pulse
