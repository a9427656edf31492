// A PCI bus as its configuration space sees it: functions at (device, function), each with 256 bytes of registers.
//
// Source: PCI Local Bus Specification 2.2, chapter 6. Bus 0 only; no bridges to other buses.
#pragma once

#include <array>
#include <expected>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/device.hpp"

namespace vitrine {

/// Where a function sits on bus 0. device: 0..31, function: 0..7.
struct PciSlot {
  u8 device;
  u8 function;
};

/// The 256 configuration registers of one function: values, and which bits the guest may change.
class PciConfig {
 public:
  /// What never changes about a function (PCI 2.2, 6.2.1).
  struct Identity {
    u16 vendor;
    u16 device;
    u8 revision;
    u32 class_code;  ///< base class, subclass, programming interface: 0xBBSSPP
    bool multifunction = false;
  };
  enum class BarKind : u8 { Port, Memory32 };

  explicit PciConfig(const Identity& identity);

  /// A register's power-on value and its writable bits; little-endian, `size` 1, 2 or 4 bytes.
  void define(u8 offset, AccessSize size, u32 initial, u32 writable);
  /// Bits in which a written 1 clears (status registers).
  void define_write_one_to_clear(u8 offset, AccessSize size, u32 bits);
  /// Base address register `index` (0..5) that decodes `size` bytes (a power of two; at least 4 for ports, 16 for
  /// memory). Its address bits below the size read as zero, so that writing all ones tells the size (PCI 2.2, 6.2.5.1).
  void define_bar(u8 index, BarKind kind, u32 size);

  /// The decoded base of a BAR: its address without the flag bits.
  [[nodiscard]] u32 bar_base(u8 index) const;

  [[nodiscard]] u32 read(u8 offset, AccessSize size) const;
  void write(u8 offset, AccessSize size, u32 value);
  void reset() { values_ = initial_; }
  void exchange(Archive& archive) { archive(values_); }

 private:
  using Registers = std::array<u8, 256>;
  Registers initial_{}, values_{}, writable_{}, clears_{};
  std::array<u32, 6> bar_flags_{};
};

/// A function that wants to know when the guest has changed one of its configuration registers.
class PciFunction {
 public:
  virtual ~PciFunction() = default;
  /// Bytes `offset` .. `offset` + `size` - 1 were written. Read the new values from the function's PciConfig.
  virtual void config_written(u8 offset, AccessSize size) = 0;
};

/// Bus 0: routes configuration cycles to functions. A cycle that no function claims reads all ones and writes nowhere
/// (master abort; PCI 2.2, 6.1).
class PciBus {
 public:
  enum class AttachError : u8 { OutOfRange, Taken };
  /// `config` (and `listener`, if any) must outlive the bus.
  [[nodiscard]] std::expected<void, AttachError> attach(PciSlot slot, PciConfig& config,
                                                        PciFunction* listener = nullptr);
  [[nodiscard]] u32 read(u8 bus, PciSlot slot, u8 offset, AccessSize size) const;
  void write(u8 bus, PciSlot slot, u8 offset, AccessSize size, u32 value);

 private:
  struct Function {
    PciConfig* config = nullptr;
    PciFunction* listener = nullptr;
  };
  static constexpr u8 devices = 32, functions = 8;
  [[nodiscard]] static unsigned index(PciSlot slot) { return slot.device * unsigned{functions} + slot.function; }

  std::array<Function, std::size_t{devices} * functions> functions_{};
};

}  // namespace vitrine
