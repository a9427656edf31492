#include "kernel/drivers/io_apic.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/drivers/local_apic.hpp"
#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

// 82093AA data sheet §3: two registers in memory through which all others are reached.
constexpr std::size_t select = 0, data = 4;  // in words
enum Register : u8 { version = 1, first_redirection = 0x10 };
constexpr u32 active_low = 0x2000, level = 0x8000, masked_bit = 0x10000;
constexpr u16 imcr_select = 0x22, imcr_data = 0x23;
constexpr u8 imcr = 0x70, to_the_apic = 1;

}  // namespace

u32 IoApicLines::read(const Chip& chip, u8 number) const {
  chip.window[select] = number;
  return chip.window[data];
}

void IoApicLines::write(const Chip& chip, u8 number, u32 value) {
  chip.window[select] = number;
  chip.window[data] = value;
}

void IoApicLines::initialise(const Platform& platform, u32 destination) {
  destination_ = destination;
  for (u8 line = 0; line < InterruptManager::lines; ++line) {
    if (line < Platform::isa_lines) {
      lines_[line] = platform.lines[line];
    } else {
      lines_[line] = {line, Platform::Polarity::Low, Platform::Trigger::Level};  // PCI's
    }
  }
  chip_count_ = platform.io_apic_count;
  for (std::size_t i = 0; i < chip_count_; ++i) {
    Chip& chip = chips_[i];
    chip.window = static_cast<volatile u32*>(map_device(platform.io_apics[i].address, page_bytes));
    chip.first_pin = platform.io_apics[i].first_pin;
    chip.pins = (read(chip, version) >> 16 & 0xFF) + 1;
    for (u32 pin = 0; pin < chip.pins; ++pin) write(chip, static_cast<u8>(first_redirection + 2 * pin), masked_bit);
  }
  if (platform.has_imcr) {
    out8(imcr_select, imcr);
    out8(imcr_data, to_the_apic);
  }
}

void IoApicLines::write_line(u8 line, bool masked) {
  const Platform::Line& target = lines_[line];
  for (std::size_t i = 0; i < chip_count_; ++i) {
    const Chip& chip = chips_[i];
    if (target.pin < chip.first_pin || target.pin >= chip.first_pin + chip.pins) continue;
    const auto place = static_cast<u8>(first_redirection + 2 * (target.pin - chip.first_pin));
    const u32 low = vector_of(line) | (target.polarity == Platform::Polarity::Low ? active_low : 0) |
                    (target.trigger == Platform::Trigger::Level ? level : 0);
    // The destination first, while the entry is masked: no interrupt meets half of it.
    write(chip, place, low | masked_bit);
    write(chip, place + 1, destination_ << 24);
    if (!masked) write(chip, place, low);
  }
}

void IoApicLines::mask(u8 line) {
  const InterruptsOff off;
  write_line(line, true);
}
void IoApicLines::unmask(u8 line) {
  const InterruptsOff off;
  write_line(line, false);
}
void IoApicLines::end(u8) { LocalApic::end_of_interrupt(); }

}  // namespace pulse
