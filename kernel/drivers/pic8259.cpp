#include "kernel/drivers/pic8259.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {

struct Chip {
  u16 command, data;
};
constexpr Chip primary{0x20, 0x21}, secondary{0xA0, 0xA1};

constexpr u8 icw1_with_icw4 = 0x11, icw4_8086 = 0x01;
constexpr u8 specific_eoi = 0x60, read_in_service = 0x0B;
constexpr u8 cascade_line = 2;
constexpr u8 spurious_pin = 7;

u8 in_service(const Chip& chip) {
  out8(chip.command, read_in_service);
  return in8(chip.command);
}

}  // namespace

void Pic8259Pair::initialise(u8 base) {
  base_ = base;
  masks_ = 0xFFFB;
  out8(primary.command, icw1_with_icw4);
  out8(primary.data, base);
  out8(primary.data, 1u << cascade_line);
  out8(primary.data, icw4_8086);
  out8(secondary.command, icw1_with_icw4);
  out8(secondary.data, static_cast<u8>(base + 8));
  out8(secondary.data, cascade_line);
  out8(secondary.data, icw4_8086);
  write_masks();
}

void Pic8259Pair::write_masks() {
  out8(primary.data, static_cast<u8>(masks_));
  out8(secondary.data, static_cast<u8>(masks_ >> 8));
}

void Pic8259Pair::mask(u8 line) {
  masks_ |= static_cast<u16>(1u << line);
  write_masks();
}

void Pic8259Pair::unmask(u8 line) {
  masks_ &= static_cast<u16>(~(1u << line));
  write_masks();
}

void Pic8259Pair::end(u8 line) {
  if (line >= 8) {
    out8(secondary.command, specific_eoi | (line & 7));
    out8(primary.command, specific_eoi | cascade_line);
  } else {
    out8(primary.command, specific_eoi | line);
  }
}

bool Pic8259Pair::is_in_service(u8 line) { return bit(in_service(line < 8 ? primary : secondary), line & 7); }

bool Pic8259Pair::is_spurious(u8 line) {
  if ((line & 7) != spurious_pin) return false;
  const Chip& chip = line < 8 ? primary : secondary;
  if (bit(in_service(chip), spurious_pin)) return false;
  // The first chip did acknowledge a request: that of the cascade (231468, "spurious").
  if (line >= 8) out8(primary.command, specific_eoi | cascade_line);
  return true;
}

}  // namespace pulse
