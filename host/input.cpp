#include "host/input.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

namespace vitrine {

namespace {
/// More than this is left in the pipe: a guest reads slowly, and what is unread should stay where it is.
constexpr std::size_t most_taken = 4096;
}  // namespace

void InputStream::wait(u64 nanoseconds, int wake) {
  const bool wanted = !at_end_ && bytes_.size() < most_taken;
  std::array<pollfd, 2> descriptors = {{{.fd = wanted ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0},
                                        {.fd = wake, .events = POLLIN, .revents = 0}}};
  const timespec timeout = {.tv_sec = static_cast<time_t>(std::min<u64>(nanoseconds / 1'000'000'000, 86'400)),
                            .tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000)};
  const int ready =
      ::ppoll(descriptors.data(), descriptors.size(), nanoseconds == forever ? nullptr : &timeout, nullptr);
  if (ready <= 0 || descriptors[0].revents == 0) return;
  std::array<u8, most_taken> taken;
  const ssize_t got = ::read(STDIN_FILENO, taken.data(), taken.size());
  if (got > 0) {
    bytes_.insert(bytes_.end(), taken.begin(), taken.begin() + got);
  } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
    // A closed or unreadable standard input is one that never says anything.
    at_end_ = true;
  }
}

std::optional<u8> InputStream::next() {
  if (bytes_.empty()) return std::nullopt;
  const u8 byte = bytes_.front();
  bytes_.pop_front();
  return byte;
}

}  // namespace vitrine
