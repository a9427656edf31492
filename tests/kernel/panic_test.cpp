// A mistake of the kernel ends in a panic that explains it, with the names of functions, the same on Vitrine and QEMU.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

struct Row {
  const char* mistake;
  std::vector<const char*> says;
};

const Row table[] = {
    {"stack-overflow",
     {"double fault (#DF, vector 8): a kernel stack is used up", "pulse::use_up_the_stack+0x", "more times)"}},
    {"write-to-code",
     {"page fault (#PF, vector 14): the kernel's write to address 0xffffffff8", "which its page forbids"}},
    {"run-data",
     {"page fault (#PF, vector 14): the kernel's instruction fetch from address", "which its page forbids"}},
    {"read-nothing",
     {"page fault (#PF, vector 14): the kernel's read of address 0xffff900000000000, which no page maps"}},
    {"divide-by-zero", {"divide error (#DE, vector 0)"}},
    {"undefined-opcode", {"undefined opcode (#UD, vector 6)"}},
    {"bad-selector", {"general protection (#GP, vector 13): error code 0x58: entry 11 of the GDT"}},
    {"odd-address", {"general protection (#GP, vector 13): error code 0: no selector is to blame"}},
};

class PulsePanic : public testing::TestWithParam<Row> {
 protected:
  static void check(const Result& result) {
    constexpr int panicked = 0x7F << 1 | 1;
    EXPECT_EQ(result.status, panicked) << result.out;
    for (const char* const words : GetParam().says) {
      EXPECT_NE(result.out.find(words), std::string::npos) << words << "\n" << result.out;
    }
    EXPECT_NE(result.out.find("called by, innermost first:"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find(" thread_start+0x"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find(" s on CPU 0, thread 1 ("), std::string::npos) << result.out;
    EXPECT_EQ(result.out.find("::$_"), std::string::npos) << "a lambda's number says nothing\n" << result.out;
    std::istringstream lines(result.out.substr(std::min(result.out.find("rax "), result.out.size())));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
  [[nodiscard]] static std::string parameters() { return std::string("demonstrate=") + GetParam().mistake; }
};

TEST_P(PulsePanic, explains_the_mistake) { check(run(vitrine_words(parameters(), "2s"))); }

TEST_P(PulsePanic, explains_it_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  check(run(qemu_words(parameters()), {.seconds_at_most = 60}));
}

INSTANTIATE_TEST_SUITE_P(Table, PulsePanic, testing::ValuesIn(table), [](const auto& row) {
  std::string name = row.param.mistake;
  for (char& character : name) character = character == '-' ? '_' : character;
  return name;
});

TEST(PulseIdle, tickless_sleepers_wake_on_time) {
  const Result result = run(vitrine_words("demonstrate=sleepers tickless", "1s"));
  EXPECT_EQ(result.status, ended_well) << result.out;
  EXPECT_NE(result.out.find("woken at most 2 us late"), std::string::npos) << result.out;
}

TEST(PulseIdle, tickless_an_idle_second_needs_few_interrupts) {
  const char* const script =
      "mount -t proc p /proc; sleep 1\necho \"=> $(($(awk '/timer/ { print $2 }' /proc/interrupts) < 100))\"\npoweroff "
      "-f\n";
  const Result tickless = run(vitrine_words("init=/bin/sh tickless", "30s"), {.input = script});
  EXPECT_EQ(marked(tickless.out), std::vector<std::string>{"=> 1"}) << tickless.out;
  const Result ticking = run(vitrine_words("init=/bin/sh", "30s"), {.input = script});
  EXPECT_EQ(marked(ticking.out), std::vector<std::string>{"=> 0"}) << ticking.out;
}

}  // namespace
