// The kernel's own memory as the other side of a read or write.
#pragma once

#include <cstring>

#include "kernel/fs/file.hpp"

namespace pulse {

class KernelBuffer final : public IoBuffer {
 public:
  KernelBuffer(void* memory, std::size_t size) : next_(static_cast<u8*>(memory)), remaining_(size) {}
  [[nodiscard]] std::size_t remaining() const override { return remaining_; }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override {
    std::memcpy(next_, bytes.data(), bytes.size());
    return advance(bytes.size());
  }
  [[nodiscard]] std::size_t get_some(std::span<u8> bytes) override {
    std::memcpy(bytes.data(), next_, bytes.size());
    return advance(bytes.size());
  }

  void go_back(std::size_t bytes) override {
    next_ -= bytes;
    remaining_ += bytes;
  }

 private:
  std::size_t advance(std::size_t size) {
    next_ += size;
    remaining_ -= size;
    return size;
  }
  u8* next_;
  std::size_t remaining_;
};

}  // namespace pulse
