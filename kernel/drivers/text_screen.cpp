#include "kernel/drivers/text_screen.hpp"

#include <algorithm>

#include "kernel/core/format.hpp"

namespace pulse {

namespace {
constexpr u8 bell = 7, backspace = 8, tab = 9, escape = 0x1B, del = 0x7F;
constexpr u16 tab_width = 8;
/// From the order of ECMA-48 (red is 1) to VGA's (blue is 1).
constexpr u8 colours[8] = {0, 4, 2, 6, 1, 5, 3, 7};
constexpr u8 bright = 8;
}  // namespace

TextScreen::TextScreen(std::span<u16> cells, u16 rows, u16 columns) : cells_(cells), rows_(rows), columns_(columns) {
  reset();
}

void TextScreen::reset() {
  row_ = column_ = saved_row_ = saved_column_ = top_ = 0;
  bottom_ = rows_;
  foreground_ = 7;
  background_ = 0;
  bold_ = reverse_ = wraps_next_ = false;
  shows_cursor_ = true;
  erase(0, u32{rows_} * columns_);
}

u8 TextScreen::attribute() const {
  const u8 front = colours[foreground_ & 7] | (bold_ || foreground_ >= bright ? bright : 0);
  const u8 back = colours[background_];
  return reverse_ ? static_cast<u8>((front & 7) << 4 | back) : static_cast<u8>(back << 4 | front);
}

u32 TextScreen::number(std::size_t at, u32 otherwise) const {
  return at < number_count_ && numbers_[at] != 0 ? numbers_[at] : otherwise;
}

void TextScreen::put(u8 byte) {
  if (byte == escape && state_ != State::String) {
    state_ = State::Escape;
    return;
  }
  switch (state_) {
    case State::Text:
      return byte < ' ' || byte == del ? put_control(byte) : put_text(byte);
    case State::Escape:
      return put_escape(byte);
    case State::Numbers:
      return put_number(byte);
    case State::Skip:
    case State::StringEscape:
      state_ = State::Text;
      return;
    case State::String:  // a title; ends with BEL or ESC backslash
      if (byte == bell) state_ = State::Text;
      if (byte == escape) state_ = State::StringEscape;
      return;
  }
}

void TextScreen::put_text(u8 byte) {
  constexpr u8 continuation_begin = 0x80, continuation_end = 0xC0;
  if (byte >= continuation_begin && byte < continuation_end) return;  // the rest of a UTF-8 character
  if (wraps_next_) {
    column_ = 0;
    line_feed();
  }
  const u8 shown = byte < continuation_begin ? byte : '?';
  cells_[place()] = static_cast<u16>(attribute() << 8 | shown);
  // At the right edge the cursor waits for the next character, so that a full line needs no second one.
  wraps_next_ = column_ + 1 == columns_;
  if (!wraps_next_) ++column_;
}

void TextScreen::put_control(u8 byte) {
  switch (byte) {
    case backspace:
      if (column_ > 0 && !wraps_next_) --column_;
      break;
    case tab:
      column_ = std::min<u16>(static_cast<u16>((column_ / tab_width + 1) * tab_width), columns_ - 1);
      break;
    case '\n':
    case '\v':
    case '\f':
      return line_feed();
    case '\r':
      column_ = 0;
      break;
    default:
      return;
  }
  wraps_next_ = false;
}

void TextScreen::put_escape(u8 byte) {
  state_ = State::Text;
  switch (byte) {
    case '[':
      state_ = State::Numbers;
      numbers_ = {};
      number_count_ = 0;
      is_private_ = false;
      break;
    case ']':
      state_ = State::String;
      break;
    case '(':
    case ')':
    case '#':
      state_ = State::Skip;
      break;
    case '7':
      saved_row_ = row_;
      saved_column_ = column_;
      break;
    case '8':
      move_to(saved_row_, saved_column_);
      break;
    case 'D':
      line_feed();
      break;
    case 'E':
      column_ = 0;
      line_feed();
      break;
    case 'M':
      reverse_line_feed();
      break;
    case 'c':
      reset();
      break;
    default:
      break;
  }
}

void TextScreen::put_number(u8 byte) {
  constexpr u32 largest = 9999;
  if (byte == '?') {
    is_private_ = true;
  } else if (byte >= '0' && byte <= '9') {
    number_count_ = std::max<std::size_t>(number_count_, 1);
    u32& last = numbers_[number_count_ - 1];
    last = std::min(last * 10 + (byte - '0'), largest);
  } else if (byte == ';') {
    number_count_ = std::min(std::max<std::size_t>(number_count_, 1) + 1, most_numbers);
  } else if (byte >= '@' && byte <= '~') {
    state_ = State::Text;
    finish(byte);
  } else if (byte < ' ') {
    put_control(byte);
  }
}

void TextScreen::finish(u8 command) {
  const auto count = static_cast<i32>(number(0, 1));
  switch (command) {
    case 'A':
      return move_to(row_ - count, column_);
    case 'B':
    case 'e':
      return move_to(row_ + count, column_);
    case 'C':
    case 'a':
      return move_to(row_, column_ + count);
    case 'D':
      return move_to(row_, column_ - count);
    case 'E':
      return move_to(row_ + count, 0);
    case 'F':
      return move_to(row_ - count, 0);
    case 'G':
    case '`':
      return move_to(row_, count - 1);
    case 'H':
    case 'f':
      return move_to(count - 1, static_cast<i32>(number(1, 1)) - 1);
    case 'd':
      return move_to(count - 1, column_);
    case 'J':
      return erase_display(number(0, 0));
    case 'K':
      return erase_line(number(0, 0));
    case 'L':
      return scroll(row_, -count);
    case 'M':
      return scroll(row_, count);
    case 'P':
      return shift_line(-count);
    case '@':
      return shift_line(count);
    case 'X':
      return erase(place(), place() + std::min<u32>(number(0, 1), columns_ - column_));
    case 'm':
      return set_attributes();
    case 'n':
    case 'c':
      return report(command == 'c' ? 0 : number(0, 0));
    case 'r':
      top_ = static_cast<u16>(std::min<u32>(number(0, 1) - 1, rows_ - 2u));
      bottom_ = static_cast<u16>(std::clamp<u32>(number(1, rows_), top_ + 2u, rows_));
      return move_to(0, 0);
    case 's':
      saved_row_ = row_;
      saved_column_ = column_;
      return;
    case 'u':
      return move_to(saved_row_, saved_column_);
    case 'h':
    case 'l':
      return set_mode(command == 'h');
    default:
      return;
  }
}

void TextScreen::set_mode(bool on) {
  constexpr u32 cursor = 25;
  if (is_private_ && number(0, 0) == cursor) shows_cursor_ = on;
}

void TextScreen::report(u32 what) {
  constexpr u32 identity = 0, health = 5, cursor = 6;
  BufferSink sink(answer_);
  if (what == identity) sink.put("\033[?6c");
  if (what == health) sink.put("\033[0n");
  if (what == cursor) format(sink, "\033[{};{}R", row_ + 1, column_ + 1);
  answer_length_ = sink.text().size();
}

void TextScreen::set_attributes() {
  if (number_count_ == 0) return set_attribute(0);
  for (std::size_t i = 0; i < number_count_; ++i) set_attribute(numbers_[i]);
}

void TextScreen::set_attribute(u32 wanted) {
  switch (wanted) {
    case 0:
      foreground_ = 7;
      background_ = 0;
      bold_ = reverse_ = false;
      return;
    case 1:
      bold_ = true;
      return;
    case 7:
      reverse_ = true;
      return;
    case 21:
    case 22:
      bold_ = false;
      return;
    case 27:
      reverse_ = false;
      return;
    case 39:
      foreground_ = 7;
      return;
    case 49:
      background_ = 0;
      return;
    default:
      if (wanted >= 30 && wanted < 38) foreground_ = static_cast<u8>(wanted - 30);
      if (wanted >= 90 && wanted < 98) foreground_ = static_cast<u8>(wanted - 90 + bright);
      if (wanted >= 40 && wanted < 48) background_ = static_cast<u8>(wanted - 40);
  }
}

void TextScreen::move_to(i32 row, i32 column) {
  row_ = static_cast<u16>(std::clamp<i32>(row, 0, rows_ - 1));
  column_ = static_cast<u16>(std::clamp<i32>(column, 0, columns_ - 1));
  wraps_next_ = false;
}

void TextScreen::line_feed() {
  wraps_next_ = false;
  if (row_ + 1 == bottom_) {
    scroll(top_, 1);
  } else if (row_ + 1 < rows_) {
    ++row_;
  }
}

void TextScreen::reverse_line_feed() {
  wraps_next_ = false;
  if (row_ == top_) {
    scroll(top_, -1);
  } else if (row_ > 0) {
    --row_;
  }
}

void TextScreen::erase(u32 from, u32 to) { std::ranges::fill(cells_.subspan(from, to - from), blank()); }

void TextScreen::erase_display(u32 how) {
  const u32 all = u32{rows_} * columns_;
  if (how == 0) erase(place(), all);
  if (how == 1) erase(0, place() + 1);
  if (how == 2 || how == 3) erase(0, all);
}

void TextScreen::erase_line(u32 how) {
  const u32 begin = u32{row_} * columns_;
  if (how == 0) erase(place(), begin + columns_);
  if (how == 1) erase(begin, place() + 1);
  if (how == 2) erase(begin, begin + columns_);
}

void TextScreen::scroll(u16 first, i32 count) {
  if (first < top_ || first >= bottom_) return;
  const auto lines = cells_.subspan(u32{first} * columns_, u32(bottom_ - first) * columns_);
  const std::size_t distance =
      std::min<std::size_t>(static_cast<std::size_t>(count < 0 ? -count : count) * columns_, lines.size());
  if (count > 0) {
    std::copy(lines.begin() + static_cast<std::ptrdiff_t>(distance), lines.end(), lines.begin());
    std::ranges::fill(lines.last(distance), blank());
  } else {
    std::copy_backward(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(distance), lines.end());
    std::ranges::fill(lines.first(distance), blank());
  }
}

void TextScreen::shift_line(i32 count) {
  const auto rest = cells_.subspan(place(), columns_ - column_);
  const std::size_t distance = std::min<std::size_t>(static_cast<std::size_t>(count < 0 ? -count : count), rest.size());
  if (count < 0) {
    std::copy(rest.begin() + static_cast<std::ptrdiff_t>(distance), rest.end(), rest.begin());
    std::ranges::fill(rest.last(distance), blank());
  } else {
    std::copy_backward(rest.begin(), rest.end() - static_cast<std::ptrdiff_t>(distance), rest.end());
    std::ranges::fill(rest.first(distance), blank());
  }
}

}  // namespace pulse
