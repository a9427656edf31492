// Standard input as the guest's keyboard-to-be: bytes when there are any, and a sleep that input or a signal ends.
#pragma once

#include <deque>
#include <optional>

#include "base/types.hpp"

namespace vitrine {

class InputStream {
 public:
  /// Takes what has arrived, without waiting. After the end of input it does nothing.
  void poll() { wait(0, -1); }
  /// Sleeps until input arrives, `wake` (a descriptor, -1 for none) becomes readable, or `nanoseconds` have passed;
  /// then takes what has arrived. Input that was taken and not yet used does not shorten the sleep.
  void wait(u64 nanoseconds, int wake);
  static constexpr u64 forever = ~u64{0};

  [[nodiscard]] bool at_end() const { return at_end_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// The next byte that was taken.
  std::optional<u8> next();

 private:
  std::deque<u8> bytes_;
  bool at_end_ = false;
};

}  // namespace vitrine
