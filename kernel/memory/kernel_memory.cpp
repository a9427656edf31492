#include "kernel/memory/kernel_memory.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/panic.hpp"
#include "kernel/memory/heap.hpp"

extern "C" const char kernel_text_begin[], kernel_text_end[], kernel_rodata_end[], kernel_end[];
extern "C" pulse::u64 boot_root[512];

namespace pulse {

namespace {

constexpr u64 large_page_bytes = u64{2} << 20;
constexpr u64 first_usable = u64{1} << 20;  // below it: tables of the firmware, the VGA window
constexpr u64 mapped_by_boot = u64{4} << 30;

PageAllocator pages;
u64 reserved_pages = 0;
PageTables kernel_tables{0};

class HeapPages final : public PageSource {
 public:
  bool may_use_reserve = false;
  void* take(u8 order) override {
    if (!may_use_reserve && pages.free_pages() < (u64{1} << order) + reserved_pages) return nullptr;
    const auto page = pages.allocate(order);
    return page ? direct(u64{*page} << page_bits) : nullptr;
  }
  void give_back(void* block, u8) override { pages.release(static_cast<u32>(physical_of_direct(block) >> page_bits)); }
};
HeapPages heap_pages;
Heap heap(heap_pages);

u64 physical_of_image(const char* symbol) { return reinterpret_cast<u64>(symbol) - KERNEL_BASE; }

/// A stretch of RAM of this size that nobody else uses, within what the boot tables map.
u64 find_room(const BootInfo& boot, u64 size) {
  for (const MemoryRange& range : boot.ram()) {
    u64 begin = std::max(page_ceiling(range.begin), page_ceiling(physical_of_image(kernel_end)));
    if (begin < boot.initramfs.end && begin + size > boot.initramfs.begin) begin = page_ceiling(boot.initramfs.end);
    if (begin + size <= std::min(range.end, mapped_by_boot)) return begin;
  }
  panic("no room for {} KiB of page table entries", size >> 10);
}

/// Adds a range without the stretches that are taken.
void add_free(u64 begin, u64 end, std::span<const MemoryRange> taken) {
  for (const MemoryRange& hole : taken) {
    if (hole.begin >= end || hole.end <= begin) continue;
    if (hole.begin > begin) add_free(begin, hole.begin, taken);
    if (hole.end < end) add_free(hole.end, end, taken);
    return;
  }
  if (begin < end) pages.add(static_cast<u32>(begin >> page_bits), static_cast<u32>(end >> page_bits));
}

void find_pages(const BootInfo& boot) {
  u64 top = 0;
  for (const MemoryRange& range : boot.ram()) top = std::max(top, page_floor(range.end));
  top = std::min(top, mapped_by_boot * 16);
  const u64 table_bytes = page_ceiling((top >> page_bits) * sizeof(Page));
  const u64 table = find_room(boot, table_bytes);
  pages.initialise({static_cast<Page*>(direct(table)), top >> page_bits});
  const MemoryRange taken[] = {{0, first_usable},
                               {0, page_ceiling(physical_of_image(kernel_end))},
                               {table, table + table_bytes},
                               {page_floor(boot.initramfs.begin), page_ceiling(boot.initramfs.end)}};
  // What the boot tables don't map can't hold page tables yet: it is added when the direct map is complete.
  for (const MemoryRange& range : boot.ram()) {
    add_free(page_ceiling(range.begin), page_floor(std::min(range.end, mapped_by_boot)), taken);
  }
}

void must(bool done) {
  if (!done) panic("memory is too short to start");
}

void map_image(u64 begin, u64 end, u64 flags) {
  for (u64 address = begin; address < end; address += page_bytes) {
    must(kernel_tables.map(address, address - KERNEL_BASE, flags | page_flag::global));
  }
}

void make_kernel_tables(const BootInfo& boot) {
  const auto root = allocate_zeroed_page();
  must(root.has_value());
  kernel_tables = PageTables(*root);
  map_image(reinterpret_cast<u64>(kernel_text_begin), reinterpret_cast<u64>(kernel_text_end), 0);
  map_image(reinterpret_cast<u64>(kernel_text_end), reinterpret_cast<u64>(kernel_rodata_end), page_flag::no_execute);
  map_image(reinterpret_cast<u64>(kernel_rodata_end), reinterpret_cast<u64>(kernel_end),
            page_flag::writable | page_flag::no_execute);
  constexpr u64 data = page_flag::writable | page_flag::no_execute | page_flag::global;
  u64 top = mapped_by_boot;
  for (const MemoryRange& range : boot.ram()) top = std::max(top, range.end);
  for (u64 physical = 0; physical < top; physical += large_page_bytes) {
    must(kernel_tables.map_large(DIRECT_MAP + physical, physical, data));
  }
  // Address spaces copy the root's upper half once: what is added later must hang below an entry that is there now.
  must(kernel_tables.entry(KERNEL_STACKS, PageTables::Missing::Make) != nullptr);
  must(kernel_tables.entry(DEVICES, PageTables::Missing::Make) != nullptr);
  use_kernel_tables();
}

// Stack number i has its pages at the upper end of slot i; as many pages below them are never mapped.
constexpr u64 stack_slot_bytes = 2 * kernel_stack_bytes;
constexpr u32 most_stacks = 4096;
u32 stacks_made = 0;
u32 free_stacks[most_stacks];
u32 free_stack_count = 0;

}  // namespace

void use_kernel_tables() {
  constexpr u64 cr4_page_global = 0x80;
  u64 cr4;
  asm volatile("mov %%cr4, %0" : "=r"(cr4));
  write_cr3(kernel_tables.root());
  asm volatile("mov %0, %%cr4" ::"r"(cr4 | cr4_page_global) : "memory");
}

void initialise_memory(const BootInfo& boot) {
  find_pages(boot);
  make_kernel_tables(boot);
  for (const MemoryRange& range : boot.ram()) {
    if (range.end > mapped_by_boot)
      add_free(std::max(page_ceiling(range.begin), mapped_by_boot), page_floor(range.end), {});
  }
  constexpr u64 most_reserved = 512;
  reserved_pages = std::min(most_reserved, pages.free_pages() / 16);
}

std::optional<u64> allocate_page() {
  const InterruptsOff off;
  if (pages.free_pages() <= reserved_pages) return std::nullopt;
  const auto page = pages.allocate();
  return page ? std::optional(u64{*page} << page_bits) : std::nullopt;
}

std::optional<u64> allocate_zeroed_page() {
  const auto page = allocate_page();
  if (page) std::memset(direct(*page), 0, page_bytes);
  return page;
}

void share_page(u64 physical) {
  const InterruptsOff off;
  pages.share(static_cast<u32>(physical >> page_bits));
}

void free_page(u64 physical) {
  const InterruptsOff off;
  pages.release(static_cast<u32>(physical >> page_bits));
}

u32 page_references(u64 physical) { return pages.references(static_cast<u32>(physical >> page_bits)); }

PageTables kernel_page_tables() { return kernel_tables; }

std::optional<PageTables> new_page_tables() {
  const auto root = allocate_zeroed_page();
  if (!root) return std::nullopt;
  auto* entries = static_cast<u64*>(direct(*root));
  const auto* kernel_entries = static_cast<const u64*>(direct(kernel_tables.root()));
  std::memcpy(entries + 256, kernel_entries + 256, 256 * sizeof(u64));
  return PageTables(*root);
}

std::optional<u64> allocate_kernel_stack() {
  const InterruptsOff off;
  if (free_stack_count > 0) return KERNEL_STACKS + (u64{free_stacks[--free_stack_count]} + 1) * stack_slot_bytes;
  if (stacks_made == most_stacks) return std::nullopt;
  const u64 top = KERNEL_STACKS + (u64{stacks_made} + 1) * stack_slot_bytes;
  for (u64 address = top - kernel_stack_bytes; address < top; address += page_bytes) {
    const auto page = allocate_page();
    if (!page || !kernel_tables.map(address, *page, page_flag::writable | page_flag::no_execute | page_flag::global)) {
      if (page) free_page(*page);
      for (u64 mapped = top - kernel_stack_bytes; mapped < address; mapped += page_bytes) {
        free_page(kernel_tables.unmap(mapped) & page_flag::address);
      }
      return std::nullopt;
    }
  }
  ++stacks_made;
  return top;
}

void free_kernel_stack(u64 top) {
  const InterruptsOff off;
  free_stacks[free_stack_count++] = static_cast<u32>((top - KERNEL_STACKS) / stack_slot_bytes - 1);
}

bool is_stack_guard(u64 address) {
  return address >= KERNEL_STACKS && address < KERNEL_STACKS + most_stacks * stack_slot_bytes &&
         (address - KERNEL_STACKS) % stack_slot_bytes < stack_slot_bytes - kernel_stack_bytes;
}

void* map_device(u64 physical, u64 bytes) {
  constexpr u64 flags = page_flag::writable | page_flag::no_execute | page_flag::uncached | page_flag::global;
  for (u64 page = page_floor(physical); page < physical + bytes; page += page_bytes) {
    must(kernel_tables.map(DEVICES + page, page, flags));
  }
  return reinterpret_cast<void*>(DEVICES + physical);
}

bool memory_is_short() { return pages.free_pages() < reserved_pages; }
bool files_may_grow() { return pages.free_pages() > 2 * reserved_pages; }

MemoryUse memory_use() { return {pages.all_pages(), pages.free_pages(), heap.bytes_in_use()}; }

}  // namespace pulse

// The kernel's new never returns null: it may use the reserve, and no program gets far with it when memory is short
// (memory_is_short()). What a program makes as large as it likes is got by new (std::nothrow), which leaves the reserve
// alone.
void* operator new(std::size_t size) {
  const pulse::InterruptsOff off;
  pulse::heap_pages.may_use_reserve = true;
  void* const memory = pulse::heap.allocate(size);
  pulse::heap_pages.may_use_reserve = false;
  if (memory == nullptr) pulse::panic("the kernel's heap is out of memory ({} bytes wanted)", size);
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  const pulse::InterruptsOff off;
  return pulse::heap.allocate(size);
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* memory) noexcept {
  const pulse::InterruptsOff off;
  pulse::heap.release(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }
