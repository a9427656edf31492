#include "kernel/fs/block_cache.hpp"

#include <algorithm>
#include <new>

namespace pulse {

namespace {
constexpr u32 fewest_blocks = 8;
constexpr u32 no_block = ~u32{0};
}  // namespace

BlockCache::BlockCache(BlockDevice& device, u32 block_bytes, u32 most_blocks)
    : device_(device), block_bytes_(block_bytes), most_blocks_(std::max(most_blocks, fewest_blocks)) {
  buckets_.resize(most_blocks_);
}

BlockCache::Entry* BlockCache::find(u32 block) {
  Entry* entry = bucket(block);
  while (entry != nullptr && entry->block != block) entry = entry->next;
  return entry;
}

Result<BlockCache::Held> BlockCache::read(u32 block) {
  if (Entry* const found = find(block)) {
    found->used = true;
    return Held(*found, block_bytes_);
  }
  const auto taken = take(block);
  if (!taken) return fail(taken.error());
  Entry& entry = **taken;
  const u64 sectors = block_bytes_ / BlockDevice::sector_bytes;
  if (const auto done = device_.read(block * sectors, {entry.bytes.get(), block_bytes_}); !done) {
    unlink(entry);
    return fail(done.error());
  }
  return Held(entry, block_bytes_);
}

Result<BlockCache::Held> BlockCache::fresh(u32 block) {
  Entry* entry = find(block);
  if (entry == nullptr) {
    const auto taken = take(block);
    if (!taken) return fail(taken.error());
    entry = *taken;
  }
  Held held(*entry, block_bytes_);
  std::ranges::fill(held.change(), u8{0});
  return held;
}

void BlockCache::forget(u32 block) {
  if (Entry* const entry = find(block)) entry->dirty = false;
}

Result<void> BlockCache::flush() {
  std::vector<Entry*> dirty;
  for (const auto& entry : entries_) {
    if (entry->dirty) dirty.push_back(entry.get());
  }
  std::ranges::sort(dirty, {}, &Entry::block);
  Result<void> result;
  for (Entry* const entry : dirty) {
    // One bad sector does not keep the others from the disk.
    if (const auto done = write(*entry); !done) result = done;
  }
  if (const auto done = device_.flush(); !done) return done;
  return result;
}

u64 BlockCache::dirty_blocks() const {
  return static_cast<u64>(std::ranges::count_if(entries_, [](const auto& entry) { return entry->dirty; }));
}

Result<BlockCache::Entry*> BlockCache::take(u32 block) {
  Entry* entry = entries_.size() < most_blocks_ ? grow() : nullptr;
  if (entry == nullptr) {
    const auto evicted = evict();
    if (!evicted) return evicted;
    entry = *evicted;
  }
  entry->block = block;
  entry->dirty = false;
  entry->used = true;
  entry->next = bucket(block);
  bucket(block) = entry;
  return entry;
}

BlockCache::Entry* BlockCache::grow() {
  std::unique_ptr<Entry> made(new (std::nothrow) Entry);
  if (!made) return nullptr;
  made->bytes.reset(new (std::nothrow) u8[block_bytes_]);
  if (!made->bytes) return nullptr;
  entries_.push_back(std::move(made));
  return entries_.back().get();
}

Result<BlockCache::Entry*> BlockCache::evict() {
  // Twice around: the first time takes from all the mark of use.
  for (std::size_t i = 0; i < 2 * entries_.size(); ++i) {
    Entry& entry = *entries_[hand_];
    hand_ = (hand_ + 1) % entries_.size();
    if (entry.holders > 0 || std::exchange(entry.used, false)) continue;
    if (entry.dirty) {
      if (const auto done = write(entry); !done) return fail(done.error());
    }
    unlink(entry);
    return &entry;
  }
  return fail(Errno::NoMemory);
}

void BlockCache::unlink(Entry& entry) {
  for (Entry** place = &bucket(entry.block); *place != nullptr; place = &(*place)->next) {
    if (*place != &entry) continue;
    *place = entry.next;
    break;
  }
  entry.block = no_block;
  entry.next = nullptr;
  entry.used = false;
}

Result<void> BlockCache::write(Entry& entry) {
  const u64 sectors = block_bytes_ / BlockDevice::sector_bytes;
  const auto done = device_.write(entry.block * sectors, {entry.bytes.get(), block_bytes_});
  if (done) entry.dirty = false;
  return done;
}

}  // namespace pulse
