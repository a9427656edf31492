// The DMA engine of one IDE channel: registers, and the walk through the guest's table of physical regions.
//
// Manuals: Programming Interface for Bus Master IDE Controller 1.0 (BMIDE); 82371SB PIIX3 (290550), 2.7.
//
// It moves what the drive asks for, in the drive's time; each descriptor is read when the one before is used up. A
// descriptor or a region in what is neither RAM nor, to be read, ROM is a target abort: error bit, and the engine
// stops. So does the end of the table, which is no error: the drive then waits for more. Addresses have 32 bits; what
// goes on behind 4 GiB is an abort too, and starts nowhere again. unverified: regions may cross 64 KiB, and the table
// too.
#pragma once

#include <span>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

class BusMaster {
 public:
  static constexpr u8 registers = 8;
  enum class Direction : u8 { ToMemory, FromMemory };

  [[nodiscard]] u8 read(u64 offset) const;
  void write(u64 offset, u8 value);
  void reset() { state_ = State{}; }

  /// Started, and in this direction.
  [[nodiscard]] bool takes(Direction direction) const;
  /// Moves up to data.size() bytes; gives back how many. Fewer: it has stopped.
  std::size_t move(MemoryBus& memory, std::span<u8> data, Direction direction);
  /// The drive has raised INTRQ.
  void interrupted();

  void exchange(Archive& archive);

 private:
  struct State {
    u8 command = 0, status = 0;
    u32 table = 0;
    u64 next = 0;     // address of the next descriptor; 4 GiB: there is none
    u64 address = 0;  // of what is left of the region; 4 GiB: nothing can be moved
    u32 left = 0;     // of the region
    bool last = false;
  };
  [[nodiscard]] bool fetch(const MemoryBus& memory);
  void stop(u8 with_status);

  State state_;
};

}  // namespace vitrine
