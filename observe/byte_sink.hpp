// Where observe/ puts bytes. Implemented by host/ (files) and by tests (memory).
#pragma once

#include <span>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  /// Takes all of `bytes`. An implementation that fails remembers why and takes no more; the writer goes on.
  virtual void write(std::span<const u8> bytes) = 0;
};

/// Collects in memory.
class MemorySink final : public ByteSink {
 public:
  void write(std::span<const u8> more) override { bytes.insert(bytes.end(), more.begin(), more.end()); }
  std::vector<u8> bytes;
};

}  // namespace vitrine
