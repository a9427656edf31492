// The page tables of one address space: four levels of 512 entries (SDM vol. 3A §4.5).
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

namespace page_flag {
inline constexpr u64 present = 1, writable = 2, user = 4, uncached = 0x18, accessed = 0x20, dirty = 0x40, large = 0x80,
                     global = 0x100, no_execute = u64{1} << 63;
/// Ours (ignored by the CPU): the page is shared until somebody writes to it.
inline constexpr u64 copy_on_write = 0x200;
/// Ours: not present, because nobody may touch it now, but its page is still there.
inline constexpr u64 kept = 0x400;
inline constexpr u64 address = 0x000F'FFFF'FFFF'F000;
}  // namespace page_flag

class PageTables {
 public:
  /// The tables with this root, a physical address.
  explicit constexpr PageTables(u64 root) : root_(root) {}
  [[nodiscard]] u64 root() const { return root_; }

  /// The last-level entry for a page; tables on the way are made if `make`. Null: there are none, or no memory for
  /// them.
  enum class Missing : u8 { Null, Make };
  [[nodiscard]] u64* entry(u64 address, Missing missing);
  /// The entry of the first page from `page` on that has one, with `page` set to it; null: none before `end`. What has
  /// no tables is passed over in steps as large as what is missing.
  [[nodiscard]] u64* next_entry(u64& page, u64 end);
  /// Maps a page. False if memory is short.
  [[nodiscard]] bool map(u64 address, u64 physical, u64 flags);
  /// Maps 2 MiB; both addresses are multiples of that.
  [[nodiscard]] bool map_large(u64 address, u64 physical, u64 flags);
  /// Takes a mapping away; returns the entry that was there.
  u64 unmap(u64 address);
  /// Gives back the tables of the lower half (not the pages that they map), and the root.
  void release_user_tables();

 private:
  [[nodiscard]] u64* table_entry(u64 address, unsigned level, Missing missing);
  u64 root_;
};

/// Where the kernel sees a physical address.
[[nodiscard]] void* direct(u64 physical);
[[nodiscard]] u64 physical_of_direct(const void* pointer);

}  // namespace pulse
