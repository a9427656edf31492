#include "kernel/fs/ext2/nodes.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "kernel/core/time.hpp"

namespace pulse {

Result<Ref<Node>> mount_ext2(BlockDevice& device, MountAccess access) {
  using namespace ext2;
  if (!device.claim()) return fail(Errno::Busy);
  auto volume =
      Volume::open(device, access == MountAccess::ReadOnly ? Volume::Access::ReadOnly : Volume::Access::ReadWrite);
  if (!volume) {
    device.give_up_claim();
    return fail(volume.error());
  }
  const Ref<Ext2> system(new Ext2(device, std::move(*volume)));
  Result<Ref<Ext2Node>> root = fail(Errno::Invalid);
  const Mutex::Hold hold(system->mutex());
  root = system->node(root_inode);
  if (!root) return fail(root.error());
  if (!(*root)->is(node_mode::directory)) return system->volume().corrupt("ext2: the root is no directory");
  return Ref<Node>(*root);
}

namespace ext2 {

namespace {

constexpr u64 ext2_magic = 0xEF53;  // linux/magic.h

u32 now() { return static_cast<u32>(wall_seconds()); }

u64 size_of(const Inode& inode) {
  const bool is_regular = (inode.mode & node_mode::type) == node_mode::regular;
  return inode.size | (is_regular ? u64{inode.size_high} << 32 : 0);
}

/// Linux's old device numbers have 8 and 8 bits and stand in the first pointer; larger ones are in the second.
u32 device_of(const Inode& inode) { return inode.block[0] != 0 ? inode.block[0] : inode.block[1]; }

}  // namespace

// --- the file system

Ext2::~Ext2() {
  if (!volume_->set_access(Volume::Access::ReadOnly))
    log(LogLevel::Error, "ext2: the last blocks could not be written");
  device_.give_up_claim();
}

FileSystemUse Ext2::use() {
  const Mutex::Hold hold(mutex_);
  const Superblock& super = volume_->superblock();
  return {.magic = ext2_magic,
          .block_bytes = volume_->block_bytes(),
          .blocks = super.blocks - std::min<u64>(super.blocks, volume_->overhead_blocks()),
          .free_blocks = super.free_blocks,
          .available_blocks = super.free_blocks - std::min(super.free_blocks, super.reserved_blocks),
          .files = super.inodes,
          .free_files = super.free_inodes};
}

Result<void> Ext2::sync() {
  const Mutex::Hold hold(mutex_);
  return volume_->sync();
}

Result<void> Ext2::set_read_only(bool wanted) {
  const Mutex::Hold hold(mutex_);
  if (wanted) {
    // What was unlinked while open has yet to be given back.
    for (const Ext2Node* node : live_) {
      for (; node != nullptr; node = node->next_live) {
        if (node->links == 0) return fail(Errno::Busy);
      }
    }
  }
  return volume_->set_access(wanted ? Volume::Access::ReadOnly : Volume::Access::ReadWrite);
}

bool Ext2::is_in_use(const Node& root, u32 owners) const {
  if (root.owners() > owners) return true;
  return std::ranges::any_of(live_, [&](const Ext2Node* node) {
    while (node == &root) node = node->next_live;
    return node != nullptr;
  });
}

Ext2Node* Ext2::live(u32 number) const {
  Ext2Node* node = live_[bucket_of(number)];
  while (node != nullptr && node->number != number) node = node->next_live;
  return node;
}

void Ext2::forget(Ext2Node& node) {
  for (Ext2Node** place = &live_[bucket_of(node.number)]; *place != nullptr; place = &(*place)->next_live) {
    if (*place != &node) continue;
    *place = node.next_live;
    return;
  }
}

Result<Ref<Ext2Node>> Ext2::node(u32 number) {
  if (Ext2Node* const found = live(number)) return Ref<Ext2Node>(found);
  if (number != root_inode && number < volume_->superblock().first_inode)
    return volume_->corrupt("ext2: a name leads to inode {}, which is the file system's own", number);
  const auto inode = volume_->load(number);
  if (!inode) return fail(inode.error());
  if (inode->links == 0) return volume_->corrupt("ext2: a name leads to inode {}, which was deleted", number);
  auto made = make_node({number, *inode});
  if (!made) return made;
  Ext2Node*& first = live_[bucket_of(number)];
  (*made)->next_live = first;
  first = made->get();
  return made;
}

Result<Ref<Ext2Node>> Ext2::make_node(const OpenInode& inode) {
  const u64 size = size_of(inode.disk);
  switch (inode.disk.mode & node_mode::type) {
    case node_mode::regular:
      if (size > volume_->largest_file()) break;
      return Ref<Ext2Node>(new Ext2File(*this, inode));
    case node_mode::directory:
      return Ref<Ext2Node>(new Ext2Directory(*this, inode));
    case node_mode::link: {
      if (size == 0 || size >= volume_->block_bytes()) break;
      const u32 attribute_sectors = inode.disk.attributes != 0 ? volume_->block_bytes() / 512 : 0;
      std::vector<char> text(size);
      if (inode.disk.sectors <= attribute_sectors) {
        if (size >= short_link_bytes) break;
        std::memcpy(text.data(), inode.disk.block, size);
        return Ref<Ext2Node>(new Ext2Link(*this, inode, std::move(text)));
      }
      const auto block = volume_->block_at(inode, 0);
      if (!block) return fail(block.error());
      if (*block == 0) break;
      const auto held = volume_->cache().read(*block);
      if (!held) return fail(held.error());
      std::memcpy(text.data(), held->bytes().data(), size);
      return Ref<Ext2Node>(new Ext2Link(*this, inode, std::move(text)));
    }
    case node_mode::character:
    case node_mode::block:
    case node_mode::fifo:
    case node_mode::socket:
      return Ref<Ext2Node>(new Ext2Node(*this, inode));
    default:
      break;
  }
  return volume_->corrupt("ext2: inode {} is nothing that there is (mode {:#x}, {} bytes)", inode.number,
                          inode.disk.mode, size);
}

// --- what all nodes have

Ext2Node::Ext2Node(Ext2& system, const OpenInode& inode) : system_(&system), inode_(inode) {
  const Inode& disk = inode.disk;
  number = inode.number;
  mode = disk.mode;
  links = disk.links;
  user = disk.user | u32{disk.user_high} << 16;
  group = disk.group | u32{disk.group_high} << 16;
  size = size_of(disk);
  accessed = disk.accessed;
  modified = disk.modified;
  changed = disk.changed;
  if (is(node_mode::character) || is(node_mode::block)) device = device_of(disk);
}

Result<void> Ext2Node::save() {
  if (!volume().writable()) return fail(Errno::ReadOnly);
  Inode& disk = inode_.disk;
  disk.mode = static_cast<u16>(mode);
  disk.links = static_cast<u16>(links);
  disk.user = static_cast<u16>(user);
  disk.user_high = static_cast<u16>(user >> 16);
  disk.group = static_cast<u16>(group);
  disk.group_high = static_cast<u16>(group >> 16);
  disk.size = static_cast<u32>(size);
  if (is(node_mode::regular)) disk.size_high = static_cast<u32>(size >> 32);
  disk.accessed = static_cast<u32>(accessed);
  disk.modified = static_cast<u32>(modified);
  disk.changed = static_cast<u32>(changed);
  return volume().store(inode_);
}

void Ext2Node::touch() { modified = changed = now(); }

Result<void> Ext2Node::attributes_changed() {
  const Hold hold(system_->mutex());
  changed = now();
  return save();
}

void Ext2Node::last_owner_left() {
  // Before the lock: whoever waits meanwhile must not find a node that is about to go. What it says is on the disk
  // already.
  system_->forget(*this);
  if (links > 0 || !volume().writable()) return;
  const Hold hold(system_->mutex());
  (void)give_back();
}

Result<void> Ext2Node::give_back() {
  Volume& disk = volume();
  const u32 attribute_sectors = inode_.disk.attributes != 0 ? disk.block_bytes() / 512 : 0;
  const bool has_blocks = is(node_mode::regular) || is(node_mode::directory) ||
                          (is(node_mode::link) && inode_.disk.sectors > attribute_sectors);
  Result<void> result;
  if (has_blocks) result = disk.cut(inode_, 0);
  if (const auto done = disk.drop_attributes(inode_); !done) result = done;
  size = 0;
  inode_.disk.deleted = now();
  if (const auto done = save(); !done) return done;
  // With blocks that could not be given back, the inode stays for e2fsck to look at.
  if (!result) return result;
  return disk.free_inode(inode_.number, is(node_mode::directory) ? InodeKind::Directory : InodeKind::File);
}

// --- files

Result<void> Ext2File::read_piece(u64 offset, std::span<u8> into) {
  const u32 block_bytes = volume().block_bytes();
  const auto block = volume().block_at(inode_, offset / block_bytes);
  if (!block) return fail(block.error());
  if (*block == 0) {
    std::ranges::fill(into, u8{0});
    return {};
  }
  const auto held = volume().cache().read(*block);
  if (!held) return fail(held.error());
  std::ranges::copy(held->bytes().subspan(offset % block_bytes, into.size()), into.begin());
  return {};
}

Result<std::size_t> Ext2File::read_at(u64 offset, IoBuffer& into) {
  const u32 block_bytes = volume().block_bytes();
  if (into.remaining() == 0 || offset >= size) return 0;
  // Through a buffer of its own: a program's page may have to come from this same disk first.
  const std::unique_ptr<u8[]> piece(new (std::nothrow) u8[block_bytes]);
  if (!piece) return fail(Errno::NoMemory);
  std::size_t moved = 0;
  while (into.remaining() > 0 && offset < size) {
    const std::size_t count = std::min<u64>({into.remaining(), size - offset, block_bytes - offset % block_bytes});
    Result<void> done;
    {
      const Hold hold(system_->mutex());
      done = read_piece(offset, {piece.get(), count});
    }
    if (!done) return moved_or(moved, done.error());
    const std::size_t copied = into.put_some({piece.get(), count});
    moved += copied;
    offset += copied;
    if (copied < count) return moved_or(moved, Errno::BadAddress);
  }
  note_access();
  return moved;
}

/// As "relatime": not each time, but so that one sees whether it was read since it was changed.
void Ext2File::note_access() {
  constexpr u32 day = 24 * 60 * 60;
  if (!volume().writable() || (accessed > modified && accessed > changed && now() - accessed < day)) return;
  if (accessed == now()) return;
  const Hold hold(system_->mutex());
  accessed = now();
  (void)save();
}

Result<void> Ext2File::write_piece(u64 offset, std::span<const u8> from) {
  if (!volume().writable()) return fail(Errno::ReadOnly);
  const u32 block_bytes = volume().block_bytes();
  const auto block = volume().make_block_at(inode_, offset / block_bytes);
  if (!block) {
    (void)volume().cut(inode_, size);  // blocks of pointers that were made on the way
    (void)save();
    return fail(block.error());
  }
  auto held = from.size() == block_bytes ? volume().cache().fresh(*block) : volume().cache().read(*block);
  if (!held) return fail(held.error());
  std::ranges::copy(from, held->change().begin() + static_cast<std::ptrdiff_t>(offset % block_bytes));
  size = std::max(size, offset + from.size());
  touch();
  return save();
}

Result<std::size_t> Ext2File::write_at(u64 offset, IoBuffer& from) {
  const u32 block_bytes = volume().block_bytes();
  if (from.remaining() == 0) return 0;
  const std::unique_ptr<u8[]> piece(new (std::nothrow) u8[block_bytes]);
  if (!piece) return fail(Errno::NoMemory);
  std::size_t moved = 0;
  while (from.remaining() > 0) {
    const u64 most = volume().largest_file();
    if (offset >= most) return moved_or(moved, Errno::FileTooBig);
    const std::size_t count = std::min<u64>({from.remaining(), block_bytes - offset % block_bytes, most - offset});
    const std::size_t copied = from.get_some({piece.get(), count});
    if (copied > 0) {
      const Hold hold(system_->mutex());
      if (const auto done = write_piece(offset, {piece.get(), copied}); !done) {
        from.go_back(copied);
        return moved_or(moved, done.error());
      }
    }
    moved += copied;
    offset += copied;
    if (copied < count) return moved_or(moved, Errno::BadAddress);
  }
  return moved;
}

Result<void> Ext2File::resize(u64 bytes) {
  const Hold hold(system_->mutex());
  if (!volume().writable()) return fail(Errno::ReadOnly);
  if (bytes > volume().largest_file()) return fail(Errno::FileTooBig);
  const auto cut = bytes < size ? volume().cut(inode_, bytes) : Result<void>();
  size = bytes;
  touch();
  const auto saved = save();
  return cut ? saved : cut;
}

}  // namespace ext2
}  // namespace pulse
