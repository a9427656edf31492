// The registers of a VGA in text mode 3 (80x25, colour), as far as programs that write to 0xB8000 need them.
//
// Manual: IBM PS/2 Hardware Interface Technical Reference, Video Subsystem (1990), VGA function.
// Interrupts: none (the PC's VGA doesn't use its vertical-retrace interrupt).
// Not modelled: graphics modes, planes and fonts: 0xA0000..0xBFFFF is plain memory, and registers other than the start
// address and the cursor have no effect. There is no firmware, so power-on values are those of mode 3.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "machine/core/device.hpp"

namespace vitrine {

class VgaText final : public Device {
 public:
  enum class Window : u8 { Core, Crtc };
  static constexpr Port first_port{0x3C0};  ///< Window::Core: attribute, sequencer, DAC, graphics
  static constexpr u32 port_count = 16;
  static constexpr Port first_crtc_port{0x3D4};  ///< Window::Crtc: 0x3D4, 0x3D5 and input status 1 at 0x3DA
  static constexpr u32 crtc_port_count = 7;

  static constexpr PhysicalAddress text_memory{0xB8000};
  static constexpr u32 text_memory_size = 0x8000;
  static constexpr u32 columns = 80, rows = 25;

  explicit VgaText(DeviceContext context);

  [[nodiscard]] std::string_view name() const override { return "vga"; }
  void reset() override { state_ = State{}; }
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

  /// The screen as `rows` lines of UTF-8 without trailing spaces. `memory`: the bytes at text_memory.
  [[nodiscard]] std::vector<std::string> screen(std::span<const u8> memory) const;

 private:
  enum Crtc : u8 { start_high = 0x0C, start_low = 0x0D, vertical_retrace_end = 0x11, overflow_register = 0x07 };
  struct State {
    u8 crtc_index = 0;
    // Mode 3: horizontal and vertical timing, cursor, start address, offset, mode control.
    std::array<u8, 25> crtc = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
                               0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF};
    u8 attribute_index = 0x20;  // bit 5: the palette belongs to the display
    bool attribute_data_next = false;
    std::array<u8, 21> attribute = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A,
                                    0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00, 0x0F, 0x08, 0x00};
    u8 sequencer_index = 0;
    std::array<u8, 5> sequencer = {0x03, 0x00, 0x03, 0x00, 0x02};
    u8 graphics_index = 0;
    std::array<u8, 9> graphics = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF};
    u8 miscellaneous = 0x67;
    u8 feature = 0;
    u8 enable = 1;
    u8 dac_mask = 0xFF;
    u8 dac_state = 0;                 // 0: last index written was for writing; 3: for reading
    u16 dac_read = 0, dac_write = 0;  // colour * 3 + component
    std::array<u8, 768> dac{};
  };
  [[nodiscard]] u8 input_status_1() const;
  [[nodiscard]] u8 byte(Window window, u64 offset) const;
  void after_read(Window window, u64 offset);
  void set_byte(Window window, u64 offset, u8 value);
  void set_crtc(u8 value);

  DeviceContext context_;
  State state_;
};

}  // namespace vitrine
