// The 8237A DMA controller, as the PC has two of: one for the 8-bit channels 0..3, one for the 16-bit channels 4..7.
//
// Manual: Intel 8237A/8237A-4/8237A-5 datasheet (231466).
// Interrupts: none; devices raise their own when they see terminal count.
// Not modelled: transfers. The register file behaves as in the data sheet, so that kernels may probe and program it.
#pragma once

#include <array>

#include "machine/core/device.hpp"

namespace vitrine {

class Dma8237 final : public Device {
 public:
  enum class Window : u8 { Registers };
  /// Distance between two registers in port space: the second controller's are at every other port.
  enum class Stride : u8 { One = 1, Two = 2 };
  static constexpr u32 registers = 16;

  /// `name` must outlive the device.
  Dma8237(DeviceContext context, std::string_view name, Stride stride);

  [[nodiscard]] std::string_view name() const override { return name_; }
  void reset() override { state_ = State{}; }
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

 private:
  struct Channel {
    u16 base_address = 0, base_count = 0;
    u16 address = 0, count = 0;
    u8 mode = 0;
  };
  struct State {
    std::array<Channel, 4> channels{};
    u8 command = 0;
    u8 status = 0;   // terminal counts, bits 0..3; requests, bits 4..7
    u8 request = 0;  // software requests
    u8 mask = 0x0F;  // all masked after reset
    u8 temporary = 0;
    bool high_byte = false;  // the first/last flip-flop
  };
  [[nodiscard]] unsigned register_at(u64 offset) const {
    return static_cast<unsigned>(offset / static_cast<unsigned>(stride_)) % registers;
  }
  [[nodiscard]] u8 value_at(unsigned reg) const;
  void write_byte(unsigned reg, u8 value);

  std::string_view name_;
  Stride stride_;
  State state_;
};

}  // namespace vitrine
