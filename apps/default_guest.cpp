#include "apps/default_guest.hpp"

#include <fmt/format.h>

#include <array>

#include "host/file.hpp"

namespace vitrine {

std::expected<DefaultGuest, std::string> find_default_guest(const std::string& folder) {
  const std::array<std::string, 2> places = {folder, folder + "/../share/vitrine"};
  for (const std::string& place : places) {
    DefaultGuest guest{.kernel = place + "/pulse.elf", .initrd = place + "/pulse.cpio"};
    if (!file_is_there(guest.kernel)) continue;
    if (file_is_there(guest.initrd)) return guest;
    return std::unexpected(
        fmt::format("no guest is named, so Pulse should run, but its files (a shell) are not at {}: `make run` "
                    "brings them from Debian's busybox-static; or give your own with --initrd, or name a guest",
                    guest.initrd));
  }
  return std::unexpected(fmt::format(
      "no guest is named, so Pulse should run, but it is not at {}/pulse.elf: `make build` makes it; or name a guest, "
      "e.g. vitrine run my-kernel",
      folder));
}

}  // namespace vitrine
