#include "tools/make_initramfs/initramfs.hpp"

#include <ranges>

namespace vitrine::tools {

std::string make_initramfs(const InitramfsParts& parts) {
  CpioArchive archive;
  for (const std::string_view mount_point : {"dev", "proc", "sys"}) archive.add_directory(mount_point);
  archive.add_directory("root", Permissions{0700});
  archive.add_directory("tmp", Permissions{01777});
  // Numbers: Linux, Documentation/admin-guide/devices.txt.
  archive.add_character_device("dev/console", {.major = 5, .minor = 1}, Permissions{0600});
  archive.add_character_device("dev/null", {.major = 1, .minor = 3}, Permissions{0666});

  for (const GuestFile& file : parts.files) archive.add_file(file.path, file.contents, file.permissions);
  archive.add_file("bin/busybox", parts.busybox, Permissions{0755});
  for (const auto line : std::views::split(parts.applets, '\n')) {
    archive.add_symlink(std::string_view(line), "/bin/busybox");
  }
  return archive.bytes();
}

}  // namespace vitrine::tools
