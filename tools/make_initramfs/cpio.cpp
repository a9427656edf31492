#include "tools/make_initramfs/cpio.hpp"

#include <array>
#include <cstdio>

namespace vitrine::tools {
namespace {

// The upper bits of a mode: what kind of file it is (POSIX, cpio header, c_mode).
constexpr u32 kind_mask = 0170000;
constexpr u32 directory_kind = 0040000;
constexpr u32 character_device_kind = 0020000;
constexpr u32 regular_kind = 0100000;
constexpr u32 symlink_kind = 0120000;

constexpr std::string_view end_mark = "TRAILER!!!";

void pad_to_word(std::string& bytes) { bytes.resize((bytes.size() + 3) & ~std::size_t{3}); }

void append_field(std::string& bytes, u32 value) {
  std::array<char, 9> digits{};
  std::snprintf(digits.data(), digits.size(), "%08X", value);
  bytes.append(digits.data(), 8);
}

void append_entry(std::string& bytes, u32 inode, u32 mode, std::string_view path, std::string_view contents,
                  DeviceNumber number) {
  const u32 links = (mode & kind_mask) == directory_kind ? 2 : 1;
  const auto size = static_cast<u32>(contents.size());
  const auto path_size = static_cast<u32>(path.size() + 1);
  bytes += "070701";
  append_field(bytes, inode);
  append_field(bytes, mode);
  append_field(bytes, 0);  // user
  append_field(bytes, 0);  // group
  append_field(bytes, links);
  append_field(bytes, 0);  // modification time
  append_field(bytes, size);
  append_field(bytes, 0);  // device that holds the file, major
  append_field(bytes, 0);  // and minor
  append_field(bytes, number.major);
  append_field(bytes, number.minor);
  append_field(bytes, path_size);
  append_field(bytes, 0);  // checksum: only "070702" archives have one
  bytes += path;
  bytes += '\0';
  pad_to_word(bytes);
  bytes += contents;
  pad_to_word(bytes);
}

std::string_view relative(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

}  // namespace

void CpioArchive::add(std::string_view path, u32 mode, std::string_view contents, DeviceNumber number) {
  path = relative(path);
  if (path.empty() || paths_.contains(path)) return;
  if (const auto slash = path.rfind('/'); slash != path.npos) add_directory(path.substr(0, slash));
  paths_.emplace(path);
  append_entry(bytes_, static_cast<u32>(paths_.size()), mode, path, contents, number);
}

void CpioArchive::add_directory(std::string_view path, Permissions permissions) {
  add(path, directory_kind | permissions.value, {});
}

void CpioArchive::add_file(std::string_view path, std::string_view contents, Permissions permissions) {
  add(path, regular_kind | permissions.value, contents);
}

void CpioArchive::add_symlink(std::string_view path, std::string_view target) {
  add(path, symlink_kind | 0777, target);
}

void CpioArchive::add_character_device(std::string_view path, DeviceNumber number, Permissions permissions) {
  add(path, character_device_kind | permissions.value, {}, number);
}

std::string CpioArchive::bytes() const {
  std::string result = bytes_;
  append_entry(result, 0, 0, end_mark, {}, {});
  return result;
}

}  // namespace vitrine::tools
