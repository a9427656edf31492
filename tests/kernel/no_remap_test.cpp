// What the 8259s do to a kernel that leaves them where the IBM PC's firmware had them: the timer's interrupt arrives
// with the double fault's vector, without its error code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

constexpr int panicked = 0x7F << 1 | 1;

constexpr const char* by_the_timer =
    "not a double fault \\(#DF, vector 8\\): IRQ 0, no error code; the 8259 has it in service";
/// On a busy host QEMU's timer is late, and the mouse answers first.
constexpr const char* by_some_device = "not an? .* vector [0-9]+\\): IRQ [0-9]+.*; the 8259 has it in service";

void expect_interrupt(const Result& result, const std::string& parameters, const char* told) {
  SCOPED_TRACE(parameters);
  EXPECT_EQ(result.status, panicked) << result.out;
  EXPECT_THAT(result.out, testing::ContainsRegex(told));
  // Nothing of the frame is shifted.
  EXPECT_NE(result.out.find("rip ffffffff8"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("cs  0000000000000008"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("ss  0000000000000010"), std::string::npos) << result.out;
}

const char* const ways[] = {"no-remap", "no-remap loglevel=7", "no-remap scheduling=cooperative", "no-remap tickless"};

TEST(PulseNoRemap, the_timer_is_told_from_a_double_fault) {
  for (const std::string parameters : ways) {
    expect_interrupt(run(vitrine_words(parameters, "1s")), parameters, by_the_timer);
  }
}

TEST(PulseNoRemap, an_interrupt_is_told_from_an_exception_on_qemu) {
  if (!qemu_is_there()) GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  for (const std::string parameters : {ways[0], ways[1], ways[2]}) {
    expect_interrupt(run(qemu_words(parameters), {.seconds_at_most = 60}), parameters, by_some_device);
  }
}

TEST(PulseNoRemap, a_real_double_fault_is_one_all_the_same) {
  const Result result = run(vitrine_words("no-remap routing=ioapic demonstrate=stack-overflow", "1s"));
  EXPECT_NE(result.out.find("panics: double fault (#DF, vector 8): a kernel stack is used up"), std::string::npos)
      << result.out;
}

TEST(PulseNoRemap, by_the_io_apic_it_does_no_harm_and_says_so) {
  const Result result = run(vitrine_words("no-remap routing=ioapic demonstrate=sleepers", "1s"));
  EXPECT_EQ(result.status, ended_well) << result.out;
  EXPECT_EQ(result.out.find("will arrive as vector 8"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("no-remap: interrupts don't come by the 8259s"), std::string::npos) << result.out;
}

}  // namespace
