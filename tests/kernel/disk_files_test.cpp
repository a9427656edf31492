// ext2 as a user of Pulse meets it: mounted from a RAM disk on Vitrine and from a disk on QEMU, with the same lines,
// and e2fsck has nothing against what is left.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

const char* const script = R"sh(#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
disk=/dev/sda; [ -b /dev/ram0 ] && disk=/dev/ram0
mount -t proc proc /proc
mkdir -p /mnt
mount -t ext2 $disk /mnt; echo "=> mount $?"
mount -t ext2 $disk /mnt 2>/dev/null || echo "=> not twice"
grep -c " /mnt ext2 rw" /proc/mounts | sed 's/^/=> mounts /'
echo "=> $(cat /mnt/hello)"
cp /bin/busybox /mnt/busybox && cmp /bin/busybox /mnt/busybox; echo "=> copied $?"
/mnt/busybox echo "=> run from the disk"
sh -c 'seq 1 100000 > /mnt/numbers; tail -n 1 /mnt/numbers' | sed 's/^/=> /'
mkdir -p /mnt/a/b/c; mv /mnt/a/b /mnt/d; ln -s d/c /mnt/link; ln /mnt/hello /mnt/d/hard; rmdir /mnt/link/ 2>/dev/null
rm -r /mnt/a; mkfifo /mnt/fifo; (echo "=> through a fifo" > /mnt/fifo &); cat /mnt/fifo
(cd /mnt/d/c && pwd | sed 's/^/=> /')
chown 5:6 /mnt/hello; chmod 4700 /mnt/hello; touch -d @1000000000 /mnt/hello; stat -c '=> %a %u %g %h %Y' /mnt/hello
dd if=/dev/zero of=/mnt/full bs=65536 2>&1 | grep -o "No space left" | sed 's/^/=> /'; rm /mnt/full
find /mnt -xdev ! -name 'lost*' | sort | tr '\n' ' ' | sed 's/^/=> /'; echo
(cd /mnt && umount /mnt 2>/dev/null; echo "=> busy $?")
cat /mnt/fifo & usleep 100000; umount /mnt 2>/dev/null; echo "=> busy with an open that waits $?"; : > /mnt/fifo; wait
mkdir -p /mnt/r/s; (cd /mnt/r/s; rmdir /mnt/r/s /mnt/r; stat -c '=> above: %F, links %h' ..; stat -c '=> %i' ../..
  stat ../s 2>&1 | grep -o "No such file" | sed 's/^/=> /')
rmdir /mnt 2>/dev/null; echo "=> a mount point stays $?"
mount -o remount,ro /mnt; touch /mnt/x 2>&1 | grep -o "Read-only" | sed 's/^/=> /'
umount /mnt; echo "=> umount $?"
ls /mnt | wc -l | sed 's/^/=> names left /'
mount -t ext2 -o ro $disk /mnt; md5sum < /mnt/numbers | sed 's/^/=> /'; umount /mnt
mount -t ext2 /dev/null /mnt 2>/dev/null || echo "=> no disk"
mount -t tmpfs none /mnt && echo x > /mnt/x && umount /mnt; ls /mnt | wc -l | sed 's/^/=> names left /'
poweroff -f
)sh";

const std::vector<std::string> expected = {
    "=> mount 0",
    "=> not twice",
    "=> mounts 1",
    "=> hello from the host",
    "=> copied 0",
    "=> run from the disk",
    "=> 100000",
    "=> through a fifo",
    "=> /mnt/d/c",
    "=> 4700 5 6 2 1000000000",
    "=> No space left",
    "=> /mnt /mnt/busybox /mnt/d /mnt/d/c /mnt/d/hard /mnt/fifo /mnt/hello /mnt/link /mnt/numbers ",
    "=> busy 1",
    "=> busy with an open that waits 1",
    "=> above: directory, links 0",
    "=> 2",
    "=> No such file",
    "=> a mount point stays 1",
    "=> Read-only",
    "=> umount 0",
    "=> names left 0",
    "=> dea9193b768319cbb4ff1a137ac03113  -",
    "=> no disk",
    "=> names left 0"};

int shell(const std::string& command) {
  return std::system(("PATH=$PATH:/sbin:/usr/sbin; { " + command + "; } >/dev/null 2>&1").c_str());
}

class DiskFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(guests + "/initramfs.cpio")) GTEST_SKIP() << "no initramfs: `make guests` makes it";
    if (shell("command -v mkfs.ext2 && command -v e2fsck") != 0) GTEST_SKIP() << "e2fsprogs is not installed";
    std::filesystem::create_directories(folder.path / "tree");
    (void)folder.file("tree/hello", "hello from the host\n");
    ASSERT_EQ(shell("mkfs.ext2 -q -F -b 1024 -d " + (folder.path / "tree").string() + " " + disk() + " 8M"), 0);
  }
  [[nodiscard]] std::string disk() const { return (folder.path / "disk").string(); }
  [[nodiscard]] std::string files(const std::string& more) const {
    return folder.file("files.cpio", contents_of(guests + "/initramfs.cpio") + archive_of("script", script) + more);
  }
  Folder folder;
};

TEST_F(DiskFiles, a_ram_disk_is_mounted_and_used) {
  const std::string initramfs = files(archive_of("disk.img", contents_of(disk())));
  const Result result = run({VITRINE_COMMAND, "run", PULSE_KERNEL, "--append", "init=/script ramdisk=/disk.img",
                             "--initrd", initramfs, "--max-time", "60s", "--check-fatal"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

TEST_F(DiskFiles, a_disk_is_used_the_same_and_e2fsck_finds_it_sound) {
  for (const char* const way : {"", " disk=pio", " polled=disk"}) {
    const std::string saved = (folder.path / "saved").string();
    const Result result =
        run({VITRINE_COMMAND, "run", PULSE_KERNEL, "--append", std::string("init=/script") + way, "--initrd", files(""),
             "--disk", disk(), "--disk-save", saved, "--max-time", "60s", "--check-fatal"});
    EXPECT_EQ(result.status, 0) << way << result.out << result.err;
    EXPECT_EQ(marked(result.out), expected) << way << result.out;
    EXPECT_EQ(shell("e2fsck -fn " + saved), 0) << way;
  }
}

TEST_F(DiskFiles, a_disk_of_qemu_is_used_the_same_and_e2fsck_finds_it_sound) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  std::vector<std::string> words = qemu_words("init=/script");
  words[6] = files("");
  words.insert(words.end(), {"-drive", "format=raw,if=ide,file=" + disk()});
  const Result result = run(words, {.seconds_at_most = 120});
  EXPECT_EQ(marked(result.out), expected) << result.out;
  EXPECT_EQ(shell("e2fsck -fn " + disk()), 0);
}

}  // namespace
