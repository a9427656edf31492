// Blocks of a device, kept in memory: read once, written when somebody syncs or the memory is wanted for others.
//
// Not for several threads at a time: the lock is the file system's. Blocks that are held stay where they are.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "kernel/fs/block_device.hpp"

namespace pulse {

class BlockCache {
  struct Entry {
    u32 block = 0;
    u32 holders = 0;
    bool dirty = false, used = false;
    Entry* next = nullptr;  // of the same bucket
    std::unique_ptr<u8[]> bytes;
  };

 public:
  /// A block that somebody holds.
  class Held {
   public:
    Held() = default;
    Held(Held&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)), size_(other.size_) {}
    Held& operator=(Held other) noexcept {
      std::swap(entry_, other.entry_);
      std::swap(size_, other.size_);
      return *this;
    }
    ~Held() {
      if (entry_ != nullptr) --entry_->holders;
    }
    [[nodiscard]] std::span<const u8> bytes() const { return {entry_->bytes.get(), size_}; }
    /// For writing: from now on the device's copy is old.
    [[nodiscard]] std::span<u8> change() {
      entry_->dirty = true;
      return {entry_->bytes.get(), size_};
    }

   private:
    friend BlockCache;
    Held(Entry& entry, u32 size) : entry_(&entry), size_(size) { ++entry.holders; }
    Entry* entry_ = nullptr;
    u32 size_ = 0;
  };

  /// At most `most_blocks` blocks of `block_bytes` (a multiple of a sector) are kept; at least 8, so many may be held.
  BlockCache(BlockDevice& device, u32 block_bytes, u32 most_blocks);

  [[nodiscard]] Result<Held> read(u32 block);
  /// A block whose old contents don't matter: zeros, not read.
  [[nodiscard]] Result<Held> fresh(u32 block);
  /// The block was given up: what was changed need not be written.
  void forget(u32 block);
  /// Everything that was changed is on the device's medium, or an error.
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] u64 dirty_blocks() const;

 private:
  [[nodiscard]] Entry*& bucket(u32 block) { return buckets_[block % buckets_.size()]; }
  [[nodiscard]] Entry* find(u32 block);
  /// A place for `block`, which is not there: a new one, or another block's that nobody holds.
  [[nodiscard]] Result<Entry*> take(u32 block);
  [[nodiscard]] Entry* grow();
  [[nodiscard]] Result<Entry*> evict();
  void unlink(Entry& entry);
  [[nodiscard]] Result<void> write(Entry& entry);

  BlockDevice& device_;
  u32 block_bytes_, most_blocks_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<Entry*> buckets_;
  std::size_t hand_ = 0;  // of the clock that chooses who leaves
};

}  // namespace pulse
