#include "kernel/memory/heap.hpp"

#include <bit>
#include <cstring>

#include "kernel/core/assert.hpp"
#include "kernel/memory/page_allocator.hpp"

namespace pulse {

namespace {

constexpr u32 slab_magic = 0x534C4142, large_magic = 0x4C415247;
constexpr u8 freed_pattern = 0xDD;
constexpr std::size_t header_bytes = 64;

struct FreeObject {
  FreeObject* next;
};

}  // namespace

/// At the begin of a slab's page. The objects follow.
struct Heap::Slab {
  u32 magic;
  u16 size_class;
  u16 used;
  FreeObject* free;
  Slab* previous;
  Slab* next;
};

/// At the begin of a large block; its bytes follow a page later, so that they are aligned to one.
struct Heap::Large {
  u32 magic;
  u8 order;
  std::size_t size;
};

Heap::Slab* Heap::new_slab(unsigned size_class) {
  void* const page = source_->take(0);
  if (page == nullptr) return nullptr;
  static_assert(sizeof(Slab) <= header_bytes);
  auto* slab = static_cast<Slab*>(page);
  *slab = {slab_magic, static_cast<u16>(size_class), 0, nullptr, nullptr, partial_[size_class]};
  const std::size_t size = sizes[size_class];
  for (std::size_t index = (page_bytes - header_bytes) / size; index-- > 0;) {
    auto* object = reinterpret_cast<FreeObject*>(static_cast<char*>(page) + header_bytes + index * size);
    object->next = slab->free;
    slab->free = object;
  }
  if (slab->next != nullptr) slab->next->previous = slab;
  partial_[size_class] = slab;
  return slab;
}

void* Heap::allocate(std::size_t size) {
  if (size == 0) size = 1;
  if (size > sizes.back()) return allocate_large(size);
  unsigned size_class = 0;
  while (sizes[size_class] < size) ++size_class;
  Slab* slab = partial_[size_class];
  if (slab == nullptr) slab = new_slab(size_class);
  if (slab == nullptr) return nullptr;
  FreeObject* object = slab->free;
  slab->free = object->next;
  ++slab->used;
  if (slab->free == nullptr) {
    partial_[size_class] = slab->next;
    if (slab->next != nullptr) slab->next->previous = nullptr;
    slab->next = nullptr;
  }
  bytes_in_use_ += sizes[size_class];
  return object;
}

void* Heap::allocate_large(std::size_t size) {
  if (size > most) return nullptr;
  const u64 pages = (size + page_bytes - 1) / page_bytes + 1;
  const auto order = static_cast<u8>(std::bit_width(pages - 1));
  void* const block = source_->take(order);
  if (block == nullptr) return nullptr;
  *static_cast<Large*>(block) = {large_magic, order, size};
  bytes_in_use_ += size;
  return static_cast<char*>(block) + page_bytes;
}

void Heap::release(void* pointer) {
  if (pointer == nullptr) return;
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (address % page_bytes == 0) {
    auto* large = reinterpret_cast<Large*>(address - page_bytes);
    PULSE_ASSERT(large->magic == large_magic);
    large->magic = 0;
    bytes_in_use_ -= large->size;
    return source_->give_back(large, large->order);
  }
  auto* slab = reinterpret_cast<Slab*>(page_floor(address));
  PULSE_ASSERT(slab->magic == slab_magic && slab->used > 0);
  const std::size_t size = sizes[slab->size_class];
  PULSE_ASSERT((address % page_bytes - header_bytes) % size == 0);
  auto* object = static_cast<FreeObject*>(pointer);
  std::memset(pointer, freed_pattern, size);
  bytes_in_use_ -= size;
  Slab*& partial = partial_[slab->size_class];
  if (slab->free == nullptr) {  // was full, so in no list
    slab->previous = nullptr;
    slab->next = partial;
    if (partial != nullptr) partial->previous = slab;
    partial = slab;
  }
  object->next = slab->free;
  slab->free = object;
  // An empty slab goes back, but for the last one of its size: that is wanted again soon.
  if (--slab->used > 0 || (slab->previous == nullptr && slab->next == nullptr)) return;
  if (slab->previous != nullptr) {
    slab->previous->next = slab->next;
  } else {
    partial = slab->next;
  }
  if (slab->next != nullptr) slab->next->previous = slab->previous;
  slab->magic = 0;
  source_->give_back(slab, 0);
}

}  // namespace pulse
