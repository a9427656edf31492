// A node of a file system: file, directory, symbolic link, device. Paths lead to nodes, opening one makes a File.
#pragma once

#include <string_view>

#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"
#include "kernel/fs/file.hpp"
#include "kernel/fs/file_system.hpp"

namespace pulse {

/// Type bits of st_mode (Linux, stat(2)).
namespace node_mode {
inline constexpr u32 type = 0170000, fifo = 0010000, character = 0020000, directory = 0040000, block = 0060000,
                     regular = 0100000, link = 0120000, socket = 0140000, permissions = 07777;
}

class Node : public Shared {
 public:
  u64 number = 0;  ///< inode number, unique within its file system
  u32 mode = 0;    ///< type and permissions
  u32 links = 1;
  u32 user = 0, group = 0;
  u32 device = 0;  ///< for device nodes: major << 8 | minor
  u64 size = 0;
  u64 accessed = 0, modified = 0, changed = 0;  ///< seconds since 1970

  /// Names can't be moved to another. Null: nothing can be moved.
  [[nodiscard]] virtual FileSystem* file_system() const { return nullptr; }
  /// Somebody set one of the fields above: mode, owner or a time.
  [[nodiscard]] virtual Result<void> attributes_changed() { return {}; }
  /// How much room its contents take, in units of 512 bytes.
  [[nodiscard]] virtual u64 sectors() const { return (size + 4095) / 4096 * 8; }
  Ref<Shared> pipe;  ///< of a FIFO that is open: fs/pipe.hpp
  [[nodiscard]] bool is(u32 type) const { return (mode & node_mode::type) == type; }

  // Directories. Names have no slash and are neither "." nor "..".
  [[nodiscard]] virtual Result<Ref<Node>> look_up(std::string_view name);
  /// A new file, directory, device or fifo, by `mode`.
  [[nodiscard]] virtual Result<Ref<Node>> make(std::string_view name, u32 mode, u32 device);
  [[nodiscard]] virtual Result<Ref<Node>> make_link(std::string_view name, std::string_view target);
  [[nodiscard]] virtual Result<void> add(std::string_view name, Ref<Node> node);
  enum class Removal : u8 { File, Directory };
  [[nodiscard]] virtual Result<void> remove(std::string_view name, Removal what);
  /// Moves `name` to `new_name` in `target`, a directory of the same file system.
  [[nodiscard]] virtual Result<void> rename(std::string_view name, Node& target, std::string_view new_name);
  struct Entry {
    std::string_view name;
    u64 number;
    u32 mode;
    u64 next = 0;  ///< the cursor behind it; 0: one more
  };
  /// The entry at `cursor` (0, 1, 2...: a place, stable while nothing is removed); NoEntry behind the last one. "." and
  /// ".." are the system call's.
  [[nodiscard]] virtual Result<Entry> entry(u64 cursor);
  /// The directory above; null at a file system's root.
  [[nodiscard]] virtual Ref<Node> parent() { return {}; }

  // Files. write_at and resize are called by who holds `writing`, or is alone with the node.
  Mutex writing;
  [[nodiscard]] virtual Result<std::size_t> read_at(u64 offset, IoBuffer& into);
  [[nodiscard]] virtual Result<std::size_t> write_at(u64 offset, IoBuffer& from);
  [[nodiscard]] virtual Result<void> resize(u64 bytes);
  /// resize(), while nobody writes.
  [[nodiscard]] Result<void> set_size(u64 bytes);
  /// page_at() serves; else mappings show copies.
  [[nodiscard]] virtual bool has_pages() const { return false; }
  /// The physical page that holds the file's bytes from `offset` (a multiple of the page size) on, for a mapping; its
  /// reference is the caller's. The page must not change but by write_at.
  [[nodiscard]] virtual Result<u64> page_at(u64 offset);

  // Symbolic links.
  [[nodiscard]] virtual std::string_view target() const { return {}; }
  /// Where a link of /proc leads, whatever its text says; null: the text is what counts.
  [[nodiscard]] virtual Ref<Node> leads_to() { return {}; }

  /// Opens it. The default serves files with read_at and write_at, and directories.
  [[nodiscard]] virtual Result<Ref<File>> open(u32 flags);
};

}  // namespace pulse
