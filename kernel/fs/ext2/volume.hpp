// The disk side of ext2: superblock, groups, bitmaps, inodes, the blocks of a file, entries of directories. It knows
// nothing of Node, and takes nothing on the disk for granted: what can't be is logged, the superblock says that there
// were errors, and the call fails with InputOutput. Not for several threads at a time.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "kernel/core/log.hpp"
#include "kernel/fs/block_cache.hpp"
#include "kernel/fs/ext2/layout.hpp"

namespace pulse::ext2 {

struct OpenInode {
  u32 number = 0;
  Inode disk{};
  u32 goal = 0;  ///< where its next block would stand well; 0: nothing is known
};

enum class InodeKind : u8 { File, Directory };

/// Where an entry of a directory was found.
struct FoundEntry {
  u32 inode;
  u64 block_index;  ///< of the directory
  u32 offset;       ///< in the block
  u32 previous;     ///< offset of the entry before it in this block; its own if it is the first
};

class Volume {
 public:
  enum class Access : u8 { ReadOnly, ReadWrite };
  /// Invalid: it is no ext2 that we can mount so (the log says why). ReadOnly: the device can't be written.
  [[nodiscard]] static Result<std::unique_ptr<Volume>> open(BlockDevice& device, Access access);

  [[nodiscard]] bool writable() const { return writable_; }
  [[nodiscard]] u32 block_bytes() const { return block_bytes_; }
  [[nodiscard]] const Superblock& superblock() const { return super_; }
  [[nodiscard]] u64 largest_file() const;
  /// Blocks that the file system itself needs.
  [[nodiscard]] u64 overhead_blocks() const;
  [[nodiscard]] Result<void> sync();
  /// Begins or ends to write: while it does, the disk says that it was not unmounted.
  [[nodiscard]] Result<void> set_access(Access access);
  [[nodiscard]] BlockCache& cache() { return cache_; }

  // Inodes. Numbers from 1 on.
  [[nodiscard]] Result<Inode> load(u32 number);
  enum class Store : u8 { Update, New };
  [[nodiscard]] Result<void> store(const OpenInode& inode, Store how = Store::Update);
  [[nodiscard]] Result<u32> allocate_inode(u32 near, InodeKind kind);
  [[nodiscard]] Result<void> free_inode(u32 number, InodeKind kind);
  /// Its extended attributes go, if nobody else has the same.
  [[nodiscard]] Result<void> drop_attributes(OpenInode& inode);

  // Blocks of a file. Who changes an inode here stores it.
  /// 0: a hole.
  [[nodiscard]] Result<u32> block_at(const OpenInode& inode, u64 index);
  /// A hole becomes a block of zeros. NoSpace, FileTooBig.
  [[nodiscard]] Result<u32> make_block_at(OpenInode& inode, u64 index);
  /// Gives back the blocks behind `bytes`, and zeroes what follows in the last one. The size is the caller's.
  [[nodiscard]] Result<void> cut(OpenInode& inode, u64 bytes);

  // Directories.
  [[nodiscard]] Result<FoundEntry> find(const OpenInode& directory, std::string_view name);
  [[nodiscard]] Result<void> add_entry(OpenInode& directory, std::string_view name, u32 inode, u32 mode);
  [[nodiscard]] Result<void> remove_entry(OpenInode& directory, const FoundEntry& entry);
  [[nodiscard]] Result<void> redirect_entry(OpenInode& directory, const FoundEntry& entry, u32 inode, u32 mode);
  /// The first block of a new directory, with "." and "..".
  [[nodiscard]] Result<void> start_directory(OpenInode& directory, u32 parent);
  [[nodiscard]] Result<bool> is_empty(const OpenInode& directory);
  struct ListedEntry {
    u32 inode, mode;  ///< mode: the type, 0 if the disk does not say
    u64 next;         ///< the cursor behind it
    u32 name_length;
  };
  /// The first entry at or behind byte `cursor`, its name into `name`. NoEntry behind the last.
  [[nodiscard]] Result<ListedEntry> list(const OpenInode& directory, u64 cursor, std::span<char, most_name_bytes> name);

  /// Something on the disk can't be.
  template <class... Arguments>
  [[nodiscard]] std::unexpected<Errno> corrupt(std::string_view text, const Arguments&... arguments) {
    if (may_complain()) log(LogLevel::Error, text, arguments...);
    return fail(Errno::InputOutput);
  }

 private:
  Volume(BlockDevice& device, const Superblock& super);
  [[nodiscard]] Result<void> read_groups();
  [[nodiscard]] bool may_complain();
  [[nodiscard]] Result<void> write_superblock();

  [[nodiscard]] u32 group_begin(u32 group) const { return super_.first_data_block + group * super_.blocks_per_group; }
  [[nodiscard]] u32 blocks_in(u32 group) const;
  [[nodiscard]] u32 group_of(u32 block) const { return (block - super_.first_data_block) / super_.blocks_per_group; }
  [[nodiscard]] u32 table_blocks() const;
  /// A file may own it: it is there, and not a bitmap, an inode table or the superblock's.
  [[nodiscard]] bool is_data_block(u32 block) const;

  [[nodiscard]] Result<u32> allocate_block(u32 goal);
  [[nodiscard]] Result<void> free_block(u32 block);
  [[nodiscard]] u32 goal_of(const OpenInode& inode) const;
  [[nodiscard]] u32 group_for_inode(u32 near, InodeKind kind) const;
  [[nodiscard]] Result<void> cut_tree(OpenInode& inode, u32& pointer, u32 level, u64 first, u64 keep);
  void count_sectors(OpenInode& inode, i64 blocks) const;

  struct InodePlace {
    u32 block, offset;
  };
  [[nodiscard]] Result<InodePlace> place_of(u32 number);

  /// Calls `visit(entry, name, offset, previous)` for each entry of a block, gaps too, until it says true. False: none
  /// did.
  template <class Visit>
  [[nodiscard]] Result<bool> visit_block(std::span<const u8> bytes, u32 directory, Visit visit);
  [[nodiscard]] Result<BlockCache::Held> directory_block(const OpenInode& directory, u64 index);
  [[nodiscard]] Result<u64> directory_blocks(const OpenInode& directory);
  [[nodiscard]] u8 entry_type(u32 mode) const;
  [[nodiscard]] u32 name_length(const DirectoryEntry& entry) const;
  void put_entry(std::span<u8> bytes, u32 offset, u32 length, std::string_view name, u32 inode, u32 mode) const;

  BlockDevice& device_;
  u32 block_bytes_;
  Superblock super_;
  BlockCache cache_;
  std::vector<GroupDescriptor> groups_;
  bool writable_ = false, counts_changed_ = false;
  u16 state_at_mount_ = 0;
  u32 complaints_ = 0;
};

/// What a file system of this many bytes per block can keep in the cache.
inline constexpr u32 cache_bytes = u32{2} << 20;

}  // namespace pulse::ext2
