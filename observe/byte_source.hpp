// Where observe/ takes bytes from. Implemented by host/ through apps/ (files) and here (memory).
#pragma once

#include <algorithm>
#include <span>

#include "base/types.hpp"

namespace vitrine {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual u64 size() const = 0;
  /// The `count` bytes from `offset` on: fewer where the source ends, or can't be read. Valid until the next call.
  virtual std::span<const u8> read(u64 offset, std::size_t count) = 0;
};

/// Bytes in memory, which must outlive it.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const u8> bytes) : bytes_(bytes) {}
  [[nodiscard]] u64 size() const override { return bytes_.size(); }
  std::span<const u8> read(u64 offset, std::size_t count) override {
    const auto rest = bytes_.subspan(static_cast<std::size_t>(std::min<u64>(offset, bytes_.size())));
    return rest.first(std::min(count, rest.size()));
  }

 private:
  std::span<const u8> bytes_;
};

}  // namespace vitrine
