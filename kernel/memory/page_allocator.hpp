// Physical pages: a buddy allocator (Knuth, The Art of Computer Programming vol. 1 §2.5) with a reference count a page.
//
// Blocks are 2^order pages, aligned to their size. Pure: it deals in page numbers and in a table of Page that its owner
// provides, and never touches the pages themselves. Not safe against interrupts: callers hold them off.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "kernel/core/types.hpp"

namespace pulse {

inline constexpr u64 page_bits = 12, page_bytes = u64{1} << page_bits;
[[nodiscard]] constexpr u64 page_floor(u64 address) { return address & ~(page_bytes - 1); }
[[nodiscard]] constexpr u64 page_ceiling(u64 address) { return page_floor(address + page_bytes - 1); }

/// What is known of a physical page.
struct Page {
  static constexpr u32 none = ~u32{0};
  u32 previous = none, next = none;  ///< in the list of free blocks of its order
  u32 references = 0;                ///< of an allocated block's first page; 0: free, or not a first page
  u8 order = 0;                      ///< of the block that it begins
  bool is_free = false;              ///< begins a free block
  bool is_ram = false;
};

class PageAllocator {
 public:
  static constexpr u8 orders = 12;  ///< blocks of up to 8 MiB

  /// `table[i]` is page number i. Nothing is free until add().
  void initialise(std::span<Page> table);
  /// Gives it pages `begin` up to (not including) `end`.
  void add(u32 begin, u32 end);

  /// The first page of a block of 2^order pages, with one reference; nothing if there is none.
  [[nodiscard]] std::optional<u32> allocate(u8 order = 0);
  /// One more user of an allocated block.
  void share(u32 page);
  /// One user less; the last one frees the block. True if it was the last.
  bool release(u32 page);
  [[nodiscard]] u32 references(u32 page) const { return table_[page].references; }
  /// Is this number that of a page of RAM?
  [[nodiscard]] bool is_ram(u64 page) const { return page < table_.size() && table_[page].is_ram; }

  [[nodiscard]] u64 free_pages() const { return free_pages_; }
  [[nodiscard]] u64 all_pages() const { return all_pages_; }

 private:
  void insert(u32 page, u8 order);
  void take_out(u32 page);
  void give_back(u32 page, u8 order);

  std::span<Page> table_;
  std::array<u32, orders> lists_{};
  u64 free_pages_ = 0, all_pages_ = 0;
};

}  // namespace pulse
