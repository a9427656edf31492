// One ATA channel: commands to its disks, by interrupt or by looking (its polled twin), data by the CPU or by the bus
// master (AT Attachment with Packet Interface 6, T13 1410D; Programming Interface for Bus Master IDE Controller 1.0).
//
// One command at a time; others wait. A disk that does not answer within ten seconds is reset, and the command fails.
// One that does so three times in a row is dead: its commands fail at once. Whoever waits sleeps, whatever for.
#pragma once

#include <array>
#include <span>

#include "abi/ata.hpp"
#include "kernel/core/interrupts.hpp"
#include "kernel/core/mutex.hpp"
#include "kernel/core/result.hpp"
#include "kernel/core/wait_queue.hpp"

namespace pulse {

class AtaChannel {
 public:
  enum class Service : u8 { Interrupts, Polled };
  struct Place {
    std::string_view name;  ///< for /proc/interrupts
    u16 command_block, control_block;
    u16 bus_master;  ///< 0: none
    u8 line;
  };
  using Sector = std::array<u8, 512>;
  /// A transfer of sectors.
  struct Transfer {
    vitrine::ata::Command command;
    u8 disk;    ///< 0 or 1
    bool wide;  ///< 48-bit addresses
    u64 sector;
    u32 block_sectors;  ///< PIO: between two interrupts
  };
  static constexpr u32 most_dma_bytes = 16 * 4096;

  /// Sets it up, with interrupts off on the device's side. False: nothing answers.
  [[nodiscard]] bool find(const Place& place);
  /// Before the first transfer: from now on interrupts come, or the driver looks.
  void start(Service service);
  [[nodiscard]] bool has_bus_master() const { return tables_ != nullptr; }

  /// What the disk says of itself; NoDevice: there is none.
  [[nodiscard]] Result<void> identify(u8 disk, Sector& into);
  /// A command without data: what features and count are to be.
  [[nodiscard]] Result<void> command(vitrine::ata::Command command, u8 disk, u8 features = 0, u8 count = 0);
  /// Whole sectors, at most 256.
  [[nodiscard]] Result<void> read(const Transfer& transfer, std::span<u8> into);
  [[nodiscard]] Result<void> write(const Transfer& transfer, std::span<const u8> from);
  /// At most most_dma_bytes.
  [[nodiscard]] Result<void> read_by_dma(const Transfer& transfer, std::span<u8> into);
  [[nodiscard]] Result<void> write_by_dma(const Transfer& transfer, std::span<const u8> from);

  /// It has not answered three times, and no command reaches it any more.
  [[nodiscard]] bool is_dead(u8 disk) const { return unanswered_[disk] >= most_unanswered; }
  /// How often the channel was reset: what was set in its disks may be lost (ATA/ATAPI-6, 9.2).
  [[nodiscard]] u32 resets() const { return resets_; }

  /// Status and error registers of the last command that failed.
  [[nodiscard]] u8 last_status() const { return status_; }
  [[nodiscard]] u8 last_error() const { return error_; }

 private:
  struct Handler : InterruptHandler {
    AtaChannel* channel = nullptr;
  };
  struct Descriptor {
    u32 address, count;
  };
  static constexpr u32 dma_pages = most_dma_bytes / 4096;
  static constexpr u8 most_unanswered = 3;

  [[nodiscard]] u8 in(u8 reg) const;
  void out(u8 reg, u8 value) const;
  [[nodiscard]] u8 look() const;
  void pause() const;
  [[nodiscard]] Result<void> select(u8 disk, u8 bits = 0);
  [[nodiscard]] Result<void> issue(const Transfer& transfer, u32 sectors);
  template <class Holds>
  [[nodiscard]] bool look_until(Holds holds, u64 longest, u64 eagerly);
  [[nodiscard]] bool becomes_free();
  [[nodiscard]] Result<void> wait_for_step(u8 none_of = vitrine::ata::status::busy);
  [[nodiscard]] Result<void> check(u8 wanted);
  [[nodiscard]] Result<void> finish();
  [[nodiscard]] bool arrived(u8 none_of);
  HandlerResult serve();
  void prepare_dma();
  [[nodiscard]] Result<void> run_dma(const Transfer& transfer, u32 bytes, u8 direction);
  Result<void> give_up();

  Place place_{};
  Service service_ = Service::Polled;
  Mutex mutex_;
  WaitQueue waiting_;
  volatile bool interrupted_ = false;
  u8 status_ = 0, error_ = 0;
  u8 selected_ = 0;
  std::array<u8, 2> unanswered_{};  // commands of each disk in a row
  u32 resets_ = 0;
  Handler handler_;
  Descriptor* tables_ = nullptr;  // one page
  u32 table_address_ = 0;
  std::array<u8*, dma_pages> pages_{};
};

}  // namespace pulse
