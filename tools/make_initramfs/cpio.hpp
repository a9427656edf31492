// Writes the archive that Linux unpacks as its first root file system: "newc" cpio, not compressed.
// Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace vitrine::tools {

/// Permission bits, e.g. 0755.
using Permissions = Quantity<struct PermissionsTag, u16>;

struct DeviceNumber {
  u32 major = 0;
  u32 minor = 0;
};

/// Entries in the order in which they were added; a directory is added by itself before the first entry inside it.
/// All belong to root and have time 0: the same calls give the same bytes. Paths are relative to the root, "bin/sh";
/// leading slashes are dropped. Adding a path twice keeps the first, so that a caller may override what comes later.
class CpioArchive {
 public:
  void add_directory(std::string_view path, Permissions permissions = Permissions{0755});
  void add_file(std::string_view path, std::string_view contents, Permissions permissions);
  void add_symlink(std::string_view path, std::string_view target);
  void add_character_device(std::string_view path, DeviceNumber number, Permissions permissions);

  /// The whole archive, with its end mark.
  [[nodiscard]] std::string bytes() const;

 private:
  void add(std::string_view path, u32 mode, std::string_view contents, DeviceNumber number = {});

  std::string bytes_;
  std::set<std::string, std::less<>> paths_;
};

}  // namespace vitrine::tools
