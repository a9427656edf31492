// Several CPUs, and interrupts by APICs.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

const char* const script = R"sh(
stty -echo; sleep 1
mount -t proc proc /proc
work() { i=0; while [ $i -lt 100 ]; do i=$((i+1)); done; echo $1 | cat | sort; }
for n in 1 2 3 4 5 6; do work $n & done > /tmp/out; wait
echo "=> $(sort /tmp/out | tr '\n' ' ')"
echo "=> $(grep -c ^processor /proc/cpuinfo) $(awk '/LOC/ { print NF }' /proc/interrupts)"
echo "=> $(awk '/timer$/ { print ($2 > 5) }' /proc/interrupts)"
poweroff -f
)sh";

Result on_vitrine(int cpus, const std::string& parameters) {
  std::vector<std::string> words = vitrine_words("init=/bin/sh " + parameters, "60s");
  for (const std::string& word : {std::string("--cpus"), std::to_string(cpus), std::string("--check-fatal")}) {
    words.push_back(word);
  }
  return run(words, {.input = script});
}

/// `columns`: words of the local timer's row: name, counts, "CPU", "vector", its number, "local", "timer".
std::vector<std::string> expected(int cpus) {
  return {"=> 1 2 3 4 5 6 ", "=> " + std::to_string(cpus) + " " + std::to_string(cpus + 6), "=> 1"};
}

TEST(PulseProcessors, any_number_of_them_gives_the_same_results) {
  for (const int cpus : {1, 2, 4}) {
    const Result result = on_vitrine(cpus, "routing=ioapic");
    EXPECT_EQ(result.status, 0) << cpus << result.err;
    EXPECT_EQ(marked(result.out), expected(cpus)) << cpus << result.out;
  }
}

TEST(PulseProcessors, mp_tables_and_x2apic_and_tickless_idle_serve_as_well) {
  for (const char* const parameters :
       {"routing=ioapic tables=mp", "routing=ioapic x2apic", "routing=ioapic tickless"}) {
    const Result result = on_vitrine(2, parameters);
    EXPECT_EQ(result.status, 0) << parameters << result.err;
    EXPECT_EQ(marked(result.out), expected(2)) << parameters << result.out;
  }
}

TEST(PulseProcessors, the_pit_ticks_by_the_io_apic) {
  const Result result = on_vitrine(1, "routing=ioapic timer=pit");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(marked(result.out), (std::vector<std::string>{"=> 1 2 3 4 5 6 ", "=> 1 ", "=> 1"})) << result.out;
}

struct Way {
  const char* routing;
  const char* says;
  const char* board = "pc";
};

TEST(PulseRouting, the_interrupt_tester_comes_by_8259_by_io_apic_or_as_a_message) {
  for (const Way& way :
       {Way{"8259", "by its pin on line 10, vector 0x2a"}, Way{"ioapic", "by its pin on line 18, vector 0x42"},
        Way{"msi", "as messages on line 24, vector 0x48"}, Way{"8259", "by its pin on line 11, vector 0x2b", "q35"},
        Way{"ioapic", "by its pin on line 23, vector 0x47", "q35"},
        Way{"msi", "as messages on line 24, vector 0x48", "q35"}}) {
    std::vector<std::string> words = vitrine_words(std::string("demonstrate=device routing=") + way.routing, "2s");
    for (const char* const word : {"--board", way.board, "--check-fatal"}) words.emplace_back(word);
    const Result result = run(words);
    EXPECT_EQ(result.status, ended_well) << way.routing << result.err;
    EXPECT_NE(result.out.find(std::string("5 of 5 interrupts came, ") + way.says), std::string::npos)
        << way.routing << result.out;
  }
}

/// QEMU's edu device stands in for one of Vitrine's that interrupts on command.
TEST(PulseRouting, a_devices_interrupt_comes_by_8259_by_io_apic_or_as_a_message) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  for (const Way& way :
       {Way{"8259", "by its pin on line 11, vector 0x2b"}, Way{"ioapic", "by its pin on line 11, vector 0x3b"},
        Way{"msi", "as messages on line 24, vector 0x48"}}) {
    std::vector<std::string> words = qemu_words(std::string("demonstrate=device routing=") + way.routing);
    for (const char* const word : {"-device", "edu"}) words.emplace_back(word);
    const Result result = run(words, {.seconds_at_most = 60});
    EXPECT_NE(result.out.find(std::string("QEMU's edu: 5 of 5 interrupts came, ") + way.says), std::string::npos)
        << way.routing << result.out;
  }
}

TEST(PulseProcessors, two_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  std::vector<std::string> words = qemu_words("init=/bin/sh");
  for (const char* const word : {"-smp", "2"}) words.emplace_back(word);
  const Result result = run_until_marked(words, {.input = script, .seconds_at_most = 120}, expected(2));
  EXPECT_EQ(marked(result.out), expected(2)) << result.out;
}

}  // namespace
