// ext2 against e2fsprogs: disks that mkfs.ext2 made read right, and what we write e2fsck and debugfs find right.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>

#include "kernel/fs/ext2/ext2_test_bench.hpp"

namespace pulse {
namespace {

using namespace tests;

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

}  // namespace
}  // namespace pulse
