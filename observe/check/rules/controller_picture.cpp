#include "observe/check/rules/controller_picture.hpp"

#include <algorithm>

#include "base/bits.hpp"

namespace vitrine {

ControllerPicture::ControllerPicture(const TraceHeader& header) {
  for (std::size_t source = 0; source < header.sources.size(); ++source) {
    if (header.sources[source].starts_with("pic")) sources_.push_back(static_cast<u16>(source));
  }
}

void ControllerPicture::consume(const Record& record) {
  if (record.pin >= lines || std::ranges::find(sources_, record.source) == sources_.end()) return;
  Chip& chip = chips_[record.pin / pins];
  if (record.kind == RecordKind::ControllerProgrammed) {
    switch (static_cast<ControllerRegister>(record.detail)) {
      case ControllerRegister::VectorBase:
        chip.base = static_cast<u8>(record.extra & 0xF8);
        return;
      case ControllerRegister::Initialised:
        chip.initialised = record.extra != 0;
        if (!chip.initialised) chip.mask = 0;  // ICW1 clears it
        return;
      default:
        return;
    }
  }
  if (record.kind != RecordKind::MaskChanged) return;
  const u16 open_before = [&] {
    u16 open_lines = 0;
    for (u8 line = 0; line < lines; ++line) open_lines = static_cast<u16>(open_lines | u16{open(line)} << line);
    return open_lines;
  }();
  for (u8 pin = 0; pin < pins; ++pin) {
    const bool opens = bit(record.other, pin) && !bit(record.extra, pin);
    if (opens) lines_[record.pin / pins * pins + pin].by = record.address;
  }
  chip.mask = static_cast<u8>(record.extra);
  just_opened_ = 0;
  for (u8 line = 0; line < lines; ++line) {
    if (open(line) && !bit(open_before, line)) just_opened_ = static_cast<u16>(just_opened_ | 1u << line);
  }
}

std::optional<u8> ControllerPicture::vector_of(u8 line) const {
  const Chip& chip = chips_[line / pins];
  if (!chip.base) return std::nullopt;
  return static_cast<u8>(*chip.base + line % pins);
}

bool ControllerPicture::chip_open(u8 line) const {
  const Chip& chip = chips_[line / pins];
  return chip.initialised && chip.mask && !bit(*chip.mask, line % pins);
}

bool ControllerPicture::open(u8 line) const {
  if (line == cascade || line >= lines) return false;
  return chip_open(line) && (line < pins || chip_open(cascade));
}

}  // namespace vitrine
