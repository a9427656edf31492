// Directories: files of entries, searched one after the other. One with a hash tree reads the same, since the tree's
// blocks look like gaps; the first change makes it a plain one again.
#include <algorithm>
#include <cstring>

#include "kernel/fs/ext2/volume.hpp"
#include "kernel/fs/node.hpp"

namespace pulse::ext2 {

namespace {

DirectoryEntry entry_at(std::span<const u8> bytes, u32 offset) {
  DirectoryEntry entry;
  std::memcpy(&entry, bytes.data() + offset, sizeof entry);
  return entry;
}

constexpr u32 types[] = {0,
                         node_mode::regular,
                         node_mode::directory,
                         node_mode::character,
                         node_mode::block,
                         node_mode::fifo,
                         node_mode::socket,
                         node_mode::link};

}  // namespace

u8 Volume::entry_type(u32 mode) const {
  if ((super_.incompatible & incompatible::file_type) == 0) return 0;
  const auto* const found = std::ranges::find(types, mode & node_mode::type);
  return found == std::end(types) ? 0 : static_cast<u8>(found - types);
}

u32 Volume::name_length(const DirectoryEntry& entry) const {
  // Without the feature the type's byte is the upper one of the length.
  const bool has_type = (super_.incompatible & incompatible::file_type) != 0;
  return entry.name_length | (has_type ? 0U : u32{entry.type} << 8);
}

template <class Visit>
Result<bool> Volume::visit_block(std::span<const u8> bytes, u32 directory, Visit visit) {
  u32 previous = 0;
  for (u32 offset = 0; offset < bytes.size();) {
    if (bytes.size() - offset < entry_header_bytes) return corrupt("ext2: directory {} ends in an entry", directory);
    const DirectoryEntry entry = entry_at(bytes, offset);
    const u32 length = name_length(entry);
    if (entry.length < entry_header_bytes || entry.length % 4 != 0 || entry.length > bytes.size() - offset ||
        (entry.inode != 0 && (length == 0 || entry_bytes(length) > entry.length || length > most_name_bytes)) ||
        entry.inode > super_.inodes) {
      return corrupt("ext2: directory {} has a damaged entry", directory);
    }
    const std::string_view name(reinterpret_cast<const char*>(bytes.data()) + offset + entry_header_bytes,
                                entry.inode != 0 ? length : 0);
    if (visit(entry, name, offset, previous)) return true;
    previous = offset;
    offset += entry.length;
  }
  return false;
}

Result<u64> Volume::directory_blocks(const OpenInode& directory) {
  const u32 bytes = directory.disk.size;
  if (bytes % block_bytes_ != 0 || bytes / block_bytes_ > super_.blocks)
    return corrupt("ext2: directory {} has {} bytes", directory.number, bytes);
  return bytes / block_bytes_;
}

Result<BlockCache::Held> Volume::directory_block(const OpenInode& directory, u64 index) {
  const auto block = block_at(directory, index);
  if (!block) return fail(block.error());
  if (*block == 0) return corrupt("ext2: directory {} has a hole", directory.number);
  return cache_.read(*block);
}

Result<FoundEntry> Volume::find(const OpenInode& directory, std::string_view name) {
  const auto blocks = directory_blocks(directory);
  if (!blocks) return fail(blocks.error());
  for (u64 index = 0; index < *blocks; ++index) {
    const auto held = directory_block(directory, index);
    if (!held) return fail(held.error());
    FoundEntry result{};
    const auto found = visit_block(held->bytes(), directory.number,
                                   [&](const DirectoryEntry& entry, std::string_view text, u32 offset, u32 previous) {
                                     if (entry.inode == 0 || text != name) return false;
                                     result = {entry.inode, index, offset, previous};
                                     return true;
                                   });
    if (!found) return fail(found.error());
    if (*found) return result;
  }
  return fail(Errno::NoEntry);
}

void Volume::put_entry(std::span<u8> bytes, u32 offset, u32 length, std::string_view name, u32 inode, u32 mode) const {
  const DirectoryEntry entry{inode, static_cast<u16>(length), static_cast<u8>(name.size()), entry_type(mode)};
  std::memcpy(bytes.data() + offset, &entry, sizeof entry);
  std::memcpy(bytes.data() + offset + entry_header_bytes, name.data(), name.size());
}

Result<void> Volume::add_entry(OpenInode& directory, std::string_view name, u32 inode, u32 mode) {
  const u32 wanted = entry_bytes(name.size());
  const auto blocks = directory_blocks(directory);
  if (!blocks) return fail(blocks.error());
  directory.disk.flags &= ~inode_flag::indexed;
  for (u64 index = 0; index < *blocks; ++index) {
    auto held = directory_block(directory, index);
    if (!held) return fail(held.error());
    u32 place = 0;
    u32 used = 0;
    u32 length = 0;
    const auto found = visit_block(held->bytes(), directory.number,
                                   [&](const DirectoryEntry& entry, std::string_view text, u32 offset, u32) {
                                     place = offset;
                                     length = entry.length;
                                     used = entry.inode == 0 ? 0 : entry_bytes(text.size());
                                     return length - used >= wanted;
                                   });
    if (!found) return fail(found.error());
    if (!*found) continue;
    const std::span<u8> bytes = held->change();
    if (used != 0) {
      DirectoryEntry before = entry_at(bytes, place);
      before.length = static_cast<u16>(used);
      std::memcpy(bytes.data() + place, &before, sizeof before);
    }
    put_entry(bytes, place + used, length - used, name, inode, mode);
    return {};
  }
  if (u64{directory.disk.size} + block_bytes_ > 0x7FFF'FFFF) return fail(Errno::NoSpace);
  const auto block = make_block_at(directory, *blocks);
  if (!block) {
    (void)cut(directory, directory.disk.size);  // blocks of pointers that were made on the way
    return fail(block.error());
  }
  auto held = cache_.read(*block);
  if (!held) return fail(held.error());
  put_entry(held->change(), 0, block_bytes_, name, inode, mode);
  directory.disk.size += block_bytes_;
  return {};
}

Result<void> Volume::remove_entry(OpenInode& directory, const FoundEntry& found) {
  auto held = directory_block(directory, found.block_index);
  if (!held) return fail(held.error());
  directory.disk.flags &= ~inode_flag::indexed;
  const std::span<u8> bytes = held->change();
  DirectoryEntry gone = entry_at(bytes, found.offset);
  if (found.previous == found.offset || found.offset == 0) {
    gone.inode = 0;
    std::memcpy(bytes.data() + found.offset, &gone, sizeof gone);
    return {};
  }
  DirectoryEntry before = entry_at(bytes, found.previous);
  before.length = static_cast<u16>(before.length + gone.length);
  std::memcpy(bytes.data() + found.previous, &before, sizeof before);
  return {};
}

Result<void> Volume::redirect_entry(OpenInode& directory, const FoundEntry& found, u32 inode, u32 mode) {
  auto held = directory_block(directory, found.block_index);
  if (!held) return fail(held.error());
  directory.disk.flags &= ~inode_flag::indexed;
  const std::span<u8> bytes = held->change();
  DirectoryEntry entry = entry_at(bytes, found.offset);
  entry.inode = inode;
  if ((super_.incompatible & incompatible::file_type) != 0) entry.type = entry_type(mode);
  std::memcpy(bytes.data() + found.offset, &entry, sizeof entry);
  return {};
}

Result<void> Volume::start_directory(OpenInode& directory, u32 parent) {
  const auto block = make_block_at(directory, 0);
  if (!block) return fail(block.error());
  auto held = cache_.read(*block);
  if (!held) return fail(held.error());
  const u32 first = entry_bytes(1);
  put_entry(held->change(), 0, first, ".", directory.number, node_mode::directory);
  put_entry(held->change(), first, block_bytes_ - first, "..", parent, node_mode::directory);
  directory.disk.size = block_bytes_;
  return {};
}

Result<bool> Volume::is_empty(const OpenInode& directory) {
  const auto blocks = directory_blocks(directory);
  if (!blocks) return fail(blocks.error());
  for (u64 index = 0; index < *blocks; ++index) {
    const auto held = directory_block(directory, index);
    if (!held) return fail(held.error());
    const auto found =
        visit_block(held->bytes(), directory.number, [](const DirectoryEntry& entry, std::string_view name, u32, u32) {
          return entry.inode != 0 && name != "." && name != "..";
        });
    if (!found) return fail(found.error());
    if (*found) return false;
  }
  return true;
}

Result<Volume::ListedEntry> Volume::list(const OpenInode& directory, u64 cursor,
                                         std::span<char, most_name_bytes> into) {
  const auto blocks = directory_blocks(directory);
  if (!blocks) return fail(blocks.error());
  for (u64 index = cursor / block_bytes_; index < *blocks; ++index) {
    const auto held = directory_block(directory, index);
    if (!held) return fail(held.error());
    ListedEntry result{};
    const auto found = visit_block(
        held->bytes(), directory.number, [&](const DirectoryEntry& entry, std::string_view name, u32 offset, u32) {
          const u64 at = index * block_bytes_ + offset;
          if (at < cursor || entry.inode == 0 || name == "." || name == "..") return false;
          std::ranges::copy(name, into.begin());
          const bool has_type = (super_.incompatible & incompatible::file_type) != 0;
          result = {entry.inode, has_type && entry.type < std::size(types) ? types[entry.type] : 0, at + entry.length,
                    static_cast<u32>(name.size())};
          return true;
        });
    if (!found) return fail(found.error());
    if (*found) return result;
  }
  return fail(Errno::NoEntry);
}

}  // namespace pulse::ext2
