// The command at a terminal: raw mode, its own keys, and the terminal given back on every way out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

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
const std::string end_the_line("\xB0\x0A\xEE", 3);  // out 0x3F8, '\n'
/// mov ecx, 600000000; loop $; out 0x3F8, 'x'; then end_the_line: 0.6 s of the guest's later, which is at least as much
/// of ours.
const std::string line_after_a_while("\xB9\x00\x46\xC3\x23\xE2\xFE\xB0\x78\xEE", 10);
const std::string halt_forever("\xFA\xB9\x00\x2D\x31\x01\xE2\xFE\xF4", 9);  // cli; 20 ms of loop; hlt

/// Until bit 8 of port 600h (the power button's status) is set; then the end by a write of 2000h to port 604h (S5).
const std::string off_by_the_power_button(
    "\x66\xBA\x00\x06\x66\xED\xF6\xC4\x01\x74\xF9"
    "\x66\xBA\x04\x06\x66\xB8\x00\x20\x66\xEF\xEB\xFE",
    23);

class Terminal : public testing::Test {
 protected:
  void start(const std::string& image, const char* option = "--report", unsigned short columns = 0) {
    path_ = std::filesystem::temp_directory_path() / ("vitrine-terminal-" + std::to_string(::getpid()));
    std::ofstream(path_, std::ios::binary) << image;
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    int slave = -1;
    ASSERT_EQ(::openpty(&terminal_, &slave, nullptr, nullptr, columns != 0 ? &size : nullptr), 0);
    ASSERT_EQ(::tcgetattr(terminal_, &before_), 0);  // the child changes them as soon as it runs
    child_ = ::fork();
    if (child_ == 0) {
      ::close(terminal_);
      ::login_tty(slave);
      ::execl(VITRINE_COMMAND, VITRINE_COMMAND, "run", path_.c_str(), option, nullptr);
      ::_exit(98);
    }
    ::close(slave);
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

TEST_F(Terminal, ctrl_a_p_presses_the_power_button) {
  start(kernel(off_by_the_power_button));
  type("\x01p");
  EXPECT_TRUE(read_until("The guest switched the machine off."));
  EXPECT_EQ(wait(), 0);
}

// The guest has no gate for it.
TEST_F(Terminal, ctrl_a_n_is_an_nmi) {
  start(kernel(loop_forever));
  type("\x01n");
  EXPECT_TRUE(read_until("triple fault"));
  EXPECT_EQ(wait(), 81);
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

/// What a terminal shows of these bytes: lines, with what was taken back gone.
std::string shown(const std::string& bytes) {
  std::string text, line;
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\x1B') {
      const std::size_t end = bytes.find_first_of("mK", i);
      if (end != std::string::npos && bytes[end] == 'K') line.resize(column);
      i = end;
    } else if (bytes[i] == '\r') {
      column = 0;
    } else if (bytes[i] == '\n') {
      text += line + "\n";
      line.clear();
    } else {
      line.resize(std::max(line.size(), column + 1));
      line[column++] = bytes[i];
    }
  }
  return text + line;
}

TEST_F(Terminal, the_live_line_follows_the_run_and_takes_nothing_from_the_guests_output) {
  start(kernel(end_the_line + line_after_a_while + end_the_line + loop_forever), "--live", 100);
  ASSERT_TRUE(read_until("interrupts/s"));
  EXPECT_TRUE(seen_.find("x real time") != std::string::npos) << seen_;
  EXPECT_TRUE(seen_.find("MIPS") != std::string::npos) << seen_;
  ASSERT_TRUE(read_until("x\r\n"));
  type("\x01x");
  ASSERT_TRUE(read_until("You left it"));
  EXPECT_TRUE(shown(seen_).starts_with("up\nx\nvitrine: You left it")) << shown(seen_);
}

TEST_F(Terminal, the_live_line_does_not_wrap) {
  start(kernel(end_the_line + loop_forever), "--live", 30);
  ASSERT_TRUE(read_until("real"));
  ASSERT_TRUE(read_until("\x1B[m"));
  const std::size_t begin = seen_.find("\x1B[7m") + 4;
  EXPECT_LT(seen_.find("\x1B[m") - begin, 30u);
}

TEST_F(Terminal, the_live_line_waits_while_the_guest_is_in_the_middle_of_a_line) {
  start(kernel(line_after_a_while + end_the_line + loop_forever), "--live", 100);
  ASSERT_TRUE(read_until("x\r\n"));
  EXPECT_TRUE(seen_.find("MIPS") == std::string::npos) << seen_;
  EXPECT_TRUE(read_until("MIPS")) << "once the line has ended it comes";
}

}  // namespace
