// ext2 as a file system of the kernel: revision 0 and 1, blocks of 1024 to 4096 bytes, read and write.
//
// Not there: extended attributes (they are kept, and given back with their file), quotas, preallocation, a page cache:
// a shared mapping of its files that can be written is refused.
#pragma once

#include "kernel/fs/block_device.hpp"
#include "kernel/fs/file_system.hpp"
#include "kernel/fs/node.hpp"

namespace pulse {

enum class MountAccess : u8 { ReadOnly, ReadWrite };

/// The root directory; its file_system() is the new file system, which writes what is left when the last node of it is
/// gone. `device` outlives it. Invalid: no ext2 that can be mounted so; InputOutput; ReadOnly; Busy: it is mounted.
[[nodiscard]] Result<Ref<Node>> mount_ext2(BlockDevice& device, MountAccess access);

}  // namespace pulse
