// ext2 against e2fsprogs: disks that mkfs.ext2 made read right, and what we write e2fsck and debugfs find right.
#include "kernel/fs/ext2/ext2.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>

#include "kernel/fs/ram_disk.hpp"
#include "kernel/host/ext2_images.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

using tests::Workshop;

std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string text(size, 0);
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251 + seed) % 26);
  return text;
}

Result<std::size_t> write(Node& node, std::string text, u64 offset = 0) {
  KernelBuffer bytes(text.data(), text.size());
  return node.write_at(offset, bytes);
}

std::string read(Node& node, std::size_t most = std::size_t{64} << 20, u64 offset = 0) {
  std::string text(std::min<u64>(most, node.size - std::min(node.size, offset)), 0);
  KernelBuffer bytes(text.data(), text.size());
  const auto count = node.read_at(offset, bytes);
  if (!count) return "error " + std::to_string(static_cast<int>(count.error()));
  text.resize(*count);
  return text;
}

std::vector<std::string> names(Node& directory) {
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

constexpr u32 file_mode = node_mode::regular | 0644, directory_mode = node_mode::directory | 0755;

class Ext2Test : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!tests::has_e2fsprogs()) GTEST_SKIP() << "e2fsprogs is not installed";
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

INSTANTIATE_TEST_SUITE_P(Kinds, Ext2Test,
                         testing::Values("-b 1024 -I 128", "-b 1024 -I 256", "-b 2048", "-b 4096", "-r 0 -b 1024",
                                         "-b 1024 -O ^filetype",
                                         "-b 1024 -O ^sparse_super,^resize_inode,^large_file,^dir_index"),
                         [](const auto& instance) {
                           std::string name;
                           for (const char letter : std::string(instance.param)) {
                             if (std::isalnum(static_cast<unsigned char>(letter)) != 0) name += letter;
                           }
                           return name;
                         });

TEST_P(Ext2Test, what_mkfs_filled_in_reads_the_same) {
  const std::string source = shop.path("source");
  ASSERT_EQ(tests::shell("mkdir -p " + source + "/deep/er && cd " + source +
                         " && seq 1 200000 > numbers && echo hello > deep/er/short && : > empty && ln -s deep/er fast"
                         " && ln -s " +
                         std::string(200, 'x') + " slow && ln deep/er/short hard && mkfifo -m 640 fifo")
                .status,
            0);
  use(shop.make(std::string(GetParam()) + " -d " + source, 16384));
  EXPECT_EQ(read(*get("numbers")), tests::shell("seq 1 200000").text);
  EXPECT_EQ(read(*get("deep/er/short")), "hello\n");
  EXPECT_EQ(get("hard"), get("deep/er/short"));
  EXPECT_EQ(get("hard")->links, 2U);
  EXPECT_EQ(read(*get("empty")), "");
  EXPECT_EQ(get("fast")->target(), "deep/er");
  EXPECT_EQ(get("slow")->target(), std::string(200, 'x'));
  EXPECT_EQ(get("fifo")->mode, node_mode::fifo | 0640);
  EXPECT_EQ(names(*root),
            (std::vector<std::string>{"deep", "empty", "fast", "fifo", "hard", "lost+found", "numbers", "slow"}));
  EXPECT_EQ(get("deep/er")->parent(), get("deep"));
  EXPECT_FALSE(root->parent());
  EXPECT_EQ(mount_ext2(*disk, MountAccess::ReadOnly).error(), Errno::Busy);
}

TEST_P(Ext2Test, files_of_every_size_are_found_by_debugfs) {
  use(shop.make(GetParam(), 32768));
  const std::size_t sizes[] = {0, 1, 1023, 1024, 12 * 1024, 12 * 1024 + 1, 268 * 1024, 300 * 1024 + 5, 5000000};
  for (const std::size_t size : sizes) {
    ASSERT_TRUE(write(*make("f" + std::to_string(size)), pattern(size))) << size;
  }
  EXPECT_EQ(judge(), "");
  for (const std::size_t size : sizes) {
    EXPECT_EQ(shop.ask(disk->image(), "cat /f" + std::to_string(size)), pattern(size)) << size;
  }
  mount();
  for (const std::size_t size : sizes) EXPECT_EQ(read(*get("f" + std::to_string(size))), pattern(size)) << size;
}

TEST_P(Ext2Test, sparse_files_reach_into_the_triple_indirect_blocks) {
  use(shop.make(GetParam(), 8192));
  const bool old = std::string(GetParam()).starts_with("-r 0");
  const Ref<Node> sparse = make("sparse");
  const u64 far = old ? 0x7000'0000 : u64{5} << 30;
  const u64 offsets[] = {0, 20000, 700000, 70'000'000, far};
  for (const u64 offset : offsets) ASSERT_TRUE(write(*sparse, "here", offset)) << offset;
  EXPECT_EQ(sparse->size, far + 4);
  for (const u64 offset : offsets) EXPECT_EQ(read(*sparse, 4, offset), "here");
  EXPECT_EQ(read(*sparse, 10, 10000), std::string(10, 0));
  EXPECT_LT(sparse->sectors(), 200U);
  ASSERT_TRUE(root->make("full", file_mode, 0));
  EXPECT_EQ(judge(), "");
  mount();
  const Ref<Node> again = get("sparse");
  ASSERT_TRUE(again->resize(700002));
  EXPECT_EQ(read(*again, 10, 700000), "he");
  ASSERT_TRUE(again->resize(800000));
  EXPECT_EQ(read(*again, 10, 700000), std::string("he") + std::string(8, 0)) << "what was cut off must not come back";
  ASSERT_TRUE(again->resize(0));
  EXPECT_EQ(again->sectors(), 0U);
  EXPECT_EQ(judge(), "");
}

TEST_P(Ext2Test, names_come_go_and_move) {
  use(shop.make(GetParam(), 8192));
  Ref<Node> one = make("one", directory_mode);
  const Ref<Node> two = make("two", directory_mode);
  ASSERT_TRUE(one->make("sub", directory_mode, 0));
  ASSERT_TRUE(write(**one->make("file", file_mode, 0), "text"));
  EXPECT_EQ(root->make("one", file_mode, 0).error(), Errno::Exists);
  EXPECT_EQ(root->links, 5U);  // ".", "..", lost+found, one, two
  // A directory to another one, and over an empty one.
  ASSERT_TRUE(one->rename("sub", *two, "moved"));
  EXPECT_EQ(one->links, 2U);
  EXPECT_EQ(two->links, 3U);
  EXPECT_EQ(get("two/moved")->parent(), two);
  EXPECT_EQ(root->rename("two", *get("two/moved"), "inside").error(), Errno::Invalid);
  EXPECT_EQ(root->rename("one", *root, "two").error(), Errno::NotEmpty);
  ASSERT_TRUE(root->make("empty", directory_mode, 0));
  ASSERT_TRUE(root->rename("two", *root, "empty"));
  EXPECT_FALSE(get("two"));
  EXPECT_TRUE(get("empty/moved"));
  EXPECT_EQ(root->links, 5U);
  // A file over another, and to itself by a hard link.
  make("old");
  ASSERT_TRUE(one->rename("file", *root, "old"));
  EXPECT_EQ(read(*get("old")), "text");
  ASSERT_TRUE(root->add("link", get("old")));
  EXPECT_EQ(get("old")->links, 2U);
  ASSERT_TRUE(root->rename("link", *root, "old"));
  EXPECT_TRUE(get("link")) << "two names of one file: nothing happens";
  EXPECT_EQ(root->rename("old", *root, "one").error(), Errno::IsDirectory);
  EXPECT_EQ(root->rename("one", *root, "old").error(), Errno::NotDirectory);
  ASSERT_TRUE(root->remove("link", Node::Removal::File));
  EXPECT_EQ(root->remove("empty", Node::Removal::Directory).error(), Errno::NotEmpty);
  EXPECT_EQ(root->remove("empty", Node::Removal::File).error(), Errno::IsDirectory);
  EXPECT_EQ(root->remove("old", Node::Removal::Directory).error(), Errno::NotDirectory);
  ASSERT_TRUE(root->remove("one", Node::Removal::Directory));
  EXPECT_EQ(one->make("late", file_mode, 0).error(), Errno::NoEntry) << "the directory is gone";
  EXPECT_EQ(root->file_system()->set_read_only(true).error(), Errno::Busy) << "and yet it is on the disk";
  one = {};
  ASSERT_TRUE(root->make_link("fast", "a/short/target"));
  ASSERT_TRUE(root->make_link("slow", std::string(900, 'y')));
  EXPECT_EQ(get("slow")->target(), std::string(900, 'y'));
  make("pipe", node_mode::fifo | 0600);
  EXPECT_EQ(make("tty", node_mode::character | 0600, 0x0440)->device, 0x0440U);
  make("large", node_mode::block | 0600, 0x12345);
  EXPECT_EQ(judge(), "");
  EXPECT_NE(shop.ask(disk->image(), "stat /tty").find("major/minor number: 04:64"), std::string::npos);
  EXPECT_NE(shop.ask(disk->image(), "stat /fast").find("a/short/target"), std::string::npos);
  mount();
  EXPECT_EQ(get("large")->device, 0x12345U);
  EXPECT_EQ(get("slow")->target(), std::string(900, 'y'));
}

TEST_P(Ext2Test, attributes_stay) {
  use(shop.make(GetParam(), 4096));
  const Ref<Node> file = make("file");
  file->mode = node_mode::regular | 04711;
  file->user = 70000;
  file->group = 3;
  file->modified = 1'000'000'000;
  ASSERT_TRUE(file->attributes_changed());
  EXPECT_EQ(judge(), "");
  mount();
  const Ref<Node> again = get("file");
  EXPECT_EQ(again->mode, node_mode::regular | 04711U);
  EXPECT_EQ(again->user, 70000U);
  EXPECT_EQ(again->group, 3U);
  EXPECT_EQ(again->modified, 1'000'000'000U);
}

TEST_P(Ext2Test, what_is_unlinked_while_open_goes_with_its_last_user) {
  use(shop.make(GetParam(), 8192));
  const auto free_at_first = root->file_system()->use();
  Ref<Node> file = make("file");
  ASSERT_TRUE(write(*file, pattern(400000)));
  ASSERT_TRUE(root->remove("file", Node::Removal::File));
  EXPECT_FALSE(get("file"));
  EXPECT_EQ(read(*file), pattern(400000));
  EXPECT_LT(root->file_system()->use().free_blocks, free_at_first.free_blocks);
  file = {};
  EXPECT_EQ(root->file_system()->use().free_blocks, free_at_first.free_blocks);
  EXPECT_EQ(root->file_system()->use().free_files, free_at_first.free_files);
  EXPECT_EQ(judge(), "");
}

TEST_P(Ext2Test, a_full_disk_says_so_and_stays_sound) {
  use(shop.make(GetParam(), 2048));
  const u64 free_at_first = root->file_system()->use().free_blocks;
  int files = 0;
  for (bool full = false; !full; ++files) {
    const auto made = root->make("file" + std::to_string(files), file_mode, 0);
    if (!made) {
      EXPECT_EQ(made.error(), Errno::NoSpace);
      break;
    }
    const auto written = write(**made, pattern(100000));
    full = !written || *written < 100000;
  }
  EXPECT_EQ(root->file_system()->use().free_blocks, 0U);
  EXPECT_EQ(judge(), "");
  mount();
  // Names until the directory itself finds no room.
  for (int i = 0;; ++i) {
    const auto made = root->make_link(std::string(200, 'n') + std::to_string(i), "x");
    if (made) continue;
    EXPECT_EQ(made.error(), Errno::NoSpace);
    for (int j = 0; j < i; ++j)
      ASSERT_TRUE(root->remove(std::string(200, 'n') + std::to_string(j), Node::Removal::File));
    break;
  }
  EXPECT_EQ(judge(), "");
  mount();
  for (const std::string& name : names(*root)) {
    if (name != "lost+found") ASSERT_TRUE(root->remove(name, Node::Removal::File)) << name;
  }
  EXPECT_GE(root->file_system()->use().free_blocks + 60, free_at_first) << "only the root directory may have grown";
  EXPECT_EQ(judge(), "");
}

TEST_P(Ext2Test, large_directories_are_read_and_written) {
  use(shop.make(GetParam(), 8192));
  const Ref<Node> directory = make("directory", directory_mode);
  for (int i = 0; i < 600; ++i)
    ASSERT_TRUE(directory->make("a name of some length " + std::to_string(i), file_mode, 0));
  EXPECT_EQ(names(*directory).size(), 600U);
  for (int i = 0; i < 600; i += 2)
    ASSERT_TRUE(directory->remove("a name of some length " + std::to_string(i), Node::Removal::File));
  EXPECT_EQ(names(*directory).size(), 300U);
  const u64 size = directory->size;
  for (int i = 0; i < 250; ++i)
    ASSERT_TRUE(directory->make("another name like them " + std::to_string(i), file_mode, 0));
  EXPECT_EQ(directory->size, size) << "gaps are used again";
  EXPECT_EQ(directory->make(std::string(256, 'x'), file_mode, 0).error(), Errno::NameTooLong);
  EXPECT_TRUE(directory->make(std::string(255, 'x'), file_mode, 0));
  EXPECT_EQ(judge(), "");
}

/// Random operations, done to the disk and to a model of it.
TEST_P(Ext2Test, random_operations_do_what_a_model_does) {
  use(shop.make(GetParam(), 4096));
  std::mt19937 random(42);
  std::map<std::string, std::string> model;
  const auto any = [&](u32 end) { return static_cast<u32>(random() % end); };
  for (int step = 0; step < 1500; ++step) {
    const std::string name = "f" + std::to_string(any(30));
    const bool exists = model.contains(name);
    switch (any(6)) {
      case 0:
        EXPECT_EQ(root->make(name, file_mode, 0).has_value(), !exists);
        model.try_emplace(name);
        break;
      case 1:
        EXPECT_EQ(root->remove(name, Node::Removal::File).has_value(), exists);
        model.erase(name);
        break;
      case 2: {
        const std::string other = "f" + std::to_string(any(30));
        EXPECT_EQ(root->rename(name, *root, other).has_value(), exists);
        if (exists && name != other) {
          model[other] = model[name];
          model.erase(name);
        }
        break;
      }
      case 3:
        if (exists) {
          const std::size_t size = any(60000);
          ASSERT_TRUE(get(name)->resize(size));
          model[name].resize(size);
        }
        break;
      default:
        if (exists) {
          const std::size_t offset = any(50000);
          const std::string text = pattern(any(6000), static_cast<unsigned>(step));
          ASSERT_TRUE(write(*get(name), text, offset));
          std::string& whole = model[name];
          if (!text.empty()) whole.resize(std::max(whole.size(), offset + text.size()));
          std::ranges::copy(text, whole.begin() + static_cast<std::ptrdiff_t>(text.empty() ? 0 : offset));
        }
    }
    if (step % 500 == 499) {
      EXPECT_EQ(judge(), "") << step;
      mount();
    }
  }
  for (const auto& [name, text] : model) EXPECT_EQ(read(*get(name)), text) << name;
  EXPECT_EQ(names(*root).size(), model.size() + 1);
  EXPECT_EQ(judge(), "");
}

class Ext2 : public Ext2Test {};

TEST_F(Ext2, a_directory_with_a_hash_tree_reads_as_a_plain_one_and_becomes_one) {
  const std::string source = shop.path("source");
  ASSERT_EQ(tests::shell("mkdir -p " + source + "/d && cd " + source + "/d && touch $(seq -f 'name_%g' 1 2000)").status,
            0);
  ASSERT_FALSE(shop.make("-b 1024 -O dir_index -N 4096 -d " + source, 8192).empty());
  ASSERT_LE(tests::shell("e2fsck -fyD " + shop.path("disk")).status, 1);
  ASSERT_NE(tests::shell("debugfs -R 'stat /d' " + shop.path("disk")).text.find("Flags: 0x1000"), std::string::npos);
  use(shop.load("disk"));
  EXPECT_EQ(names(*get("d")).size(), 2000U);
  EXPECT_TRUE(get("d/name_1234"));
  EXPECT_EQ(judge(), "") << "looking changes nothing";
  mount();
  ASSERT_TRUE(get("d")->make("new", file_mode, 0));
  ASSERT_TRUE(get("d")->remove("name_77", Node::Removal::File));
  EXPECT_EQ(judge(), "");
}

TEST_F(Ext2, unknown_features_are_refused) {
  std::vector<u8> image = shop.make("-b 1024", 1024);
  image[1024 + 96] |= 0x40;  // incompatible: extents
  RamDisk with_extents(image);
  EXPECT_EQ(mount_ext2(with_extents, MountAccess::ReadOnly).error(), Errno::Invalid);
  image[1024 + 96] &= 0xBF;
  image[1024 + 100] |= 0x10;  // read-only compatible: group checksums
  RamDisk with_checksums(image);
  EXPECT_EQ(mount_ext2(with_checksums, MountAccess::ReadWrite).error(), Errno::Invalid);
  EXPECT_TRUE(mount_ext2(with_checksums, MountAccess::ReadOnly));
  RamDisk nothing(std::vector<u8>(65536));
  EXPECT_EQ(mount_ext2(nothing, MountAccess::ReadOnly).error(), Errno::Invalid);
  RamDisk tiny(std::vector<u8>(1024));
  EXPECT_EQ(mount_ext2(tiny, MountAccess::ReadOnly).error(), Errno::Invalid);
}

TEST_F(Ext2, the_disk_says_whether_it_was_unmounted) {
  constexpr std::size_t state = 1024 + 58;
  use(shop.make("-b 1024", 1024));
  EXPECT_EQ(disk->image()[state], 0);
  ASSERT_TRUE(root->file_system()->sync());
  EXPECT_EQ(disk->image()[state], 0);
  ASSERT_TRUE(root->file_system()->set_read_only(true));
  EXPECT_EQ(disk->image()[state], 1);
  EXPECT_EQ(root->make("x", file_mode, 0).error(), Errno::ReadOnly);
  ASSERT_TRUE(root->file_system()->set_read_only(false));
  EXPECT_EQ(disk->image()[state], 0);
  unmount();
  EXPECT_EQ(disk->image()[state], 1);
}

TEST_F(Ext2, sync_leaves_a_disk_that_has_all_of_it) {
  use(shop.make("-b 1024", 4096));
  ASSERT_TRUE(write(*make("file"), pattern(300000)));
  ASSERT_TRUE(root->file_system()->sync());
  EXPECT_GT(disk->flushes, 0U);
  // As if the power went now: the same but for the mark that it was mounted.
  EXPECT_EQ(shop.complaints(disk->image()), "");
  EXPECT_EQ(shop.ask(disk->image(), "cat /file"), pattern(300000));
}

TEST_F(Ext2, a_read_only_mount_writes_nothing) {
  const std::vector<u8> image = shop.make("-b 1024", 1024);
  disk = std::make_unique<RamDisk>(image, false);
  EXPECT_EQ(mount_ext2(*disk, MountAccess::ReadWrite).error(), Errno::ReadOnly);
  mount(MountAccess::ReadOnly);
  EXPECT_EQ(root->make("x", file_mode, 0).error(), Errno::ReadOnly);
  EXPECT_EQ(root->make_link("x", "y").error(), Errno::ReadOnly);
  EXPECT_EQ(root->remove("lost+found", Node::Removal::Directory).error(), Errno::ReadOnly);
  EXPECT_EQ(root->rename("lost+found", *root, "x").error(), Errno::ReadOnly);
  unmount();
  EXPECT_EQ(disk->image(), image);
  EXPECT_EQ(disk->writes, 0U);
}

TEST_F(Ext2, a_bad_sector_is_an_error_and_nothing_more) {
  use(shop.make("-b 1024", 4096));
  ASSERT_TRUE(write(*make("file"), pattern(300000)));
  unmount();
  for (u64 sector = 0; sector < 4096; sector += 3) {
    RamDisk bad(disk->image());
    bad.bad_sector = sector;
    const auto mounted = mount_ext2(bad, MountAccess::ReadWrite);
    if (!mounted) continue;
    if (const auto file = (*mounted)->look_up("file")) {
      (void)read(**file);
      (void)(*file)->resize(1000);
    }
    (void)(*mounted)->make("other", file_mode, 0);
    (void)(*mounted)->file_system()->sync();
  }
  disk->writes_left = 0;
  EXPECT_FALSE(mount_ext2(*disk, MountAccess::ReadWrite));
}

}  // namespace
}  // namespace pulse
