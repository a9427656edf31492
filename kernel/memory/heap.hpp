// The kernel heap: size classes in single pages for small objects, whole blocks of pages for large ones.
//
// Pure: pages come from an interface. Every allocation is aligned to 16 bytes (large ones to a page). A double free or
// a pointer that it never gave out is an assertion; freed memory is filled with a pattern.
#pragma once

#include <array>
#include <cstddef>

#include "kernel/core/types.hpp"

namespace pulse {

/// Where the heap gets its memory.
class PageSource {
 public:
  /// 2^order pages, aligned to their size; null if there are none.
  virtual void* take(u8 order) = 0;
  virtual void give_back(void* pages, u8 order) = 0;

 protected:
  ~PageSource() = default;
};

class Heap {
 public:
  explicit constexpr Heap(PageSource& source) : source_(&source) {}

  /// Null if memory is short, or for more than `most` bytes. Size 0 is as 1.
  [[nodiscard]] void* allocate(std::size_t size);
  void release(void* pointer);

  static constexpr std::size_t most = std::size_t{4} << 20;
  /// Bytes handed out and not given back.
  [[nodiscard]] u64 bytes_in_use() const { return bytes_in_use_; }

 private:
  struct Slab;
  struct Large;
  [[nodiscard]] void* allocate_large(std::size_t size);
  [[nodiscard]] Slab* new_slab(unsigned size_class);

  static constexpr std::array<u16, 9> sizes{16, 32, 64, 96, 128, 256, 512, 1024, 2016};
  PageSource* source_;
  std::array<Slab*, sizes.size()> partial_{};  // slabs with something free
  u64 bytes_in_use_ = 0;
};

}  // namespace pulse
