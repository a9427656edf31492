// A PCI bus as its configuration space sees it: functions at (device, function), each with 256 bytes of registers, and
// the address ranges that their base address registers make them answer to.
//
// Source: PCI Local Bus Specification 3.0, chapter 6. Bus 0 only; no bridges to other buses.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/bus.hpp"
#include "machine/core/device.hpp"

namespace vitrine {

/// Where a function sits on bus 0. device: 0..31, function: 0..7.
struct PciSlot {
  u8 device;
  u8 function;
};

/// Told when what a function's registers decode may have changed.
class PciDecoder {
 public:
  virtual ~PciDecoder() = default;
  virtual void decoding_changed() = 0;
};

/// The 256 configuration registers of one function: values, and which bits the guest may change.
class PciConfig {
 public:
  /// What never changes about a function (PCI 3.0, 6.2.1).
  struct Identity {
    u16 vendor;
    u16 device;
    u8 revision;
    u32 class_code;  ///< base class, subclass, programming interface: 0xBBSSPP
    bool multifunction = false;
  };
  enum class BarKind : u8 { Port, Memory32 };
  static constexpr u8 bars = 6;

  /// Registers of the header of type 0 (PCI 3.0, 6.1, figure 6-1).
  static constexpr u8 command_register = 0x04, status_register = 0x06, first_bar_register = 0x10,
                      capabilities_register = 0x34, interrupt_line_register = 0x3C, interrupt_pin_register = 0x3D;
  /// Bits of the command register (6.2.2) and of the status register (6.2.3).
  static constexpr u16 io_space_bit = 1 << 0, memory_space_bit = 1 << 1, bus_master_bit = 1 << 2,
                       interrupt_disable_bit = 1 << 10;
  static constexpr u16 interrupt_status_bit = 1 << 3, capabilities_list_bit = 1 << 4;

  explicit PciConfig(const Identity& identity);

  /// A register's power-on value and its writable bits; little-endian, `size` 1, 2 or 4 bytes.
  void define(u8 offset, AccessSize size, u32 initial, u32 writable);
  /// Bits in which a written 1 clears (status registers).
  void define_write_one_to_clear(u8 offset, AccessSize size, u32 bits);
  /// Bits that the chip itself sets and clears, with set(). The guest only reads them.
  void define_driven(u8 offset, AccessSize size, u32 bits);
  /// Base address register `index` (0..5) that decodes `size` bytes (a power of two; at least 4 for ports, 16 for
  /// memory). Its address bits below the size read as zero, so that writing all ones tells the size (PCI 3.0, 6.2.5.1).
  void define_bar(u8 index, BarKind kind, u32 size);
  /// The function interrupts through a pin: 1..4 for INTA#..INTD# (6.2.4). Makes the interrupt-disable bit writable.
  void define_interrupt_pin(u8 pin);
  /// Puts a capability of `size` bytes into the list (6.7), at the first free dword from 40h on; returns its offset.
  /// Its registers from offset + 2 on are the caller's to define.
  [[nodiscard]] u8 add_capability(u8 id, u8 size);

  /// The decoded base of a BAR: its address without the flag bits.
  [[nodiscard]] u32 bar_base(u8 index) const;
  struct Decoding {
    BarKind kind;
    u32 base;
    u32 size;
    bool operator==(const Decoding&) const = default;
  };
  /// What a BAR makes the function answer to; nothing while its space is off in the command register.
  [[nodiscard]] std::optional<Decoding> decoding(u8 index) const;
  [[nodiscard]] u16 command() const;

  [[nodiscard]] u32 read(u8 offset, AccessSize size) const;
  void write(u8 offset, AccessSize size, u32 value);
  /// The chip drives bits that define_driven() has named.
  void set(u8 offset, AccessSize size, u32 bits, bool high);
  void reset();
  /// Refuses values that neither guest nor chip could have made.
  void exchange(Archive& archive);

 private:
  friend class PciBus;
  using Registers = std::array<u8, 256>;
  void tell_decoder();

  Registers initial_{}, values_{}, writable_{}, clears_{}, driven_{};
  std::array<u32, bars> bar_flags_{};
  std::array<u32, bars> bar_sizes_{};
  u8 last_capability_ = 0;
  u8 next_free_ = 0x40;
  PciDecoder* decoder_ = nullptr;
};

/// A function that wants to know when the guest has changed one of its configuration registers.
class PciFunction {
 public:
  virtual ~PciFunction() = default;
  /// Bytes `offset` .. `offset` + `size` - 1 were written. Read the new values from the function's PciConfig.
  virtual void config_written(u8 offset, AccessSize size) = 0;
};

/// Bus 0: routes configuration cycles to functions. A cycle that no function claims reads all ones and writes nowhere
/// (master abort; PCI 3.0, 6.1).
class PciBus final : private PciDecoder {
 public:
  PciBus() = default;
  /// With the buses on which the functions' windows appear (add_window).
  PciBus(MemoryBus& memory, PortBus& ports) : memory_(&memory), ports_(&ports) {}
  PciBus(const PciBus&) = delete;
  PciBus& operator=(const PciBus&) = delete;

  enum class AttachError : u8 { OutOfRange, Taken };
  /// `config` (and `listener`, if any) must live as long as the bus is used.
  [[nodiscard]] std::expected<void, AttachError> attach(PciSlot slot, PciConfig& config,
                                                        PciFunction* listener = nullptr);
  /// BAR `index` of an attached function leads to `device`'s `region`, at most 64 for all. From now on the region
  /// appears on its bus where command register and BAR put it, also after reset and restore. A place that is taken
  /// already (RAM, a fixed device, the window of an earlier add_window) is refused quietly: what was there stays, and
  /// the window appears when the place is free.
  void add_window(const PciConfig& config, u8 index, Device& device, Region region);
  /// Is that window on its bus now?
  [[nodiscard]] bool is_mapped(const PciConfig& config, u8 index) const;

  [[nodiscard]] u32 read(u8 bus, PciSlot slot, u8 offset, AccessSize size) const;
  void write(u8 bus, PciSlot slot, u8 offset, AccessSize size, u32 value);

 private:
  struct Function {
    PciConfig* config = nullptr;
    PciFunction* listener = nullptr;
  };
  struct Window {
    const PciConfig* config;
    u8 index;
    Device* device;
    Region region;
    std::optional<PciConfig::Decoding> wanted{};  // as the registers have it
    bool mapped = false;
  };
  static constexpr u8 devices = 32, functions = 8;
  static constexpr std::size_t most_windows = 64;
  [[nodiscard]] static unsigned index(PciSlot slot) { return slot.device * unsigned{functions} + slot.function; }
  void decoding_changed() override;
  void unmap(Window& window);
  void map(Window& window);

  std::array<Function, std::size_t{devices} * functions> functions_{};
  std::vector<Window> windows_;
  MemoryBus* memory_ = nullptr;
  PortBus* ports_ = nullptr;
};

}  // namespace vitrine
