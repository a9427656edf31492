// What stands on a disk with ext2, little-endian: "The Second Extended File System" (D. Poirier), and Linux's fs/ext2.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse::ext2 {

inline constexpr u64 superblock_at = 1024;  ///< bytes from the start of the disk, whatever the size of a block
inline constexpr u16 superblock_magic = 0xEF53;
inline constexpr u32 root_inode = 2, first_inode_of_revision_0 = 11;
inline constexpr u32 smallest_inode_bytes = 128;
inline constexpr u16 most_links = 32000;  ///< EXT2_LINK_MAX
inline constexpr u32 most_name_bytes = 255;

/// s_state.
namespace state {
inline constexpr u16 valid = 1, error = 2;
}
/// s_errors: what to do when something is found to be wrong.
enum class OnError : u16 { GoOn = 1, ReadOnly = 2, Panic = 3 };
/// Features; who doesn't know an incompatible one must not mount, a read-only compatible one must not write.
namespace incompatible {
inline constexpr u32 file_type = 0x2, needs_recovery = 0x4, known = file_type;
}
namespace read_only_compatible {
inline constexpr u32 sparse_super = 0x1, large_file = 0x2, known = sparse_super | large_file;
}

struct Superblock {
  u32 inodes, blocks, reserved_blocks, free_blocks, free_inodes;
  u32 first_data_block;  ///< 1 where a block is 1024 bytes, else 0
  u32 block_size_shift;  ///< a block has 1024 << this bytes
  u32 fragment_size_shift;
  u32 blocks_per_group, fragments_per_group, inodes_per_group;
  u32 mounted_at, written_at;  ///< seconds since 1970
  u16 mounts, most_mounts;
  u16 magic, state, on_error, minor_revision;
  u32 checked_at, check_interval, creator, revision;
  u16 reserved_user, reserved_group;
  // From revision 1 on.
  u32 first_inode;
  u16 inode_bytes, group;
  u32 compatible, incompatible, read_only_compatible;
  u8 uuid[16];
  char label[16], last_mounted[64];
  u8 others[824];
};
static_assert(sizeof(Superblock) == 1024);

struct GroupDescriptor {
  u32 block_bitmap, inode_bitmap, inode_table;  ///< their blocks
  u16 free_blocks, free_inodes, directories;
  u16 unused[7];
};
static_assert(sizeof(GroupDescriptor) == 32);

inline constexpr u32 direct_blocks = 12, levels = 3;
inline constexpr u32 block_pointers = direct_blocks + levels;

struct Inode {
  u16 mode, user;
  u32 size;
  u32 accessed, changed, modified, deleted;  ///< seconds since 1970
  u16 group, links;
  u32 sectors;  ///< of 512 bytes, those of pointers to blocks too
  u32 flags, system_1;
  u32 block[block_pointers];  ///< 12 of data, then single, double and triple indirect; or a short link's text
  u32 generation;
  u32 attributes;  ///< block of extended attributes
  u32 size_high;   ///< regular files only
  u32 fragment;
  u16 system_2[2];
  u16 user_high, group_high;
  u32 system_3;
};
static_assert(sizeof(Inode) == smallest_inode_bytes);
inline constexpr u32 short_link_bytes = sizeof(Inode::block);

namespace inode_flag {
inline constexpr u32 immutable = 0x10, append_only = 0x20;
inline constexpr u32 indexed = 0x1000;  ///< a directory with a hash tree, which reads as a plain one
}  // namespace inode_flag

/// The name follows; entries fill a block to its end. Inode 0: a gap.
struct DirectoryEntry {
  u32 inode;
  u16 length;  ///< to the next entry: a multiple of 4
  u8 name_length;
  u8 type;  ///< with the feature file_type; else 0
};
inline constexpr u32 entry_header_bytes = sizeof(DirectoryEntry);
static_assert(entry_header_bytes == 8);
[[nodiscard]] constexpr u32 entry_bytes(std::size_t name_length) {
  return (entry_header_bytes + static_cast<u32>(name_length) + 3) & ~u32{3};
}

/// A block of extended attributes begins so; several inodes may have the same one.
struct AttributeHeader {
  u32 magic, references, blocks;
};
inline constexpr u32 attribute_magic = 0xEA020000;

}  // namespace pulse::ext2
