// Debian's Linux as the tests boot it: the kernel, and an initial RAM disk with the witness, modules and more.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace vitrine::tests {

inline const std::filesystem::path guests = VITRINE_GUESTS;
inline const std::string linux_kernel = guests / "linux/vmlinuz";
inline constexpr unsigned linux_patience_seconds = 600;  ///< of a busy host

inline std::string file_of_module(const std::string& module) { return guests / "linux/modules" / (module + ".ko"); }

inline bool linux_is_there(const std::vector<std::string>& modules) {
  const auto exists = [](const std::filesystem::path& path) { return std::filesystem::exists(path); };
  return exists(linux_kernel) && exists(guests / "initramfs.cpio") &&
         std::ranges::all_of(modules, exists, file_of_module);
}

/// The path of a new initial RAM disk: a shell, the witness in /bin, `modules` in /lib/modules; `more` are
/// "there=here".
inline std::string linux_initramfs(const Folder& folder, const std::vector<std::string>& modules,
                                   const std::vector<std::string>& more = {}) {
  const std::string initramfs = folder.path / "initramfs";
  std::vector<std::string> make = {
      VITRINE_MAKE_INITRAMFS,     initramfs, "--busybox",       guests / "busybox", "--applets",
      guests / "busybox.applets", "--tree",  VITRINE_GUEST_TREE};
  const auto add = [&make](const std::string& what) { make.insert(make.end(), {"--add", what}); };
  add(std::string("bin/witness=") + VITRINE_WITNESS);
  for (const std::string& module : modules) add("lib/modules/" + module + ".ko=" + file_of_module(module));
  for (const std::string& each : more) add(each);
  const Result made = run(make);
  EXPECT_EQ(made.status, 0) << made.err;
  return initramfs;
}

}  // namespace vitrine::tests
