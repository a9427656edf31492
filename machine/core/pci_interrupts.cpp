#include "machine/core/pci_interrupts.hpp"

#include <bit>
#include <span>
#include <utility>

#include "base/assert.hpp"
#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr AccessSize word(2), dword(4);
constexpr u8 message_pin = static_cast<u8>(ApicPin::Message);

// PCI 3.0, 6.8.1: MSI with 64-bit address and per-vector masking.
constexpr u8 msi_id = 0x05, msi_size = 0x18;
constexpr u8 msi_control = 0x02, msi_address = 0x04, msi_address_high = 0x08, msi_data = 0x0C, msi_mask = 0x10,
             msi_pending = 0x14;
constexpr u16 msi_enable = 1 << 0, msi_granted = 7 << 4, msi_wide = 1 << 7, msi_maskable = 1 << 8;
// 6.8.2: MSI-X.
constexpr u8 msix_id = 0x11, msix_size = 0x0C;
constexpr u8 msix_control = 0x02, msix_table = 0x04, msix_pending = 0x08;
constexpr u16 msix_function_mask = 1 << 14, msix_enable = 1 << 15;
constexpr u64 entry_size = 16;
constexpr u32 address_bits = 0xFFFF'FFFC;

u64 extract(u64 value, u64 offset) { return value >> 8 * (offset & 7) & 0xFF; }
}  // namespace

PciInterrupts::PciInterrupts(const DeviceContext& context, PciConfig& config, LineDriver pin, MessagePort* messages,
                             const Options& options)
    : context_(context),
      config_(&config),
      pin_(pin),
      pin_records_(context, pin),
      messages_(messages),
      options_(options),
      msi_entries_(options.msi_messages),
      msix_entries_(options.msix_entries) {
  VITRINE_ASSERT(messages != nullptr || (options.msi_messages == 0 && options.msix_entries == 0));
  config_->define_interrupt_pin(options.pin);
  if (options.msi_messages != 0) define_msi();
  if (options.msix_entries != 0) define_msix();
  reset();
}

void PciInterrupts::define_msi() {
  VITRINE_ASSERT(std::has_single_bit(options_.msi_messages) && options_.msi_messages <= 32);
  msi_ = config_->add_capability(msi_id, msi_size);
  const auto at = [this](u8 offset) { return static_cast<u8>(msi_ + offset); };
  const u32 capable = static_cast<u32>(std::countr_zero(options_.msi_messages)) << 1;
  const u32 vectors = options_.msi_messages == 32 ? ~u32{0} : (u32{1} << options_.msi_messages) - 1;
  config_->define(at(msi_control), word, capable | msi_wide | msi_maskable, msi_enable | msi_granted);
  config_->define(at(msi_address), dword, 0, address_bits);
  config_->define(at(msi_address_high), dword, 0, ~u32{0});
  config_->define(at(msi_data), word, 0, 0xFFFF);
  config_->define(at(msi_mask), dword, 0, vectors);
  config_->define_driven(at(msi_pending), dword, vectors);
}

void PciInterrupts::define_msix() {
  VITRINE_ASSERT(options_.msix_entries <= 128 && options_.msix_bar < PciConfig::bars);
  msix_ = config_->add_capability(msix_id, msix_size);
  const auto at = [this](u8 offset) { return static_cast<u8>(msix_ + offset); };
  config_->define(at(msix_control), word, options_.msix_entries - 1u, msix_function_mask | msix_enable);
  config_->define(at(msix_table), dword, options_.msix_table | options_.msix_bar, 0);
  config_->define(at(msix_pending), dword, options_.msix_pending | options_.msix_bar, 0);
}

void PciInterrupts::reset() {
  state_ = State{};
  state_.command = config_->command();
  if (msi_ != 0) state_.msi_control = static_cast<u16>(config_->read(static_cast<u8>(msi_ + msi_control), word));
  if (msix_ != 0) state_.msix_control = static_cast<u16>(config_->read(static_cast<u8>(msix_ + msix_control), word));
  for (Entry& entry : msi_entries_) entry = Entry{};
  for (Entry& entry : msix_entries_) entry = Entry{.masked = true};  // 6.8.2.9: masked after reset
  update();
}

// Questions.

bool PciInterrupts::msi_enabled() const { return (state_.msi_control & msi_enable) != 0; }
bool PciInterrupts::msix_enabled() const { return (state_.msix_control & msix_enable) != 0; }

PciInterrupts::Way PciInterrupts::way() const {
  if (msix_enabled()) return Way::MsiX;
  return msi_enabled() ? Way::Msi : Way::Pin;
}

// 6.8.1.3. unverified: a grant of more than was asked for; here it counts as all.
u8 PciInterrupts::granted_messages() const {
  const unsigned granted = 1u << bits(state_.msi_control, 6, 4);
  return granted > options_.msi_messages ? options_.msi_messages : static_cast<u8>(granted);
}

PciInterrupts::Obstruction PciInterrupts::obstruction(Way way, const Entry& entry) const {
  const bool msix = way == Way::MsiX;
  const bool closed = msix ? !msix_enabled() || (state_.msix_control & msix_function_mask) != 0 : !msi_enabled();
  if (closed) return {Obstacle::FunctionMasked, msix ? state_.msix_set : state_.msi_set};
  if (entry.masked) return {Obstacle::EntryMasked, entry.masking};
  if ((state_.command & PciConfig::bus_master_bit) == 0) return {Obstacle::BusMasterOff, state_.bus_master};
  return {};
}

MessageModes PciInterrupts::message_modes() const {
  MessageModes modes;
  if (way() == Way::Pin) return modes;
  const bool msix = way() == Way::MsiX;
  const std::vector<Entry>& entries = msix ? msix_entries_ : msi_entries_;
  const std::size_t used = msix ? entries.size() : granted_messages();
  for (const Entry& entry : std::span(entries).first(used)) {
    if (obstruction(way(), entry).obstacle == Obstacle::None) modes.add(mode_of_msi(entry.address, entry.data));
  }
  return modes;
}

std::size_t PciInterrupts::slot_of(u8 number) const {
  return way() == Way::MsiX ? number % msix_entries_.size() : number & (granted_messages() - 1u);
}

bool PciInterrupts::waits(u8 number) const {
  if (way() == Way::Pin) return false;
  return (way() == Way::MsiX ? msix_entries_ : msi_entries_)[slot_of(number)].waiting != RequestId{};
}

// What the guest sets up.

void PciInterrupts::note_control(u16& shadow, u8 capability, Setting& setting) {
  if (capability == 0) return;
  const auto value = static_cast<u16>(config_->read(static_cast<u8>(capability + 2), word));
  if (value == shadow) return;
  setting = here();
  record({.address = setting.by,
          .other = std::exchange(shadow, value),
          .extra = value,
          .kind = RecordKind::ControllerProgrammed,
          .pin = message_pin,
          .detail = static_cast<u8>(ControllerRegister::MessageControl)});
}

void PciInterrupts::entry_changed(u8 number, const Entry& entry) {
  record({.address = context_.ledger.context.address,
          .other = entry.data | u64{entry.masked} << 32,
          .extra = entry.address,
          .kind = RecordKind::ControllerProgrammed,
          .pin = number,
          .detail = static_cast<u8>(ControllerRegister::MessageEntry)});
}

// 6.8.1: one address and one data for all messages; a message puts its number into the low bits of the data.
void PciInterrupts::read_msi_registers() {
  if (msi_ == 0) return;
  const auto at = [this](u8 offset, AccessSize size) { return config_->read(static_cast<u8>(msi_ + offset), size); };
  const u64 address = u64{at(msi_address_high, dword)} << 32 | at(msi_address, dword);
  const u32 data = at(msi_data, word);
  const u32 masks = at(msi_mask, dword);
  for (u8 number = 0, count = static_cast<u8>(msi_entries_.size()); number < count; ++number) {
    Entry& entry = msi_entries_[number];
    const u32 low_bits = granted_messages() - 1u;
    const u32 own_data = (data & ~low_bits) | (number & low_bits);
    const bool masked = bit(masks, number);
    const bool is_used = number < granted_messages();
    const bool changed = entry.address != address || entry.data != own_data || entry.masked != masked;
    if (entry.masked != masked) entry.masking = here();
    entry.address = address;
    entry.data = own_data;
    entry.masked = masked;
    if (changed && is_used) entry_changed(number, entry);
  }
}

void PciInterrupts::config_written() {
  const u16 command = config_->command();
  const u16 changed = command ^ std::exchange(state_.command, command);
  if ((changed & PciConfig::bus_master_bit) != 0) state_.bus_master = here();
  if ((changed & PciConfig::interrupt_disable_bit) != 0) state_.pin_disable = here();
  note_control(state_.msi_control, msi_, state_.msi_set);
  note_control(state_.msix_control, msix_, state_.msix_set);
  read_msi_registers();
  update();
}

u64 PciInterrupts::table(u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u64 i = 0; i < size.value; ++i) {
    const u64 at = offset + i;
    if (at / entry_size >= msix_entries_.size()) break;
    const Entry& entry = msix_entries_[at / entry_size];
    const u64 half = at % entry_size < 8 ? entry.address : entry.data | u64{entry.masked} << 32;
    value |= extract(half, at) << 8 * i;
  }
  return value;
}

void PciInterrupts::write_table(u64 offset, AccessSize size, u64 value) {
  if (size.value < 4 || offset % size.value != 0 || offset / entry_size >= msix_entries_.size()) return;
  Entry& entry = msix_entries_[offset / entry_size];
  const Entry before = entry;
  for (u64 at = offset % entry_size, end = at + size.value; at < end; at += 4, value >>= 32) {
    const auto part = static_cast<u32>(value);
    if (at == 0) entry.address = (entry.address & ~u64{0xFFFF'FFFF}) | (part & address_bits);
    if (at == 4) entry.address = (entry.address & 0xFFFF'FFFF) | u64{part} << 32;
    if (at == 8) entry.data = part;
    if (at == 12) entry.masked = bit(part, 0);
  }
  if (entry.masked != before.masked) entry.masking = here();
  const bool same = entry.address == before.address && entry.data == before.data && entry.masked == before.masked;
  if (!same) entry_changed(static_cast<u8>(offset / entry_size), entry);
  update();
}

u64 PciInterrupts::pending(u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u64 i = 0; i < size.value * 8u; ++i) {
    const u64 number = offset * 8 + i;
    if (number >= msix_entries_.size()) break;
    if (msix_entries_[number].waiting != RequestId{}) value |= u64{1} << i;
  }
  return value;
}

// What the chip wants.

void PciInterrupts::set_pin(Level level, u8 cause) {
  state_.wanted = level == Level::High;
  state_.cause = cause;
  update();
}

void PciInterrupts::send(u8 number, u8 cause) {
  const Way way = this->way();
  const RequestId id = context_.ledger.next_request();
  const u64 sent_as = way == Way::Pin ? number : slot_of(number);
  record({.id = id.value, .extra = sent_as, .kind = RecordKind::Raised, .pin = message_pin, .detail = cause});
  if (way == Way::Pin) {
    const Setting& setting = msix_ != 0 ? state_.msix_set : state_.msi_set;
    Entry dropped{.waiting = id};
    return report(dropped, number, {Obstacle::FunctionMasked, setting});
  }
  std::vector<Entry>& entries = way == Way::MsiX ? msix_entries_ : msi_entries_;
  Entry& entry = entries[slot_of(number)];
  if (entry.waiting != RequestId{}) {
    record({.id = id.value, .other = entry.waiting.value, .kind = RecordKind::Merged, .pin = message_pin});
    return;
  }
  entry.waiting = id;
  entry.told = Obstacle::None;
  update();
}

void PciInterrupts::report(Entry& entry, u8 number, const Obstruction& found) {
  if (entry.told == found.obstacle && entry.told_since == found.setting.since) return;
  entry.told = found.obstacle;
  entry.told_since = found.setting.since;
  record({.id = entry.waiting.value,
          .address = found.setting.by,
          .since = found.setting.since.value,
          .extra = number,
          .kind = RecordKind::Blocked,
          .pin = message_pin,
          .detail = static_cast<u8>(found.obstacle)});
}

void PciInterrupts::deliver(Way way, std::vector<Entry>& entries) {
  for (u8 number = 0, count = static_cast<u8>(entries.size()); number < count; ++number) {
    Entry& entry = entries[number];
    if (entry.waiting == RequestId{}) continue;
    const Obstruction found = obstruction(way, entry);
    if (found.obstacle != Obstacle::None) {
      report(entry, number, found);
      continue;
    }
    const RequestId id = std::exchange(entry.waiting, RequestId{});
    messages_->send(entry.address, entry.data, id, context_.source, message_pin);
  }
}

void PciInterrupts::update() {
  const bool disabled = (state_.command & PciConfig::interrupt_disable_bit) != 0;
  const bool open = !disabled && way() == Way::Pin;
  config_->set(PciConfig::status_register, word, PciConfig::interrupt_status_bit, state_.wanted);
  if (state_.wanted && !open) {
    const Setting& by_messages = msix_enabled() ? state_.msix_set : state_.msi_set;
    pin_records_.withheld(state_.told, {WithheldCause::OutputGateOff, disabled ? state_.pin_disable : by_messages},
                          state_.cause);
  } else {
    pin_records_.not_withheld(state_.told, 0);
  }
  pin_.set(state_.wanted && open ? Level::High : Level::Low, state_.cause);
  deliver(Way::Msi, msi_entries_);
  deliver(Way::MsiX, msix_entries_);
  u32 pending = 0;
  for (u8 number = 0, count = static_cast<u8>(msi_entries_.size()); number < count; ++number) {
    pending = with_bit(pending, number, msi_entries_[number].waiting != RequestId{});
  }
  if (msi_ != 0) {
    config_->set(static_cast<u8>(msi_ + msi_pending), dword, ~pending, false);
    config_->set(static_cast<u8>(msi_ + msi_pending), dword, pending, true);
  }
}

void PciInterrupts::record(Record record) const {
  record.source = context_.source.value;
  context_.ledger.append(record);
}

void PciInterrupts::exchange(Archive& archive) {
  archive(state_.wanted, state_.cause, state_.command, state_.msi_control, state_.msix_control, state_.bus_master,
          state_.pin_disable, state_.msi_set, state_.msix_set, state_.told);
  for (Entry& entry : msi_entries_) archive(entry);
  for (Entry& entry : msix_entries_) archive(entry);
}

}  // namespace vitrine
