// The command at a terminal: raw mode, its own keys, and the terminal given back on every way out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

/// A Multiboot kernel that prints "up" on COM1 and then does `tail`.
std::string kernel(const std::string& tail) {
  const std::uint32_t base = 0x100000;
  const std::uint32_t flags = 1u << 16;
  const std::uint32_t magic = 0x1BADB002;
  const std::uint32_t words[] = {magic, flags, 0u - magic - flags, base, base, 0, 0, base + 32};
  std::string image(reinterpret_cast<const char*>(words), sizeof words);
  // out 0x3FA, 1 (FIFO on); out 0x3F8, 'u'; out 0x3F8, 'p'
  image += std::string("\x66\xBA\xFA\x03\xB0\x01\xEE\x66\xBA\xF8\x03\xB0\x75\xEE\xB0\x70\xEE", 17);
  return image + tail;
}
const std::string loop_forever("\xEB\xFE", 2);
const std::string halt_forever("\xFA\xB9\x00\x2D\x31\x01\xE2\xFE\xF4", 9);  // cli; 20 ms of loop; hlt

class Terminal : public testing::Test {
 protected:
  void start(const std::string& image) {
    path_ = std::filesystem::temp_directory_path() / ("vitrine-terminal-" + std::to_string(::getpid()));
    std::ofstream(path_, std::ios::binary) << image;
    child_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ == 0) {
      ::execl(VITRINE_COMMAND, VITRINE_COMMAND, "run", path_.c_str(), "--report", nullptr);
      ::_exit(98);
    }
    ASSERT_EQ(::tcgetattr(terminal_, &before_), 0);
    ASSERT_TRUE(read_until("up"));
  }
  ~Terminal() override {
    if (child_ > 0) ::kill(child_, SIGKILL);
    if (terminal_ >= 0) ::close(terminal_);
    std::filesystem::remove(path_);
  }

  bool read_until(const std::string& text) {
    char buffer[4096];
    while (seen_.find(text) == std::string::npos) {
      pollfd wait{.fd = terminal_, .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 60'000) <= 0) return false;
      const ssize_t got = ::read(terminal_, buffer, sizeof buffer);
      if (got <= 0) return false;
      seen_.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
  }
  void type(std::string_view keys) const {
    ASSERT_EQ(::write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  int wait() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] bool is_raw() const {
    termios now{};
    ::tcgetattr(terminal_, &now);
    return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
  }
  void expect_restored() const {
    termios now{};
    ASSERT_EQ(::tcgetattr(terminal_, &now), 0);
    EXPECT_EQ(now.c_lflag, before_.c_lflag);
    EXPECT_EQ(now.c_iflag, before_.c_iflag);
    EXPECT_EQ(now.c_oflag, before_.c_oflag);
  }

  std::filesystem::path path_;
  pid_t child_ = -1;
  int terminal_ = -1;
  termios before_{};
  std::string seen_;
};

TEST_F(Terminal, ctrl_a_x_leaves_a_guest_that_reads_nothing) {
  start(kernel(loop_forever));
  EXPECT_TRUE(is_raw());
  type("ignored\x01x");
  EXPECT_TRUE(read_until("You left it"));
  EXPECT_TRUE(read_until("Interrupt report"));
  expect_restored();
  EXPECT_EQ(wait(), 0);
}

TEST_F(Terminal, ctrl_a_h_helps) {
  start(kernel(loop_forever));
  type("\x01h");
  EXPECT_TRUE(read_until("Ctrl-A x  leave"));
}

TEST_F(Terminal, is_given_back_after_sigterm) {
  start(kernel(loop_forever));
  ::kill(child_, SIGTERM);
  EXPECT_TRUE(read_until("Interrupt report"));
  expect_restored();
  EXPECT_EQ(wait(), 128 + SIGTERM);
}

TEST_F(Terminal, is_given_back_when_we_crash) {
  start(kernel(loop_forever));
  ::kill(child_, SIGABRT);
  EXPECT_EQ(wait(), -1);
  expect_restored();
}

TEST_F(Terminal, is_given_back_when_the_guest_halts_for_good) {
  start(kernel(halt_forever));
  EXPECT_TRUE(read_until("halted for good"));
  EXPECT_TRUE(read_until("Interrupt report"));
  expect_restored();
  EXPECT_EQ(wait(), 83);
}

}  // namespace
