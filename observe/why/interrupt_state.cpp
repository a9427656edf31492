#include "observe/why/interrupt_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bits.hpp"

namespace vitrine {

namespace {

constexpr std::size_t most_devices = 64;
constexpr std::size_t most_messages = 1024;
constexpr std::size_t most_hpet_registers = 33;
constexpr u8 no_pin = 0xFF;  // of an EOI that ended nothing

/// What a PC's firmware leaves in an 8259: it is not in the trace, which begins behind it. The same values as in
/// machine/boards/pc_firmware.cpp.
struct FirmwareSetting {
  std::string_view source;
  u8 first_line, mask, vector_base;
};
constexpr std::array firmware_settings = {FirmwareSetting{"pic0", 0, 0xF8, 0x08},
                                          FirmwareSetting{"pic1", 8, 0xEF, 0x70}};

bool is_hardware(DeliveryKind kind) { return kind == DeliveryKind::External || kind == DeliveryKind::Nmi; }

}  // namespace

InterruptState::InterruptState(const TraceHeader& header) : header_(header), apics_(header) {
  for (std::size_t source = 0; source < header.sources.size(); ++source) {
    const auto setting = std::ranges::find(firmware_settings, header.sources[source], &FirmwareSetting::source);
    if (setting == firmware_settings.end()) continue;
    controllers_.push_back({.source = static_cast<u16>(source),
                            .first_line = setting->first_line,
                            .mask = setting->mask,
                            .vector_base = setting->vector_base});
  }
}

const ControllerState* InterruptState::controller_of(u8 line) const {
  const auto found = std::ranges::find_if(controllers_, [&](const ControllerState& each) {
    return line >= each.first_line && line < each.first_line + ControllerState::pins;
  });
  return found == controllers_.end() ? nullptr : &*found;
}

const ControllerState* InterruptState::controller(u16 source) const {
  const auto found = std::ranges::find(controllers_, source, &ControllerState::source);
  return found == controllers_.end() ? nullptr : &*found;
}

ControllerState* InterruptState::controller_mutable(u16 source) {
  const auto found = std::ranges::find(controllers_, source, &ControllerState::source);
  return found == controllers_.end() ? nullptr : &*found;
}

const DeviceState* InterruptState::device(u16 source, u8 line) const {
  const auto found = std::ranges::find_if(
      devices_, [&](const DeviceState& each) { return each.source == source && each.line == line; });
  return found == devices_.end() ? nullptr : &*found;
}

DeviceState& InterruptState::device_state(u16 source, u8 line) {
  const auto found = std::ranges::find_if(
      devices_, [&](const DeviceState& each) { return each.source == source && each.line == line; });
  if (found != devices_.end()) return *found;
  if (devices_.size() == most_devices) return devices_.back();  // only in a damaged trace
  devices_.push_back({.source = source, .line = line});
  return devices_.back();
}

VectorState& InterruptState::vector_state(u8 vector) {
  auto& state = vectors_[vector];
  if (!state) state.emplace();
  return *state;
}

std::string InterruptState::source_name(u16 source) const {
  return source < header_.sources.size() ? header_.sources[source] : fmt::format("source {}", source);
}

std::vector<const Life*> InterruptState::pending() const {
  std::vector<const Life*> waiting = lives_.open();
  std::erase_if(waiting, [&](const Life* life) { return !life->pending || life->origin() == nullptr; });
  return waiting;
}

std::vector<const Life*> InterruptState::pending_on(u8 pin, u16 source) const {
  std::vector<const Life*> waiting = pending();
  std::erase_if(waiting, [&](const Life* life) {
    return LineStates::key_of(life->origin()->pin, life->origin()->source) != LineStates::key_of(pin, source);
  });
  return waiting;
}

void InterruptState::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    lives_.consume(record);
    apics_.consume(record);
    now_ = record.time;
    switch (record.kind) {
      case RecordKind::Raised:
        raised(record);
        break;
      case RecordKind::Merged:
      case RecordKind::LineLost:
      case RecordKind::MessageLost:
      case RecordKind::Withdrawn:
        count_end(record);
        break;
      case RecordKind::MessageSent:
        count_sent(record);
        break;
      case RecordKind::Withheld:
      case RecordKind::DeviceProgrammed:
        device_record(record);
        break;
      case RecordKind::Acknowledged:
        if (static_cast<AcknowledgeKind>(record.detail) == AcknowledgeKind::Poll) line_record(record);
        break;
      case RecordKind::Lowered:
      case RecordKind::Spurious:
        line_record(record);
        break;
      case RecordKind::InService:
      case RecordKind::EndOfInterrupt:
      case RecordKind::MaskChanged:
      case RecordKind::ControllerProgrammed:
        controller_record(record);
        break;
      default:  // what is left comes from a CPU
        cpu_record(record);
    }
  }
}

void InterruptState::line_record(const Record& record) {
  switch (record.kind) {
    case RecordKind::Lowered:
      lines_.of(record.pin, record.source).high = false;
      return;
    case RecordKind::Spurious:
      if (apics_.local(record.source) == nullptr) ++lines_.of(record.pin, record.source).spurious;
      return;
    default:  // a poll
      if (LineState* line = line_of_request(record.id)) ++line->polled;
  }
}

void InterruptState::raised(const Record& record) {
  LineState& line = lines_.of(record.pin, record.source);
  if (line.raised++ == 0) line.first_raised = record.time;
  line.last_raised = record.time;
  line.last_id = record.id;
  line.source = record.source;
  line.high = is_line(record.pin);
  DeviceState& device = device_state(record.source, record.pin);
  ++device.raised;
  device.last_raised = record.time;
  device.withheld.reset();
}

void InterruptState::device_record(const Record& record) {
  DeviceState& device = device_state(record.source, record.pin);
  if (record.kind == RecordKind::DeviceProgrammed) {
    device.programmed[record.detail] = record;
  } else if (static_cast<WithheldCause>(record.detail) != WithheldCause::None) {
    device.withheld = record;
  } else if (device.withheld && device.withheld->detail == record.other &&
             (record.extra == 0 || device.withheld->extra == record.extra)) {
    device.withheld.reset();
  }
}

void InterruptState::cpu_record(const Record& record) {
  CpuNow& cpu = cpus_[record.cpu];
  if (record.address != 0 && record.kind != RecordKind::Blocked) cpu.last = record;
  switch (record.kind) {
    case RecordKind::Delivered:
      return delivered(record);
    case RecordKind::DeliveryFailed:
      return delivery_failed(record);
    case RecordKind::Returned:
      return returned(record);
    case RecordKind::Exception:
      ++vector_state(record.vector).raised;
      return;
    case RecordKind::Halted:
      cpu.halted = record;
      return;
    case RecordKind::Woken:
      cpu.halted.reset();
      return;
    case RecordKind::TripleFault:
      cpu.shutdown = record;
      return;
    default:
      return;
  }
}

void InterruptState::delivered(const Record& record) {
  VectorState& vector = vector_state(record.vector);
  const auto kind = static_cast<DeliveryKind>(record.detail);
  ++(is_hardware(kind) ? vector.external : kind == DeliveryKind::Software ? vector.software : vector.exceptions);
  vector.last_delivered = record;
  LineState* line = is_hardware(kind) ? line_of_request(record.id) : nullptr;
  if (line == nullptr) return;
  if (is_line(line->pin)) vector.lines |= u32{1} << (line->pin & 31);
  ++line->delivered;
  line->last_delivered = record;
}

void InterruptState::returned(const Record& record) {
  ++vector_state(record.vector).returned;
  if (LineState* line = line_of_request(record.id)) ++line->returned;
}

void InterruptState::delivery_failed(const Record& record) {
  VectorState& vector = vector_state(record.vector);
  ++vector.failed;
  vector.last_failed = record;
  LineState* line = line_of_request(record.id);
  if (line == nullptr) return;
  if (is_line(line->pin)) vector.lines |= u32{1} << (line->pin & 31);
  ++line->failed;
  line->last_failed = record;
}

/// A request that went no further, as one controller has it: another one may have it still.
void InterruptState::count_end(const Record& record) {
  const Life* life = record.id != 0 ? lives_.find(record.id) : nullptr;
  LineState* line = line_of_request(record.id);
  if (life == nullptr || line == nullptr || life->pending || life->in_handler || life->in_service) return;
  if (life->last(RecordKind::Delivered) != nullptr) return;
  switch (record.kind) {
    case RecordKind::Merged:
      ++line->merged;
      return;
    case RecordKind::Withdrawn:
      ++line->withdrawn;
      return;
    default:
      ++line->lost;
      return;
  }
}

/// Of an IPI this is the first that one hears.
void InterruptState::count_sent(const Record& record) {
  const Life* life = record.id != 0 ? lives_.find(record.id) : nullptr;
  const Record* from = life != nullptr ? life->origin() : nullptr;
  if (from == nullptr || from->kind != RecordKind::MessageSent) return;
  LineState& line = lines_.of(record.pin, record.source);
  if (line.raised++ == 0) line.first_raised = record.time;
  line.last_raised = record.time;
  line.last_id = record.id;
  line.source = record.source;
}

/// Of APICs, apics_ keeps account.
void InterruptState::programmed_elsewhere(const Record& record) {
  if (record.kind != RecordKind::ControllerProgrammed) return;
  switch (static_cast<ControllerRegister>(record.detail)) {
    case ControllerRegister::MessageEntry: {
      auto known = std::ranges::find_if(messages_, [&](const MessageSetting& each) {
        return each.source == record.source && each.entry == record.pin;
      });
      if (known == messages_.end() && messages_.size() == most_messages) return;
      if (known == messages_.end()) known = messages_.insert(known, MessageSetting{});
      *known = {.source = record.source,
                .entry = record.pin,
                .vector = static_cast<u8>(record.other),
                .masked = (record.other >> 32 & 1) != 0,
                .by = {.time = record.time, .address = record.address}};
      return;
    }
    case ControllerRegister::HpetTimer:
    case ControllerRegister::HpetControl: {
      const auto known = std::ranges::find_if(
          hpet_, [&](const Record& each) { return each.detail == record.detail && each.pin == record.pin; });
      if (known != hpet_.end()) {
        *known = record;
      } else if (hpet_.size() < most_hpet_registers) {
        hpet_.push_back(record);
      }
      return;
    }
    default:
      return;
  }
}

void InterruptState::controller_record(const Record& record) {
  ControllerState* controller = controller_mutable(record.source);
  if (controller == nullptr) return programmed_elsewhere(record);
  const SetBy by{.time = record.time, .address = record.address};
  switch (record.kind) {
    case RecordKind::InService: {
      ControllerState::PinState& pin = controller->pin[record.pin & 7];
      pin.in_service = true;
      pin.serving = record.id;
      pin.in_service_since = record.time;
      return;
    }
    case RecordKind::EndOfInterrupt:
      if (static_cast<EndKind>(record.detail) <= EndKind::Specific) controller->last_end = record;
      if (record.pin != no_pin) controller->pin[record.pin & 7].in_service = false;
      return;
    case RecordKind::MaskChanged:
      for (u8 pin = 0; pin < ControllerState::pins; ++pin) {
        if (bit(static_cast<u8>(record.extra), pin) != bit(static_cast<u8>(record.other), pin)) {
          controller->pin[pin].masked = by;
          if (controller->initialised && !bit(static_cast<u8>(record.extra), pin)) controller->pin[pin].opened = true;
        }
      }
      controller->mask = static_cast<u8>(record.extra);
      return;
    default:
      break;
  }
  switch (static_cast<ControllerRegister>(record.detail)) {
    case ControllerRegister::VectorBase:
      controller->vector_base = static_cast<u8>(record.extra & 0xF8);
      controller->vector_base_by = by;
      return;
    case ControllerRegister::Automatic:
      controller->automatic_end = record.extra != 0;
      return;
    case ControllerRegister::SpecialMask:
      controller->special_mask = record.extra != 0;
      return;
    case ControllerRegister::Rotation:
      controller->lowest_priority = static_cast<u8>(record.extra & 7);
      return;
    case ControllerRegister::Initialised:
      controller->initialised = record.extra != 0;
      controller->initialised_by = by;
      return;
    default:
      return;
  }
}

}  // namespace vitrine
