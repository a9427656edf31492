// A disk that no longer answers: who wants something of it gets an error after a while, and nobody else notices.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "machine/boards/machine.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/core/bus.hpp"
#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine;
using namespace vitrine::tests;

using Lines = std::vector<std::string>;

/// What the guest prints; calls back at its word "=> now".
class Console final : public Outputs {
 public:
  std::function<void()> now;
  std::string text;
  void byte_out(Channel channel, u8 byte) override {
    if (channel != Channel::Com1) return;
    text += static_cast<char>(byte);
    if (text.ends_with("=> now\r\n")) now();
  }
};

std::vector<u8> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

class DeadDisk : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(guests + "/initramfs.cpio")) GTEST_SKIP() << "no initramfs: `make guests` makes it";
  }
  /// Boots Pulse to a script with a disk, and does something to that when the script says "=> now".
  void run(const std::string& script, const std::function<void(Machine&)>& accident) {
    constexpr u64 longest = 120'000'000'000;
    std::string sectors(std::size_t{256} * 512, '.');
    MachineOptions options{.outputs = &console};
    options.disks[0] = DiskImage(std::make_shared<const DiskImage::Bytes>(bytes_of(sectors)));
    auto machine = Machine::create(options);
    ASSERT_TRUE(machine);
    bool happens = false;
    console.now = [&] {
      happens = true;
      (*machine)->request_stop();
    };
    const std::vector<u8> kernel = bytes_of(contents_of(PULSE_KERNEL));
    const std::vector<u8> files = bytes_of(contents_of(guests + "/initramfs.cpio") + archive_of("script", script));
    const auto booted = (*machine)->boot({.image = kernel,
                                          .image_name = PULSE_KERNEL,
                                          .initrd = files,
                                          .initrd_name = "files",
                                          .command_line = std::string("init=/script loglevel=3 ") + GetParam()});
    ASSERT_TRUE(booted) << booted.error().message;
    auto result = (*machine)->run({.until = Tick(longest)});
    ASSERT_TRUE(happens) << console.text;
    accident(**machine);
    result = (*machine)->run({.until = Tick(longest)});
    EXPECT_EQ(result.reason, Machine::StopReason::PowerOff) << console.text;
  }
  [[nodiscard]] Lines lines() const { return marked(console.text); }
  Console console;
};

INSTANTIATE_TEST_SUITE_P(Ways, DeadDisk, testing::Values("", "disk=pio", "polled=disk"), [](const auto& instance) {
  return instance.param[0] == 0 ? "dma" : instance.param[0] == 'd' ? "pio" : "polled";
});

const std::string beginning = R"sh(#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
seconds() { cut -d. -f1 /proc/uptime; }
get() { dd if=/dev/sda of=/dev/null bs=512 skip=$1 count=1 2>&1 | grep -o "Input/output error\|1+0 records out" | sed "s|^|=> $2: |"; }
get 1 before
echo "=> now"
)sh";

TEST_P(DeadDisk, one_that_was_pulled_is_an_error_then_dead_and_holds_up_nobody_else) {
  run(beginning + R"sh(
get 2 "the first that asks" &
from=$(seconds); for i in $(seq 20); do usleep 50000; done; to=$(seconds)
[ $((to - from)) -le 2 ] && echo "=> others ran"
wait
get 3 then; get 4 then
from=$(seconds); get 5 dead; get 6 dead; to=$(seconds)
[ $((to - from)) -le 1 ] && echo "=> at once"
poweroff -f
)sh",
      [](Machine& machine) { machine.board().ide->disk(0) = DiskImage(); });
  EXPECT_EQ(lines(), (Lines{"=> before: 1+0 records out", "=> now", "=> others ran",
                            "=> the first that asks: Input/output error", "=> then: Input/output error",
                            "=> then: Input/output error", "=> dead: Input/output error", "=> dead: Input/output error",
                            "=> at once"}))
      << console.text;
  EXPECT_NE(console.text.find("ata0: disk 0 is dead"), std::string::npos) << console.text;
}

TEST_P(DeadDisk, one_that_only_slept_is_woken_by_the_reset_and_goes_on) {
  run(beginning + R"sh(
get 2 asleep; get 3 awake; get 4 awake
poweroff -f
)sh",
      [](Machine& machine) {
        constexpr Port command{0x1F7};
        constexpr u32 sleep = 0xE6;  // ATA/ATAPI-6, 8.41
        machine.ports().write(command, AccessSize(1), sleep);
      });
  EXPECT_EQ(lines(), (Lines{"=> before: 1+0 records out", "=> now", "=> asleep: Input/output error",
                            "=> awake: 1+0 records out", "=> awake: 1+0 records out"}))
      << console.text;
  EXPECT_EQ(console.text.find("is dead"), std::string::npos) << console.text;
}

}  // namespace
