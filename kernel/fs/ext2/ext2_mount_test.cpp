// Mounting ext2 and ending it: what the disk says of itself, what is refused, what is on it afterwards.
#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "kernel/fs/ext2/ext2_test_bench.hpp"

namespace pulse {
namespace {

using namespace tests;

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
