// The PC's physical address map: where RAM, video memory and ROM are, and what the guest is told about them.
//
//   0x00000000  RAM, 640 KiB (its last KiB is the extended BIOS data area)
//   0x000A0000  video memory, 128 KiB, plain RAM
//   0x000C0000  nothing (no option ROMs)
//   0x000E0000  RAM, 64 KiB: ACPI tables
//   0x000F0000  ROM, 64 KiB (rom.hpp); again below 4 GiB
//   0x00100000  RAM, up to 3 GiB
//   0xC0000000  nothing (PCI devices come here)
//   0x100000000 the RAM that did not fit below 3 GiB
#pragma once

#include <algorithm>
#include <array>
#include <expected>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "machine/boot/memory_map.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

/// Why a machine can't be made.
enum class MachineError : u8 {
  NoMemory,         ///< --memory of zero
  TooLittleMemory,  ///< below PhysicalMemory::least
  TooMuchMemory,    ///< above PhysicalMemory::most
  HostRefused,      ///< this computer does not give that much
  CpuCount,         ///< no CPU, or more than the board takes
};
/// One sentence for people: what is wrong and what to do.
[[nodiscard]] std::string_view describe(MachineError error);

class PhysicalMemory {
 public:
  static constexpr u64 least = u64{1} << 20, most = u64{64} << 30;
  static constexpr u64 conventional_end = 0xA0000, video_start = 0xA0000, video_size = 0x20000;
  static constexpr u64 extended_bda = 0x9FC00;
  static constexpr u64 tables_start = 0xE0000, tables_size = 0x10000;
  static constexpr u64 rom_start = 0xF0000, rom_size = 0x10000, rom_alias = 0xFFFF0000;
  static constexpr u64 extended_start = 0x100000, pci_hole_start = 0xC0000000, pci_hole_end = u64{1} << 32;
  /// Where the ROM's do-nothing interrupt handler is: F000:FF53, as on every PC since the first.
  static constexpr u16 rom_segment = 0xF000, dummy_handler = 0xFF53;

  /// Gets `bytes` (rounded down to pages) of zeroed memory from the host, lazily where the host can.
  [[nodiscard]] static std::expected<PhysicalMemory, MachineError> allocate(u64 bytes);

  /// Puts everything on the bus, which must not outlive this.
  void map(MemoryBus& bus);
  /// What INT 15h, AX=E820h would say.
  [[nodiscard]] MemoryMap guest_map() const;
  [[nodiscard]] u64 size() const { return size_; }
  [[nodiscard]] std::span<const u8> video() const { return {video_.get(), video_size}; }
  /// For the board to burn, before the machine runs.
  [[nodiscard]] std::span<u8> rom() { return {rom_.get(), rom_size}; }
  /// The stretches of RAM that the map has, for whoever keeps copies of their contents.
  struct Range {
    PhysicalAddress start{};
    u64 size = 0;
  };
  [[nodiscard]] std::vector<Range> ram() const;

 private:
  struct Free {
    void operator()(u8* memory) const;
  };
  using Block = std::unique_ptr<u8[], Free>;
  PhysicalMemory() = default;
  [[nodiscard]] static Block zeroed(u64 bytes);
  [[nodiscard]] u64 below_hole() const { return std::min(size_, pci_hole_start); }

  u64 size_ = 0;
  Block main_, video_, tables_, rom_;
};

}  // namespace vitrine
