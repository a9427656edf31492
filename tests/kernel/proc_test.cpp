// /proc, as busybox's tools read it.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

const char* const script = R"sh(
stty -echo; sleep 1

mount -t proc proc /proc
echo "=> $(grep -c 'timer$' /proc/interrupts) $(grep -c 'ttyS0$' /proc/interrupts) $(grep -c '^#PF' /proc/interrupts)"
echo "=> $(($(readlink /proc/self) > 1)) $(readlink /proc/self/exe) $(cut -d ' ' -f 2 /proc/self/stat)"
echo "=> $(grep proc /proc/mounts)"
echo "=> $(ps | awk '$1 == 1 { print $2, $3 }')"
echo "=> $(free | awk '/Mem/ { print ($2 > 100000 && $3 < $2) }')"
echo "=> $(uptime | grep -c 'load average')"
sleep 100 & echo "=> $(cat /proc/$!/comm) $(tr '\0' ' ' < /proc/$!/cmdline)"; kill $!; wait $! 2>/dev/null
echo "=> $(top -b -n 1 2>&1 | grep -c '^CPU:.*% idle')"
(cd /proc/1; echo "=> $(pwd) $(cd ..; pwd)")
echo "=> $(readlink /proc/self/fd/0 < /dev/null)"
echo "=> $(grep -c '\[stack\]$' /proc/self/maps) $(grep -c r-xp /proc/self/maps)"
mv /tmp /proc/here 2> /dev/null || echo "=> another file system"
cat /proc/99/stat 2>&1 | sed 's/^/=> /'
exec 7< /proc/uptime; sleep 0.1; read a <&7; read b < /proc/uptime; [ "$a" != "$b" ] && echo "=> as it was when opened"
poweroff -f
)sh";

const std::vector<std::string> expected = {"=> 1 1 1",
                                           "=> 1 /bin/busybox (cut)",
                                           "=> proc /proc proc rw 0 0",
                                           "=> root /bin/sh",
                                           "=> 1",
                                           "=> 1",
                                           "=> sleep sleep 100 ",
                                           "=> 1",
                                           "=> /proc/1 /proc",
                                           "=> /dev/null",
                                           "=> 1 1",
                                           "=> another file system",
                                           "=> cat: can't open '/proc/99/stat': No such file or directory",
                                           "=> as it was when opened"};

TEST(PulseProc, tells_busyboxs_tools_what_they_ask) {
  const Result result = run(vitrine_words("init=/bin/sh", "30s"), {.input = script});
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

TEST(PulseProc, counts_every_tick_on_its_vector) {
  const Result result = run(
      vitrine_words("init=/bin/sh hz=100", "30s"),
      {.input = "mount -t proc proc /proc; sleep 1\n"
                "echo \"=> $(awk '/timer/ { print ($2 >= 100 && $2 < 200), $5 }' /proc/interrupts)\"\npoweroff -f\n"});
  EXPECT_EQ(marked(result.out), std::vector<std::string>{"=> 1 0x20"}) << result.out;
}

TEST(PulseProc, prints_the_same_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  const Result result =
      run_until_marked(qemu_words("init=/bin/sh"), {.input = script, .seconds_at_most = 60}, expected);
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

TEST(PulseDefault, without_a_guest_vitrine_runs_pulse_to_a_shell_and_reports) {
  if (!std::filesystem::exists(PULSE_FILES)) GTEST_SKIP() << PULSE_FILES << " is not there: make guests";
  const Result result =
      run({VITRINE_COMMAND, "run"}, {.input = "echo \"=> $(uname -n) $(ps | grep -c 'init$')\"\nexit\n"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(marked(result.out), std::vector<std::string>{"=> vitrine 1"}) << result.out;
  EXPECT_NE(result.out.find("READY"), std::string::npos);
  EXPECT_NE(result.err.find("Interrupt report"), std::string::npos) << result.err;
}

}  // namespace
