// Which block holds which part of a file: 12 direct ones, then trees of pointers one, two and three levels high.
#include <algorithm>
#include <cstring>

#include "kernel/fs/ext2/volume.hpp"

namespace pulse::ext2 {

namespace {

struct Way {
  u32 depth;               ///< pointers to follow
  u32 offset[levels + 1];  ///< the first in the inode, the others in blocks of pointers
};

/// Behind the last block that pointers can reach: none.
std::optional<Way> way_to(u64 index, u64 per_block) {
  if (index < direct_blocks) return Way{1, {static_cast<u32>(index)}};
  index -= direct_blocks;
  u64 span = per_block;
  for (u32 level = 1; level <= levels; ++level, span *= per_block) {
    if (index >= span) {
      index -= span;
      continue;
    }
    Way way{level + 1, {direct_blocks + level - 1}};
    for (u32 i = level; i > 0; --i, index /= per_block) way.offset[i] = static_cast<u32>(index % per_block);
    return way;
  }
  return std::nullopt;
}

u32 pointer_at(std::span<const u8> bytes, u32 place) {
  u32 pointer;
  std::memcpy(&pointer, bytes.data() + place * sizeof pointer, sizeof pointer);
  return pointer;
}
void put_pointer(std::span<u8> bytes, u32 place, u32 pointer) {
  std::memcpy(bytes.data() + place * sizeof pointer, &pointer, sizeof pointer);
}

}  // namespace

u64 Volume::largest_file() const {
  const u64 per_block = block_bytes_ / sizeof(u32);
  const u64 reachable = direct_blocks + per_block + per_block * per_block + per_block * per_block * per_block;
  // Inode::sectors has 32 bits, and pointers are counted too.
  constexpr u64 countable = (u64{0xFFFF'FFFF} - 0x100'0000) * 512;
  return std::min(reachable * block_bytes_, countable);
}

void Volume::count_sectors(OpenInode& inode, i64 blocks) const {
  const i64 sectors = i64{inode.disk.sectors} + blocks * (block_bytes_ / 512);
  inode.disk.sectors = static_cast<u32>(std::clamp<i64>(sectors, 0, ~u32{0}));
}

Result<u32> Volume::block_at(const OpenInode& inode, u64 index) {
  const auto way = way_to(index, block_bytes_ / sizeof(u32));
  if (!way) return fail(Errno::FileTooBig);
  u32 pointer = inode.disk.block[way->offset[0]];
  for (u32 i = 1;; ++i) {
    if (pointer == 0) return 0;
    if (!is_data_block(pointer)) return corrupt("ext2: inode {} has block {}", inode.number, pointer);
    if (i == way->depth) return pointer;
    const auto held = cache_.read(pointer);
    if (!held) return fail(held.error());
    pointer = pointer_at(held->bytes(), way->offset[i]);
  }
}

Result<u32> Volume::make_block_at(OpenInode& inode, u64 index) {
  const auto way = way_to(index, block_bytes_ / sizeof(u32));
  if (!way) return fail(Errno::FileTooBig);
  BlockCache::Held above;
  u32 pointer = inode.disk.block[way->offset[0]];
  for (u32 i = 1;; ++i) {
    if (pointer == 0) {
      const auto made = allocate_block(goal_of(inode));
      if (!made) return made;
      pointer = *made;
      if (const auto zeros = cache_.fresh(pointer); !zeros) {
        (void)free_block(pointer);
        return fail(zeros.error());
      }
      if (i == 1) {
        inode.disk.block[way->offset[0]] = pointer;
      } else {
        put_pointer(above.change(), way->offset[i - 1], pointer);
      }
      count_sectors(inode, 1);
      inode.goal = pointer + 1;
    } else if (!is_data_block(pointer)) {
      return corrupt("ext2: inode {} has block {}", inode.number, pointer);
    }
    if (i == way->depth) return pointer;
    auto held = cache_.read(pointer);
    if (!held) return fail(held.error());
    above = std::move(*held);
    pointer = pointer_at(above.bytes(), way->offset[i]);
  }
}

/// `pointer` leads to a tree of `level` levels of pointers whose first block of data is number `first` of the file.
Result<void> Volume::cut_tree(OpenInode& inode, u32& pointer, u32 level, u64 first, u64 keep) {
  const u32 per_block = block_bytes_ / sizeof(u32);
  u64 child_span = 1;
  for (u32 i = 1; i < level; ++i) child_span *= per_block;
  const u64 span = level == 0 ? 1 : child_span * per_block;
  if (pointer == 0 || first + span <= keep) return {};
  if (!is_data_block(pointer)) return corrupt("ext2: inode {} has block {}", inode.number, pointer);
  BlockCache::Held held;
  if (level > 0) {
    auto read = cache_.read(pointer);
    if (!read) return fail(read.error());
    held = std::move(*read);
  }
  const bool goes = first >= keep;
  if (goes) {
    // Before what it leads to: a block that leads to itself is found to be free already, and that is the end of it.
    if (const auto done = free_block(pointer); !done) return done;
    pointer = 0;
    count_sectors(inode, -1);
  }
  for (u32 i = 0; level > 0 && i < per_block; ++i) {
    const u32 before = pointer_at(held.bytes(), i);
    u32 child = before;
    const auto done = cut_tree(inode, child, level - 1, first + i * child_span, keep);
    if (!goes && child != before) put_pointer(held.change(), i, child);
    if (!done) return done;
  }
  return {};
}

Result<void> Volume::cut(OpenInode& inode, u64 bytes) {
  if (!writable_) return fail(Errno::ReadOnly);
  const u64 keep = (bytes + block_bytes_ - 1) / block_bytes_;
  inode.goal = 0;
  if (const u64 used = bytes % block_bytes_; used != 0) {
    const auto block = block_at(inode, keep - 1);
    if (!block) return fail(block.error());
    if (*block != 0) {
      auto held = cache_.read(*block);
      if (!held) return fail(held.error());
      std::ranges::fill(held->change().subspan(used), u8{0});
    }
  }
  for (u32 i = 0; i < direct_blocks; ++i) {
    if (const auto done = cut_tree(inode, inode.disk.block[i], 0, i, keep); !done) return done;
  }
  const u64 per_block = block_bytes_ / sizeof(u32);
  u64 first = direct_blocks;
  u64 span = per_block;
  for (u32 level = 1; level <= levels; ++level, first += span, span *= per_block) {
    const u32 place = direct_blocks + level - 1;
    if (const auto done = cut_tree(inode, inode.disk.block[place], level, first, keep); !done) return done;
  }
  return {};
}

}  // namespace pulse::ext2
