// Which blocks and inodes are free: the bitmaps of the groups.
#include <algorithm>
#include <bit>
#include <cstring>

#include "kernel/core/time.hpp"
#include "kernel/fs/ext2/volume.hpp"

namespace pulse::ext2 {

namespace {

constexpr u32 no_bit = ~u32{0};

/// The first 0 among bits `from`..`end`-1.
u32 find_zero(std::span<const u8> bitmap, u32 from, u32 end) {
  for (u32 bit = from; bit < end;) {
    u64 word = 0;
    const u32 word_begin = bit / 64 * 64;
    std::memcpy(&word, bitmap.data() + word_begin / 8, sizeof word);
    word |= (u64{1} << bit % 64) - 1;
    if (word != ~u64{0}) {
      const u32 found = word_begin + static_cast<u32>(std::countr_one(word));
      return found < end ? found : no_bit;
    }
    bit = word_begin + 64;
  }
  return no_bit;
}

bool is_set(std::span<const u8> bitmap, u32 bit) { return (bitmap[bit / 8] >> bit % 8 & 1) != 0; }
void flip(std::span<u8> bitmap, u32 bit) { bitmap[bit / 8] ^= static_cast<u8>(1U << bit % 8); }

/// Counts on a damaged disk may say less than there is.
template <class Count>
void lower(Count& count) {
  if (count > 0) --count;
}

}  // namespace

Result<u32> Volume::allocate_block(u32 goal) {
  if (!writable_) return fail(Errno::ReadOnly);
  const auto count = static_cast<u32>(groups_.size());
  if (goal <= super_.first_data_block || goal >= super_.blocks) goal = super_.first_data_block + 1;
  const u32 first = group_of(goal);
  // The goal's group comes twice: from the goal on, and at the end what is before it.
  for (u32 i = 0; i <= count; ++i) {
    const u32 number = (first + i) % count;
    GroupDescriptor& group = groups_[number];
    if (group.free_blocks == 0) continue;
    auto bitmap = cache_.read(group.block_bitmap);
    if (!bitmap) return fail(bitmap.error());
    for (u32 from = i == 0 ? goal - group_begin(number) : 0;;) {
      const u32 bit = find_zero(bitmap->bytes(), from, blocks_in(number));
      if (bit == no_bit) break;
      flip(bitmap->change(), bit);
      const u32 block = group_begin(number) + bit;
      if (!is_data_block(block)) {
        (void)corrupt("ext2: block {} of the file system itself was marked as free", block);
        if (!writable_) return fail(Errno::ReadOnly);
        from = bit + 1;
        continue;
      }
      lower(group.free_blocks);
      lower(super_.free_blocks);
      counts_changed_ = true;
      return block;
    }
  }
  return fail(Errno::NoSpace);
}

Result<void> Volume::free_block(u32 block) {
  if (!is_data_block(block)) return corrupt("ext2: block {} can't belong to a file", block);
  const u32 number = group_of(block);
  GroupDescriptor& group = groups_[number];
  auto bitmap = cache_.read(group.block_bitmap);
  if (!bitmap) return fail(bitmap.error());
  const u32 bit = block - group_begin(number);
  if (!is_set(bitmap->bytes(), bit)) return corrupt("ext2: block {} was free already", block);
  flip(bitmap->change(), bit);
  if (group.free_blocks < blocks_in(number)) ++group.free_blocks;
  if (super_.free_blocks < super_.blocks) ++super_.free_blocks;
  counts_changed_ = true;
  cache_.forget(block);
  return {};
}

u32 Volume::goal_of(const OpenInode& inode) const {
  if (inode.goal != 0) return inode.goal;
  return group_begin(std::min((inode.number - 1) / super_.inodes_per_group, static_cast<u32>(groups_.size() - 1)));
}

/// Files stand near their directory; directories, where most is free.
u32 Volume::group_for_inode(u32 near, InodeKind kind) const {
  if (kind == InodeKind::File) return (near - 1) / super_.inodes_per_group;
  u32 best = 0;
  for (u32 i = 1; i < groups_.size(); ++i) {
    if (groups_[i].free_inodes > 0 && groups_[i].free_blocks > groups_[best].free_blocks) best = i;
  }
  return best;
}

Result<u32> Volume::allocate_inode(u32 near, InodeKind kind) {
  if (!writable_) return fail(Errno::ReadOnly);
  const auto count = static_cast<u32>(groups_.size());
  const u32 first = group_for_inode(near, kind);
  for (u32 i = 0; i < count; ++i) {
    const u32 number = (first + i) % count;
    GroupDescriptor& group = groups_[number];
    if (group.free_inodes == 0) continue;
    auto bitmap = cache_.read(group.inode_bitmap);
    if (!bitmap) return fail(bitmap.error());
    const u32 before = number * super_.inodes_per_group;
    // Those below first_inode are the file system's own, whatever the bitmap says.
    const u32 reserved = super_.first_inode - 1 > before ? super_.first_inode - 1 - before : 0;
    const u32 bit = find_zero(bitmap->bytes(), reserved, super_.inodes_per_group);
    if (bit == no_bit) continue;
    flip(bitmap->change(), bit);
    lower(group.free_inodes);
    lower(super_.free_inodes);
    if (kind == InodeKind::Directory) ++group.directories;
    counts_changed_ = true;
    return before + bit + 1;
  }
  return fail(Errno::NoSpace);
}

Result<void> Volume::free_inode(u32 number, InodeKind kind) {
  if (number < super_.first_inode || number > super_.inodes)
    return corrupt("ext2: inode {} can't belong to a file", number);
  const u32 group_number = (number - 1) / super_.inodes_per_group;
  GroupDescriptor& group = groups_[group_number];
  auto bitmap = cache_.read(group.inode_bitmap);
  if (!bitmap) return fail(bitmap.error());
  const u32 bit = number - 1 - group_number * super_.inodes_per_group;
  if (!is_set(bitmap->bytes(), bit)) return corrupt("ext2: inode {} was free already", number);
  flip(bitmap->change(), bit);
  if (group.free_inodes < super_.inodes_per_group) ++group.free_inodes;
  if (super_.free_inodes < super_.inodes) ++super_.free_inodes;
  if (kind == InodeKind::Directory) lower(group.directories);
  counts_changed_ = true;
  return {};
}

Result<void> Volume::drop_attributes(OpenInode& inode) {
  const u32 block = inode.disk.attributes;
  if (block == 0) return {};
  if (!is_data_block(block)) return corrupt("ext2: attributes of inode {} in block {}", inode.number, block);
  auto held = cache_.read(block);
  if (!held) return fail(held.error());
  AttributeHeader header;
  std::memcpy(&header, held->bytes().data(), sizeof header);
  if (header.magic != attribute_magic) return corrupt("ext2: block {} holds no attributes", block);
  inode.disk.attributes = 0;
  count_sectors(inode, -1);
  if (header.references > 1) {
    --header.references;
    std::memcpy(held->change().data(), &header, sizeof header);
    return {};
  }
  return free_block(block);
}

}  // namespace pulse::ext2
