// What Pulse says of itself while it starts, and of programs and devices that misbehave: true, and only once.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

struct Row {
  const char* parameters;
  const char* cpus;
  const char* says;
};

TEST(PulseLog, says_how_many_cpus_it_uses_and_why_no_more) {
  for (const Row& row : {Row{"", "4", "4 of 4 CPUs run\r\n"}, Row{"cpus=1", "4", "1 of 4 CPUs run, no more than cpus="},
                         Row{"cpus=3", "4", "3 of 4 CPUs run, no more than cpus="},
                         Row{"timer=pit", "2", "1 of 2 CPUs run: timer=pit ticks only for the first"},
                         Row{"routing=8259", "4", "1 of 4 CPUs run: the 8259s interrupt only the first"}}) {
    std::vector<std::string> words = vitrine_words(std::string("demonstrate=sleepers ") + row.parameters, "1s");
    for (const char* const word : {"--cpus", row.cpus}) words.emplace_back(word);
    const Result result = run(words);
    EXPECT_NE(result.out.find(row.says), std::string::npos) << row.parameters << result.out;
  }
}

TEST(PulseLog, a_wrong_parameter_is_told) {
  const Result result =
      run(vitrine_words("demonstrate=sleepers routing=bogus scheduling=coop polled=keybord hz=abc quite", "1s"));
  for (const char* const line : {"parameters: routing=bogus is wrong: it should be routing= and one of 8259,ioapic,msi",
                                 "parameters: scheduling=coop is wrong", "parameters: polled=keybord is wrong",
                                 "parameters: hz=abc is wrong", "parameters: quite is not known"}) {
    EXPECT_NE(result.out.find(line), std::string::npos) << line << "\n" << result.out;
  }
}

TEST(PulseLog, tells_of_faults_that_end_programs) {
  if (!std::filesystem::exists(ABI_INITRAMFS)) GTEST_SKIP() << ABI_INITRAMFS << " is not there: make guests";
  const Result result = run({VITRINE_COMMAND, "run", PULSE_KERNEL, "--append", "init=/abi/processes", "--initrd",
                             ABI_INITRAMFS, "--max-time", "20s"});
  for (const char* const line : {": divide error (#DE, vector 0)", ": undefined opcode (#UD, vector 6)",
                                 ": general protection (#GP, vector 13): error code 0: no selector is to blame"}) {
    EXPECT_NE(result.out.find(line), std::string::npos) << line << "\n" << result.out;
  }
}

TEST(PulseLog, a_storm_that_nobody_claims_is_ended_and_told) {
  for (const char* const routing : {"8259", "ioapic"}) {
    const Result result = run(vitrine_words(std::string("demonstrate=storm routing=") + routing, "3s"));
    EXPECT_EQ(result.status, ended_well) << routing << result.out;
    EXPECT_NE(result.out.find("of 100000 interrupts were nobody's; it is masked for good"), std::string::npos)
        << routing << result.out;
    EXPECT_NE(result.out.find("test device no longer gets interrupts"), std::string::npos) << routing << result.out;
    EXPECT_NE(result.out.find("interrupts that nobody claimed, then silence"), std::string::npos)
        << routing << result.out;
  }
}

TEST(PulseLog, a_program_that_is_not_there_is_enoent) {
  const Result result = run(vitrine_words("init=/nope", "1s"));
  EXPECT_NE(result.out.find("can't start /nope (ENOENT)"), std::string::npos) << result.out;
}

TEST(PulseLog, nothing_that_was_typed_before_the_kernel_started_is_lost_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  const std::vector<std::string> expected{"=> first"};
  const Result result = run_until_marked(
      qemu_words("init=/bin/sh"), {.input = "echo \"=> first\"; poweroff -f\n", .seconds_at_most = 60}, expected);
  EXPECT_EQ(marked(result.out), expected) << result.out;
}

}  // namespace
