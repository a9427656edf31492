// A disk that mkfs.ext2 made, mounted, and what e2fsck says of it in the end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/ram_disk.hpp"
#include "kernel/host/ext2_images.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse::tests {

inline std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string text(size, 0);
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251 + seed) % 26);
  return text;
}

inline Result<std::size_t> write(Node& node, std::string text, u64 offset = 0) {
  KernelBuffer bytes(text.data(), text.size());
  return node.write_at(offset, bytes);
}

inline std::string read(Node& node, std::size_t most = std::size_t{64} << 20, u64 offset = 0) {
  std::string text(std::min<u64>(most, node.size - std::min(node.size, offset)), 0);
  KernelBuffer bytes(text.data(), text.size());
  const auto count = node.read_at(offset, bytes);
  if (!count) return "error " + std::to_string(static_cast<int>(count.error()));
  text.resize(*count);
  return text;
}

inline std::vector<std::string> names(Node& directory) {
  std::vector<std::string> found;
  for (u64 cursor = 0;;) {
    const auto entry = directory.entry(cursor);
    if (!entry) break;
    found.emplace_back(entry->name);
    cursor = entry->next;
  }
  std::ranges::sort(found);
  return found;
}

inline constexpr u32 file_mode = node_mode::regular | 0644, directory_mode = node_mode::directory | 0755;

struct Ext2Test : testing::TestWithParam<const char*> {
  void SetUp() override {
    if (!has_e2fsprogs()) GTEST_SKIP() << "e2fsprogs is not installed";
  }
  void use(std::vector<u8> image) {
    ASSERT_FALSE(image.empty()) << "mkfs.ext2 failed";
    disk = std::make_unique<RamDisk>(std::move(image));
    mount();
  }
  void mount(MountAccess access = MountAccess::ReadWrite) {
    const auto mounted = mount_ext2(*disk, access);
    ASSERT_TRUE(mounted) << static_cast<int>(mounted.error());
    root = *mounted;
  }
  void unmount() { root = {}; }
  Ref<Node> make(std::string_view name, u32 mode = file_mode, u32 device = 0) {
    const auto made = root->make(name, mode, device);
    EXPECT_TRUE(made) << name << ": " << static_cast<int>(made.error());
    return made ? *made : Ref<Node>();
  }
  Ref<Node> get(std::string_view path) {
    Ref<Node> node = root;
    while (node && !path.empty()) {
      const std::size_t end = std::min(path.find('/'), path.size());
      const auto next = node->look_up(path.substr(0, end));
      node = next ? *next : Ref<Node>();
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    return node;
  }
  /// What e2fsck says after an unmount. Nodes that a test still has can't write any more.
  std::string judge() {
    EXPECT_TRUE(root->file_system()->set_read_only(true));
    unmount();
    old_disks.push_back(std::move(disk));
    disk = std::make_unique<RamDisk>(old_disks.back()->image());
    return shop.complaints(disk->image());
  }

  Workshop shop;
  std::vector<std::unique_ptr<RamDisk>> old_disks;  // nodes that a test still has refer to them
  std::unique_ptr<RamDisk> disk;
  Ref<Node> root;
};

}  // namespace pulse::tests
