#include "host/terminal.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

namespace vitrine {

namespace {

// Whoever crashes or exits has no other way to find what to restore.
termios original_settings;
volatile std::sig_atomic_t must_restore = 0;

constexpr std::array<int, 6> crash_signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};

void restore_and_crash(int signal) {
  RawTerminal::restore_now();
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

void restore_at_exit() { RawTerminal::restore_now(); }

}  // namespace

bool standard_input_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

bool standard_output_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool standard_error_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool outputs_meet() {
  struct stat output{};
  struct stat error{};
  return ::fstat(STDOUT_FILENO, &output) == 0 && ::fstat(STDERR_FILENO, &error) == 0 && output.st_dev == error.st_dev &&
         output.st_ino == error.st_ino;
}

std::size_t standard_error_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::max<std::size_t>(size.ws_col, 20);
}

RawTerminal::RawTerminal() {
  if (::tcgetattr(STDIN_FILENO, &original_settings) != 0) return;
  termios raw = original_settings;
  raw.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.c_cflag = (raw.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  static const bool registered = std::atexit(restore_at_exit) == 0;
  (void)registered;
  must_restore = 1;
  for (const int signal : crash_signals) std::signal(signal, restore_and_crash);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) must_restore = 0;
}

RawTerminal::~RawTerminal() {
  restore_now();
  for (const int signal : crash_signals) std::signal(signal, SIG_DFL);
}

bool RawTerminal::active() const { return must_restore != 0; }

void RawTerminal::restore_now() {
  if (must_restore == 0) return;
  must_restore = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &original_settings);
}

EscapeKeys::Result EscapeKeys::feed(u8 byte) {
  if (!after_prefix_) {
    after_prefix_ = byte == prefix;
    return {after_prefix_ ? Command::Wait : Command::Send, byte};
  }
  after_prefix_ = false;
  switch (byte) {
    case prefix:
    case 'a':
      return {Command::Send, prefix};
    case 'x':
    case 'X':
    case 0x18:  // Ctrl still held down
      return {Command::Leave, 0};
    case 'h':
    case '?':
      return {Command::Help, 0};
    case 'p':
      return {Command::PowerButton, 0};
    case 'n':
      return {Command::NmiButton, 0};
    default:
      return {Command::Wait, 0};
  }
}

}  // namespace vitrine
