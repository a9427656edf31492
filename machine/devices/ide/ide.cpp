#include "machine/devices/ide/ide.hpp"

namespace vitrine {

namespace {

enum EventKind : u16 { step_of_primary, step_of_secondary };
constexpr u8 bus_master_registers = BusMaster::registers;

struct Place {
  Ide::Window window;
  unsigned channel;
};
Place place_of(Region region) {
  const auto window = static_cast<Ide::Window>(region.value);
  const bool second = window == Ide::Window::Secondary || window == Ide::Window::SecondaryControl;
  return {window, second ? 1u : 0u};
}
bool is_command_block(Ide::Window window) { return window == Ide::Window::Primary || window == Ide::Window::Secondary; }

u64 all_ones(AccessSize size) { return size.value >= 8 ? ~u64{0} : (u64{1} << 8 * size.value) - 1; }

}  // namespace

PciConfig::Identity Ide::identity_of(Model model) {
  // Programming interface 80h: bus master, compatibility mode, and no other (BMIDE, 1.1; PCI IDE Controller 1.0).
  constexpr u32 ide = 0x010180;
  return {.vendor = 0x8086,
          .device = static_cast<u16>(model == Model::Ich7 ? 0x27DF : 0x7010),
          .revision = static_cast<u8>(model == Model::Ich7 ? 0x01 : 0x00),
          .class_code = ide,
          .multifunction = model == Model::Ich7};
}

Ide::Ide(DeviceContext context, Model model, const std::array<LineDriver, channels>& pins, MemoryBus& memory,
         const Images& images)
    : model_(model),
      config_(identity_of(model)),
      channels_{IdeChannel(context, step_of_primary, pins[0], model == Model::Isa ? nullptr : &memory,
                           AtaDrive(images[0], 0), AtaDrive(images[1], 1)),
                IdeChannel(context, step_of_secondary, pins[1], model == Model::Isa ? nullptr : &memory,
                           AtaDrive(images[2], 2), AtaDrive(images[3], 3))} {
  config_.define(PciConfig::command_register, AccessSize(2), 0, PciConfig::io_space_bit | PciConfig::bus_master_bit);
  config_.define(PciConfig::status_register, AccessSize(2), 0x0280, 0);  // medium DEVSEL#, fast back to back
  config_.define_bar(bus_master_bar, PciConfig::BarKind::Port, bus_master_ports);
  config_.define(timing_register, AccessSize(4), 0, 0xFFFFFFFF);  // 2.3.9: IDETIM of both channels
  config_.define(0x44, AccessSize(1), 0, 0xFF);                   // 2.3.10: SIDETIM
  if (model == Model::Ich7) {
    config_.define(0x48, AccessSize(1), 0, 0x0F);           // 11.1.22: synchronous DMA control
    config_.define(0x4A, AccessSize(2), 0, 0x3333);         // 11.1.23: synchronous DMA timing
    config_.define(0x54, AccessSize(4), 0xF0, 0x000FFFFF);  // 11.1.24: I/O configuration; cables of 80 conductors
  }
}

void Ide::accessed(u64 where) {
  // The port says whose it is; the window of the bus master is of both.
  const bool secondary = (where & 0xFFF8) == secondary_port.value || where == secondary_control_port.value;
  const bool primary = (where & 0xFFF8) == primary_port.value || where == primary_control_port.value;
  if (!secondary) channels_[0].accessed(where);
  if (!primary) channels_[1].accessed(where);
}

void Ide::reset() {
  config_.reset();
  for (IdeChannel& channel : channels_) channel.reset();
}

bool Ide::decodes(unsigned channel) const {
  if (model_ == Model::Isa) return true;
  const auto timing = static_cast<u16>(config_.read(static_cast<u8>(timing_register + 2 * channel), AccessSize(2)));
  return (config_.command() & PciConfig::io_space_bit) != 0 && (timing & decode_enable_bit) != 0;
}

u64 Ide::peek(Region region, u64 offset, AccessSize size) const {
  const Place place = place_of(region);
  if (place.window == Window::BusMaster) {
    u64 value = 0;
    for (unsigned i = 0; i < size.value && offset + i < bus_master_ports; ++i) {
      const u64 at = offset + i;
      value |= u64{channels_[at / bus_master_registers].read_bus_master(at % bus_master_registers)} << 8 * i;
    }
    return value;
  }
  if (!decodes(place.channel)) return all_ones(size);
  const IdeChannel& channel = channels_[place.channel];
  return is_command_block(place.window) ? channel.peek(offset, size.value) : channel.alternate_status();
}

u64 Ide::read(Region region, u64 offset, AccessSize size) {
  const Place place = place_of(region);
  if (!is_command_block(place.window) || !decodes(place.channel)) return peek(region, offset, size);
  return channels_[place.channel].read(offset, size.value);
}

void Ide::write(Region region, u64 offset, AccessSize size, u64 value) {
  const Place place = place_of(region);
  if (place.window == Window::BusMaster) {
    for (unsigned i = 0; i < size.value && offset + i < bus_master_ports; ++i) {
      const u64 at = offset + i;
      channels_[at / bus_master_registers].write_bus_master(at % bus_master_registers, static_cast<u8>(value >> 8 * i));
    }
    return;
  }
  if (!decodes(place.channel)) return;
  if (is_command_block(place.window)) {
    channels_[place.channel].write(offset, size.value, static_cast<u32>(value));
  } else {
    channels_[place.channel].write_control(static_cast<u8>(value));
  }
}

void Ide::config_written(u8, AccessSize) { tell_mastering(); }

void Ide::tell_mastering() {
  const bool allowed = model_ != Model::Isa && (config_.command() & PciConfig::bus_master_bit) != 0;
  for (IdeChannel& channel : channels_) channel.set_mastering(allowed);
}

void Ide::event(u16 kind, u64) { channels_[kind == step_of_secondary ? 1 : 0].step(); }

void Ide::exchange(Archive& archive) {
  archive.section(name(), 2);
  archive(config_, channels_);
}

}  // namespace vitrine
