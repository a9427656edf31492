#include "machine/devices/vga_text/vga_text.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
// Offsets in the two windows, from ports 0x3C0 and 0x3D4.
enum CorePort : u64 {
  attribute_index_port = 0,
  attribute_data_port = 1,
  miscellaneous_port = 2,  // written; read: input status 0
  enable_port = 3,
  sequencer_index_port = 4,
  sequencer_data_port = 5,
  dac_mask_port = 6,
  dac_read_index_port = 7,  // read: DAC state
  dac_write_index_port = 8,
  dac_data_port = 9,
  feature_read_port = 10,
  miscellaneous_read_port = 12,
  graphics_index_port = 14,
  graphics_data_port = 15,
};
enum CrtcPort : u64 { crtc_index_port = 0, crtc_data_port = 1, input_status1_port = 6 };

// Mode 3 at 70 Hz: 900 dots a line (720 shown), 449 lines (400 shown), retrace in lines 412 and 413.
constexpr ClockRatio dot_clock{28'322'000};
constexpr u64 dots_per_line = 900, dots_shown = 720, lines = 449, lines_shown = 400, retrace_line = 412,
              retrace_lines = 2;
constexpr u8 display_off = 0x01, vertical_retrace = 0x08;

// Code page 437, the character set of the PC's text mode.
constexpr std::array<char16_t, 256> code_page_437 = {
    u' ', u'☺', u'☻', u'♥', u'♦', u'♣', u'♠', u'•',  u'◘', u'○', u'◙', u'♂', u'♀',  u'♪', u'♫', u'☼',  //
    u'►', u'◄', u'↕', u'‼', u'¶', u'§', u'▬', u'↨',  u'↑', u'↓', u'→', u'←', u'∟',  u'↔', u'▲', u'▼',  //
    u' ', u'!', u'"', u'#', u'$', u'%', u'&', u'\'', u'(', u')', u'*', u'+', u',',  u'-', u'.', u'/',  //
    u'0', u'1', u'2', u'3', u'4', u'5', u'6', u'7',  u'8', u'9', u':', u';', u'<',  u'=', u'>', u'?',  //
    u'@', u'A', u'B', u'C', u'D', u'E', u'F', u'G',  u'H', u'I', u'J', u'K', u'L',  u'M', u'N', u'O',  //
    u'P', u'Q', u'R', u'S', u'T', u'U', u'V', u'W',  u'X', u'Y', u'Z', u'[', u'\\', u']', u'^', u'_',  //
    u'`', u'a', u'b', u'c', u'd', u'e', u'f', u'g',  u'h', u'i', u'j', u'k', u'l',  u'm', u'n', u'o',  //
    u'p', u'q', u'r', u's', u't', u'u', u'v', u'w',  u'x', u'y', u'z', u'{', u'|',  u'}', u'~', u'⌂',  //
    u'Ç', u'ü', u'é', u'â', u'ä', u'à', u'å', u'ç',  u'ê', u'ë', u'è', u'ï', u'î',  u'ì', u'Ä', u'Å',  //
    u'É', u'æ', u'Æ', u'ô', u'ö', u'ò', u'û', u'ù',  u'ÿ', u'Ö', u'Ü', u'¢', u'£',  u'¥', u'₧', u'ƒ',  //
    u'á', u'í', u'ó', u'ú', u'ñ', u'Ñ', u'ª', u'º',  u'¿', u'⌐', u'¬', u'½', u'¼',  u'¡', u'«', u'»',  //
    u'░', u'▒', u'▓', u'│', u'┤', u'╡', u'╢', u'╖',  u'╕', u'╣', u'║', u'╗', u'╝',  u'╜', u'╛', u'┐',  //
    u'└', u'┴', u'┬', u'├', u'─', u'┼', u'╞', u'╟',  u'╚', u'╔', u'╩', u'╦', u'╠',  u'═', u'╬', u'╧',  //
    u'╨', u'╤', u'╥', u'╙', u'╘', u'╒', u'╓', u'╫',  u'╪', u'┘', u'┌', u'█', u'▄',  u'▌', u'▐', u'▀',  //
    u'α', u'ß', u'Γ', u'π', u'Σ', u'σ', u'µ', u'τ',  u'Φ', u'Θ', u'Ω', u'δ', u'∞',  u'φ', u'ε', u'∩',  //
    u'≡', u'±', u'≥', u'≤', u'⌠', u'⌡', u'÷', u'≈',  u'°', u'∙', u'·', u'√', u'ⁿ',  u'²', u'■', u' ',
};

void append_utf8(std::string& text, char16_t character) {
  const u32 code = character;
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

template <std::size_t N>
u8 at(const std::array<u8, N>& registers, u8 index) {
  return index < N ? registers[index] : 0;
}
template <std::size_t N>
void put(std::array<u8, N>& registers, u8 index, u8 value) {
  if (index < N) registers[index] = value;
}
}  // namespace

VgaText::VgaText(DeviceContext context) : context_(context) {}

u8 VgaText::input_status_1() const {
  const u64 dot = dot_clock.counts_at(context_.clock.now()) % (dots_per_line * lines);
  const u64 line = dot / dots_per_line;
  const bool off = line >= lines_shown || dot % dots_per_line >= dots_shown;
  const bool retrace = line >= retrace_line && line < retrace_line + retrace_lines;
  return static_cast<u8>((off ? display_off : 0) | (retrace ? vertical_retrace : 0));
}

u8 VgaText::byte(Window window, u64 offset) const {
  if (window == Window::Crtc) {
    switch (offset) {
      case crtc_index_port:
        return state_.crtc_index;
      case crtc_data_port:
        return at(state_.crtc, state_.crtc_index);
      case input_status1_port:
        return input_status_1();
      default:
        return 0xFF;
    }
  }
  switch (offset) {
    case attribute_index_port:
      return state_.attribute_index;
    case attribute_data_port:
      return at(state_.attribute, state_.attribute_index & 0x1F);
    case miscellaneous_port:
      return 0x10;  // input status 0: the switch-sense bit says that a colour monitor is there
    case enable_port:
      return state_.enable;
    case sequencer_index_port:
      return state_.sequencer_index;
    case sequencer_data_port:
      return at(state_.sequencer, state_.sequencer_index);
    case dac_mask_port:
      return state_.dac_mask;
    case dac_read_index_port:
      return state_.dac_state;
    case dac_write_index_port:
      return static_cast<u8>(state_.dac_write / 3);
    case dac_data_port:
      return state_.dac[state_.dac_read];
    case feature_read_port:
      return state_.feature;
    case miscellaneous_read_port:
      return state_.miscellaneous;
    case graphics_index_port:
      return state_.graphics_index;
    case graphics_data_port:
      return at(state_.graphics, state_.graphics_index);
    default:
      return 0xFF;
  }
}

void VgaText::after_read(Window window, u64 offset) {
  if (window == Window::Crtc && offset == input_status1_port) state_.attribute_data_next = false;
  if (window == Window::Core && offset == dac_data_port)
    state_.dac_read = static_cast<u16>((state_.dac_read + 1) % 768);
}

void VgaText::set_crtc(u8 value) {
  const u8 index = state_.crtc_index;
  const bool locked = bit(state_.crtc[vertical_retrace_end], 7) && index <= overflow_register;
  if (!locked) return put(state_.crtc, index, value);
  // Protected: only the line-compare bit of the overflow register can change.
  if (index == overflow_register)
    state_.crtc[overflow_register] = static_cast<u8>((state_.crtc[overflow_register] & ~0x10) | (value & 0x10));
}

void VgaText::set_byte(Window window, u64 offset, u8 value) {
  if (window == Window::Crtc) {
    if (offset == crtc_index_port) state_.crtc_index = value;
    if (offset == crtc_data_port) set_crtc(value);
    if (offset == input_status1_port) state_.feature = value;
    return;
  }
  switch (offset) {
    case attribute_index_port:
      if (state_.attribute_data_next) {
        put(state_.attribute, state_.attribute_index & 0x1F, value);
      } else {
        state_.attribute_index = value & 0x3F;
      }
      state_.attribute_data_next = !state_.attribute_data_next;
      break;
    case miscellaneous_port:
      state_.miscellaneous = value;
      break;
    case enable_port:
      state_.enable = value & 1;
      break;
    case sequencer_index_port:
      state_.sequencer_index = value & 7;
      break;
    case sequencer_data_port:
      put(state_.sequencer, state_.sequencer_index, value);
      break;
    case dac_mask_port:
      state_.dac_mask = value;
      break;
    case dac_read_index_port:
      state_.dac_read = static_cast<u16>(value * 3);
      state_.dac_state = 3;
      break;
    case dac_write_index_port:
      state_.dac_write = static_cast<u16>(value * 3);
      state_.dac_state = 0;
      break;
    case dac_data_port:
      state_.dac[state_.dac_write] = value & 0x3F;
      state_.dac_write = static_cast<u16>((state_.dac_write + 1) % 768);
      break;
    case graphics_index_port:
      state_.graphics_index = value & 0xF;
      break;
    case graphics_data_port:
      put(state_.graphics, state_.graphics_index, value);
      break;
    default:
      break;
  }
}

u64 VgaText::peek(Region region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) value |= u64{byte(static_cast<Window>(region.value), offset + i)} << 8 * i;
  return value;
}

u64 VgaText::read(Region region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) {
    value |= u64{byte(static_cast<Window>(region.value), offset + i)} << 8 * i;
    after_read(static_cast<Window>(region.value), offset + i);
  }
  return value;
}

void VgaText::write(Region region, u64 offset, AccessSize size, u64 value) {
  for (unsigned i = 0; i < size.value; ++i) {
    set_byte(static_cast<Window>(region.value), offset + i, static_cast<u8>(value >> 8 * i));
  }
}

std::vector<std::string> VgaText::screen(std::span<const u8> memory) const {
  const u32 start = (u32{state_.crtc[start_high]} << 8 | state_.crtc[start_low]) * 2;
  std::vector<std::string> result(rows);
  for (u32 row = 0; row < rows; ++row) {
    std::string& line = result[row];
    std::size_t end = 0;
    for (u32 column = 0; column < columns; ++column) {
      const u32 offset = (start + (row * columns + column) * 2) % text_memory_size;
      const char16_t character = offset < memory.size() ? code_page_437[memory[offset]] : u' ';
      append_utf8(line, character);
      if (character != u' ') end = line.size();
    }
    line.resize(end);
  }
  return result;
}

void VgaText::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.crtc_index, state_.crtc, state_.attribute_index, state_.attribute_data_next, state_.attribute,
          state_.sequencer_index, state_.sequencer, state_.graphics_index, state_.graphics, state_.miscellaneous,
          state_.feature, state_.enable, state_.dac_mask, state_.dac_state, state_.dac_read, state_.dac_write,
          state_.dac);
  if (archive.loading() && (state_.dac_read >= state_.dac.size() || state_.dac_write >= state_.dac.size())) {
    state_.dac_read = state_.dac_write = 0;
    archive.refuse(Archive::Error::BadValue);
  }
}

}  // namespace vitrine
