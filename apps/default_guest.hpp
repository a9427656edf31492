// The guest of `vitrine run` that names none: Pulse, with busybox as its shell.
#pragma once

#include <expected>
#include <string>

namespace vitrine {

struct DefaultGuest {
  std::string kernel, initrd;
};

/// Where they are: beside the program (a build folder) or in share/vitrine of where it is installed. Else what is
/// missing, and what to do, for people. `folder` is the program's.
[[nodiscard]] std::expected<DefaultGuest, std::string> find_default_guest(const std::string& folder);

}  // namespace vitrine
