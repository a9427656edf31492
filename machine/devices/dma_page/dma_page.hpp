// The DMA page registers (a 74LS612): address bits 16..23 of each DMA channel, at ports 0x81..0x8F.
//
// Manual: IBM PC AT Technical Reference (1502494), system board I/O; Intel 82371SB PIIX3 datasheet (290550), 2.5.1.12.
// Interrupts: none.
// Not modelled: transfers (see dma8237). Port 0x80, the spare register, is the POST code and belongs to debug_ports.
#pragma once

#include <array>

#include "machine/core/device.hpp"

namespace vitrine {

class DmaPage final : public Device {
 public:
  enum class Window : u8 { Registers };
  static constexpr Port first_port{0x81};
  /// Ports 0x81..0x8F. 0x84..0x86, 0x88 and 0x8C..0x8E belong to no channel and are plain memory.
  static constexpr u32 port_count = 15;

  explicit DmaPage(DeviceContext) {}

  [[nodiscard]] std::string_view name() const override { return "dma-page"; }
  void reset() override { pages_ = {}; }
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region, u64 offset, AccessSize size, u64 value) override {
    for (unsigned i = 0; i < size.value && offset + i < port_count; ++i) {
      pages_[offset + i] = static_cast<u8>(value >> 8 * i);
    }
  }
  [[nodiscard]] u64 peek(Region, u64 offset, AccessSize size) const override {
    u64 value = 0;
    for (unsigned i = 0; i < size.value && offset + i < port_count; ++i) value |= u64{pages_[offset + i]} << 8 * i;
    return value;
  }
  void exchange(Archive& archive) override {
    archive.section(name(), 1);
    archive(pages_);
  }

 private:
  std::array<u8, port_count> pages_{};
};

}  // namespace vitrine
