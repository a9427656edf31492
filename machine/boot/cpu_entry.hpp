// The CPU state at the entry points that boot protocols know.
#pragma once

#include "machine/boot/boot_state.hpp"
#include "machine/boot/loading.hpp"

namespace vitrine {

/// 32-bit protected mode, no paging, flat segments: CS 0x10, all data segments 0x18 (the selectors that Linux asks for;
/// Multiboot and PVH leave them open). Puts a GDT into memory.
[[nodiscard]] BootResult<BootState> enter_protected_mode(Loading& loading, u64 entry);

/// 64-bit mode with the first 4 GiB mapped one to one by 2 MiB pages. Puts GDT and page tables into memory.
[[nodiscard]] BootResult<BootState> enter_long_mode(Loading& loading, u64 entry);

/// Real mode: CS = `code_segment`, IP 0, all data segments `data_segment`.
[[nodiscard]] BootState enter_real_mode(u16 code_segment, u16 data_segment, u16 stack_pointer);

}  // namespace vitrine
