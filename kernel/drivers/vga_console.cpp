#include "kernel/drivers/vga_console.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/drivers/text_screen.hpp"
#include "kernel/fs/devices.hpp"
#include "kernel/fs/terminal_device.hpp"
#include "kernel/memory/page_tables.hpp"

namespace pulse {

namespace {

constexpr u64 text_memory = 0xB8000;
constexpr u16 rows = 25, columns = 80;
constexpr u16 crt_index = 0x3D4, crt_data = 0x3D5;
enum CrtRegister : u8 { cursor_start = 0x0A, cursor_high = 0x0E, cursor_low = 0x0F };
constexpr u8 cursor_first_line = 13, cursor_off = 0x20;
constexpr u32 screen_major = 4;

void write_register(CrtRegister number, u8 value) {
  out8(crt_index, number);
  out8(crt_data, value);
}

class Screen final : public Console, public ProcessTerminalHost {
 public:
  Screen() : cells_(static_cast<u16*>(direct(text_memory)), std::size_t{rows} * columns, rows, columns) {}

  void write(std::string_view text) override {
    const InterruptsOff off;
    for (const char character : text) {
      if (character == '\n') cells_.put('\r');
      cells_.put(static_cast<u8>(character));
    }
    show_cursor();
  }

  void show(std::span<const u8> bytes) override {
    for (const u8 byte : bytes) {
      const InterruptsOff off;  // what is typed is shown from bottom halves
      cells_.put(byte);
      if (!cells_.answer().empty()) type_answer();
    }
    const InterruptsOff off;
    show_cursor();
  }

  [[nodiscard]] std::optional<u32> screen_number() const override { return 1; }

 private:
  struct Cells : TextScreen {
    Cells(u16* memory, std::size_t count, u16 r, u16 c) : TextScreen({memory, count}, r, c) {}
  };

  void type_answer() {
    char answer[16];
    const std::size_t length = cells_.answer().copy(answer, sizeof answer);
    cells_.clear_answer();  // first: its echo comes back here
    for (std::size_t i = 0; i < length; ++i) screen_terminal().input(static_cast<u8>(answer[i]));
  }

  void show_cursor() {
    const u16 place = static_cast<u16>(cells_.row() * columns + cells_.column());
    write_register(cursor_high, static_cast<u8>(place >> 8));
    write_register(cursor_low, static_cast<u8>(place));
    write_register(cursor_start, cells_.shows_cursor() ? cursor_first_line : cursor_first_line | cursor_off);
  }

  Cells cells_;
};

Screen& screen() {
  static Screen the_screen;
  return the_screen;
}

}  // namespace

Console& screen_console() { return screen(); }

Terminal& screen_terminal() {
  static Terminal terminal(screen());
  return terminal;
}

void start_screen_terminal() {
  register_terminal(screen_terminal());
  for (const u32 minor : {0u, 1u}) {
    register_device(device_number(screen_major, minor),
                    [](Node&, u32 flags) { return open_terminal(screen_terminal(), flags); });
  }
}

}  // namespace pulse
