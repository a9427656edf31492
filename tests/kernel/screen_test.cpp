// Keyboard and screen: from a key press to the program that waits for it, by interrupt and polled.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

Result on_screen(const std::string& parameters, const std::string& keys) {
  std::vector<std::string> words = vitrine_words("console=tty0 init=/bin/sh " + parameters, "30s");
  for (const char* const word : {"--screen", "--report", "--keys"}) words.emplace_back(word);
  words.push_back(keys);
  return run(words);
}

TEST(PulseScreen, a_shell_on_keyboard_and_screen) {
  const Result result = on_screen("", "echo '=' \"> $((6*7))\"\\npoweroff -f\\n");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("= > 42"), std::string::npos) << result.err;
  EXPECT_EQ(result.out.find("Pulse"), std::string::npos) << "nothing is said on the serial port: " << result.out;
}

TEST(PulseScreen, editing_a_line_works_with_the_keyboards_arrows) {
  const Result result = on_screen("", "echo 12<left>3\\npoweroff -f\\n");
  EXPECT_NE(result.err.find("\n132"), std::string::npos) << result.err;
}

TEST(PulseScreen, control_c_ends_what_runs) {
  const Result result = on_screen("", "sleep 1000\\n<wait 200ms><ctrl-c>echo s=$?\\npoweroff -f\\n");
  EXPECT_NE(result.err.find("s=130"), std::string::npos) << result.err;
}

TEST(PulseScreen, the_mouse_is_read_as_packets_of_three_bytes) {
  for (const char* const parameters : {"", "polled=mouse"}) {
    const Result result = on_screen(parameters,
                                    "dd if=/dev/input/mice bs=1 count=9 2>/dev/null | hexdump -v -e '9/1 \"%u \"'\\n"
                                    "<wait 300ms><mouse 5 -3 1><wait 100ms><mouse -20 7 1><wait 100ms><mouse 0 0>"
                                    "<wait 100ms>\\npoweroff -f\\n");
    EXPECT_EQ(result.status, 0) << parameters << result.err;
    EXPECT_NE(result.err.find("41 5 253 25 236 7 8 0 0"), std::string::npos) << parameters << result.err;
  }
}

TEST(PulseScreen, a_polled_keyboard_types_the_same_without_interrupts) {
  const Result result =
      on_screen("polled=keyboard", "mount -t proc p /proc; grep -c keyb /proc/interrupts\\npoweroff -f\\n");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("\n0\n"), std::string::npos) << result.err;
}

TEST(PulseScreen, a_polled_serial_port_prints_the_same_without_interrupts) {
  const char* const script = "mount -t proc p /proc\necho \"=> $(grep -c ttyS0 /proc/interrupts)\"\npoweroff -f\n";
  const Result polled = run(vitrine_words("init=/bin/sh polled=serial", "30s"), {.input = script});
  EXPECT_EQ(marked(polled.out), std::vector<std::string>{"=> 0"}) << polled.out;
  const Result interrupts = run(vitrine_words("init=/bin/sh", "30s"), {.input = script});
  EXPECT_EQ(marked(interrupts.out), std::vector<std::string>{"=> 1"}) << interrupts.out;
}

}  // namespace
