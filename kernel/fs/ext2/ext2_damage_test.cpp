// Disks that somebody damaged, or made to do harm: errors, and never a crash, a hang or a byte read beside the block.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/ram_disk.hpp"
#include "kernel/host/ext2_exercise.hpp"
#include "kernel/host/ext2_images.hpp"

namespace pulse {
namespace {

using tests::exercise;

struct DamagedExt2 : testing::Test {
  void SetUp() override {
    if (!tests::has_e2fsprogs()) GTEST_SKIP() << "e2fsprogs is not installed";
    const std::string source = shop.path("source");
    ASSERT_EQ(tests::shell("mkdir -p " + source + "/a/b/c " + source + "/d && cd " + source +
                           " && seq 1 60000 > f && echo x > a/g && ln -s a/b fast && ln -s " + std::string(100, 'y') +
                           " slow && ln f a/b/h && touch $(seq -f 'd/name%g' 1 60) && truncate -s 80M s && echo y >> s")
                  .status,
              0);
  }
  std::vector<u8> base(const std::string& options) { return shop.make(options + " -d " + shop.path("source"), 1536); }
  tests::Workshop shop;
};

TEST_F(DamagedExt2, bits_flipped_all_over_the_metadata_are_errors_at_most) {
  for (const char* const options : {"-b 1024 -N 128", "-b 4096 -N 128", "-b 1024 -N 128 -g 512 -O ^resize_inode"}) {
    const std::vector<u8> sound = base(options);
    ASSERT_FALSE(sound.empty());
    for (unsigned seed = 0; seed < 150; ++seed) {
      std::mt19937 random(seed);
      std::vector<u8> image = sound;
      // The superblock and what follows it; the groups' tables; anywhere.
      const std::size_t ends[] = {2048, 4096, 70000, image.size()};
      const u32 flips = 1 + random() % 20;
      for (u32 i = 0; i < flips; ++i) {
        const std::size_t begin = 1024;
        const std::size_t end = ends[random() % 4];
        image[begin + random() % (end - begin)] ^= static_cast<u8>(1U << random() % 8);
      }
      exercise(image);
    }
  }
}

TEST_F(DamagedExt2, fields_of_the_superblock_and_the_groups_with_extreme_values_are_errors_at_most) {
  const std::vector<u8> sound = base("-b 1024 -N 128");
  ASSERT_FALSE(sound.empty());
  for (std::size_t at = 1024; at < 1024 + 104; at += 2) {
    for (const unsigned value : {0U, 1U, 0x7FFFU, 0x8000U, 0xFFFFU}) {
      std::vector<u8> image = sound;
      image[at] = static_cast<u8>(value);
      image[at + 1] = static_cast<u8>(value >> 8);
      exercise(image);
    }
  }
  for (std::size_t at = 2048; at < 2048 + 32; ++at) {
    for (const unsigned value : {0U, 1U, 0x7FU, 0x80U, 0xFFU}) {
      std::vector<u8> image = sound;
      image[at] = static_cast<u8>(value);
      exercise(image);
    }
  }
}

TEST_F(DamagedExt2, trees_and_directories_that_lead_back_to_themselves_end) {
  const std::vector<u8> sound = base("-b 1024 -N 128");
  ASSERT_FALSE(sound.empty());
  const std::string file = shop.store("made", sound);
  const std::string blocks = shop.ask(sound, "stat /f");
  const std::size_t place = blocks.find("(IND):");
  ASSERT_NE(place, std::string::npos) << blocks;
  const std::string indirect = std::to_string(std::stoul(blocks.substr(place + 6)));
  const std::string directory = std::to_string(std::stoul(shop.ask(sound, "blocks /d")));
  const std::string requests[] = {
      "ln /a /a/b/again",                                               // a directory inside itself
      "unlink /a/..\nln /a/b /a/..",                                    // ".." in a circle
      "unlink /a/b/..\nln /a/b /a/b/..",                                // ".." to itself
      "sif /f block[DIND] " + indirect,                                 // one tree by two ways
      "sif /f block[TIND] " + indirect,                                 //
      "sif /f block[IND] 2",                                            // the group descriptors as pointers
      "sif /f block[0] 1",                                              // the superblock as data
      "sif /f block[TIND] " + directory + "\nsif /f size 0x400000000",  // a directory's bytes as pointers
      "sif /f size 0xFFFFFFFFFFFF",                                     //
      "sif /d size 0x7FFFFC00",                                         //
      "sif /d block[1] " + directory,                                   // the same block over and over
      "sif /d block[0] 0",                                              // a hole
      "sif /f links_count 0",                                           //
      "sif /f links_count 0xFFFF",                                      //
      "sif /a links_count 1",                                           //
      "sif /fast size 4000",                                            // a short link that is longer than its place
      "sif /slow size 0x7FFFFFFF",                                      //
      "sif /f mode 0",                                                  //
      "sif /d mode 0120777",                                            //
      "sif /f mode 040755",                                             // a file's text as entries
      "freei /f",                                                       // in use, but marked as free
      "freeb 10 600",                                                   //
      "sif /f file_acl " + indirect,                                    //
      "ln <2> /a/root",                                                 // the root inside itself
      "ln <7> /a/reserved",                                             //
  };
  for (const std::string& request : requests) {
    shop.store("made", sound);
    shop.store("script", std::vector<u8>(request.begin(), request.end()));
    tests::shell("debugfs -w -f " + shop.path("script") + " " + file);
    SCOPED_TRACE(request);
    const std::vector<u8> image = shop.load("made");
    EXPECT_NE(image, sound) << "debugfs changed nothing";
    exercise(image);
  }
}

/// A block of pointers that is its own child, at each height.
TEST_F(DamagedExt2, a_block_of_pointers_to_itself_is_given_back_once) {
  const std::vector<u8> sound = base("-b 1024 -N 128");
  ASSERT_FALSE(sound.empty());
  const std::string blocks = shop.ask(sound, "stat /f");
  const std::size_t block = std::stoul(blocks.substr(blocks.find("(IND):") + 6));
  const std::string file = shop.path("made");
  for (const char* const height : {"IND", "DIND", "TIND"}) {
    std::vector<u8> image = sound;
    for (std::size_t i = 0; i < 1024; i += 4) {
      image[block * 1024 + i] = static_cast<u8>(block);
      image[block * 1024 + i + 1] = static_cast<u8>(block >> 8);
      image[block * 1024 + i + 2] = image[block * 1024 + i + 3] = 0;
    }
    shop.store("made", image);
    tests::shell(std::string("debugfs -w -R 'sif /f block[") + height + "] " + std::to_string(block) + "' " + file);
    RamDisk disk(shop.load("made"));
    const auto root = mount_ext2(disk, MountAccess::ReadWrite);
    ASSERT_TRUE(root);
    const u64 free_before = (*root)->file_system()->use().free_blocks;
    EXPECT_EQ((*(*root)->look_up("f"))->resize(0).error(), Errno::InputOutput);
    EXPECT_LE((*root)->file_system()->use().free_blocks, free_before + 400);
    EXPECT_TRUE((*root)->look_up("a")) << "the rest is still there";
  }
}

}  // namespace
}  // namespace pulse
