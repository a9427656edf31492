// A file system in memory: the root, unpacked from the initramfs, and /tmp.
#pragma once

#include <string_view>

#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"
#include "kernel/fs/node.hpp"

namespace pulse {

/// Where tmpfs gets the pages of its files.
class FilePages {
 public:
  /// A zeroed page, by a number of the source's own (the kernel's: its physical address).
  virtual Result<u64> take() = 0;
  virtual void share(u64 page) = 0;
  virtual void release(u64 page) = 0;
  [[nodiscard]] virtual u8* bytes(u64 page) = 0;

 protected:
  ~FilePages() = default;
};

/// An empty file system; its root directory. `pages` outlives all nodes.
[[nodiscard]] Ref<Node> make_tmpfs(FilePages& pages);

/// A file that stands in no directory, for memory that processes share.
[[nodiscard]] Ref<Node> make_unnamed_file(FilePages& pages);

/// Unpacks a cpio archive ("newc", Linux's initramfs format) into `root`. Stops at the first thing that is wrong, which
/// is Invalid; several archives in a row and padding between them are all right.
[[nodiscard]] Result<void> unpack_cpio(Node& root, std::span<const u8> archive);

}  // namespace pulse
