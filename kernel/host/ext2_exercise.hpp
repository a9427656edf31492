// What is done to a damaged disk by tests and the fuzzer: all that programs could do.
#pragma once

#include <string>
#include <vector>

#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/ram_disk.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse::tests {

inline constexpr u32 file_mode = node_mode::regular | 0644, directory_mode = node_mode::directory | 0755;

/// Looks at everything below a directory, as far as a program with some patience would.
class Walk {
 public:
  explicit Walk(Ref<Node> root) { visit(root, 0); }
  std::vector<Ref<Node>> files, directories;

 private:
  void visit(const Ref<Node>& directory, int depth) {
    constexpr int deepest = 12, most_nodes = 300, most_entries = 300;
    directories.push_back(directory);
    u64 cursor = 0;
    for (int i = 0; i < most_entries && nodes_ < most_nodes; ++i) {
      const auto entry = directory->entry(cursor);
      if (!entry) break;
      cursor = entry->next;
      const std::string name(entry->name);
      const auto found = directory->look_up(name);
      if (!found) continue;
      ++nodes_;
      look_at(**found);
      if ((*found)->is(node_mode::directory) && depth < deepest) visit(*found, depth + 1);
      if ((*found)->is(node_mode::regular)) files.push_back(*found);
    }
    for (Ref<Node> at = directory; at && depth < 1000; ++depth) at = at->parent();
  }

  static void look_at(Node& node) {
    (void)node.target().size();
    std::vector<u8> bytes(20000);
    for (const u64 offset : {u64{0}, u64{270} << 10, node.size / 2, node.size - std::min<u64>(node.size, 1000)}) {
      KernelBuffer into(bytes.data(), bytes.size());
      if (node.is(node_mode::regular)) (void)node.read_at(offset, into);
    }
  }

  int nodes_ = 0;
};

/// Mounts a disk, looks at all of it and changes all of it. Whatever the disk says, this comes back.
inline void exercise(std::vector<u8> image) {
  RamDisk disk(std::move(image));
  const auto mounted = mount_ext2(disk, MountAccess::ReadWrite);
  if (!mounted) return;
  const Ref<Node>& root = *mounted;
  (void)root->file_system()->use();
  {
    const Walk walk(root);
    std::string text(70000, 'x');
    for (const Ref<Node>& file : walk.files) {
      KernelBuffer bytes(text.data(), 5000);
      (void)file->write_at(file->size / 3, bytes);
      (void)file->resize(file->size / 2);
      file->mode ^= 0111;
      (void)file->attributes_changed();
    }
    for (const Ref<Node>& directory : walk.directories) {
      if (const auto made = directory->make("new file", file_mode, 0)) {
        KernelBuffer bytes(text.data(), text.size());
        (void)(*made)->write_at(0, bytes);
        (void)directory->add("second name", *made);
      }
      (void)directory->make("new directory", directory_mode, 0);
      (void)directory->make_link("new link", "somewhere");
      (void)directory->rename("new directory", *root, "moved");
      if (const auto entry = directory->entry(0)) (void)root->rename(std::string(entry->name), *directory, "renamed");
      (void)root->remove("moved", Node::Removal::Directory);
    }
    (void)root->file_system()->sync();
    for (const Ref<Node>& directory : walk.directories) {
      for (int i = 0; i < 50; ++i) {
        const auto entry = directory->entry(0);
        if (!entry) break;
        const std::string name(entry->name);
        if (!directory->remove(name, Node::Removal::File) && !directory->remove(name, Node::Removal::Directory)) break;
      }
    }
  }
  (void)root->file_system()->sync();
}

}  // namespace pulse::tests
