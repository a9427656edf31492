#include "machine/devices/pci_host/pci_host.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
// Offsets from port 0xCF8.
constexpr u64 address_register = 0, reset_control_register = 1, data_register = 4;
// PCI 2.2, 3.2.2.3.2: bits 30:24 are reserved, bits 1:0 read as zero.
constexpr u32 address_writable = 0x80FFFFFC;
// 82371SB, 2.5.2.4: bit 2 (RCPU) starts the reset when it goes from 0 to 1; bit 1 (SRST) tells hard from soft.
constexpr u8 reset_cpu = 0x04, reset_writable = 0x06;
constexpr PciConfig::Identity i440fx{.vendor = 0x8086, .device = 0x1237, .revision = 0x02, .class_code = 0x060000};
constexpr PciConfig::Identity mch{.vendor = 0x8086, .device = 0x29C0, .revision = 0x02, .class_code = 0x060000};
constexpr u64 ones(AccessSize size) { return ~u64{0} >> (64 - 8 * size.value); }
}  // namespace

PciHost::PciHost(DeviceContext, PciBus& bus, MachineControl& control, Model model)
    : bus_(bus), control_(control), config_(model == Model::Mch ? mch : i440fx) {
  // 82441FX, 3.2: PMC configuration, DRAM control, attribute map, SMRAM. Firmware writes them; here they are memory.
  config_.define(0x06, AccessSize(2), 0x0280, 0);
  for (unsigned offset = 0x50; offset < 0x94; ++offset) config_.define(static_cast<u8>(offset), AccessSize(1), 0, 0xFF);
}

bool PciHost::selected() const { return bit(state_.address, 31); }
PciSlot PciHost::slot() const {
  return {static_cast<u8>(bits(state_.address, 15, 11)), static_cast<u8>(bits(state_.address, 10, 8))};
}

void PciHost::reset() {
  state_ = State{};
  config_.reset();
}

u64 PciHost::peek(Region, u64 offset, AccessSize size) const {
  if (offset >= data_register) {
    if (!selected() || offset + size.value > port_count) return ones(size);
    const auto target = static_cast<u8>((state_.address & 0xFC) + (offset - data_register));
    return bus_.read(static_cast<u8>(bits(state_.address, 23, 16)), slot(), target, size);
  }
  if (offset == address_register && size.value == 4) return state_.address;
  if (offset == reset_control_register && size.value == 1) return state_.reset_control;
  return ones(size);  // a narrower access is not a configuration address cycle (PCI 2.2, 3.2.2.3.2)
}

u64 PciHost::read(Region region, u64 offset, AccessSize size) { return peek(region, offset, size); }

void PciHost::write(Region, u64 offset, AccessSize size, u64 value) {
  if (offset >= data_register) {
    if (!selected() || offset + size.value > port_count) return;
    const auto target = static_cast<u8>((state_.address & 0xFC) + (offset - data_register));
    bus_.write(static_cast<u8>(bits(state_.address, 23, 16)), slot(), target, size, static_cast<u32>(value));
    return;
  }
  if (offset == address_register && size.value == 4) state_.address = static_cast<u32>(value) & address_writable;
  if (offset == reset_control_register && size.value == 1) {
    const bool starts = (value & reset_cpu) != 0 && (state_.reset_control & reset_cpu) == 0;
    state_.reset_control = static_cast<u8>(value & reset_writable);
    if (starts) control_.request_exit(ExitKind::Reset, 0);
  }
}

void PciHost::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.address, state_.reset_control, config_);
}

}  // namespace vitrine
