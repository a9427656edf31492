// Pulse as a user meets it: scheduling modes, what goes wrong without a remapped 8259, and Debian's own busybox as the
// shell. On Vitrine, and on QEMU where it is installed: the lines that we mark must be the same.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

TEST(Pulse, pre_emption_lets_both_spinners_get_on) {
  const Result result = run(vitrine_words("demonstrate=spinners", "1s"));
  EXPECT_EQ(result.status, ended_well) << result.out;
  EXPECT_NE(result.out.find("look 4: the first spinner got on, the second got on"), std::string::npos) << result.out;
}

TEST(Pulse, without_pre_emption_the_first_spinner_hangs_the_system) {
  constexpr int budget_used_up = 80;
  const Result result = run(vitrine_words("demonstrate=spinners scheduling=cooperative", "300ms"));
  EXPECT_EQ(result.status, budget_used_up) << result.out;
  EXPECT_EQ(result.out.find("look 1"), std::string::npos) << result.out;
}

/// The CPU that another one starts counts as idle before it has done anything.
TEST(Pulse, spinners_on_several_cpus) {
  constexpr int budget_used_up = 80;
  for (const char* const cpus : {"2", "4"}) {
    for (const char* const mode : {"preemptive", "cooperative"}) {
      std::vector<std::string> words = vitrine_words(std::string("demonstrate=spinners scheduling=") + mode, "400ms");
      for (const char* const word : {"--cpus", cpus}) words.emplace_back(word);
      const Result result = run(words);
      // Cooperative, two spinners leave nobody a CPU where there are two.
      const bool hangs = std::string(mode) == "cooperative" && std::string(cpus) == "2";
      EXPECT_EQ(result.status, hangs ? budget_used_up : ended_well) << mode << cpus << result.out;
      EXPECT_EQ(result.out.find("panics"), std::string::npos) << mode << cpus << result.out;
      EXPECT_EQ(result.out.find("look 4: the first spinner got on, the second got on") == std::string::npos, hangs)
          << mode << cpus << result.out;
    }
  }
}

TEST(Pulse, a_sleeper_is_woken_by_the_tick_after_its_time) {
  const Result result = run(vitrine_words("demonstrate=sleepers", "1s"));
  EXPECT_EQ(result.status, ended_well) << result.out;
  EXPECT_NE(result.out.find("20 sleeps of 3 ms; woken at most 9"), std::string::npos) << result.out;
}

const char* const script = R"sh(
stty -echo; sleep 1

echo "=> $((6*7))"
echo "=> $(seq 1 1000 | sort -rn | head -n 1)"
(sleep 0.05; echo "=> later") & wait
mkdir /tmp/a && echo text > /tmp/a/b && mv /tmp/a/b /tmp/c && rmdir /tmp/a && echo "=> $(cat /tmp/c)"
trap 'echo "=> caught"' USR1; kill -USR1 $$
sh -c 'kill -SEGV $$'; echo "=> status $?"
f() { [ $1 -gt 0 ] && (f $(($1-1))) || echo "=> deep"; }; f 20
dd if=/dev/zero bs=4096 count=100 2>/dev/null | wc -c | sed 's/^/=> /'
cat /nowhere 2>&1 | sed 's/^/=> /'
poweroff -f
)sh";

const std::vector<std::string> expected = {
    "=> 42",   "=> 1000",   "=> later",
    "=> text", "=> caught", "=> status 139",
    "=> deep", "=> 409600", "=> cat: can't open '/nowhere': No such file or directory"};

TEST(Pulse, debians_busybox_is_its_shell) {
  const Result result = run(vitrine_words("init=/bin/sh", "30s"), {.input = script});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

TEST(Pulse, the_sanitizer_has_nothing_to_say) {
  for (const char* const parameters : {"init=/bin/sh", "init=/bin/sh scheduling=cooperative", "init=/bin/sh hz=100"}) {
    std::vector<std::string> words = vitrine_words(parameters, "30s");
    words.push_back("--check-fatal");
    const Result result = run(words, {.input = script});
    EXPECT_EQ(result.status, 0) << parameters << result.err;
    EXPECT_EQ(marked(result.out), expected) << parameters << result.out;
  }
}

TEST(Pulse, both_gates_lead_to_the_same_system_calls) {
  if (!std::filesystem::exists(PULSE_GATES)) GTEST_SKIP() << PULSE_GATES << " is not there: make guests";
  const Result result = run({VITRINE_COMMAND, "run", PULSE_KERNEL, "--initrd", PULSE_GATES, "--check-fatal"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(marked(result.out),
            (std::vector<std::string>{"=> INT 0x80 writes", "=> INT 0x80 keeps RCX and R11",
                                      "=> both gates answer the same", "=> a call that is not there is ENOSYS"}))
      << result.out;
}

TEST(Pulse, two_runs_are_the_same) {
  const Result first = run(vitrine_words("init=/bin/sh", "30s"), {.input = script});
  const Result second = run(vitrine_words("init=/bin/sh", "30s"), {.input = script});
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(first.err, second.err);
}

TEST(Pulse, prints_the_same_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  const Result result =
      run_until_marked(qemu_words("init=/bin/sh"), {.input = script, .seconds_at_most = 60}, expected);
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

}  // namespace
