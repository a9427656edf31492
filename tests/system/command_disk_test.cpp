// Disks of a run: what is none, and what is saved where.

#include "tests/system/command_bench.hpp"

namespace vitrine::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Writes "ok" all over sector 1 of the first disk, by the CPU; then the end with write_f4.
std::string write_sector_1() {
  std::string code;
  const auto out = [&code](int port, int value) {
    append(code, {0x66, 0xBA, port & 0xFF, port >> 8, 0xB0, value, 0xEE});
  };
  const auto wait_while_busy = [&code] {
    append(code, {0x66, 0xBA, 0xF6, 0x03, 0xEC, 0xA8, 0x80, 0x75, 0xFB});  // in al, dx; test al, 0x80; jnz to in
  };
  out(0x1F6, 0xE0);
  out(0x1F2, 1);
  out(0x1F3, 1);
  out(0x1F4, 0);
  out(0x1F5, 0);
  out(0x1F7, 0x30);
  wait_while_busy();
  append(code, {0x66, 0xBA, 0xF0, 0x01, 0x66, 0xB8, 'o', 'k', 0xB9, 0x00, 0x01, 0x00, 0x00, 0x66, 0xEF, 0xE2, 0xFC});
  wait_while_busy();
  return code + write_f4;
}

TEST_F(Command, disks_that_are_none_are_status_65) {
  const fs::path huge = file("huge", "");
  fs::resize_file(huge, std::uintmax_t{10} << 40);
  for (const fs::path& disk : {huge, file("empty", ""), file("odd", std::string(700, ' '))}) {
    const Result result = run({"run", file("kernel", multiboot(halt_forever)), "--disk", disk});
    EXPECT_EQ(result.status, 65) << disk;
    expect_one_line(result);
    EXPECT_THAT(result.err, HasSubstr(disk.string()));
  }
}

TEST_F(Command, what_a_guest_writes_goes_where_disk_save_says_and_nowhere_else) {
  const std::string before(1024, ' ');
  std::string after = std::string(512, ' ');
  for (int i = 0; i < 256; ++i) after += "ok";
  const fs::path disk = file("disk", before);
  const std::string kernel = file("kernel", multiboot(write_sector_1()));
  const fs::path saved = folder_.path / "saved";
  EXPECT_EQ(run({"run", kernel, "--disk", disk, "--max-time", "1s"}).status, 33);
  EXPECT_EQ(contents_of(disk), before);
  EXPECT_EQ(run({"run", kernel, "--disk", disk, "--disk-save", saved, "--max-time", "1s"}).status, 33);
  EXPECT_EQ(contents_of(disk), before);
  EXPECT_EQ(contents_of(saved), after);
  EXPECT_EQ(run({"run", kernel, "--disk", disk, "--disk-save", disk, "--max-time", "1s"}).status, 33);
  EXPECT_EQ(contents_of(disk), after);
  EXPECT_EQ(files_in_folder(), 3) << "the kernel and two disks";
}

TEST_F(Command, saving_a_disk_touches_no_other_file) {
  const fs::path disk = file("disk", std::string(512, ' '));
  const fs::path other = file("disk.new", "of somebody else");
  EXPECT_EQ(run({"run", file("kernel", multiboot(halt_forever)), "--disk", disk, "--disk-save", disk}).status, 83);
  EXPECT_EQ(contents_of(other), "of somebody else");
}

TEST_F(Command, two_disks_are_not_saved_in_one_file) {
  const fs::path disk = file("disk", std::string(512, ' '));
  const Result result = run({"run", file("kernel", multiboot(halt_forever)), "--disk", disk, "--disk", disk,
                             "--disk-save", disk, "--disk-save", disk.parent_path() / "." / "disk"});
  EXPECT_EQ(result.status, 64);
  expect_one_line(result);
}

TEST_F(Command, a_run_that_can_not_begin_leaves_no_half_of_a_saved_disk) {
  const fs::path disk = file("disk", std::string(512, ' '));
  EXPECT_EQ(run({"run", file("text", "no guest"), "--disk", disk, "--disk-save", disk}).status, 65);
  EXPECT_EQ(contents_of(disk), std::string(512, ' '));
  EXPECT_EQ(files_in_folder(), 2) << "the text and the disk";
}

}  // namespace
}  // namespace vitrine::tests
