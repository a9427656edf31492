// A device of blocks: what a file system stands on. A disk's driver is one; RamDisk is one for tests on the host.
//
// Calls sleep until the device is done, signals or not: other threads run meanwhile and may use the same device, and a
// file system needs a lock of its own around what spans several calls. Never from an interrupt handler or a bottom
// half.
#pragma once

#include <span>

#include "kernel/core/mutex.hpp"
#include "kernel/core/result.hpp"

namespace pulse {

class BlockDevice {
 public:
  static constexpr u64 sector_bytes = 512;

  BlockDevice() = default;
  BlockDevice(const BlockDevice&) = delete;
  BlockDevice& operator=(const BlockDevice&) = delete;
  virtual ~BlockDevice() = default;

  [[nodiscard]] u64 sectors() const { return sectors_; }
  [[nodiscard]] bool writable() const { return writable_; }
  Mutex changing;  ///< of who writes a part of a sector: it is read first
  /// A file system stands on it from now on. False: one does already, here or on what shares sectors with it: two
  /// caches would not know of each other.
  [[nodiscard]] bool claim();
  void give_up_claim();

  // A partition's: where it begins on the disk that it is a part of. Else 0 and itself.
  [[nodiscard]] virtual u64 first_sector() const { return 0; }
  [[nodiscard]] virtual BlockDevice& whole() { return *this; }

  /// Whole sectors from `sector` on, into or from the kernel's memory, as many as the span has: any number, 0 too.
  /// Invalid: the span is no whole sectors, or they reach beyond the end. ReadOnly. InputOutput: the device said so or
  /// did not answer; what of the sectors was moved is not known.
  [[nodiscard]] Result<void> read(u64 sector, std::span<u8> into);
  [[nodiscard]] Result<void> write(u64 sector, std::span<const u8> from);
  /// All that was written before is on the medium when it returns.
  [[nodiscard]] virtual Result<void> flush() = 0;

 protected:
  enum class Access : u8 { ReadOnly, ReadWrite };
  void set_size(u64 sectors, Access access) {
    sectors_ = sectors;
    writable_ = access == Access::ReadWrite;
  }
  /// The sectors are there and the span is not empty.
  [[nodiscard]] virtual Result<void> read_sectors(u64 sector, std::span<u8> into) = 0;
  [[nodiscard]] virtual Result<void> write_sectors(u64 sector, std::span<const u8> from) = 0;

 private:
  [[nodiscard]] Result<void> check(u64 sector, u64 bytes) const;
  u64 sectors_ = 0;
  bool writable_ = true;
  bool is_claimed_ = false;
  u32 claimed_parts_ = 0;
};

}  // namespace pulse
