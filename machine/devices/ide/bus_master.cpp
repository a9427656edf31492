#include "machine/devices/ide/bus_master.hpp"

#include <algorithm>
#include <array>

#include "abi/ata.hpp"

namespace vitrine {

namespace bm = ata::bus_master;

namespace {
constexpr u8 command_bits = bm::start | bm::to_memory;
constexpr u32 descriptor_bytes = 8, whole_region = 0x10000;
constexpr u64 end_of_addresses = u64{1} << 32;

bool is_reachable(u64 address, std::size_t bytes) { return address + bytes <= end_of_addresses; }

u32 little_endian(std::span<const u8> bytes) {
  return u32{bytes[0]} | u32{bytes[1]} << 8 | u32{bytes[2]} << 16 | u32{bytes[3]} << 24;
}
}  // namespace

u8 BusMaster::read(u64 offset) const {
  if (offset == bm::command) return state_.command;
  if (offset == bm::status) return state_.status;
  if (offset >= bm::table && offset < registers) return static_cast<u8>(state_.table >> 8 * (offset - bm::table));
  return 0;
}

void BusMaster::write(u64 offset, u8 value) {
  if (offset == bm::command) {
    const bool was_started = (state_.command & bm::start) != 0;
    state_.command = value & command_bits;
    const bool is_started = (state_.command & bm::start) != 0;
    if (is_started && !was_started) {
      state_.next = state_.table;
      state_.left = 0;
      state_.last = false;
      state_.status |= bm::active;
    }
    if (!is_started) stop(0);
  } else if (offset == bm::status) {
    // Error and interrupt: cleared by a one. The drives' bits are firmware's to say that they are set up for DMA.
    state_.status = static_cast<u8>((state_.status & ~(value & (bm::error | bm::interrupt)) & ~bm::drive_capable) |
                                    (value & bm::drive_capable));
  } else if (offset >= bm::table && offset < registers) {
    const unsigned shift = 8 * static_cast<unsigned>(offset - bm::table);
    state_.table = ((state_.table & ~(u32{0xFF} << shift)) | u32{value} << shift) & ~u32{3};
  }
}

bool BusMaster::takes(Direction direction) const {
  const bool to_memory = (state_.command & bm::to_memory) != 0;
  return (state_.status & bm::active) != 0 && to_memory == (direction == Direction::ToMemory);
}

void BusMaster::stop(u8 with_status) { state_.status = static_cast<u8>((state_.status & ~bm::active) | with_status); }

void BusMaster::interrupted() { state_.status |= bm::interrupt; }

bool BusMaster::fetch(const MemoryBus& memory) {
  std::array<u8, descriptor_bytes> descriptor{};
  if (!is_reachable(state_.next, descriptor_bytes)) return false;
  if (!memory.read_block(PhysicalAddress(state_.next), descriptor)) return false;
  const u32 second = little_endian(std::span(descriptor).subspan(4));
  state_.address = little_endian(descriptor) & ~u32{1};
  state_.left = second & 0xFFFE;
  if (state_.left == 0) state_.left = whole_region;
  state_.last = (second & bm::end_of_table) != 0;
  state_.next += descriptor_bytes;
  return true;
}

std::size_t BusMaster::move(MemoryBus& memory, std::span<u8> data, Direction direction) {
  std::size_t moved = 0;
  while (moved < data.size() && (state_.status & bm::active) != 0) {
    if (state_.left == 0 && !fetch(memory)) {
      stop(bm::error);
      break;
    }
    const std::span<u8> piece = data.subspan(moved, std::min<std::size_t>(data.size() - moved, state_.left));
    const PhysicalAddress address(state_.address);
    const bool done =
        is_reachable(state_.address, piece.size()) &&
        (direction == Direction::ToMemory ? memory.write_block(address, piece) : memory.read_block(address, piece));
    if (!done) {
      stop(bm::error);
      break;
    }
    moved += piece.size();
    state_.address += piece.size();
    state_.left -= static_cast<u32>(piece.size());
    if (state_.left == 0 && state_.last) stop(0);
  }
  return moved;
}

void BusMaster::exchange(Archive& archive) {
  archive(state_.command, state_.status, state_.table, state_.next, state_.address, state_.left, state_.last);
  if (state_.left > whole_region || state_.left % 2 != 0 || state_.next > end_of_addresses ||
      state_.address > end_of_addresses)
    archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
