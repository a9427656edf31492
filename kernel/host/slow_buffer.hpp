// A program's memory whose pages come from a disk, or not at all, while it is copied to or from.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "kernel/fs/file.hpp"
#include "kernel/host/turns.hpp"

namespace pulse::tests {

class SlowBuffer final : public IoBuffer {
 public:
  /// Bytes at and behind `there` are not mapped.
  explicit SlowBuffer(std::string bytes, std::size_t there = ~std::size_t{0})
      : text(std::move(bytes)), there_(std::min(there, text.size())) {}

  [[nodiscard]] std::size_t remaining() const override { return text.size() - next_; }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override {
    Turns::sleep();
    const std::size_t count = std::min(bytes.size(), there_ - std::min(there_, next_));
    std::memcpy(text.data() + next_, bytes.data(), count);
    next_ += count;
    return count;
  }
  [[nodiscard]] std::size_t get_some(std::span<u8> bytes) override {
    Turns::sleep();
    const std::size_t count = std::min(bytes.size(), there_ - std::min(there_, next_));
    std::memcpy(bytes.data(), text.data() + next_, count);
    next_ += count;
    return count;
  }
  void go_back(std::size_t bytes) override { next_ -= bytes; }

  std::string text;

 private:
  std::size_t there_, next_ = 0;
};

}  // namespace pulse::tests
