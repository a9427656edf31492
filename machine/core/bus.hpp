// The two buses: ports and physical memory. Ranges map to (device, region); overlap is refused.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/device.hpp"

namespace vitrine {

enum class MapError : u8 { Empty, OutOfRange, Overlap };

/// The I/O port space. An access that no device claims reads all ones and writes nowhere.
/// A wider access than the claimed range is split into bytes, as the ISA bus does.
class PortBus {
 public:
  PortBus();
  /// Claims `count` ports from `first`. `offset` in the device's calls counts from `first` plus `base_offset`.
  [[nodiscard]] std::expected<void, MapError> map(Port first, u32 count, Device& device, Region region,
                                                  u64 base_offset = 0);
  void unmap(Port first, u32 count);
  u32 read(Port port, AccessSize size);
  void write(Port port, AccessSize size, u32 value);
  [[nodiscard]] u32 peek(Port port, AccessSize size) const;

 private:
  struct Range {
    u32 first, count;
    Device* device;
    Region region;
    u64 base_offset;
  };
  [[nodiscard]] const Range* find(u32 port) const {
    const u8 index = owner_[port & 0xFFFF];
    return index == 0 ? nullptr : &ranges_[index - 1u];
  }
  std::vector<Range> ranges_;  // at most 255; entry i is owner number i + 1, a freed one has count 0
  std::vector<u8> owner_;      // per port
};

/// Told when RAM changes other than by the CPU's own stores (DMA, loaders): cached code may be stale.
class RamWatcher {
 public:
  virtual ~RamWatcher() = default;
  virtual void ram_written(PhysicalAddress address, u64 size) = 0;
};

/// The physical address space.
class MemoryBus {
 public:
  enum class Kind : u8 { Nothing, Ram, Rom, Device };
  static constexpr u64 page_size = 4096;

  /// Maps `size` bytes (both multiples of the page size) at `start` to the host memory at `host`, which must outlive
  /// the bus. Rom: writes are dropped.
  [[nodiscard]] std::expected<void, MapError> map_ram(PhysicalAddress start, u64 size, u8* host, Kind kind);
  /// Maps a device's registers; byte-granular.
  [[nodiscard]] std::expected<void, MapError> map_device(PhysicalAddress start, u64 size, Device& device,
                                                         Region region);
  /// Takes away what map_device() mapped at exactly `start`; nothing else.
  void unmap_device(PhysicalAddress start);

  /// The host address of the page that contains `address`, if it is RAM or ROM that is wholly mapped; else null.
  struct Page {
    u8* host = nullptr;
    Kind kind = Kind::Nothing;
  };
  [[nodiscard]] Page page(PhysicalAddress address) const;

  /// Guest accesses: RAM or device. Nothing mapped: reads all ones, writes vanish. An access may straddle ranges.
  u64 read(PhysicalAddress address, AccessSize size);
  void write(PhysicalAddress address, AccessSize size, u64 value);
  [[nodiscard]] u64 peek(PhysicalAddress address, AccessSize size) const;

  /// Block transfers of DMA, loaders and debuggers. False if any byte is not RAM (or ROM, for reads): nothing is moved
  /// then.
  [[nodiscard]] bool read_block(PhysicalAddress address, std::span<u8> into) const;
  [[nodiscard]] bool write_block(PhysicalAddress address, std::span<const u8> from);

  void set_watcher(RamWatcher& watcher) { watcher_ = &watcher; }

  /// Saves or restores the contents of all RAM (pages of zeroes take one byte).
  void exchange(Archive& archive);

 private:
  struct Range {
    u64 first, last;  // both included
    Kind kind;
    u8* host;
    Device* device;
    Region region;
  };
  [[nodiscard]] const Range* find(u64 address) const;
  [[nodiscard]] std::expected<void, MapError> add(Range range);

  std::vector<Range> ranges_;  // sorted by `first`
  RamWatcher* watcher_ = nullptr;
};

}  // namespace vitrine
