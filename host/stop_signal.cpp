#include "host/stop_signal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "host/terminal.hpp"

namespace vitrine {

namespace {

// A signal handler has no other place to look.
volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t interrupts = 0;
std::array<int, 2> wake_pipe = {-1, -1};

constexpr std::array<int, 3> stop_signals = {SIGINT, SIGTERM, SIGHUP};

void note_signal(int signal) {
  const int kept_errno = errno;
  if (signal == SIGINT) interrupts = interrupts + 1;
  if (interrupts > 1) {
    RawTerminal::restore_now();
    ::_exit(128 + signal);
  }
  if (first_signal == 0) first_signal = signal;
  const char byte = 0;
  [[maybe_unused]] const ssize_t wrote = ::write(wake_pipe[1], &byte, 1);
  errno = kept_errno;
}

}  // namespace

StopSignals::StopSignals() {
  first_signal = 0;
  interrupts = 0;
  if (::pipe2(wake_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) wake_pipe = {-1, -1};
  struct sigaction action{};
  action.sa_handler = note_signal;
  for (const int signal : stop_signals) ::sigaction(signal, &action, nullptr);
}

StopSignals::~StopSignals() {
  for (const int signal : stop_signals) std::signal(signal, SIG_DFL);
  for (int& descriptor : wake_pipe) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }
}

int StopSignals::received() const { return first_signal; }
int StopSignals::wake_descriptor() const { return wake_pipe[0]; }

}  // namespace vitrine
