#include "machine/cpu/block.hpp"

#include <algorithm>
#include <cstring>

namespace vitrine {

BlockCache::BlockCache(CodeOwners& owners, u8 cpu, unsigned cpus)
    : owners_(owners),
      cpu_(cpu),
      arena_bytes_(std::max(least_arena_bytes, most_arena_bytes / cpus & ~std::size_t{63})),
      buckets_(bucket_count, nullptr),
      arena_(static_cast<u8*>(std::aligned_alloc(64, arena_bytes_))) {}

Block* BlockCache::allocate(unsigned count) {
  const std::size_t bytes = sizeof(Block) + (count + block_tail_operations) * sizeof(Operation);
  if (arena_bytes_ - used_ < bytes) return nullptr;
  auto* block = reinterpret_cast<Block*>(arena_.get() + used_);
  used_ += (bytes + 63) & ~std::size_t{63};
  std::memset(static_cast<void*>(block), 0, bytes);
  return block;
}

void BlockCache::insert(Block* block) {
  Block*& bucket_head = buckets_[bucket(block->physical, block->mode)];
  block->hash_next = bucket_head;
  bucket_head = block;
  CodePage& page = pages_[block->physical >> 12];
  block->page_next = page.first;
  page.first = block;
  owners_.add(block->physical, cpu_);
  const u64 begin = block->physical & 0xFFF;
  const u64 end = begin + block->bytes - 1 < 0xFFF ? begin + block->bytes - 1 : 0xFFF;
  for (u64 line = begin >> 6; line <= end >> 6; ++line) page.lines |= u64{1} << line;
  if (block->crosses()) {
    CodePage& second = pages_[block->second_physical >> 12];
    second.reached = true;
    owners_.add(block->second_physical, cpu_);
    second.lines |= 1;  // an instruction has at most 15 bytes
  }
}

bool BlockCache::touches_code(u64 physical, u64 size) const {
  for (u64 at = physical; at < physical + size; at = (at | 63) + 1) {
    const auto page = pages_.find(at >> 12);
    if (page != pages_.end() && (page->second.lines >> ((at & 0xFFF) >> 6) & 1) != 0) return true;
  }
  return false;
}

void BlockCache::unlink(Block* block) {
  Block** link = &buckets_[bucket(block->physical, block->mode)];
  while (*link != block) link = &(*link)->hash_next;
  *link = block->hash_next;
  block->physical = ~u64{0};
}

bool BlockCache::invalidate(u64 physical, u64 size) {
  bool any = false;
  for (u64 page = physical >> 12; page <= (physical + size - 1) >> 12; ++page) {
    const auto found = pages_.find(page);
    if (found == pages_.end()) continue;
    any = true;
    if (found->second.reached) {
      // Rare: drop whatever crosses into this page, wherever it begins.
      for (Block*& head : buckets_) {
        for (Block* block = head; block != nullptr;) {
          Block* next = block->hash_next;
          if (block->crosses() && block->second_physical >> 12 == page && block->physical >> 12 != page) {
            CodePage& home = pages_[block->physical >> 12];
            Block** link = &home.first;
            while (*link != block) link = &(*link)->page_next;
            *link = block->page_next;
            unlink(block);
          }
          block = next;
        }
      }
    }
    for (Block* block = found->second.first; block != nullptr; block = block->page_next) unlink(block);
    pages_.erase(found);
    owners_.remove(page << 12, cpu_);
  }
  return any;
}

void BlockCache::clear() {
  buckets_.assign(bucket_count, nullptr);
  for (const auto& [page, code] : pages_) owners_.remove(page << 12, cpu_);
  pages_.clear();
  used_ = 0;
}

bool CodeViews::add(u64 physical, u64 linear) {
  View& view = views_[physical >> 12];
  if (view.epoch != epoch_) {
    view = {.epoch = epoch_, .linear_page = linear >> 12, .aliased = false};
    return false;
  }
  if (view.aliased || view.linear_page == linear >> 12) return false;
  view.aliased = true;
  return true;
}

bool CodeViews::aliased(u64 physical) const {
  const auto found = views_.find(physical >> 12);
  return found != views_.end() && found->second.epoch == epoch_ && found->second.aliased;
}

}  // namespace vitrine
