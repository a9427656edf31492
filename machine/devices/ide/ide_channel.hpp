// One IDE channel: a cable with up to two disks, their command protocols, its DMA engine and its interrupt line.
//
// Manual: AT Attachment with Packet Interface 6 (ATA/ATAPI-6, T13 1410D), 6 (registers, resets), 9 (protocols).
//
// A command is a series of steps; each step ends with one event at a fixed time after the one before.
#pragma once

#include <array>

#include "machine/core/bus.hpp"
#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/devices/ide/ata_drive.hpp"
#include "machine/devices/ide/bus_master.hpp"
#include "machine/devices/ide/command_form.hpp"

namespace vitrine {

class IdeChannel {
 public:
  /// Raised::detail.
  enum class Cause : u8 { Data = 1, Done = 2, Failed = 3 };
  /// Nanoseconds: what a command takes before it does anything, and each sector between medium and buffer.
  static constexpr u64 command_time = 10'000, sector_time = 10'000, flush_time = 100'000, diagnostic_time = 1'000'000,
                       reset_time = 2'000'000;

  /// `step_event`: the kind of the device's event that is step()'s. `memory` may be null: no DMA.
  IdeChannel(const DeviceContext& context, u16 step_event, LineDriver pin, MemoryBus* memory, AtaDrive first,
             AtaDrive second);

  void reset();
  void accessed(u64 where) { pin_.attended(where); }

  /// The command block: offsets 0..7, 1, 2 or 4 bytes.
  [[nodiscard]] u32 read(u64 offset, u8 size);
  [[nodiscard]] u32 peek(u64 offset, u8 size) const;
  void write(u64 offset, u8 size, u32 value);
  /// The control block: alternate status, device control.
  [[nodiscard]] u8 alternate_status() const;
  void write_control(u8 value);
  [[nodiscard]] u8 read_bus_master(u64 offset) const { return bus_master_.read(offset); }
  void write_bus_master(u64 offset, u8 value);
  /// The function may master the bus, or may not any more (PCI command register).
  void set_mastering(bool allowed);

  void step();
  [[nodiscard]] AtaDrive& drive(unsigned number) { return drives_[number]; }
  [[nodiscard]] const AtaDrive& drive(unsigned number) const { return drives_[number]; }

  void exchange(Archive& archive);

 private:
  enum class Phase : u8 {
    Idle,
    Fetching,   ///< the next block comes from the medium
    DataIn,     ///< the host reads the buffer
    Preparing,  ///< before the host may fill the buffer for the first time
    DataOut,    ///< the host fills the buffer
    Storing,    ///< the buffer goes to the medium
    DmaSeeks,
    DmaWaits,  ///< for the engine
    DmaMoves,  ///< a sector
    Settling,  ///< a command without data, or one that fails before its data
    Diagnosing,
    HeldReset,  ///< SRST is set
    Resetting,
  };
  static constexpr u32 sector_bytes = AtaDrive::sector_bytes;
  static constexpr u32 buffer_bytes = u32{AtaDrive::most_multiple} * sector_bytes;
  struct State {
    u8 selected = 0;
    u8 control = 0;
    Phase phase = Phase::Idle;
    u8 active = 0;  // the drive whose command it is
    u8 command = 0;
    u8 error = 0;      // with which Settling ends
    u64 sector = 0;    // the next one
    u32 left = 0;      // sectors, those in the buffer included
    u32 position = 0;  // in the buffer, bytes
    u32 length = 0;    // of what is in it or is to be, bytes
    std::array<u8, buffer_bytes> buffer{};
    bool mastering = false;
    bool asserted = false;  // INTRQ
    u8 cause = 0;
    Setting interrupt_switched{};
    Withholding told{};
  };

  [[nodiscard]] AtaDrive& active() { return drives_[state_.active]; }
  [[nodiscard]] CommandForm form() const { return form_of(state_.command); }
  [[nodiscard]] AtaDrive::Width width() const;
  [[nodiscard]] u8 register_at(u64 offset) const;
  [[nodiscard]] u16 data_at(u32 ahead) const;
  void take_data();
  void put_data(u16 value);
  void write_register(u64 offset, u8 value);
  void wait(u64 nanoseconds, Phase phase);
  void stop();

  void begin(u8 command);
  void begin_without_data();
  void begin_verify();
  void begin_transfer();
  void begin_diagnostic();
  [[nodiscard]] u32 block_sectors();
  void fetched();
  void data_was_read();
  void expect_data();
  void data_was_written();
  void stored();
  [[nodiscard]] BusMaster::Direction dma_direction() const;
  void pump();
  void moved();
  void ready_after_reset();
  void not_found();
  void finish(u8 error);
  void interrupt(Cause cause);
  void update();
  [[nodiscard]] bool sensible() const;

  DeviceContext context_;
  u16 step_event_;
  LineDriver pin_;
  LineRecords records_;
  MemoryBus* memory_;
  std::array<AtaDrive, 2> drives_;
  BusMaster bus_master_;
  State state_;
};

}  // namespace vitrine
