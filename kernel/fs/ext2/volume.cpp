#include "kernel/fs/ext2/volume.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernel/core/make_room.hpp"
#include "kernel/core/time.hpp"

namespace pulse::ext2 {

namespace {

constexpr u32 sector_bytes = BlockDevice::sector_bytes;
constexpr u32 most_groups = 65536;  // their descriptors are kept in memory
constexpr u32 most_complaints = 20;

constexpr u32 bytes_of_block(const Superblock& super) { return 1024U << super.block_size_shift; }

std::unexpected<Errno> refuse(std::string_view why) {
  log(LogLevel::Error, "ext2: not mounted: {}", why);
  return fail(Errno::Invalid);
}

/// What has to hold before anything is computed from these numbers.
Result<void> check(const Superblock& super, u64 device_bytes) {
  if (super.revision > 1) return refuse("a revision that is not known");
  if (super.block_size_shift > 2) return refuse("its blocks are larger than 4096 bytes");
  const u32 block_bytes = bytes_of_block(super);
  if (super.first_data_block != (block_bytes == 1024 ? 1 : 0)) return refuse("the first block's number is wrong");
  if (super.blocks <= super.first_data_block + 1 || super.blocks > device_bytes / block_bytes)
    return refuse("it says that it is larger than the device");
  const u32 bits = 8 * block_bytes;
  if (super.blocks_per_group == 0 || super.blocks_per_group > bits || super.inodes_per_group == 0 ||
      super.inodes_per_group > bits)
    return refuse("the sizes of its groups are wrong");
  const u64 groups = (u64{super.blocks} - super.first_data_block + super.blocks_per_group - 1) / super.blocks_per_group;
  if (groups > most_groups || groups * super.inodes_per_group != super.inodes)
    return refuse("the number of inodes does not agree with that of the groups");
  if (super.inode_bytes < smallest_inode_bytes || super.inode_bytes > block_bytes ||
      !std::has_single_bit(super.inode_bytes))
    return refuse("the size of its inodes is wrong");
  if (super.first_inode < first_inode_of_revision_0 || super.first_inode > super.inodes)
    return refuse("the first inode's number is wrong");
  return {};
}

}  // namespace

Volume::Volume(BlockDevice& device, const Superblock& super)
    : device_(device),
      block_bytes_(bytes_of_block(super)),
      super_(super),
      cache_(device, block_bytes_, cache_bytes / block_bytes_) {}

Result<std::unique_ptr<Volume>> Volume::open(BlockDevice& device, Access access) {
  Superblock super;
  if (device.sectors() * sector_bytes < superblock_at + sizeof super) return fail(Errno::Invalid);
  u8 bytes[sizeof super];
  if (const auto done = device.read(superblock_at / sector_bytes, bytes); !done) return fail(done.error());
  std::memcpy(&super, bytes, sizeof super);
  if (super.magic != superblock_magic) return refuse("there is no ext2 on the device");
  if (super.revision == 0) {
    super.first_inode = first_inode_of_revision_0;
    super.inode_bytes = smallest_inode_bytes;
    super.compatible = super.incompatible = super.read_only_compatible = 0;
  }
  if ((super.incompatible & ~incompatible::known) != 0) {
    log(LogLevel::Error, "ext2: not mounted: it needs features that are not here (incompatible {:#x})",
        super.incompatible & ~incompatible::known);
    return fail(Errno::Invalid);
  }
  if (access == Access::ReadWrite && (super.read_only_compatible & ~read_only_compatible::known) != 0) {
    log(LogLevel::Error, "ext2: not mounted for writing: features that are not here (ro_compat {:#x})",
        super.read_only_compatible & ~read_only_compatible::known);
    return fail(Errno::Invalid);
  }
  if (const auto sound = check(super, device.sectors() * sector_bytes); !sound) return fail(sound.error());
  std::unique_ptr<Volume> volume(new Volume(device, super));
  if (const auto done = volume->read_groups(); !done) return fail(done.error());
  volume->state_at_mount_ = super.state;
  if ((super.state & state::valid) == 0 || (super.state & state::error) != 0)
    log_warning("ext2: the disk was not unmounted, or errors were found on it; e2fsck would look");
  if (access == Access::ReadWrite) {
    if (const auto done = volume->set_access(access); !done) return fail(done.error());
  }
  return volume;
}

Result<void> Volume::read_groups() {
  const u32 count = group_of(super_.blocks - 1) + 1;
  const u32 in_block = block_bytes_ / sizeof(GroupDescriptor);
  if (!make_room(groups_, count)) return fail(Errno::NoMemory);
  groups_.resize(count);
  for (u32 i = 0; i < count; i += in_block) {
    const u32 block = super_.first_data_block + 1 + i / in_block;
    if (block >= super_.blocks) return refuse("its group descriptors do not fit on it");
    const auto held = cache_.read(block);
    if (!held) return fail(held.error());
    std::memcpy(&groups_[i], held->bytes().data(), std::min(count - i, in_block) * sizeof(GroupDescriptor));
  }
  for (u32 i = 0; i < count; ++i) {
    const GroupDescriptor& group = groups_[i];
    const u32 begin = group_begin(i);
    const u32 size = blocks_in(i);
    const auto inside = [&](u32 block, u32 blocks) {
      return block >= begin && block - begin < size && blocks <= size - (block - begin);
    };
    if (!inside(group.block_bitmap, 1) || !inside(group.inode_bitmap, 1) || !inside(group.inode_table, table_blocks()))
      return refuse("a group's bitmaps or inodes stand outside of it");
  }
  return {};
}

Result<void> Volume::set_access(Access access) {
  if (access == Access::ReadWrite) {
    if (writable_) return {};
    if (!device_.writable()) return fail(Errno::ReadOnly);
    if ((super_.read_only_compatible & ~read_only_compatible::known) != 0) return fail(Errno::ReadOnly);
    super_.state &= static_cast<u16>(~state::valid);
    ++super_.mounts;
    super_.mounted_at = static_cast<u32>(wall_seconds());
    writable_ = true;
  } else {
    if (!writable_) return {};
    if (const auto done = sync(); !done) return done;  // all else is there before the disk says so
    // As it was found, but for errors that were seen meanwhile.
    super_.state |= state_at_mount_ & state::valid;
  }
  counts_changed_ = true;
  const auto done = sync();
  if (access == Access::ReadOnly) writable_ = false;
  return done;
}

Result<void> Volume::sync() {
  if (!writable_) return {};
  if (counts_changed_) {
    const u32 in_block = block_bytes_ / sizeof(GroupDescriptor);
    for (u32 i = 0; i < groups_.size(); i += in_block) {
      auto held = cache_.read(super_.first_data_block + 1 + i / in_block);
      if (!held) return fail(held.error());
      const std::size_t bytes = std::min<std::size_t>(groups_.size() - i, in_block) * sizeof(GroupDescriptor);
      std::memcpy(held->change().data(), &groups_[i], bytes);
    }
    if (const auto done = write_superblock(); !done) return done;
    counts_changed_ = false;
  }
  return cache_.flush();
}

Result<void> Volume::write_superblock() {
  super_.written_at = static_cast<u32>(wall_seconds());
  auto held = cache_.read(static_cast<u32>(superblock_at / block_bytes_));
  if (!held) return fail(held.error());
  // Revision 0 has no more than the old fields.
  constexpr std::size_t revision_0_bytes = offsetof(Superblock, first_inode);
  std::memcpy(held->change().data() + superblock_at % block_bytes_, &super_,
              super_.revision == 0 ? revision_0_bytes : sizeof super_);
  return {};
}

bool Volume::may_complain() {
  if (writable_ && (super_.state & state::error) == 0) {
    super_.state |= state::error;
    counts_changed_ = true;
  }
  // Not the time for a panic: to write nothing more is what it protects from.
  const auto wish = static_cast<OnError>(super_.on_error);
  if (writable_ && (wish == OnError::ReadOnly || wish == OnError::Panic)) {
    log(LogLevel::Error, "ext2: errors on the disk: it is only read from now on");
    (void)set_access(Access::ReadOnly);
  }
  return ++complaints_ <= most_complaints;
}

u32 Volume::blocks_in(u32 group) const { return std::min(super_.blocks_per_group, super_.blocks - group_begin(group)); }

u32 Volume::table_blocks() const {
  const u32 in_block = block_bytes_ / super_.inode_bytes;
  return (super_.inodes_per_group + in_block - 1) / in_block;
}

bool Volume::is_data_block(u32 block) const {
  if (block <= super_.first_data_block || block >= super_.blocks) return false;
  const u32 number = group_of(block);
  const GroupDescriptor& group = groups_[number];
  const auto descriptor_blocks =
      static_cast<u32>((groups_.size() * sizeof(GroupDescriptor) + block_bytes_ - 1) / block_bytes_);
  if (number == 0 && block <= super_.first_data_block + descriptor_blocks) return false;
  return block != group.block_bitmap && block != group.inode_bitmap &&
         (block < group.inode_table || block - group.inode_table >= table_blocks());
}

u64 Volume::overhead_blocks() const {
  return super_.first_data_block + u64{groups_.size()} * (2 + table_blocks()) + 1 +
         (groups_.size() * sizeof(GroupDescriptor) + block_bytes_ - 1) / block_bytes_;
}

Result<Volume::InodePlace> Volume::place_of(u32 number) {
  if (number == 0 || number > super_.inodes) return corrupt("ext2: inode {} is not there", number);
  const GroupDescriptor& group = groups_[(number - 1) / super_.inodes_per_group];
  const u32 index = (number - 1) % super_.inodes_per_group;
  const u32 in_block = block_bytes_ / super_.inode_bytes;
  return InodePlace{group.inode_table + index / in_block, index % in_block * super_.inode_bytes};
}

Result<Inode> Volume::load(u32 number) {
  const auto place = place_of(number);
  if (!place) return fail(place.error());
  const auto held = cache_.read(place->block);
  if (!held) return fail(held.error());
  Inode inode;
  std::memcpy(&inode, held->bytes().data() + place->offset, sizeof inode);
  return inode;
}

Result<void> Volume::store(const OpenInode& inode, Store how) {
  const auto place = place_of(inode.number);
  if (!place) return fail(place.error());
  auto held = cache_.read(place->block);
  if (!held) return fail(held.error());
  u8* const bytes = held->change().data() + place->offset;
  if (how == Store::New) std::memset(bytes, 0, super_.inode_bytes);
  std::memcpy(bytes, &inode.disk, sizeof inode.disk);
  const bool is_large =
      (inode.disk.mode & 0170000) == 0100000 && (inode.disk.size_high != 0 || inode.disk.size > 0x7FFF'FFFF);
  if (is_large && super_.revision > 0 && (super_.read_only_compatible & read_only_compatible::large_file) == 0) {
    super_.read_only_compatible |= read_only_compatible::large_file;
    counts_changed_ = true;
  }
  return {};
}

}  // namespace pulse::ext2
