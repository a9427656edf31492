// Pulse and its disk: read and written by busybox's dd, by DMA and by the CPU, by interrupt and by looking, on Vitrine
// and on QEMU. What it did is judged by what is on the disk afterwards.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

/// Sector n begins with its number, in eight digits.
std::string numbered_disk() {
  constexpr std::size_t sectors = 2048;
  std::string bytes;
  for (std::size_t sector = 0; sector < sectors; ++sector) {
    const std::string number = std::to_string(sector);
    bytes += std::string(8 - number.size(), '0') + number + std::string(504, '.');
  }
  return bytes;
}

const char* const script = R"sh(
stty -echo; sleep 1

echo "=> $(dd if=/dev/sda bs=512 skip=77 count=1 2>/dev/null | head -c 8)"
echo "=> $(dd if=/dev/sda bs=512 skip=2047 count=9 2>/dev/null | wc -c)"
yes hello | head -c 100000 > /tmp/hello
dd if=/tmp/hello of=/dev/sda bs=1000 seek=300 conv=notrunc,fsync 2>/dev/null
dd if=/dev/sda of=/dev/sda bs=4096 count=100 seek=156 conv=notrunc 2>/dev/null
dd if=/dev/sda bs=1000 skip=300 count=100 2>/dev/null | cmp - /tmp/hello && echo "=> as it was written"
dd if=/dev/zero of=/dev/sda bs=512 seek=2048 count=1 2>&1 | grep -c "No space" | sed 's/^/=> behind the end: /'
poweroff -f
)sh";
const std::vector<std::string> expected = {"=> 00000077", "=> 512", "=> as it was written", "=> behind the end: 1"};

/// What the script makes of the disk.
std::string written_disk() {
  std::string bytes = numbered_disk();
  for (std::size_t i = 0; i < 100'000; ++i) bytes[300'000 + i] = "hello\n"[i % 6];
  bytes.replace(std::size_t{156} * 4096, std::size_t{100} * 4096, bytes, 0, std::size_t{100} * 4096);
  return bytes;
}

TEST(PulseDisk, dd_reads_and_writes_it_each_way_on_vitrine_and_the_sanitizer_is_silent) {
  for (const char* const way : {"", "disk=pio", "polled=disk", "polled=disk disk=pio", "routing=ioapic"}) {
    const Folder folder;
    const std::string disk = folder.file("disk", numbered_disk()), saved = folder.path / "saved";
    std::vector<std::string> words = vitrine_words(std::string("init=/bin/sh ") + way, "30s");
    words.insert(words.end(), {"--disk", disk, "--disk-save", saved, "--check-fatal"});
    const Result result = run(words, {.input = script});
    EXPECT_EQ(result.status, 0) << way << result.out << result.err;
    EXPECT_EQ(marked(result.out), expected) << way << result.out;
    EXPECT_TRUE(contents_of(saved) == written_disk()) << way;
    EXPECT_TRUE(contents_of(disk) == numbered_disk()) << way;
  }
}

TEST(PulseDisk, dd_reads_and_writes_it_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "QEMU is not installed";
  for (const char* const way : {"", "disk=pio polled=disk"}) {
    const Folder folder;
    const std::string disk = folder.file("disk", numbered_disk());
    std::vector<std::string> words = qemu_words(std::string("init=/bin/sh ") + way);
    words.insert(words.end(), {"-drive", "file=" + disk + ",format=raw,if=ide,index=0"});
    const Result result = run_until_marked(words, {.input = script}, expected);
    EXPECT_EQ(marked(result.out), expected) << way << result.out;
    EXPECT_TRUE(contents_of(disk) == written_disk()) << way;
  }
}

const char* const failing_script = R"sh(
stty -echo; sleep 1

dd if=/dev/sda of=/dev/null bs=512 skip=100 count=1 2>&1 | grep -o "Input/output error" | sed 's/^/=> read: /'
dd if=/dev/zero of=/dev/sda bs=512 seek=200 count=1 conv=notrunc 2>&1 | grep -o "Input/output error" | sed 's/^/=> write: /'
echo "=> $(dd if=/dev/sda bs=512 skip=101 count=1 2>/dev/null | head -c 8)"
poweroff -f
)sh";

TEST(PulseDisk, what_the_disk_can_not_read_or_write_is_an_input_output_error_and_the_rest_goes_on) {
  if (!qemu_is_there()) GTEST_SKIP() << "QEMU is not installed";
  const std::vector<std::string> lines = {"=> read: Input/output error", "=> write: Input/output error", "=> 00000101"};
  for (const char* const way : {"", "disk=pio", "polled=disk"}) {
    const Folder folder;
    const std::string disk = folder.file("disk", numbered_disk());
    const std::string faults = folder.file("faults",
                                           "[inject-error]\nevent = \"read_aio\"\nsector = \"100\"\n"
                                           "[inject-error]\nevent = \"write_aio\"\nsector = \"200\"\n");
    std::vector<std::string> words = qemu_words(std::string("init=/bin/sh loglevel=3 ") + way);
    words.insert(words.end(), {"-drive", "file=blkdebug:" + faults + ":" + disk +
                                             ",format=raw,if=ide,index=0,rerror=report,werror=report"});
    const Result result = run_until_marked(words, {.input = failing_script}, lines);
    EXPECT_EQ(marked(result.out), lines) << way << result.out;
  }
}

/// Two partitions: of 200 sectors from 100 on, and of the rest.
std::string partitioned_disk() {
  std::string disk = numbered_disk();
  const auto number = [&](std::size_t at, unsigned value) {
    for (unsigned i = 0; i < 4; ++i) disk[at + i] = static_cast<char>(value >> 8 * i);
  };
  const auto entry = [&](std::size_t at, unsigned first, unsigned sectors) {
    number(at, 0);
    number(at + 4, 0x83);
    number(at + 8, first);
    number(at + 12, sectors);
  };
  std::fill_n(disk.begin() + 446, 64, '\0');
  entry(446, 100, 200);
  entry(462, 300, 1748);
  disk.replace(510, 2, "\x55\xAA");
  return disk;
}

const char* const partition_script = R"sh(
stty -echo; sleep 1

echo "=> $(cd /dev; ls -d sda*|tr '\n' ' ')"
echo "=> $(dd if=/dev/sda1 bs=512 skip=7 count=1 2>/dev/null | head -c 8)"
echo "=> $(blockdev --getsize64 /dev/sda) $(blockdev --getsz /dev/sda1) $(blockdev --getss /dev/sda2)"
dd if=/dev/zero of=/dev/sda1 bs=512 seek=199 count=2 conv=notrunc 2>&1 | grep -c "No space" | sed 's/^/=> behind the end: /'
echo "=> $(dd if=/dev/sda bs=512 skip=300 count=1 2>/dev/null | head -c 8)"
fdisk -l /dev/sda | grep -c "^/dev/sda[12]" | sed 's/^/=> fdisk: /'
mkdir -p /mnt; mke2fs /dev/sda2 >/dev/null 2>&1; mount -t ext2 /dev/sda2 /mnt && echo text > /mnt/file
mount -t ext2 /dev/sda /tmp 2>/dev/null || echo "=> not the disk beneath it"
umount /mnt; mount -t ext2 /dev/sda2 /mnt && echo "=> $(cat /mnt/file)"
poweroff -f
)sh";

TEST(PulseDisk, partitions_are_devices_of_their_own) {
  const Folder folder;
  std::vector<std::string> words = vitrine_words("init=/bin/sh loglevel=3", "30s");
  words.insert(words.end(), {"--disk", folder.file("disk", partitioned_disk()), "--check-fatal"});
  const Result result = run(words, {.input = partition_script});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  const std::vector<std::string> lines = {"=> sda sda1 sda2 ",          "=> 00000107", "=> 1048576 200 512",
                                          "=> behind the end: 1",       "=> 00000300", "=> fdisk: 2",
                                          "=> not the disk beneath it", "=> text"};
  EXPECT_EQ(marked(result.out), lines) << result.out;
}

TEST(PulseDisk, its_interrupts_are_counted_and_a_polled_disk_has_none) {
  for (const bool polled : {false, true}) {
    const Folder folder;
    const std::string disk = folder.file("disk", numbered_disk());
    std::vector<std::string> words = vitrine_words(polled ? "init=/bin/sh polled=disk" : "init=/bin/sh", "30s");
    words.insert(words.end(), {"--disk", disk});
    const Result result = run(words, {.input = "mount -t proc proc /proc\ndd if=/dev/sda of=/dev/null bs=64k\n"
                                               "echo \"=> $(grep -c ata0 /proc/interrupts)\"\npoweroff -f\n"});
    EXPECT_EQ(marked(result.out), std::vector<std::string>{polled ? "=> 0" : "=> 1"}) << result.out;
  }
}

}  // namespace
