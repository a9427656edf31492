#include "tools/make_initramfs/initramfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace vitrine::tools {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

// A reader of our own, from the format's description: what Linux will see.
struct Entry {
  std::string path;
  u32 mode = 0;
  u32 links = 0;
  DeviceNumber number;
  std::string contents;
};

std::vector<Entry> read(std::string_view archive) {
  std::vector<Entry> entries;
  std::size_t at = 0;
  const auto field = [&](std::size_t index) {
    return static_cast<u32>(std::stoul(std::string(archive.substr(at + 6 + index * 8, 8)), nullptr, 16));
  };
  const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
  while (at < archive.size()) {
    EXPECT_EQ(archive.substr(at, 6), "070701");
    const std::size_t path_size = field(11);
    const std::size_t contents_at = padded(at + 110 + path_size);
    EXPECT_EQ(archive[at + 110 + path_size - 1], '\0');
    entries.push_back({.path = std::string(archive.substr(at + 110, path_size - 1)),
                       .mode = field(1),
                       .links = field(4),
                       .number = {.major = field(9), .minor = field(10)},
                       .contents = std::string(archive.substr(contents_at, field(6)))});
    at = padded(contents_at + field(6));
  }
  EXPECT_EQ(at, archive.size());
  return entries;
}

std::optional<Entry> find(const std::vector<Entry>& entries, std::string_view path) {
  for (const Entry& entry : entries) {
    if (entry.path == path) return entry;
  }
  return std::nullopt;
}

TEST(Cpio, an_empty_archive_is_only_the_end_mark) {
  EXPECT_THAT(read(CpioArchive().bytes()), ElementsAre(Field(&Entry::path, "TRAILER!!!")));
}

TEST(Cpio, a_file_keeps_contents_of_every_length_modulo_the_padding) {
  for (const std::string_view contents : {"", "a", "ab", "abc", "abcd", "abcde"}) {
    CpioArchive archive;
    archive.add_file("file", contents, Permissions{0644});
    const auto entries = read(archive.bytes());
    ASSERT_THAT(entries, SizeIs(2));
    EXPECT_EQ(entries[0].contents, contents);
    EXPECT_EQ(entries[0].mode, 0100644U);
    EXPECT_EQ(entries[0].links, 1U);
  }
}

TEST(Cpio, paths_of_every_length_modulo_the_padding_are_kept) {
  for (const std::string path : {"a", "ab", "abc", "abcd", "abcde"}) {
    CpioArchive archive;
    archive.add_file(path, "contents", Permissions{0644});
    EXPECT_EQ(read(archive.bytes())[0].path, path);
  }
}

TEST(Cpio, missing_directories_come_before_what_is_inside_them) {
  CpioArchive archive;
  archive.add_symlink("usr/bin/env", "/bin/busybox");
  archive.add_symlink("usr/bin/id", "/bin/busybox");
  const auto entries = read(archive.bytes());
  EXPECT_THAT(entries, ElementsAre(Field(&Entry::path, "usr"), Field(&Entry::path, "usr/bin"),
                                   Field(&Entry::path, "usr/bin/env"), Field(&Entry::path, "usr/bin/id"),
                                   Field(&Entry::path, "TRAILER!!!")));
  EXPECT_EQ(entries[1].mode, 0040755U);
  EXPECT_EQ(entries[1].links, 2U);
}

TEST(Cpio, a_symlink_holds_its_target) {
  CpioArchive archive;
  archive.add_symlink("init", "/bin/busybox");
  EXPECT_EQ(read(archive.bytes())[0].mode, 0120777U);
  EXPECT_EQ(read(archive.bytes())[0].contents, "/bin/busybox");
}

TEST(Cpio, a_device_holds_its_number) {
  CpioArchive archive;
  archive.add_character_device("console", {.major = 5, .minor = 1}, Permissions{0600});
  const Entry entry = read(archive.bytes())[0];
  EXPECT_EQ(entry.mode, 0020600U);
  EXPECT_EQ(entry.number.major, 5U);
  EXPECT_EQ(entry.number.minor, 1U);
}

TEST(Cpio, of_two_entries_with_one_path_the_first_stays) {
  CpioArchive archive;
  archive.add_file("/init", "first", Permissions{0755});
  archive.add_file("init", "second", Permissions{0755});
  const auto entries = read(archive.bytes());
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].contents, "first");
}

TEST(Initramfs, has_a_console_busybox_and_its_applets) {
  const auto entries =
      read(make_initramfs({.busybox = "ELF", .applets = "bin/busybox\nbin/sh\nusr/bin/id\n", .files = {}}));
  EXPECT_EQ(find(entries, "dev/console")->number.major, 5U);
  EXPECT_EQ(find(entries, "proc")->mode, 0040755U);
  EXPECT_EQ(find(entries, "tmp")->mode, 0041777U);
  EXPECT_EQ(find(entries, "bin/busybox")->contents, "ELF");
  EXPECT_EQ(find(entries, "bin/sh")->contents, "/bin/busybox");
  EXPECT_EQ(find(entries, "usr/bin/id")->contents, "/bin/busybox");
}

TEST(Initramfs, a_file_takes_the_place_of_an_applet_and_of_a_later_file) {
  const auto entries =
      read(make_initramfs({.busybox = "ELF",
                           .applets = "sbin/init\n",
                           .files = {{"sbin/init", "ours", Permissions{0755}}, {"sbin/init", "other"}}}));
  EXPECT_EQ(find(entries, "sbin/init")->contents, "ours");
}

TEST(Initramfs, the_same_parts_give_the_same_bytes) {
  const InitramfsParts parts = {.busybox = "ELF", .applets = "bin/sh\n", .files = {{"init", "#!/bin/sh\n"}}};
  EXPECT_EQ(make_initramfs(parts), make_initramfs(parts));
}

}  // namespace
}  // namespace vitrine::tools
