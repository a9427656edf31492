// A text screen with escape codes (ECMA-48; the codes of Linux's console, console_codes(4)), into cells as VGA has
// them. Pure: it is given the cells.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

class TextScreen {
 public:
  /// `cells`: rows * columns of character | attribute << 8 (IBM VGA, text mode). They are cleared.
  TextScreen(std::span<u16> cells, u16 rows, u16 columns);

  void put(u8 byte);
  [[nodiscard]] u16 row() const { return row_; }
  [[nodiscard]] u16 column() const { return column_; }
  [[nodiscard]] bool shows_cursor() const { return shows_cursor_; }
  /// What was asked and must be typed back: the cursor's place (ESC [ 6 n), what terminal this is (ESC [ c).
  [[nodiscard]] std::string_view answer() const { return {answer_.data(), answer_length_}; }
  void clear_answer() { answer_length_ = 0; }

 private:
  static constexpr std::size_t most_numbers = 8;
  static constexpr u8 usual_attribute = 0x07;
  enum class State : u8 { Text, Escape, Numbers, Skip, String, StringEscape };

  void reset();
  void put_text(u8 byte);
  void put_control(u8 byte);
  void put_escape(u8 byte);
  void put_number(u8 byte);
  void finish(u8 command);
  void set_attributes();
  void set_attribute(u32 number);
  void line_feed();
  void reverse_line_feed();
  void move_to(i32 row, i32 column);
  void erase(u32 from, u32 to);
  void erase_display(u32 how);
  void erase_line(u32 how);
  /// Moves lines `first`.. up to `bottom_` by `count`: up if positive.
  void scroll(u16 first, i32 count);
  /// Moves what stands right of the cursor by `count`.
  void shift_line(i32 count);
  void set_mode(bool on);
  void report(u32 what);
  [[nodiscard]] u32 number(std::size_t place, u32 otherwise) const;
  [[nodiscard]] u32 place() const { return u32{row_} * columns_ + column_; }
  [[nodiscard]] u8 attribute() const;
  [[nodiscard]] u16 blank() const { return static_cast<u16>(attribute() << 8 | ' '); }

  std::span<u16> cells_;
  u16 rows_, columns_;
  u16 row_ = 0, column_ = 0, saved_row_ = 0, saved_column_ = 0;
  u16 top_ = 0, bottom_ = 0;  // the part that scrolls: lines [top_, bottom_)
  u8 foreground_ = 7, background_ = 0;
  bool bold_ = false, reverse_ = false, wraps_next_ = false, shows_cursor_ = true;
  State state_ = State::Text;
  bool is_private_ = false;  // ESC [ ?
  std::array<u32, most_numbers> numbers_{};
  std::size_t number_count_ = 0;
  std::array<char, 16> answer_{};
  std::size_t answer_length_ = 0;
};

}  // namespace pulse
