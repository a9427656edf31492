// Any bytes may stand on a disk: Pulse mounts it, reads and changes what it finds, and that ends, without a byte beside
// what it is given. The input is laid over a small sound file system, piece by piece: where, how much, what.
#include <cstring>

#include "kernel/core/assert.hpp"
#include "kernel/fs/ext2/layout.hpp"
#include "kernel/host/ext2_exercise.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace {

using namespace pulse;
using vitrine::InputBytes;

constexpr u32 block_bytes = 1024, blocks = 160, inodes = 32;
enum Block : u32 { superblock = 1, groups, block_bitmap, inode_bitmap, inode_table, root = 9, end_of_metadata };

template <class T>
void put(std::vector<u8>& image, std::size_t at, const T& value) {
  std::memcpy(&image[at], &value, sizeof value);
}

/// Nothing in it but the root directory.
std::vector<u8> empty_disk() {
  using namespace ext2;
  std::vector<u8> image(blocks * block_bytes);
  Superblock super{};
  super.inodes = inodes;
  super.blocks = blocks;
  super.free_blocks = blocks - end_of_metadata;
  super.free_inodes = inodes - (first_inode_of_revision_0 - 1);
  super.first_data_block = 1;
  super.blocks_per_group = super.fragments_per_group = 8192;
  super.inodes_per_group = inodes;
  super.magic = superblock_magic;
  super.state = state::valid;
  super.on_error = static_cast<u16>(OnError::GoOn);
  super.revision = 1;
  super.first_inode = first_inode_of_revision_0;
  super.inode_bytes = smallest_inode_bytes;
  super.incompatible = incompatible::file_type;
  put(image, superblock_at, super);
  put(image, groups * block_bytes,
      GroupDescriptor{block_bitmap,
                      inode_bitmap,
                      inode_table,
                      static_cast<u16>(super.free_blocks),
                      static_cast<u16>(super.free_inodes),
                      1,
                      {}});
  // Bit 0 is block 1.
  for (u32 block = 1; block < end_of_metadata; ++block) {
    image[block_bitmap * block_bytes + (block - 1) / 8] |= static_cast<u8>(1U << (block - 1) % 8);
  }
  put(image, inode_bitmap * block_bytes, u16{0x3FF});
  Inode directory{};
  directory.mode = static_cast<u16>(tests::directory_mode);
  directory.size = block_bytes;
  directory.links = 2;
  directory.sectors = block_bytes / 512;
  directory.block[0] = root;
  put(image, inode_table * block_bytes + (root_inode - 1) * sizeof directory, directory);
  put(image, root * block_bytes, DirectoryEntry{root_inode, 12, 1, 2});
  image[root * block_bytes + 8] = '.';
  put(image, root * block_bytes + 12, DirectoryEntry{root_inode, block_bytes - 12, 2, 2});
  image[root * block_bytes + 20] = image[root * block_bytes + 21] = '.';
  return image;
}

std::vector<u8> sound_disk() {
  RamDisk disk(empty_disk());
  {
    const auto mounted = mount_ext2(disk, MountAccess::ReadWrite);
    PULSE_ASSERT(mounted);
    std::string text(30000, 't');
    KernelBuffer bytes(text.data(), text.size());
    PULSE_ASSERT((*(*mounted)->make("file", tests::file_mode, 0))->write_at(0, bytes));
    const auto directory = (*mounted)->make("directory", tests::directory_mode, 0);
    PULSE_ASSERT(directory && (*directory)->make("inside", tests::directory_mode, 0));
    PULSE_ASSERT((*mounted)->make_link("short", "directory/inside"));
    PULSE_ASSERT((*mounted)->make_link("long", std::string(100, 'l')));
  }
  return disk.image();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<u8> sound = sound_disk();
  std::vector<u8> image = sound;
  InputBytes input({data, size});
  constexpr int most_pieces = 12;  // of more, hardly any would be mounted
  for (int piece = 0; piece < most_pieces && !input.empty(); ++piece) {
    // Most of what matters stands in the first blocks.
    const u64 where = input.take(2);
    const std::size_t at =
        (where & 1) != 0 ? ext2::superblock_at + where / 2 % (end_of_metadata * block_bytes) : where * 2;
    for (u64 count = input.take(1) % 8 + 1, i = 0; i < count && at + i < image.size(); ++i) {
      image[at + i] = static_cast<u8>(input.take(1));
    }
  }
  tests::exercise(std::move(image));
  return 0;
}
