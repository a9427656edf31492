// Timers and the clock chip, by interrupt and polled: programs get the same, and /proc/interrupts tells which it was.
// (Screen, serial port and disk: screen_test.cpp, disk_test.cpp.)
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

/// "1": the row of that name has counted something, on any CPU; "0": not.
std::string count_of(const std::string& name) {
  return "echo \"=> $(awk '/ " + name +
         "$/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print (n > 0) }' "
         "/proc/interrupts)\"\n";
}

struct Timer {
  const char* name;
  const char* cpus;
  const char* parameters;
};
class PulsePolledTimer : public testing::TestWithParam<Timer> {};

TEST_P(PulsePolledTimer, wakes_sleepers_in_time_without_an_interrupt) {
  // Short: who looks all the time executes an instruction each nanosecond.
  const std::string script =
      "#!/bin/sh\n"
      "mount -t proc proc /proc; from=1$(cut -d' ' -f1 /proc/uptime | tr -d .)\n"
      "for n in 3 6 9; do (sleep 0.0$n; echo $n >> /tmp/woken) & done; wait\n"
      "to=1$(cut -d' ' -f1 /proc/uptime | tr -d .)\n"
      "echo \"=> $(cat /tmp/woken | tr '\\n' ' ')$((to - from >= 8 && to - from <= 12))\"\n" +
      count_of("timer") + "poweroff -f\n";
  const Folder folder;
  const std::string files =
      folder.file("files", contents_of(guests + "/initramfs.cpio") + archive_of("script", script));
  for (const bool polled : {false, true}) {
    const std::string parameters = std::string("init=/script ") + (polled ? "polled=timer " : "");
    const Result result = run({VITRINE_COMMAND, "run", PULSE_KERNEL, "--append", parameters + GetParam().parameters,
                               "--initrd", files, "--max-time", "10s", "--cpus", GetParam().cpus});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(marked(result.out), (std::vector<std::string>{"=> 3 6 9 1", polled ? "=> 0" : "=> 1"}))
        << polled << result.out;
  }
}

INSTANTIATE_TEST_SUITE_P(Pulse, PulsePolledTimer,
                         testing::Values(Timer{"pit", "1", "routing=8259"}, Timer{"local_apic", "1", "routing=ioapic"},
                                         Timer{"two_local_apics", "2", "routing=ioapic"}),
                         [](const auto& instance) { return instance.param.name; });

TEST(PulsePolled, the_clock_chip_ticks_by_interrupt_and_polled) {
  if (!std::filesystem::exists(PULSE_FILES)) GTEST_SKIP() << PULSE_FILES << " is not there: make guests";
  const std::string script =
      "rtc-ticks 64 32 | sed -n 's/=> rtc: milliseconds: //p' > /tmp/took\n"
      "ms=$(cat /tmp/took); echo \"=> $((ms >= 498 && ms <= 502))\"\n" +
      count_of("rtc0") + "poweroff -f\n";
  for (const bool polled : {false, true}) {
    const std::string parameters = polled ? "init=/bin/sh polled=rtc" : "init=/bin/sh";
    const Result result = run(
        {VITRINE_COMMAND, "run", PULSE_KERNEL, "--append", parameters, "--initrd", PULSE_FILES, "--max-time", "30s"},
        {.input = "mount -t proc proc /proc\n" + script});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(marked(result.out), (std::vector<std::string>{"=> 1", polled ? "=> 0" : "=> 1"})) << polled << result.out;
  }
}

}  // namespace
