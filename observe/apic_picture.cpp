#include "observe/apic_picture.hpp"

#include <algorithm>
#include <string_view>

namespace vitrine {

namespace {

constexpr u8 system_control_line = 9;
// What the firmware leaves (machine/boards/pc_firmware.cpp), and what INIT leaves of SVR: SDM vol. 3A §10.4.7.
constexpr u64 firmware_spurious_vector = 0x10F, reset_spurious_vector = 0xFF;
constexpr u64 reset_base = 0xFEE00800;

/// The number behind a source's name, e.g. 12 of "lapic12".
u8 number_behind(std::string_view name, std::size_t from) {
  unsigned number = 0;
  for (const char digit : name.substr(from)) number = (number * 10 + static_cast<unsigned>(digit - '0')) & 0xFF;
  return static_cast<u8>(number);
}

}  // namespace

std::optional<WantedEntry> wanted_entry(u8 pin) {
  if (pin >= first_pci_line) return WantedEntry{.level = true, .active_low = true};
  // IRQ 5, 9, 10 and 11 may be PCI's by the router, which drives the ISA line, not this pin; 9 is the SCI.
  if (pin == system_control_line) return WantedEntry{.level = true, .active_low = false};
  if (pin == 5 || pin == 10 || pin == 11) return std::nullopt;
  return WantedEntry{};
}

ApicPicture::ApicPicture(const TraceHeader& header) : place_(header.sources.size(), none) {
  for (std::size_t source = 0; source < header.sources.size(); ++source) {
    const std::string_view name = header.sources[source];
    if (name == "ioapic0") io_apic_ = IoApic{.source = static_cast<u16>(source), .pin = {}};
    if (!name.starts_with("lapic")) continue;
    Local local{.source = static_cast<u16>(source), .cpu = number_behind(name, 5)};
    local.waits_for_startup = local.cpu != 0;
    local.spurious_vector.value = local.cpu == 0 ? firmware_spurious_vector : reset_spurious_vector;
    local.base.value = reset_base;
    place_[source] = static_cast<u16>(locals_.size());
    locals_.push_back(std::move(local));
  }
}

const ApicPicture::Local* ApicPicture::local(u16 source) const {
  return source < place_.size() && place_[source] != none ? &locals_[place_[source]] : nullptr;
}
const ApicPicture::Local* ApicPicture::local_of(u8 cpu) const {
  const auto found = std::ranges::find(locals_, cpu, &Local::cpu);
  return found == locals_.end() ? nullptr : &*found;
}

void ApicPicture::follow(const Record& record) {
  switch (record.kind) {
    case RecordKind::InService:
    case RecordKind::EndOfInterrupt:
      return service_record(record);
    case RecordKind::MessageLost:
      return lost(record);
    case RecordKind::CpuStarted:
    case RecordKind::CpuReset:
      return cpu_record(record);
    default:
      break;
  }
  if (record.kind == RecordKind::ControllerProgrammed &&
      static_cast<ControllerRegister>(record.detail) == ControllerRegister::Imcr) {
    imcr_ = Setting{.value = record.extra, .time = record.time, .address = record.address};
  } else if (io_apic_ && record.source == io_apic_->source) {
    io_apic_record(record);
  } else if (Local* local = local_at(record.source); local != nullptr) {
    programmed(*local, record);
  }
}

void ApicPicture::service_record(const Record& record) {
  Local* local = local_at(record.source);
  if (local == nullptr) {
    if (io_apic_ && record.source == io_apic_->source) io_apic_record(record);
  } else if (record.kind == RecordKind::InService) {
    local->in_service[record.vector] = {.id = record.id, .since = record.time};
  } else {
    local->last_end = record;
    if (record.id != 0 || record.vector != 0) local->in_service.erase(record.vector);
  }
}

void ApicPicture::lost(const Record& record) {
  if (lost_.size() == most_lost) lost_.erase(lost_.begin());
  lost_.push_back(record);
}

void ApicPicture::cpu_record(const Record& record) {
  for (Local& local : locals_) {
    if (local.cpu != record.cpu) continue;
    local.waits_for_startup = record.kind == RecordKind::CpuReset && record.detail != 0;
    if (record.kind == RecordKind::CpuStarted) {
      local.started = record;
      continue;
    }
    local.reset = record;
    local.started.reset();
    local.in_service.clear();
    local.local_vector.clear();
    local.task_priority = {.value = 0, .time = record.time};
    local.spurious_vector = {.value = reset_spurious_vector, .time = record.time};
  }
}

void ApicPicture::io_apic_record(const Record& record) {
  if (record.pin >= pins) return;
  Pin& pin = io_apic_->pin[record.pin];
  const Setting by{.value = record.extra, .time = record.time, .address = record.address};
  switch (record.kind) {
    case RecordKind::ControllerProgrammed:
      if (static_cast<ControllerRegister>(record.detail) != ControllerRegister::RedirectionEntry) return;
      pin.entry = {record.extra};
      pin.written = by;
      if (pin.entry.masked()) return;
      pin.opened = true;
      io_apic_->in_use = io_apic_->in_use || pin.entry.has_vector();
      return;
    case RecordKind::MaskChanged:
      pin.masked = by;
      return;
    case RecordKind::InService:
      pin.remote_irr = true;
      pin.serving = record.id;
      pin.serving_since = record.time;
      return;
    default:
      pin.remote_irr = false;
      pin.serving = 0;
      return;
  }
}

void ApicPicture::programmed(Local& local, const Record& record) {
  if (record.kind != RecordKind::ControllerProgrammed) return;
  const Setting by{.value = record.extra, .time = record.time, .address = record.address};
  switch (static_cast<ControllerRegister>(record.detail)) {
    case ControllerRegister::SpuriousVector:
      local.spurious_vector = by;
      return;
    case ControllerRegister::TaskPriority:
      local.task_priority = by;
      return;
    case ControllerRegister::ApicBase:
      local.base = by;
      return;
    case ControllerRegister::LocalVector:
      local.local_vector[record.pin] = by;
      return;
    default:
      return;
  }
}

}  // namespace vitrine
