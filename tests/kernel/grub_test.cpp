// Pulse started by GRUB, from a CD, as on a PC: on QEMU and on Bochs, where these are installed, with the same lines as
// on Vitrine, which starts it without a loader.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

const char* const script = R"sh(#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
echo "=> $((6*7))"
echo "=> $(seq 1 1000 | sort -rn | head -n 1)"
(sleep 0.05; echo "=> later") & wait
mkdir -p /tmp/a && echo text > /tmp/a/b && mv /tmp/a/b /tmp/c && rmdir /tmp/a && echo "=> $(cat /tmp/c)"
trap 'echo "=> caught"' USR1; kill -USR1 $$
mkfifo /tmp/f && { echo through > /tmp/f & echo "=> $(cat /tmp/f)"; wait; }
dd if=/dev/zero bs=4096 count=100 2>/dev/null | wc -c | sed 's/^/=> /'
poweroff -f
)sh";

const std::vector<std::string> expected = {"=> 42",     "=> 1000",    "=> later", "=> text",
                                           "=> caught", "=> through", "=> 409600"};

bool is_there(const char* path) { return std::filesystem::exists(path); }

class PulseByGrub : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_there((guests + "/initramfs.cpio").c_str())) GTEST_SKIP() << "no initramfs: `make guests` makes it";
    files = folder.file("files.cpio", contents_of(guests + "/initramfs.cpio") + archive_of("script", script));
  }

  /// A CD with GRUB, the kernel and its files; false: GRUB is not installed.
  bool make_disc() {
    if (!is_there("/usr/lib/grub/i386-pc") || !is_there("/usr/bin/grub-mkrescue") || !is_there("/usr/bin/xorriso"))
      return false;
    const std::filesystem::path grub = folder.path / "tree/boot/grub";
    std::filesystem::create_directories(grub);
    std::filesystem::copy(PULSE_KERNEL, folder.path / "tree/boot/pulse.elf");
    std::filesystem::copy(files, folder.path / "tree/boot/files.cpio");
    (void)folder.file("tree/boot/grub/grub.cfg",
                      "set timeout=0\nmenuentry pulse {\n  multiboot2 /boot/pulse.elf init=/script\n"
                      "  module2 /boot/files.cpio\n}\n");
    const Result made =
        run({"grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", disc(), (folder.path / "tree").string()});
    EXPECT_EQ(made.status, 0) << made.err;
    return made.status == 0;
  }
  [[nodiscard]] std::string disc() const { return (folder.path / "pulse.iso").string(); }

  Folder folder;
  std::string files;
};

TEST_F(PulseByGrub, the_script_prints_this_on_vitrine) {
  const Result result = run({VITRINE_COMMAND, "run", PULSE_KERNEL, "--append", "init=/script", "--initrd", files,
                             "--max-time", "30s", "--check-fatal"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

TEST_F(PulseByGrub, prints_the_same_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  if (!make_disc()) GTEST_SKIP() << "GRUB is not installed (grub-common, grub-pc-bin, xorriso, mtools)";
  const Result result =
      run({"qemu-system-x86_64", "-cdrom", disc(), "-m", "256", "-display", "none", "-serial", "stdio", "-no-reboot"},
          {.seconds_at_most = 120});
  EXPECT_NE(result.out.find("booted by GRUB"), std::string::npos) << result.out;
  EXPECT_EQ(marked(result.out), expected) << result.out;
  EXPECT_EQ(result.status, 0) << "power off";
}

TEST_F(PulseByGrub, prints_the_same_on_bochs) {
  // Bochs ends by itself only with a display; this one waits for nobody. Its debugger, in Debian's, has to be told to
  // go on.
  const char* const display = "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_rfb_gui.so";
  const char* const firmware = "/usr/share/bochs/BIOS-bochs-latest";
  const char* const video_firmware = "/usr/share/bochs/VGABIOS-lgpl-latest";
  if (!is_there("/usr/bin/bochs") || !is_there(display) || !is_there(firmware) || !is_there(video_firmware))
    GTEST_SKIP() << "Bochs is not installed (bochs, bochsbios)";
  if (!make_disc()) GTEST_SKIP() << "GRUB is not installed (grub-common, grub-pc-bin, xorriso, mtools)";
  const std::string serial = (folder.path / "serial").string();
  const std::string settings = folder.file(
      "bochsrc",
      std::string(
          "display_library: rfb, options=\"timeout=0\"\n"
          "plugin_ctrl: unmapped=0, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, e1000=0, es1370=0, "
          "sb16=0, voodoo=0, ne2k=0\n") +
          "romimage: file=" + firmware + "\nvgaromimage: file=" + video_firmware +
          "\ncpu: model=corei5_lynnfield_750, count=1, ips=200000000, reset_on_triple_fault=0\n"
          "memory: guest=256, host=256\nboot: cdrom\nata0-master: type=cdrom, path=" +
          disc() + ", status=inserted\ncom1: enabled=1, mode=file, dev=" + serial +
          "\nclock: sync=none, time0=1700000000\nlog: " + (folder.path / "log").string() + "\n");
  const std::string commands = folder.file("commands", "c\n");
  const auto is_done = [&](const std::string&) { return contents_of(serial).find("power off") != std::string::npos; };
  (void)run({"bochs", "-q", "-f", settings, "-rc", commands},
            {.input = "q\n", .seconds_at_most = 240, .enough = is_done});
  const std::string text = contents_of(serial);
  EXPECT_NE(text.find("booted by GRUB"), std::string::npos) << text;
  EXPECT_EQ(marked(text), expected) << text;
}

}  // namespace
