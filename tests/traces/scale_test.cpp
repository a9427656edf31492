// Large traces in bounded memory, broken traces with a clear word. The times are measured by hand: docs/performance.md.
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/traces/command.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;

constexpr long most_memory_kib = 512 * 1024;

class Scale : public TraceCommand {
 protected:
  /// Every command that reads a trace.
  std::vector<std::vector<std::string>> readers() {
    return {{"report", path("trace")},
            {"show", path("trace")},
            {"show", path("trace"), "--id", "5"},
            {"export", path("trace"), "--perfetto", "/dev/null"},
            {"export", path("trace"), "--chrome", "/dev/null"},
            {"export", path("trace"), "--ctf", path("ctf")}};
  }
};

TEST_F(Scale, long_traces_are_read_in_bounded_memory) {
  make_trace(path("trace"), std::getenv("VITRINE_THOROUGH") != nullptr ? 10'000'000 : 500'000);
  for (const auto& words : readers()) {
    const Result result = vitrine(words, "/dev/null");
    EXPECT_EQ(result.status, 0) << testing::PrintToString(words) << result.err;
    EXPECT_LT(result.most_memory_kib, most_memory_kib) << testing::PrintToString(words);
  }
}

TEST_F(Scale, every_command_says_where_a_trace_is_damaged_and_what_was_good) {
  make_trace(path("trace"), 100'000);
  std::fstream file(path("trace"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path("trace")) / 2));
  file.write("\xFF\xFF\xFF\xFF", 4);
  file.close();
  for (const auto& words : readers()) {
    const Result result = vitrine(words);
    EXPECT_EQ(result.status, 66) << testing::PrintToString(words);
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr("a block is damaged (its checksum is wrong)"));
    EXPECT_THAT(result.err, HasSubstr("before that are good"));
  }
}

TEST_F(Scale, a_reader_that_has_seen_enough_is_no_error) {
  make_trace(path("trace"), 100'000);
  for (const std::string& command : {std::string("show ") + path("trace"), "show --json " + path("trace"),
                                     "export --chrome - " + path("trace"), "export --perfetto - " + path("trace")}) {
    const Result result =
        run({"/bin/bash", "-c", "set -o pipefail; " VITRINE_COMMAND " " + command + " | head -c 100"});
    EXPECT_EQ(result.status, 0) << command;
    EXPECT_EQ(result.err, "") << command;
    EXPECT_EQ(result.out.size(), 100u) << command;
  }
}

TEST_F(Scale, one_life_is_told_step_by_step) {
  make_trace(path("trace"), 1000);
  const Result keyboard = vitrine({"show", path("trace"), "--id", "20"});  // of the sixteenth round
  EXPECT_EQ(keyboard.status, 0) << keyboard.err;
  std::size_t at = 0;
  for (const char* step : {"keyboard", "IRQ 1", "0x31", "EOI", "shell"}) {
    const std::size_t found = keyboard.out.find(step, at);
    EXPECT_NE(found, std::string::npos) << step << "\n" << keyboard.out;
    at = std::min(found, at);
  }
  const Result listed = vitrine({"show", path("trace"), "--id", "20", "--from", "0ns"});
  EXPECT_THAT(listed.out, HasSubstr("#20")) << "with another filter it is a list of records";
}

TEST_F(Scale, a_life_that_is_not_there_is_one_clear_line) {
  make_trace(path("trace"), 100);
  const Result result = vitrine({"show", path("trace"), "--id", "4711"});
  EXPECT_EQ(result.status, 64);
  EXPECT_THAT(result.err, HasSubstr("the trace has no such request; the last is"));
}

TEST_F(Scale, symbols_name_addresses_in_every_command_and_bad_ones_are_one_line) {
  make_trace(path("trace"), 1000);
  std::ofstream(path("map")) << "0000000000000100 T _ZN6driver5enterEv\n";
  std::ofstream(path("other")) << "ffffffff81000150 t end_of_interrupt\n";
  std::ofstream(path("noise")) << "\x7F"
                                  "ELF and then nothing of the kind";
  const std::string moved = path("map") + "@0xffffffff81000000";
  for (std::vector<std::string> words : {std::vector<std::string>{"show", path("trace")},
                                         {"show", path("trace"), "--json"},
                                         {"show", path("trace"), "--id", "1"},
                                         {"export", path("trace"), "--chrome", "-"}}) {
    const auto plain = words;
    words.insert(words.end(), {"--symbols", moved, "--symbols", path("other")});
    const Result result = vitrine(words);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, testing::AllOf(HasSubstr("driver::enter"), HasSubstr("end_of_interrupt")));
    for (const std::string& bad : {path("noise"), path("none"), path("map") + "@lots", path("")}) {
      words = plain;
      words.insert(words.end(), {"--symbols", bad});
      const Result refused = vitrine(words);
      EXPECT_EQ(refused.status, 66) << bad;
      EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
    }
  }
}

TEST_F(Scale, a_trace_can_come_through_a_pipe) {
  make_trace(path("trace"), 1000);
  const Result direct = vitrine({"report", path("trace")});
  const Result piped = run({"/bin/bash", "-c", "cat " + path("trace") + " | " VITRINE_COMMAND " report /dev/stdin"});
  EXPECT_EQ(piped.status, 0) << piped.err;
  EXPECT_EQ(piped.out, direct.out);
}

}  // namespace
}  // namespace vitrine
