// Debian's memtest86+, both widths, booted directly: finds its way through our firmware tables, tests, counts passes.
//
// All its tests make a pass of some minutes of guest time (most of it is the bit fade test, which waits), see
// docs/guests.md. Here its menu is told to do three tests only; on 8 MiB of memory such a pass takes a fraction of a
// second of guest time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Result {
  int status = -1;
  std::string both;  // standard output and standard error
};

Result run(const std::string& image, const std::string& options) {
  const std::string command = std::string(VITRINE_COMMAND) + " run " + image + " " + options + " 2>&1 </dev/null";
  Result result;
  FILE* pipe = ::popen(command.c_str(), "r");
  char bytes[4096];
  while (const std::size_t got = std::fread(bytes, 1, sizeof bytes, pipe)) result.both.append(bytes, got);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

class Memtest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    image_ = fs::path(VITRINE_GUESTS) / GetParam();
    if (!fs::exists(image_)) GTEST_SKIP() << "no " << image_ << " (make guests)";
  }
  std::string image_;
};

TEST_P(Memtest, counts_passes_without_errors_on_the_text_screen) {
  // Configuration, test selection: clear, add the range 1 to 3; out of both menus; start.
  const Result result = run(image_,
                            "--check --memory 8M --serial none --max-time 5s --screen --keys "
                            R"("<f1><wait 50ms><f1><wait 50ms><f1><wait 50ms><f4><wait 50ms>1\n<wait 50ms>3\n)"
                            R"(<wait 50ms><f10><wait 50ms><f10><wait 50ms>\n")");
  EXPECT_EQ(result.status, 80);
  EXPECT_THAT(result.both, AllOf(HasSubstr("Memtest86+ v"), HasSubstr("Vitrine virtual CPU"), HasSubstr("Errors: 0")));
  EXPECT_THAT(result.both, HasSubstr("Interrupt sanitizer:"));
  EXPECT_THAT(result.both, AllOf(Not(HasSubstr("error[")), Not(HasSubstr("warning["))));
  const std::string label = "Pass:  ";
  const auto at = result.both.find(label);
  ASSERT_NE(at, std::string::npos) << result.both;
  EXPECT_GE(std::atoi(result.both.c_str() + at + label.size()), 2) << result.both;
}

TEST_P(Memtest, tells_its_progress_on_the_serial_console) {
  const Result result =
      run(image_, R"(--memory 16M --append "console=ttyS0,115200" --until "[Moving inversions" --max-time 20s)");
  EXPECT_EQ(result.status, 0) << result.both;
  EXPECT_THAT(result.both, HasSubstr("Address test"));
}

INSTANTIATE_TEST_SUITE_P(Width, Memtest, testing::Values("memtest86+x64.bin", "memtest86+ia32.bin"),
                         [](const auto& which) {
                           return std::string(which.param).find("x64") != std::string::npos ? "x64" : "ia32";
                         });

}  // namespace
