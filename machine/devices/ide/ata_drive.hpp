// One ATA disk on a channel: its registers, its settings, what it says of itself, and its sectors.
//
// Manual: AT Attachment with Packet Interface 6 (ATA/ATAPI-6, T13 1410D). Addresses by cylinder, head and sector, which
// that version has dropped, are understood as in ATA/ATAPI-5.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "abi/ata.hpp"
#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/disk_image.hpp"

namespace vitrine {

class AtaDrive {
 public:
  static constexpr u8 most_multiple = 16;
  static constexpr u32 sector_bytes = DiskImage::sector_bytes;
  using Sector = std::array<u8, sector_bytes>;
  enum class Width : u8 { Bits28, Bits48 };
  /// Of the next access to the medium, in ns (ide.hpp).
  static constexpr u64 nearest_seek = 50'000, farthest_seek = 950'000, spin_up = 500'000'000;

  /// `number`: the drive's place on the board, 0..3, for its serial number.
  AtaDrive(DiskImage image, u8 number) : image_(std::move(image)), number_(number) {}

  [[nodiscard]] bool present() const { return image_.sectors() != 0; }
  [[nodiscard]] const DiskImage& image() const { return image_; }
  [[nodiscard]] DiskImage& image() { return image_; }

  /// Power-on. What is on the disk stays.
  void reset() { state_ = State{}; }
  /// After EXECUTE DEVICE DIAGNOSTIC (9.12): settings stay.
  void post_signature();
  /// The same, and settings go back to their defaults if SET FEATURES has asked for that (8.46).
  void software_reset();

  // Registers. `offset`: ata::reg.
  [[nodiscard]] u8 read(u64 offset, bool high_order) const;
  void write(u64 offset, u8 value);
  [[nodiscard]] u8 status() const { return state_.status; }
  void set_status(u8 value) { state_.status = value; }
  /// The command is over, with this in the error register; 0: it went well.
  void end(u8 error);
  [[nodiscard]] bool interrupting() const { return state_.interrupting; }
  void set_interrupting(bool value) { state_.interrupting = value; }

  // What the registers ask for.
  [[nodiscard]] u32 count(Width width) const;
  /// The first sector; nothing if cylinder, head and sector name none.
  [[nodiscard]] std::optional<u64> address(Width width) const;
  /// The sector that could not be reached, for the host to read (8.27.6).
  void set_address(Width width, u64 sector);
  [[nodiscard]] u8 multiple() const { return state_.multiple; }
  [[nodiscard]] bool asleep() const { return state_.power == Power::Sleep; }

  /// Nanoseconds until the head is at `sector` and the disk turns; it is there then.
  [[nodiscard]] u64 move_to(u64 sector);
  [[nodiscard]] u64 sectors() const { return image_.sectors(); }
  void read_sectors(u64 sector, std::span<u8> into);
  void write_sectors(u64 sector, std::span<const u8> from);

  [[nodiscard]] Sector identify() const;
  /// Commands without data, other than diagnostics. False: aborted.
  [[nodiscard]] bool execute(ata::Command command);

  void exchange(Archive& archive);

 private:
  enum class Power : u8 { Active, Idle, Standby, Sleep };
  /// Two bytes deep: a write moves what was there behind it (6.2: 48-bit addresses).
  struct Register {
    u8 current = 0, previous = 0;
    void exchange(Archive& archive) { archive(current, previous); }
  };
  struct State {
    u8 error = 1, device = 0;
    u8 status = ata::status::ready | ata::status::seek_complete;
    Register features{}, count{1}, low{1}, mid{}, high{};
    bool interrupting = false;
    u8 multiple = 0;  // 0: not set
    u8 mode = 0;      // of DMA, as SET FEATURES had it; 0: none
    u8 heads = 16, track = 63;
    bool write_cache = true, look_ahead = true;
    bool reverts = false;  // settings, at a software reset. unverified: the standard leaves the default to the drive
    Power power = Power::Active;
    u64 head = 0;  // the sector that comes next under it
  };
  [[nodiscard]] u64 cylinders() const;
  [[nodiscard]] bool set_feature(u8 which, u8 value);
  [[nodiscard]] bool set_mode(u8 value);

  DiskImage image_;
  u8 number_;
  State state_;
};

}  // namespace vitrine
