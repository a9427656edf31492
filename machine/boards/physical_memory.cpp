#include "machine/boards/physical_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/assert.hpp"

namespace vitrine {

std::string_view describe(MachineError error) {
  switch (error) {
    case MachineError::NoMemory:
      return "a machine without memory can't run; give it at least 1 MiB";
    case MachineError::TooLittleMemory:
      return "a PC needs at least 1 MiB of memory";
    case MachineError::TooMuchMemory:
      return "this machine can have at most 64 GiB of memory";
    case MachineError::HostRefused:
      return "this computer can't provide that much memory; ask for less";
    case MachineError::CpuCount:
      return "boards pc and q35 take 1 to 64 CPUs, board isa takes 1";
  }
  return "the machine can't be made";
}

void PhysicalMemory::Free::operator()(u8* memory) const { std::free(memory); }

PhysicalMemory::Block PhysicalMemory::zeroed(u64 bytes) {
  // calloc gets large blocks as untouched pages: the guest's memory costs the host only what the guest uses.
  return Block(static_cast<u8*>(std::calloc(1, static_cast<std::size_t>(bytes))));
}

std::expected<PhysicalMemory, MachineError> PhysicalMemory::allocate(u64 bytes) {
  if (bytes == 0) return std::unexpected(MachineError::NoMemory);
  if (bytes < least) return std::unexpected(MachineError::TooLittleMemory);
  if (bytes > most) return std::unexpected(MachineError::TooMuchMemory);
  PhysicalMemory memory;
  memory.size_ = bytes & ~(MemoryBus::page_size - 1);
  memory.main_ = zeroed(memory.size_);
  memory.video_ = zeroed(video_size);
  memory.tables_ = zeroed(tables_size);
  memory.rom_ = zeroed(rom_size);
  if (!memory.main_ || !memory.video_ || !memory.tables_ || !memory.rom_) {
    return std::unexpected(MachineError::HostRefused);
  }
  std::memset(memory.rom_.get(), 0xFF, rom_size);
  return memory;
}

std::vector<PhysicalMemory::Range> PhysicalMemory::ram() const {
  std::vector<Range> ranges = {{PhysicalAddress(0), conventional_end},
                               {PhysicalAddress(video_start), video_size},
                               {PhysicalAddress(tables_start), tables_size}};
  if (size_ > extended_start) ranges.push_back({PhysicalAddress(extended_start), below_hole() - extended_start});
  if (size_ > pci_hole_start) ranges.push_back({PhysicalAddress(pci_hole_end), size_ - pci_hole_start});
  return ranges;
}

void PhysicalMemory::map(MemoryBus& bus) {
  const auto put = [&bus](u64 start, u64 size, u8* host, MemoryBus::Kind kind) {
    const bool mapped = bus.map_ram(PhysicalAddress(start), size, host, kind).has_value();
    VITRINE_ASSERT(mapped);
  };
  put(0, conventional_end, main_.get(), MemoryBus::Kind::Ram);
  put(video_start, video_size, video_.get(), MemoryBus::Kind::Ram);
  put(tables_start, tables_size, tables_.get(), MemoryBus::Kind::Ram);
  put(rom_start, rom_size, rom_.get(), MemoryBus::Kind::Rom);
  put(rom_alias, rom_size, rom_.get(), MemoryBus::Kind::Rom);
  if (size_ > extended_start) {
    put(extended_start, below_hole() - extended_start, main_.get() + extended_start, MemoryBus::Kind::Ram);
  }
  if (size_ > pci_hole_start) {
    put(pci_hole_end, size_ - pci_hole_start, main_.get() + pci_hole_start, MemoryBus::Kind::Ram);
  }
}

MemoryMap PhysicalMemory::guest_map() const {
  MemoryMap map;
  const auto add = [&map](u64 start, u64 end, MemoryType type) {
    if (end > start) map.ranges.push_back({PhysicalAddress(start), end - start, type});
  };
  add(0, extended_bda, MemoryType::Ram);
  add(extended_bda, conventional_end, MemoryType::Reserved);
  add(tables_start, rom_start + rom_size, MemoryType::Reserved);
  add(extended_start, below_hole(), MemoryType::Ram);
  add(rom_alias, pci_hole_end, MemoryType::Reserved);
  if (size_ > pci_hole_start) add(pci_hole_end, pci_hole_end + (size_ - pci_hole_start), MemoryType::Ram);
  return map;
}

}  // namespace vitrine
