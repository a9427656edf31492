#include "machine/core/pci.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace vitrine {

namespace {
// PCI 3.0, 6.1, figure 6-1: the header of type 0.
constexpr u8 vendor_id = 0x00, device_id = 0x02, revision_id = 0x08, class_code = 0x09, header_type = 0x0E;
constexpr u32 multifunction_bit = 0x80;
// 6.2.2: I/O space, memory space, bus master, parity error response, SERR# enable.
constexpr u32 command_writable = 0x0147;
// 6.2.3: the error bits clear by writing ones.
constexpr u32 status_clears = 0xF900;
constexpr u32 port_bar_flag = 1;

u32 load(const std::array<u8, 256>& registers, u8 offset, AccessSize size) {
  u32 value = 0;
  for (unsigned i = 0; i < size.value && i < 4 && offset + i < registers.size(); ++i)
    value |= u32{registers[offset + i]} << 8 * i;
  return value;
}
void store(std::array<u8, 256>& registers, u8 offset, AccessSize size, u32 value) {
  for (unsigned i = 0; i < size.value && i < 4 && offset + i < registers.size(); ++i) {
    registers[offset + i] = static_cast<u8>(value >> 8 * i);
  }
}
constexpr u8 bar_register(u8 index) { return static_cast<u8>(PciConfig::first_bar_register + 4 * index); }
bool decides_decoding(unsigned offset) {
  const unsigned end = bar_register(PciConfig::bars);
  return offset == PciConfig::command_register || (offset >= PciConfig::first_bar_register && offset < end);
}
}  // namespace

PciConfig::PciConfig(const Identity& identity) {
  define(vendor_id, AccessSize(2), identity.vendor, 0);
  define(device_id, AccessSize(2), identity.device, 0);
  define(command_register, AccessSize(2), 0, command_writable);
  define_write_one_to_clear(status_register, AccessSize(2), status_clears);
  define(revision_id, AccessSize(1), identity.revision, 0);
  define(class_code, AccessSize(2), identity.class_code & 0xFFFF, 0);
  define(class_code + 2, AccessSize(1), identity.class_code >> 16, 0);
  define(header_type, AccessSize(1), identity.multifunction ? multifunction_bit : 0, 0);
  define(interrupt_line_register, AccessSize(1), 0, 0xFF);
}

void PciConfig::define(u8 offset, AccessSize size, u32 initial, u32 writable) {
  store(initial_, offset, size, initial);
  store(values_, offset, size, initial);
  store(writable_, offset, size, writable);
}

void PciConfig::define_write_one_to_clear(u8 offset, AccessSize size, u32 bits) { store(clears_, offset, size, bits); }

void PciConfig::define_driven(u8 offset, AccessSize size, u32 bits) { store(driven_, offset, size, bits); }

void PciConfig::define_bar(u8 index, BarKind kind, u32 size) {
  VITRINE_ASSERT(index < bars && std::has_single_bit(size) && size >= (kind == BarKind::Port ? 4u : 16u));
  bar_flags_[index] = kind == BarKind::Port ? port_bar_flag : 0;
  bar_sizes_[index] = size;
  define(bar_register(index), AccessSize(4), bar_flags_[index], ~(size - 1));
}

void PciConfig::define_interrupt_pin(u8 pin) {
  VITRINE_ASSERT(pin >= 1 && pin <= 4);
  define(interrupt_pin_register, AccessSize(1), pin, 0);
  const u32 writable = load(writable_, command_register, AccessSize(2));
  store(writable_, command_register, AccessSize(2), writable | interrupt_disable_bit);
  const u32 driven = load(driven_, status_register, AccessSize(2));
  store(driven_, status_register, AccessSize(2), driven | interrupt_status_bit);
}

u8 PciConfig::add_capability(u8 id, u8 size) {
  const u8 offset = next_free_;
  VITRINE_ASSERT(offset + size <= 0x100);
  next_free_ = static_cast<u8>((offset + size + 3) & ~3);
  define(offset, AccessSize(2), id, 0);
  const auto pointer = last_capability_ == 0 ? capabilities_register : static_cast<u8>(last_capability_ + 1);
  define(pointer, AccessSize(1), offset, 0);
  const u32 status = load(initial_, status_register, AccessSize(2)) | capabilities_list_bit;
  define(status_register, AccessSize(2), status, load(writable_, status_register, AccessSize(2)));
  last_capability_ = offset;
  return offset;
}

u32 PciConfig::bar_base(u8 index) const {
  VITRINE_ASSERT(index < bars);
  return load(values_, bar_register(index), AccessSize(4)) & ~bar_flags_[index];
}

std::optional<PciConfig::Decoding> PciConfig::decoding(u8 index) const {
  VITRINE_ASSERT(index < bars);
  const bool is_port = bar_flags_[index] == port_bar_flag;
  const u16 enable = is_port ? io_space_bit : memory_space_bit;
  if (bar_sizes_[index] == 0 || (command() & enable) == 0) return std::nullopt;
  return Decoding{is_port ? BarKind::Port : BarKind::Memory32, bar_base(index), bar_sizes_[index]};
}

u16 PciConfig::command() const { return static_cast<u16>(load(values_, command_register, AccessSize(2))); }

u32 PciConfig::read(u8 offset, AccessSize size) const { return load(values_, offset, size); }

void PciConfig::write(u8 offset, AccessSize size, u32 value) {
  bool decodes = false;
  for (unsigned i = 0; i < size.value && i < 4 && offset + i < values_.size(); ++i) {
    const u8 byte = static_cast<u8>(value >> 8 * i);
    const u8 writable = writable_[offset + i];
    u8& target = values_[offset + i];
    target = static_cast<u8>((target & ~writable) | (byte & writable));
    target = static_cast<u8>(target & ~(byte & clears_[offset + i]));
    decodes = decodes || decides_decoding(offset + i);
  }
  if (decodes) tell_decoder();
}

void PciConfig::set(u8 offset, AccessSize size, u32 bits, bool high) {
  const u32 driven = bits & load(driven_, offset, size);
  const u32 value = load(values_, offset, size);
  store(values_, offset, size, high ? value | driven : value & ~driven);
}

void PciConfig::reset() {
  values_ = initial_;
  tell_decoder();
}

void PciConfig::exchange(Archive& archive) {
  archive(values_);
  if (!archive.loading()) return;
  for (unsigned i = 0; i < values_.size(); ++i) {
    const auto changeable = static_cast<u8>(writable_[i] | clears_[i] | driven_[i]);
    if (((values_[i] ^ initial_[i]) & ~changeable) == 0) continue;
    archive.refuse(Archive::Error::BadValue);
    values_ = initial_;
    break;
  }
  tell_decoder();
}

void PciConfig::tell_decoder() {
  if (decoder_ != nullptr) decoder_->decoding_changed();
}

std::expected<void, PciBus::AttachError> PciBus::attach(PciSlot slot, PciConfig& config, PciFunction* listener) {
  if (slot.device >= devices || slot.function >= functions) return std::unexpected(AttachError::OutOfRange);
  Function& function = functions_[index(slot)];
  if (function.config != nullptr) return std::unexpected(AttachError::Taken);
  function = {&config, listener};
  config.decoder_ = this;
  return {};
}

void PciBus::add_window(const PciConfig& config, u8 index, Device& device, Region region) {
  VITRINE_ASSERT(windows_.size() < most_windows && memory_ != nullptr && ports_ != nullptr);
  windows_.push_back({.config = &config, .index = index, .device = &device, .region = region});
  decoding_changed();
}

bool PciBus::is_mapped(const PciConfig& config, u8 index) const {
  return std::ranges::any_of(windows_, [&](const Window& window) {
    return window.config == &config && window.index == index && window.mapped;
  });
}

void PciBus::unmap(Window& window) {
  if (!window.mapped) return;
  window.mapped = false;
  if (window.wanted->kind == PciConfig::BarKind::Memory32)
    return memory_->unmap_device(PhysicalAddress(window.wanted->base));
  ports_->unmap(Port(static_cast<u16>(window.wanted->base)), window.wanted->size);
}

void PciBus::map(Window& window) {
  if (!window.wanted) return;
  const auto [kind, base, size] = *window.wanted;
  if (kind == PciConfig::BarKind::Memory32) {
    window.mapped = memory_->map_device(PhysicalAddress(base), size, *window.device, window.region).has_value();
  } else if (base <= 0xFFFF) {
    window.mapped = ports_->map(Port(static_cast<u16>(base)), size, *window.device, window.region).has_value();
  }
}

// What is mapped follows from the registers alone, whatever was there before: so a restored machine has the same.
void PciBus::decoding_changed() {
  const bool changed = std::ranges::any_of(
      windows_, [](const Window& window) { return window.wanted != window.config->decoding(window.index); });
  if (!changed) return;
  for (Window& window : windows_) unmap(window);
  for (Window& window : windows_) window.wanted = window.config->decoding(window.index);
  for (Window& window : windows_) map(window);
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
