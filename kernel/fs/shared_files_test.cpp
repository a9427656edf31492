// What programs that use one file at the same time do to each other, while pages and blocks come from a disk in the
// middle of their calls; and which file systems are in use.
#include <gtest/gtest.h>

#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/ram_disk.hpp"
#include "kernel/host/ext2_images.hpp"
#include "kernel/host/host_pages.hpp"
#include "kernel/host/slow_buffer.hpp"
#include "kernel/host/turns.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

using tests::HostPages;
using tests::SlowBuffer;
using tests::Turns;

enum class Kind : u8 { Memory, Disk };

class SharedFile : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::Memory) {
      root = make_tmpfs(pages);
    } else {
      if (!tests::has_e2fsprogs()) GTEST_SKIP() << "e2fsprogs is not installed";
      disk = std::make_unique<RamDisk>(tests::Workshop().make("-b 1024", 512));
      disk->sleep = [] { Turns::sleep(); };
      root = *mount_ext2(*disk, MountAccess::ReadWrite);
    }
    node = *root->make("f", 0644, 0);
  }
  Ref<File> open(u32 flags = open_flag::read_write) {
    Ref<File> file = *node->open(flags);
    file->flags = flags;
    file->node = node;
    return file;
  }
  static void write(File& file, const std::string& text) {
    SlowBuffer bytes(text);
    EXPECT_EQ(file.write(bytes), Result<std::size_t>(text.size()));
  }
  static std::string read(File& file, std::size_t size) {
    SlowBuffer bytes(std::string(size, '-'));
    const auto count = file.read(bytes);
    return count ? bytes.text.substr(0, *count) : "error";
  }
  std::string contents() { return read(*open(), 100'000); }

  HostPages pages;
  std::unique_ptr<RamDisk> disk;
  Ref<Node> root, node;
};

INSTANTIATE_TEST_SUITE_P(Systems, SharedFile, testing::Values(Kind::Memory, Kind::Disk), [](const auto& instance) {
  return std::string(instance.param == Kind::Memory ? "tmpfs" : "ext2");
});

const std::string a(3000, 'a'), b(2000, 'b');

TEST_P(SharedFile, two_programs_that_append_write_one_behind_the_other) {
  const Ref<File> one = open(open_flag::write_only | open_flag::append);
  const Ref<File> other = open(open_flag::write_only | open_flag::append);
  Turns().run({[&] { write(*one, a); }, [&] { write(*other, b); }});
  EXPECT_EQ(contents(), a + b);
  EXPECT_EQ(one->offset, a.size());
  EXPECT_EQ(other->offset, a.size() + b.size());
}

TEST_P(SharedFile, two_processes_with_one_open_file_write_one_behind_the_other) {
  const Ref<File> file = open();
  Turns().run({[&] { write(*file, a); }, [&] { write(*file, b); }});
  EXPECT_EQ(contents(), a + b);
}

TEST_P(SharedFile, two_processes_with_one_open_file_never_read_the_same_bytes) {
  write(*open(), a + b);
  const Ref<File> file = open();
  std::string first, second;
  Turns().run({[&] { first = read(*file, 3000); }, [&] { second = read(*file, 3000); }});
  EXPECT_EQ(first, a);
  EXPECT_EQ(second, b);
}

TEST_P(SharedFile, a_seek_waits_for_the_read_that_moves_the_position) {
  write(*open(), a + b);
  const Ref<File> file = open();
  Turns().run({[&] { EXPECT_EQ(read(*file, 3000), a); }, [&] { EXPECT_EQ(file->seek(10, 1), Result<u64>(3010)); }});
  EXPECT_EQ(file->offset, 3010u);
}

TEST_P(SharedFile, who_cuts_it_waits_for_who_writes_it) {
  const Ref<File> file = open();
  Turns().run({[&] { write(*file, a + b); }, [&] { EXPECT_TRUE(node->set_size(100)); }});
  EXPECT_EQ(contents(), std::string(100, 'a'));
}

TEST_P(SharedFile, a_write_at_a_place_appends_where_that_was_asked_for_and_leaves_the_position) {
  const Ref<File> file = open(open_flag::write_only | open_flag::append);
  write(*file, "1234");
  SlowBuffer bytes("56");
  EXPECT_EQ(file->write_at(0, bytes), Result<std::size_t>(2));
  EXPECT_EQ(contents(), "123456");
  EXPECT_EQ(file->offset, 4u);
}

TEST_P(SharedFile, a_page_that_is_not_there_makes_calls_short_to_the_byte) {
  const Ref<File> file = open();
  SlowBuffer from(a + b, 1500);
  EXPECT_EQ(file->write(from), Result<std::size_t>(1500));
  EXPECT_EQ(file->write(from), Result<std::size_t>(fail(Errno::BadAddress)));
  EXPECT_EQ(node->size, 1500u);
  SlowBuffer into(std::string(1500, '-'), 1100);
  EXPECT_EQ(open()->read(into), Result<std::size_t>(1100));
}

TEST_P(SharedFile, its_file_system_is_in_use_as_long_as_anybody_has_a_node_of_it) {
  const FileSystem& system = *root->file_system();
  EXPECT_TRUE(system.is_in_use(*root, 1));
  node = {};
  EXPECT_FALSE(system.is_in_use(*root, 1));
  {
    const Ref<Node> who_looks_up = root;
    EXPECT_TRUE(system.is_in_use(*root, 1));
    EXPECT_FALSE(system.is_in_use(*root, 2));
  }
  ASSERT_TRUE(root->add("second name", *root->look_up("f")));
  ASSERT_TRUE(root->make("d", node_mode::directory | 0755, 0));
  EXPECT_FALSE(system.is_in_use(*root, 1));
  for (const char* const name : {"f", "second name", "d"}) {
    const Ref<Node> held = *root->look_up(name);
    EXPECT_TRUE(system.is_in_use(*root, 1)) << name;
    const auto what = held->is(node_mode::directory) ? Node::Removal::Directory : Node::Removal::File;
    ASSERT_TRUE(root->remove(name, what));
    EXPECT_TRUE(system.is_in_use(*root, 1)) << name << " without a name";
  }
  EXPECT_FALSE(system.is_in_use(*root, 1));
}

TEST_P(SharedFile, directories_above_a_removed_one_live_as_long_as_it) {
  Ref<Node> above = *root->make("above", node_mode::directory | 0755, 0);
  Ref<Node> below = *above->make("below", node_mode::directory | 0755, 0);
  ASSERT_TRUE(above->remove("below", Node::Removal::Directory));
  ASSERT_TRUE(root->remove("above", Node::Removal::Directory));
  above = {};
  above = below->parent();
  ASSERT_TRUE(above);
  EXPECT_EQ(above->links, 0u);
  EXPECT_EQ(above->look_up("below").error(), Errno::NoEntry);
  EXPECT_EQ(above->make("new", 0644, 0).error(), Errno::NoEntry);
  EXPECT_EQ(above->parent(), root);
  above = below = node = {};
  if (disk) {
    EXPECT_TRUE(root->file_system()->set_read_only(true));
    EXPECT_EQ(tests::Workshop().complaints(disk->image()), "");
  }
}

TEST_P(SharedFile, directories_that_were_removed_in_each_other_end_one_after_the_other) {
  constexpr int depth = 40;
  Ref<Node> at = root;
  std::vector<Ref<Node>> all;
  for (int i = 0; i < depth; ++i) all.push_back(at = *at->make("d", node_mode::directory | 0755, 0));
  for (std::size_t i = all.size(); i-- > 0;) {
    Node& above = i > 0 ? *all[i - 1] : *root;
    ASSERT_TRUE(above.remove("d", Node::Removal::Directory)) << i;
  }
  all.clear();
  node = {};
  EXPECT_TRUE(root->file_system()->is_in_use(*root, 1));
  at = {};
  EXPECT_FALSE(root->file_system()->is_in_use(*root, 1));
}

}  // namespace
}  // namespace pulse
