// What happens when memory is used up.
#include <gtest/gtest.h>

#include "tests/kernel/pulse_machine.hpp"

namespace {

using namespace vitrine::tests;

const char* const script = R"sh(
stty -echo; sleep 1
cat /dev/zero > /z 2> /dev/null; echo "=> status $?"
i=0; while [ $i -lt 2000 ]; do : > /f$i; i=$((i+1)); done 2> /dev/null; echo "=> the shell goes on"
: > /z; echo "=> $(seq 1 3 | wc -l)"
poweroff -f
)sh";

TEST(PulseMemory, files_that_fill_it_are_refused_and_programs_go_on) {
  std::vector<std::string> words = vitrine_words("init=/bin/sh", "60s");
  for (const char* const word : {"--memory", "24M"}) words.emplace_back(word);
  const Result result = run(words, {.input = script});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_EQ(marked(result.out), (std::vector<std::string>{"=> status 1", "=> the shell goes on", "=> 3"}))
      << result.out;
}

}  // namespace
