#include "machine/devices/vga_text/vga_text.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr Region core{static_cast<u8>(VgaText::Window::Core)}, crtc{static_cast<u8>(VgaText::Window::Crtc)};

struct VgaBench {
  TestBench bench;
  VgaText& vga = bench.add<VgaText>("vga");
  void set_crtc(u8 index, u8 value) {
    vga.write(crtc, 0, AccessSize(1), index);
    vga.write(crtc, 1, AccessSize(1), value);
  }
  u64 get_crtc(u8 index) {
    vga.write(crtc, 0, AccessSize(1), index);
    return vga.read(crtc, 1, AccessSize(1));
  }
};

TEST(VgaText, screen_shows_the_text_as_utf8_without_trailing_spaces) {
  VgaBench text;
  std::vector<u8> memory(VgaText::text_memory_size, 0);
  const std::string_view hello = "Hi \xB3 \x01";
  for (std::size_t i = 0; i < hello.size(); ++i) memory[160 + 2 * i] = static_cast<u8>(hello[i]);
  const std::vector<std::string> lines = text.vga.screen(memory);
  ASSERT_EQ(lines.size(), 25u);
  EXPECT_EQ(lines[0], "");
  EXPECT_EQ(lines[1], "Hi │ ☺");
}

TEST(VgaText, the_start_address_scrolls_the_screen) {
  VgaBench text;
  std::vector<u8> memory(VgaText::text_memory_size, 0);
  memory[160 * 3] = 'x';
  text.set_crtc(0x0C, 0);
  text.set_crtc(0x0D, 240);
  EXPECT_EQ(text.vga.screen(memory)[0], "x");
}

TEST(VgaText, one_word_write_sets_index_and_data) {
  VgaBench text;
  text.vga.write(crtc, 0, AccessSize(2), 0x550F);
  EXPECT_EQ(text.get_crtc(0x0F), 0x55u);
}

TEST(VgaText, protected_timing_registers_keep_their_values) {
  VgaBench text;
  text.set_crtc(0x00, 0x12);
  EXPECT_EQ(text.get_crtc(0x00), 0x5Fu);
  text.set_crtc(0x11, 0x0E);
  text.set_crtc(0x00, 0x12);
  EXPECT_EQ(text.get_crtc(0x00), 0x12u);
}

TEST(VgaText, retrace_comes_once_a_frame_seventy_times_a_second) {
  VgaBench text;
  unsigned starts = 0;
  bool before = false;
  for (unsigned microsecond = 0; microsecond < 1'000'000; microsecond += 10) {
    const bool now = (text.vga.read(crtc, 6, AccessSize(1)) & 8) != 0;
    starts += now && !before;
    before = now;
    text.bench.advance(10'000);
  }
  EXPECT_EQ(starts, 70u);
}

TEST(VgaText, attribute_port_takes_index_then_data_and_a_status_read_starts_again) {
  VgaBench text;
  text.vga.write(core, 0, AccessSize(1), 0x10);
  (void)text.vga.read(crtc, 6, AccessSize(1));
  text.vga.write(core, 0, AccessSize(1), 0x11);
  text.vga.write(core, 0, AccessSize(1), 0x2A);
  EXPECT_EQ(text.vga.read(core, 1, AccessSize(1)), 0x2Au);
}

DeviceUnderTest vga_text() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<VgaText>("vga"); },
          .regions = {{core, VgaText::port_count}, {crtc, VgaText::crtc_port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(VgaText, vga_text());

}  // namespace
}  // namespace vitrine
