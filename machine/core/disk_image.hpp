// What is on a disk: the bytes that the host has read, and over them what the guest has written.
//
// The original never changes, so that two machines may share it. Size and content of it count for a run as the guest
// image does; an archive has only what was written, and is refused by a machine with another original.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

class DiskImage {
 public:
  using Bytes = std::vector<u8>;
  static constexpr u64 sector_bytes = 512;

  /// No disk: no sectors.
  DiskImage() = default;
  /// Not null. A rest that is no whole sector is left out.
  explicit DiskImage(std::shared_ptr<const Bytes> original);

  [[nodiscard]] u64 sectors() const { return sectors_; }
  /// Was anything written?
  [[nodiscard]] bool changed() const { return !written_.empty(); }
  /// Whole sectors from `sector` on, as many as the span has. All of them must be there.
  void read(u64 sector, std::span<u8> into) const;
  void write(u64 sector, std::span<const u8> from);
  /// As the host gave it.
  void revert() { written_.clear(); }

  void exchange(Archive& archive);

 private:
  static constexpr u64 chunk_bytes = 4096;
  using Chunk = std::array<u8, chunk_bytes>;
  [[nodiscard]] u64 chunks() const { return (sectors_ * sector_bytes + chunk_bytes - 1) / chunk_bytes; }
  [[nodiscard]] Chunk original_chunk(u64 number) const;
  [[nodiscard]] u64 digest();

  std::shared_ptr<const Bytes> original_;
  u64 sectors_ = 0;
  std::map<u64, Chunk> written_;  // by number
  u64 digest_ = 0;                // of the original; 0: not yet known
};

}  // namespace vitrine
