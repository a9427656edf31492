#include "observe/check/rules/pic_tracker.hpp"

#include <algorithm>
#include <string_view>

namespace vitrine {

namespace {
constexpr std::array<std::string_view, 2> source_names = {"pic0", "pic1"};
constexpr std::array<u8, 2> first_lines = {0, 8};
// IBM's BIOS set vectors 0x08 and 0x70, and left timer, keyboard and cascade open; ours does the same.
constexpr std::array<u8, 2> firmware_bases = {0x08, 0x70};
constexpr std::array<u8, 2> firmware_masks = {0xF8, 0xEF};
}  // namespace

PicTracker::PicTracker(const TraceHeader& header) {
  for (u8 which : {first, second}) {
    const auto found = std::ranges::find(header.sources, source_names[which]);
    if (found != header.sources.end()) sources_[which] = static_cast<u16>(found - header.sources.begin());
    chips_[which].vector_base = firmware_bases[which];
    chips_[which].mask = firmware_masks[which];
  }
}

std::optional<u8> PicTracker::chip_of(const Record& record) const {
  for (u8 which : {first, second}) {
    if (sources_[which] == record.source) return which;
  }
  return std::nullopt;
}

u8 PicTracker::pin_of(const Record& record, u8 chip) {
  const int pin = record.pin - first_lines[chip];
  return pin >= 0 && pin < pins ? static_cast<u8>(pin) : no_pin;
}

void PicTracker::consume(const Record& record) {
  const std::optional<u8> which = chip_of(record);
  if (!which) return;
  Chip& chip = chips_[*which];
  if (record.kind == RecordKind::ControllerProgrammed) return programmed(record, chip);
  if (record.kind == RecordKind::MaskChanged) return mask_changed(record, chip);
  const u8 number = pin_of(record, *which);
  if (number == no_pin) return;
  PinState& pin = chip.pin[number];
  switch (record.kind) {
    case RecordKind::Latched:
      pin.requested = true;
      pin.pending = record.id;
      pin.pending_since = record.time;
      break;
    case RecordKind::Withdrawn:
      if (record.id != pin.pending) break;
      [[fallthrough]];
    case RecordKind::Acknowledged:
      pin.requested = false;
      pin.pending = pin.pending_since = 0;
      break;
    case RecordKind::InService:
      pin.requested = false;
      pin.pending = pin.pending_since = 0;
      pin.in_service = true;
      pin.serving = record.id;
      pin.in_service_since = record.time;
      break;
    case RecordKind::EndOfInterrupt:
      pin.in_service = false;
      pin.serving = pin.in_service_since = 0;
      break;
    default:
      break;
  }
}

void PicTracker::programmed(const Record& record, Chip& chip) {
  switch (static_cast<ControllerRegister>(record.detail)) {
    case ControllerRegister::VectorBase:
      chip.vector_base = static_cast<u8>(record.extra);
      chip.vector_base_by = record.address;
      break;
    case ControllerRegister::Automatic:
      chip.automatic = record.extra != 0;
      break;
    case ControllerRegister::SpecialFullyNested:
      chip.special_fully_nested = record.extra != 0;
      break;
    case ControllerRegister::SpecialMask:
      chip.special_mask = record.extra != 0;
      break;
    case ControllerRegister::Rotation:
      chip.lowest_priority = record.extra & 7;
      break;
    case ControllerRegister::Initialised:
      chip.initialised = record.extra != 0;
      break;
    default:
      break;
  }
}

void PicTracker::mask_changed(const Record& record, Chip& chip) {
  const auto mask = static_cast<u8>(record.extra);
  for (u8 number = 0; number < pins; ++number) {
    const bool was = (chip.mask >> number & 1) != 0;
    const bool is = (mask >> number & 1) != 0;
    if (was == is) continue;
    chip.pin[number].masked_since = is ? record.time : 0;
    chip.pin[number].masked_by = is ? record.address : 0;
  }
  chip.mask = mask;
}

bool PicTracker::requests(u8 which, u8 pin) const {
  if (which == first && pin == cascade_pin) return winner(second).has_value();
  return chips_[which].pin[pin].requested;
}

// 8259A data sheet, Special Mask Mode: a masked level in service holds nothing back.
bool PicTracker::serves(u8 which, u8 pin) const {
  const Chip& chip = chips_[which];
  return chip.pin[pin].in_service && !(chip.special_mask && masked(which, pin));
}

std::optional<u8> PicTracker::winner(u8 which) const {
  const Chip& chip = chips_[which];
  if (!chip.initialised) return std::nullopt;
  for (u8 rank = 0; rank < pins; ++rank) {
    const u8 pin = (chip.lowest_priority + 1 + rank) & 7;
    const bool may_nest = chip.special_fully_nested && which == first && pin == cascade_pin;
    const bool serving = serves(which, pin);
    if (requests(which, pin) && !masked(which, pin) && (!serving || may_nest)) return pin;
    if (serving) return std::nullopt;
  }
  return std::nullopt;
}

bool PicTracker::holds_back(const Blocker& bit, u8 line) const {
  const u8 own = line < pins ? first : second;
  const u8 pin = line & 7;
  const bool is_cascade = own == first && pin == cascade_pin;
  if (is_cascade || !requests(own, pin) || masked(own, pin) || !serves(bit.chip, bit.pin)) return false;
  if (bit.chip == own) return rank(own, bit.pin) <= rank(own, pin);
  if (own == first || masked(first, cascade_pin)) return false;
  // The second chip's request is there when nothing at the second is in its way.
  for (u8 other = 0; other < pins; ++other) {
    if (serves(second, other) && rank(second, other) <= rank(second, pin)) return false;
  }
  if (bit.pin == cascade_pin) return !chips_[first].special_fully_nested;
  return rank(first, bit.pin) < rank(first, cascade_pin);
}

bool PicTracker::lets_something_through(u8 which) const {
  if (!chips_[which].initialised) return false;
  if (which == second) return chips_[second].mask != 0xFF && !masked(first, cascade_pin);
  return (chips_[first].mask | 1u << cascade_pin) != 0xFF;
}

}  // namespace vitrine
