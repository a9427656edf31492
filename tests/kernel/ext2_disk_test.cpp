// ext2 from end to end: mke2fs makes an image, Pulse mounts it and writes files by busybox, and what is on the disk
// afterwards is judged by e2fsck and debugfs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;
using testing::HasSubstr;

const char* const script = R"sh(
stty -echo; sleep 1

mkdir -p /mnt; mount -t ext2 /dev/sda /mnt && echo "=> mounted"
echo "=> $(cat /mnt/before)"
mkdir -p /mnt/a/b && echo text > /mnt/a/b/small
yes 0123456789 | head -c 300000 > /mnt/large
ln -s a/b/small /mnt/link; ln /mnt/large /mnt/second; mv /mnt/a/b /mnt/moved
for i in $(seq 1 200); do echo $i > /mnt/moved/file-$i; done
for i in $(seq 1 2 200); do rm /mnt/moved/file-$i; done
rm /mnt/before
echo "=> $(ls /mnt/moved | wc -l) $(wc -c < /mnt/second)"
umount /mnt && echo "=> unmounted"
mount -t ext2 /dev/sda /mnt && echo "=> $(cat /mnt/moved/small) $(cat /mnt/moved/file-200)"
poweroff -f
)sh";
const std::vector<std::string> expected = {"=> mounted", "=> from outside", "=> 101 300000", "=> unmounted",
                                           "=> text 200"};

std::string digits() {
  std::string bytes;
  while (bytes.size() < 300'000) bytes += "0123456789\n";
  bytes.resize(300'000);
  return bytes;
}

struct Image {
  Folder folder;
  std::string path = folder.file("disk", std::string(std::size_t{8} << 20, '\0'));

  [[nodiscard]] bool make() const {
    const Result made = run({"/usr/sbin/mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", path});
    if (made.status == status_no_program) return false;
    const std::string before = folder.file("before", "from outside\n");
    return made.status == 0 && debug("write " + before + " before", true).status == 0;
  }
  [[nodiscard]] Result debug(const std::string& request, bool writes = false) const {
    if (writes) return run({"/usr/sbin/debugfs", "-w", "-R", request, path});
    return run({"/usr/sbin/debugfs", "-R", request, path});
  }
  void expect_what_the_script_wrote() const {
    const Result check = run({"/usr/sbin/e2fsck", "-f", "-n", path});
    EXPECT_EQ(check.status, 0) << check.out << check.err;
    EXPECT_EQ(debug("cat /moved/small").out, "text\n");
    EXPECT_EQ(debug("cat /moved/file-100").out, "100\n");
    EXPECT_TRUE(debug("cat /large").out == digits());
    EXPECT_TRUE(debug("cat /second").out == digits());
    EXPECT_THAT(debug("stat /link").out, HasSubstr("a/b/small"));
    EXPECT_THAT(debug("stat /moved/file-99").err, HasSubstr("not found"));
    EXPECT_THAT(debug("stat /before").err, HasSubstr("not found"));
  }
};

TEST(PulseExt2, what_busybox_writes_on_vitrine_is_sound_to_e2fsck) {
  for (const char* const way : {"", "disk=pio polled=disk"}) {
    const Image image;
    if (!image.make()) GTEST_SKIP() << "mke2fs is not installed (Debian: e2fsprogs)";
    std::vector<std::string> words = vitrine_words(std::string("init=/bin/sh ") + way, "60s");
    words.insert(words.end(), {"--disk", image.path, "--disk-save", image.path, "--check-fatal"});
    const Result result = run(words, {.input = script});
    EXPECT_EQ(result.status, 0) << result.out << result.err;
    EXPECT_EQ(marked(result.out), expected) << result.out;
    image.expect_what_the_script_wrote();
  }
}

TEST(PulseExt2, a_boot_parameter_mounts_it_and_what_is_written_is_there_after_power_off) {
  const Image image;
  if (!image.make()) GTEST_SKIP() << "mke2fs is not installed (Debian: e2fsprogs)";
  std::vector<std::string> words = vitrine_words("init=/bin/sh mount=sda", "30s");
  words.insert(words.end(), {"--disk", image.path, "--disk-save", image.path, "--check-fatal"});
  const Result result =
      run(words,
          {.input = "stty -echo; sleep 1\n\necho \"=> $(cat /mnt/before)\"; cp /mnt/before /mnt/after\npoweroff -f\n"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_EQ(marked(result.out), std::vector<std::string>{"=> from outside"}) << result.out;
  EXPECT_EQ(image.debug("cat /after").out, "from outside\n");
}

TEST(PulseExt2, what_busybox_writes_on_qemu_is_sound_to_e2fsck) {
  if (!qemu_is_there()) GTEST_SKIP() << "QEMU is not installed";
  const Image image;
  if (!image.make()) GTEST_SKIP() << "mke2fs is not installed (Debian: e2fsprogs)";
  std::vector<std::string> words = qemu_words("init=/bin/sh");
  words.insert(words.end(), {"-drive", "file=" + image.path + ",format=raw,if=ide,index=0"});
  const Result result = run(words, {.input = script, .seconds_at_most = 120});
  EXPECT_EQ(marked(result.out), expected) << result.out;
  image.expect_what_the_script_wrote();
}

}  // namespace
