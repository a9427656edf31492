#include "kernel/memory/heap.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "kernel/memory/page_allocator.hpp"

namespace pulse {
namespace {

struct HostPages final : PageSource {
  ~HostPages() {
    for (void* const block : taken) std::free(block);  // the slabs that a heap keeps
  }
  void* take(u8 order) override {
    if (limit == 0) return nullptr;
    --limit;
    ++blocks;
    return *taken.insert(std::aligned_alloc(page_bytes << order, page_bytes << order)).first;
  }
  void give_back(void* pages, u8) override {
    --blocks;
    taken.erase(pages);
    std::free(pages);
  }
  int blocks = 0;
  int limit = 1'000'000;
  std::set<void*> taken;
};

struct HeapTest : testing::Test {
  HostPages pages;
  Heap heap{pages};
};

TEST_F(HeapTest, allocations_of_every_size_are_aligned_apart_and_keep_their_bytes) {
  std::map<unsigned char*, std::size_t> held;
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    if (held.size() < 300 || random() % 2 == 0) {
      const std::size_t size = random() % 20 == 0 ? random() % 20000 : random() % 2100;
      auto* bytes = static_cast<unsigned char*>(heap.allocate(size));
      ASSERT_NE(bytes, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(bytes) % 16, 0u);
      std::memset(bytes, static_cast<int>(size & 0xFF), size);
      held[bytes] = size;
    } else {
      auto it = held.begin();
      std::advance(it, random() % held.size());
      for (std::size_t k = 0; k < it->second; ++k) ASSERT_EQ(it->first[k], it->second & 0xFF);
      heap.release(it->first);
      held.erase(it);
    }
  }
  for (const auto& [bytes, size] : held) heap.release(bytes);
  EXPECT_EQ(heap.bytes_in_use(), 0u);
  EXPECT_LE(pages.blocks, 9);  // a slab of each size may stay
}

TEST_F(HeapTest, too_much_is_refused) {
  EXPECT_EQ(heap.allocate(Heap::most + 1), nullptr);
  pages.limit = 0;
  EXPECT_EQ(heap.allocate(100), nullptr);
  EXPECT_EQ(heap.allocate(100000), nullptr);
}

TEST_F(HeapTest, a_pointer_that_was_never_given_out_is_noticed) {
  auto* bytes = static_cast<char*>(heap.allocate(64));
  EXPECT_DEATH(heap.release(bytes + 8), "does not hold");
}

}  // namespace
}  // namespace pulse
