// The kernel's memory: physical pages, its own half of every address space, heap, and stacks between guard pages.
#pragma once

#include <optional>

#include "kernel/core/boot_info.hpp"
#include "kernel/memory/page_allocator.hpp"
#include "kernel/memory/page_tables.hpp"

namespace pulse {

/// Takes over from the boot tables: what is free, a mapping of all RAM, the kernel's image with write xor execute.
void initialise_memory(const BootInfo& boot);

/// Loads the kernel's own tables on the CPU that runs this, for the first time.
void use_kernel_tables();

// Physical pages, by physical address. All of them may be called with interrupts on or off.
[[nodiscard]] std::optional<u64> allocate_page();
[[nodiscard]] std::optional<u64> allocate_zeroed_page();
void share_page(u64 physical);
/// One user less; the last one frees it.
void free_page(u64 physical);
[[nodiscard]] u32 page_references(u64 physical);

/// A root for a new address space: empty below, the kernel above.
[[nodiscard]] std::optional<PageTables> new_page_tables();
/// The kernel's own, without any program.
[[nodiscard]] PageTables kernel_page_tables();

inline constexpr u64 kernel_stack_bytes = 4 * page_bytes;
/// A stack's upper end; below its lower end nothing is mapped. Nothing if memory is short.
[[nodiscard]] std::optional<u64> allocate_kernel_stack();
void free_kernel_stack(u64 top);
/// Does this address lie in the unmapped part between two stacks?
[[nodiscard]] bool is_stack_guard(u64 address);

/// Registers of a device: mapped uncached. For good.
[[nodiscard]] void* map_device(u64 physical, u64 bytes);

// The last pages are the kernel's own: nothing below takes from them, but new does. Page tables, programs and files get
// none before.
/// The reserve is in use: system calls that make something fail with NoMemory.
[[nodiscard]] bool memory_is_short();
/// Pages of files leave some more, so that programs can go on and remove them.
[[nodiscard]] bool files_may_grow();

struct MemoryUse {
  u64 all_pages, free_pages, heap_bytes;
};
[[nodiscard]] MemoryUse memory_use();

}  // namespace pulse
