// Puts a guest image into memory, as a boot loader would, and says how the CPU starts.
//
// The format is recognised by content, in this order:
//   Linux bzImage/zImage  Documentation/arch/x86/boot.rst and zero-page.rst of Linux, protocol 2.00 to 2.15
//   Multiboot 2           "Multiboot2 Specification version 2.0", i386, ELF32, ELF64 or address tag
//   Multiboot 1           "Multiboot Specification version 0.6.96", ELF32, ELF64 or address fields
//   PVH                   Xen, docs/misc/pvh: an ELF with the note XEN_ELFNOTE_PHYS32_ENTRY (an uncompressed Linux too)
// Not modelled: EFI entry points, Multiboot's boot device, drives, APM and VBE tables, setup_data of Linux.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/boot/boot_error.hpp"
#include "machine/boot/boot_state.hpp"
#include "machine/boot/memory_map.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

struct GuestFiles {
  std::span<const u8> image;
  std::string image_name;      ///< for messages, e.g. the path
  std::span<const u8> initrd;  ///< empty: none. Multiboot and PVH guests get it as module 1
  std::string initrd_name;
  std::string command_line;
};

/// By which entry point a Linux image starts. Auto: 64-bit if the kernel has it, else 32-bit, else real mode.
enum class LinuxEntry : u8 { Auto, Protected32, Long64, Real16 };

/// What the guest is told about the display. VgaText: mode 3, 80x25 characters at 0xB8000.
enum class BootScreen : u8 { None, VgaText };

struct BootOptions {
  LinuxEntry linux_entry = LinuxEntry::Auto;
  BootScreen screen = BootScreen::None;
};

enum class GuestKind : u8 { Linux, Multiboot1, Multiboot2, Pvh };

/// One stretch of guest memory that the loader filled.
struct LoadedSegment {
  u64 start = 0;
  u64 size = 0;
  std::string what;  ///< "kernel", "initrd", "boot parameters", ...
};

struct LoadedGuest {
  BootState state;
  GuestKind kind = GuestKind::Linux;
  std::vector<LoadedSegment> segments;  ///< in ascending order
  std::string description;  ///< one line for people: "Linux bzImage, protocol 2.15, 64-bit entry at 0x1000200"
};

/// Recognises and loads. On an error, memory may hold a part of the guest.
[[nodiscard]] std::expected<LoadedGuest, BootError> load_guest(const GuestFiles& files, const MemoryMap& map,
                                                               MemoryBus& memory, const BootOptions& options = {});

}  // namespace vitrine
