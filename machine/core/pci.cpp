#include "machine/core/pci.hpp"

#include <bit>

#include "base/assert.hpp"

namespace vitrine {

namespace {
// PCI 2.2, 6.1, figure 6-1: the header of type 0.
constexpr u8 vendor_id = 0x00, device_id = 0x02, command = 0x04, status = 0x06, revision_id = 0x08, class_code = 0x09,
             header_type = 0x0E, first_bar = 0x10, interrupt_line = 0x3C;
constexpr u32 multifunction_bit = 0x80;
// 6.2.2: I/O space, memory space, bus master, parity error response, SERR# enable.
constexpr u32 command_writable = 0x0147;
// 6.2.3: the error bits clear by writing ones.
constexpr u32 status_clears = 0xF900;
constexpr u32 port_bar_flag = 1;

u32 load(const std::array<u8, 256>& registers, u8 offset, AccessSize size) {
  u32 value = 0;
  for (unsigned i = 0; i < size.value && offset + i < registers.size(); ++i)
    value |= u32{registers[offset + i]} << 8 * i;
  return value;
}
void store(std::array<u8, 256>& registers, u8 offset, AccessSize size, u32 value) {
  for (unsigned i = 0; i < size.value && offset + i < registers.size(); ++i) {
    registers[offset + i] = static_cast<u8>(value >> 8 * i);
  }
}
}  // namespace

PciConfig::PciConfig(const Identity& identity) {
  define(vendor_id, AccessSize(2), identity.vendor, 0);
  define(device_id, AccessSize(2), identity.device, 0);
  define(command, AccessSize(2), 0, command_writable);
  define_write_one_to_clear(status, AccessSize(2), status_clears);
  define(revision_id, AccessSize(1), identity.revision, 0);
  define(class_code, AccessSize(2), identity.class_code & 0xFFFF, 0);
  define(class_code + 2, AccessSize(1), identity.class_code >> 16, 0);
  define(header_type, AccessSize(1), identity.multifunction ? multifunction_bit : 0, 0);
  define(interrupt_line, AccessSize(1), 0, 0xFF);
}

void PciConfig::define(u8 offset, AccessSize size, u32 initial, u32 writable) {
  store(initial_, offset, size, initial);
  store(values_, offset, size, initial);
  store(writable_, offset, size, writable);
}

void PciConfig::define_write_one_to_clear(u8 offset, AccessSize size, u32 bits) { store(clears_, offset, size, bits); }

void PciConfig::define_bar(u8 index, BarKind kind, u32 size) {
  VITRINE_ASSERT(index < bar_flags_.size() && std::has_single_bit(size) && size >= (kind == BarKind::Port ? 4u : 16u));
  bar_flags_[index] = kind == BarKind::Port ? port_bar_flag : 0;
  define(static_cast<u8>(first_bar + 4 * index), AccessSize(4), bar_flags_[index], ~(size - 1));
}

u32 PciConfig::bar_base(u8 index) const {
  VITRINE_ASSERT(index < bar_flags_.size());
  return load(values_, static_cast<u8>(first_bar + 4 * index), AccessSize(4)) & ~bar_flags_[index];
}

u32 PciConfig::read(u8 offset, AccessSize size) const { return load(values_, offset, size); }

void PciConfig::write(u8 offset, AccessSize size, u32 value) {
  for (unsigned i = 0; i < size.value && offset + i < values_.size(); ++i) {
    const u8 byte = static_cast<u8>(value >> 8 * i);
    const u8 writable = writable_[offset + i];
    u8& target = values_[offset + i];
    target = static_cast<u8>((target & ~writable) | (byte & writable));
    target = static_cast<u8>(target & ~(byte & clears_[offset + i]));
  }
}

std::expected<void, PciBus::AttachError> PciBus::attach(PciSlot slot, PciConfig& config, PciFunction* listener) {
  if (slot.device >= devices || slot.function >= functions) return std::unexpected(AttachError::OutOfRange);
  Function& function = functions_[index(slot)];
  if (function.config != nullptr) return std::unexpected(AttachError::Taken);
  function = {&config, listener};
  return {};
}

u32 PciBus::read(u8 bus, PciSlot slot, u8 offset, AccessSize size) const {
  const Function* function = bus == 0 ? &functions_[index(slot)] : nullptr;
  if (function == nullptr || function->config == nullptr) return ~u32{0} >> (32 - 8 * size.value);
  return function->config->read(offset, size);
}

void PciBus::write(u8 bus, PciSlot slot, u8 offset, AccessSize size, u32 value) {
  if (bus != 0) return;
  const Function& function = functions_[index(slot)];
  if (function.config == nullptr) return;
  function.config->write(offset, size, value);
  if (function.listener != nullptr) function.listener->config_written(offset, size);
}

}  // namespace vitrine
