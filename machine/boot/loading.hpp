// What the loaders of all formats share: one attempt to load one guest.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "machine/boot/bytes.hpp"
#include "machine/boot/guest_memory.hpp"
#include "machine/boot/load_guest.hpp"

namespace vitrine {

template <class T>
using BootResult = std::expected<T, BootError>;

inline constexpr u64 kib = 1024;
inline constexpr u64 mib = 1024 * kib;
inline constexpr u64 last_32_bit_address = 0xFFFF'FFFF;

/// "0x100000"
[[nodiscard]] std::string hex(u64 value);
/// "5 MiB", "1.5 GiB", "17 bytes"
[[nodiscard]] std::string size_text(u64 bytes);

/// A part of an image: file bytes, then zeroes up to memory_size.
struct ImageSegment {
  u64 address = 0;
  u64 memory_size = 0;
  u64 file_offset = 0;
  u64 file_size = 0;
};

struct Loading {
  Loading(const GuestFiles& guest_files, const MemoryMap& memory_map, MemoryBus& bus, const BootOptions& boot_options)
      : files(guest_files), map(memory_map), options(boot_options), image(guest_files.image), memory(memory_map, bus) {}

  const GuestFiles& files;
  const MemoryMap& map;
  const BootOptions& options;
  ByteView image;
  GuestMemory memory;
  std::vector<LoadedSegment> segments;

  /// The error, its sentence beginning with the image's name.
  [[nodiscard]] std::unexpected<BootError> fail(BootErrorKind kind, std::string_view sentence) const;
  [[nodiscard]] std::unexpected<BootError> truncated(std::string_view part, u64 offset, u64 size) const;

  /// How much RAM the machine has, as its user would say it: without the hole below 1 MiB.
  [[nodiscard]] std::string memory_text() const;

  /// Copies all segments to their addresses, moved by `displacement` (modulo 2^64), and takes their memory.
  [[nodiscard]] BootResult<void> put_image(std::span<const ImageSegment> parts, u64 displacement);
  /// Writes a structure or file to a place that was found, and takes it.
  [[nodiscard]] BootResult<void> put(u64 start, std::span<const u8> bytes, std::string_view what);
  /// Finds a place for a structure of the loader's: below 640 KiB if it fits there, else anywhere in the first 4 GiB.
  [[nodiscard]] BootResult<u64> place_structure(u64 size, u64 alignment, std::string_view what);
  /// Puts the initrd as a module: page-aligned, the lowest place above the image. None: there is no initrd.
  struct Module {
    u64 start = 0;
    u64 size = 0;
  };
  [[nodiscard]] BootResult<std::optional<Module>> put_module();
  [[nodiscard]] std::unexpected<BootError> initrd_does_not_fit() const;

  /// RAM in KiB from 0 (at most 640) and from 1 MiB on, as BIOS and Multiboot count it.
  [[nodiscard]] u32 lower_kib() const;
  [[nodiscard]] u32 upper_kib() const;

  /// Everything is in memory: the result.
  [[nodiscard]] LoadedGuest finish(GuestKind kind, const BootState& state, std::string description);
};

/// The loaders. Each is called when its format was recognised.
[[nodiscard]] BootResult<LoadedGuest> load_linux(Loading& loading);
[[nodiscard]] BootResult<LoadedGuest> load_multiboot1(Loading& loading, u64 header);
[[nodiscard]] BootResult<LoadedGuest> load_multiboot2(Loading& loading, u64 header);
/// For every ELF without a Multiboot header; refuses those without the note.
[[nodiscard]] BootResult<LoadedGuest> load_pvh(Loading& loading);

[[nodiscard]] bool is_linux(ByteView image);
/// Where the header stands in the file.
[[nodiscard]] std::optional<u64> find_multiboot1(ByteView image);
[[nodiscard]] std::optional<u64> find_multiboot2(ByteView image);

}  // namespace vitrine
