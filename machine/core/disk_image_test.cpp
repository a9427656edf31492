#include "machine/core/disk_image.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace vitrine {
namespace {

TEST(DiskImage, the_original_is_untouched_and_shared) {
  const auto original = std::make_shared<const DiskImage::Bytes>(DiskImage::Bytes(10 * 512 + 100, 0x55));
  DiskImage one(original), two(original);
  EXPECT_EQ(one.sectors(), 10u);
  const std::vector<u8> data(3 * 512, 0x11);
  one.write(7, data);
  EXPECT_TRUE(one.changed());
  EXPECT_FALSE(two.changed());
  EXPECT_EQ(*original, DiskImage::Bytes(10 * 512 + 100, 0x55));
  std::vector<u8> got(10 * 512);
  one.read(0, got);
  EXPECT_EQ(got[7 * 512 - 1], 0x55);
  EXPECT_EQ(got[7 * 512], 0x11);
  EXPECT_EQ(got.back(), 0x11);
}

TEST(DiskImage, an_archive_is_refused_by_a_machine_with_another_disk) {
  const auto disk = [](u64 sectors, u8 content) {
    return DiskImage(std::make_shared<const DiskImage::Bytes>(sectors * DiskImage::sector_bytes, content));
  };
  DiskImage one = disk(20, 1), same = disk(20, 1), other = disk(20, 2), shorter = disk(19, 1);
  one.write(3, std::vector<u8>(512, 0xEE));
  Archive saver = Archive::saver();
  one.exchange(saver);
  for (DiskImage* image : {&same, &other, &shorter}) {
    Archive loader = Archive::loader(saver.bytes());
    image->exchange(loader);
    EXPECT_EQ(loader.ok(), image == &same);
  }
  std::vector<u8> got(512);
  same.read(3, got);
  EXPECT_EQ(got[0], 0xEE);
}

}  // namespace
}  // namespace vitrine
