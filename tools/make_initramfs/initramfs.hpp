// What stands in the initramfs that Vitrine boots Linux with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/make_initramfs/cpio.hpp"

namespace vitrine::tools {

/// A file to put in, already read.
struct GuestFile {
  std::string path;  ///< in the guest, "etc/passwd"
  std::string contents;
  Permissions permissions{0644};
};

struct InitramfsParts {
  std::string_view busybox;      ///< the program, statically linked
  std::string_view applets;      ///< the paths it answers to, one a line, as `busybox --list-full` prints them
  std::vector<GuestFile> files;  ///< among them "init"; of two with one path the first counts
};

/// The archive: empty mount points, /dev/console and /dev/null (before devtmpfs is mounted the kernel opens the
/// console), the files, busybox in /bin, and a symbolic link to it for each applet whose path no file takes.
[[nodiscard]] std::string make_initramfs(const InitramfsParts& parts);

}  // namespace vitrine::tools
