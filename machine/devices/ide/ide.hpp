// The IDE controller of the board's southbridge, two channels in compatibility mode, with the disks on their cables.
//
// Manuals: Intel 82371SB PIIX3 (290550), 2.3 and 2.7; Intel 82801GB ICH7 (307013), 11 (IDE controller, D31:F1);
// AT Attachment with Packet Interface 6 (T13 1410D); Programming Interface for Bus Master IDE Controller 1.0.
//
// Ports 1F0h-1F7h and 3F6h with IRQ 14, 170h-177h and 376h with IRQ 15; BAR 4 has the bus-master registers, eight for
// each channel. A channel's ports answer while the function's I/O space is on and the decode enable of its IDETIM (bit
// 15) is set; both are off after reset, as firmware finds them. Without PCI the ports are always there, and there is no
// DMA.
//
// Interrupt: a level on the channel's line, from the end of a step of a command until the guest reads the status
// register, writes a command or resets the channel. nIEN holds the line down. Only the selected drive drives it.
//
// Time is made up, and always the same: 10 us for a command; 50 us to 1 ms to move the head, by distance, nothing for
// the sector that comes next; 10 us for each sector; half a second to spin up after STANDBY.
//
// Not modelled: packet devices, media errors, removable media, security, SMART, host protected area, queued commands,
// streaming; standby timers never run out; timing registers of the function are only kept.
#pragma once

#include <array>

#include "machine/core/device.hpp"
#include "machine/core/disk_image.hpp"
#include "machine/core/pci.hpp"
#include "machine/devices/ide/ide_channel.hpp"

namespace vitrine {

class Ide final : public Device, public PciFunction {
 public:
  enum class Model : u8 {
    Isa,    ///< no function: ports only
    Piix3,  ///< 8086h:7010h
    Ich7,   ///< 8086h:27DFh
  };
  /// Two command blocks, two control blocks, the bus-master window.
  enum class Window : u8 { Primary = 0, Secondary = 1, PrimaryControl = 2, SecondaryControl = 3, BusMaster = 4 };
  static constexpr Port primary_port{0x1F0}, secondary_port{0x170}, primary_control_port{0x3F6},
      secondary_control_port{0x376};
  static constexpr u32 command_ports = 8, control_ports = 1, bus_master_ports = 16;
  static constexpr u8 bus_master_bar = 4;
  static constexpr u8 channels = 2, disks = 4;
  /// IDETIM of each channel, and its decode enable.
  static constexpr u8 timing_register = 0x40;
  static constexpr u16 decode_enable_bit = 0x8000;
  /// Device 0 and 1 of the primary channel, then of the secondary one.
  using Images = std::array<DiskImage, disks>;

  /// `memory`: what the engines master; not used by a model without them.
  Ide(DeviceContext context, Model model, const std::array<LineDriver, channels>& pins, MemoryBus& memory,
      const Images& images);

  [[nodiscard]] std::string_view name() const override { return "ide"; }
  void accessed(u64 where) override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void config_written(u8 offset, AccessSize size) override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

  PciConfig& config() { return config_; }
  /// What is on disk `number`, 0..3.
  [[nodiscard]] DiskImage& disk(unsigned number) { return channels_[number / 2].drive(number % 2).image(); }

 private:
  [[nodiscard]] static PciConfig::Identity identity_of(Model model);
  [[nodiscard]] bool decodes(unsigned channel) const;
  void tell_mastering();

  Model model_;
  PciConfig config_;
  std::array<IdeChannel, channels> channels_;
};

}  // namespace vitrine
