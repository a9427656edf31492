// Disks with ext2 for tests on the host, made and judged by e2fsprogs: mkfs.ext2, e2fsck, debugfs.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "kernel/core/types.hpp"

namespace pulse::tests {

struct Told {
  int status = -1;
  std::string text;
};
/// Runs a command of the shell; its exit status and all that it said.
inline Told shell(const std::string& command) {
  Told told;
  FILE* const pipe = ::popen(("PATH=$PATH:/sbin:/usr/sbin; { " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return told;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) told.text.append(buffer, count);
  const int status = ::pclose(pipe);
  told.status = (status & 0x7F) == 0 ? status >> 8 : -1;
  return told;
}

inline bool has_e2fsprogs() {
  return shell("command -v mkfs.ext2 && command -v e2fsck && command -v debugfs").status == 0;
}

/// A folder that goes with all that is in it.
class Workshop {
 public:
  Workshop() {
    std::string name = (std::filesystem::temp_directory_path() / "pulse-ext2-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Workshop() { std::filesystem::remove_all(path_); }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

  /// A new file system of so many KiB; the same options give the same bytes.
  [[nodiscard]] std::vector<u8> make(const std::string& options, unsigned kibibytes) const {
    const std::string file = path("disk");
    std::filesystem::remove(file);
    const Told told = shell(
        "mkfs.ext2 -q -F -U 01234567-89ab-cdef-0123-456789abcdef "
        "-E hash_seed=01234567-89ab-cdef-0123-456789abcdef " +
        options + " " + file + " " + std::to_string(kibibytes) + "K");
    return told.status == 0 ? load("disk") : std::vector<u8>{};
  }
  [[nodiscard]] std::vector<u8> load(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string store(const std::string& name, const std::vector<u8>& bytes) const {
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }
  /// What e2fsck has against a disk; empty: nothing.
  [[nodiscard]] std::string complaints(const std::vector<u8>& disk) const {
    const Told told = shell("e2fsck -fn " + store("judged", disk));
    return told.status == 0 ? "" : told.text;
  }
  /// What debugfs answers to a request.
  [[nodiscard]] std::string ask(const std::vector<u8>& disk, const std::string& request) const {
    return shell("debugfs -R '" + request + "' " + store("asked", disk) + " 2>/dev/null").text;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace pulse::tests
