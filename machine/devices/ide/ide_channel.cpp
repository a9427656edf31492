#include "machine/devices/ide/ide_channel.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vitrine {

using Protocol = CommandForm::Protocol;

namespace {
// Nobody drives the cable: the host pulls DD7 down, so that nothing looks busy (ATA/ATAPI-6, annex A).
constexpr u8 floating_byte = 0x7F;
constexpr u16 floating_word = 0xFF7F;
}  // namespace

IdeChannel::IdeChannel(const DeviceContext& context, u16 step_event, LineDriver pin, MemoryBus* memory, AtaDrive first,
                       AtaDrive second)
    : context_(context),
      step_event_(step_event),
      pin_(pin),
      records_(context, pin),
      memory_(memory),
      drives_{std::move(first), std::move(second)} {}

void IdeChannel::reset() {
  stop();
  state_ = State{};
  for (AtaDrive& drive : drives_) drive.reset();
  bus_master_.reset();
  update();
}

AtaDrive::Width IdeChannel::width() const {
  return form().extended ? AtaDrive::Width::Bits48 : AtaDrive::Width::Bits28;
}

void IdeChannel::wait(u64 nanoseconds, Phase phase) {
  state_.phase = phase;
  context_.events.reschedule(context_.clock.now() + nanoseconds, context_.id, step_event_);
}

void IdeChannel::stop() {
  context_.events.cancel(context_.id, step_event_);
  state_.phase = Phase::Idle;
  state_.length = state_.position = 0;
}

// --- registers ------------------------------------------------------------------------------------------------------

u8 IdeChannel::register_at(u64 offset) const {
  const AtaDrive& selected = drives_[state_.selected];
  const bool high_order = (state_.control & ata::control::high_order) != 0;
  if (selected.present()) return selected.read(offset, high_order);
  // Device 0 answers for a device 1 that is not there, with status 0 (9.16.1).
  if (state_.selected == 0 || !drives_[0].present()) return floating_byte;
  return offset == ata::reg::status ? u8{0} : drives_[0].read(offset, high_order);
}

u8 IdeChannel::alternate_status() const { return register_at(ata::reg::status); }

u16 IdeChannel::data_at(u32 ahead) const {
  if (!drives_[0].present() && !drives_[1].present()) return floating_word;
  const u32 at = state_.position + ahead;
  if (state_.phase != Phase::DataIn || at >= state_.length) return 0;
  return static_cast<u16>(state_.buffer[at] | state_.buffer[at + 1] << 8);
}

// unverified: a byte's access to the data register moves a whole word.
u32 IdeChannel::peek(u64 offset, u8 size) const {
  if (offset == ata::reg::data) {
    if (size == 1) return data_at(0) & 0xFF;
    return size == 2 ? data_at(0) : u32{data_at(0)} | u32{data_at(2)} << 16;
  }
  u32 value = 0;
  for (unsigned i = 0; i < size && i < 4; ++i) {
    if (offset + i <= ata::reg::status) value |= u32{register_at(offset + i)} << 8 * i;
  }
  return value;
}

u32 IdeChannel::read(u64 offset, u8 size) {
  const u32 value = peek(offset, size);
  if (offset == ata::reg::data) {
    take_data();
    if (size > 2) take_data();
  } else if (offset + size > ata::reg::status) {
    drives_[state_.selected].set_interrupting(false);  // 7.15.4
    update();
  }
  return value;
}

void IdeChannel::write(u64 offset, u8 size, u32 value) {
  if (offset == ata::reg::data) {
    put_data(static_cast<u16>(size == 1 ? value & 0xFF : value));
    if (size > 2) put_data(static_cast<u16>(value >> 16));
    return;
  }
  for (unsigned i = 0; i < size && i < 4; ++i) write_register(offset + i, static_cast<u8>(value >> 8 * i));
}

// Both drives hear each write; a drive that is busy or moves data ignores them (9.1).
void IdeChannel::write_register(u64 offset, u8 value) {
  if (offset > ata::reg::command) return;
  state_.control &= static_cast<u8>(~ata::control::high_order);
  if (state_.phase != Phase::Idle) return;
  if (offset == ata::reg::command) return begin(value);
  for (AtaDrive& drive : drives_) drive.write(offset, value);
  if (offset != ata::reg::device) return;
  state_.selected = (value & ata::device::second) != 0 ? 1 : 0;
  update();
}

void IdeChannel::write_control(u8 value) {
  const u8 before = std::exchange(state_.control, value);
  const auto changed = [&](u8 bit) { return ((before ^ value) & bit) != 0; };
  if (changed(ata::control::no_interrupt)) state_.interrupt_switched = records_.here();
  if (changed(ata::control::reset)) {
    if ((value & ata::control::reset) != 0) {
      stop();
      state_.phase = Phase::HeldReset;
      for (AtaDrive& drive : drives_) {
        drive.set_status(ata::status::busy);
        drive.set_interrupting(false);
      }
    } else {
      wait(reset_time, Phase::Resetting);
    }
  }
  update();
}

void IdeChannel::write_bus_master(u64 offset, u8 value) {
  bus_master_.write(offset, value);
  pump();
}

void IdeChannel::set_mastering(bool allowed) {
  state_.mastering = allowed;
  pump();
}

// --- commands
// ---------------------------------------------------------------------------------------------------------

void IdeChannel::begin(u8 command) {
  AtaDrive& drive = drives_[state_.selected];
  const Protocol protocol = form_of(command).protocol;
  if (protocol != Protocol::Diagnostic && (!drive.present() || drive.asleep())) return;
  state_.active = state_.selected;
  state_.command = command;
  state_.error = 0;
  state_.position = state_.length = 0;
  drive.set_interrupting(false);
  drive.set_status(ata::status::busy);
  switch (protocol) {
    case Protocol::Unknown:
      state_.error = ata::error::aborted;
      wait(command_time, Phase::Settling);
      break;
    case Protocol::NoData:
      begin_without_data();
      break;
    case Protocol::Verify:
      begin_verify();
      break;
    case Protocol::Identify:
      state_.sector = 0;
      state_.left = 1;
      wait(command_time, Phase::Fetching);
      break;
    case Protocol::PioIn:
    case Protocol::PioOut:
    case Protocol::DmaIn:
    case Protocol::DmaOut:
      begin_transfer();
      break;
    case Protocol::Diagnostic:
      for (AtaDrive& each : drives_) each.set_status(ata::status::busy);
      wait(diagnostic_time, Phase::Diagnosing);
      break;
  }
  update();
}

void IdeChannel::begin_without_data() {
  const auto command = static_cast<ata::Command>(state_.command);
  if (!active().execute(command)) state_.error = ata::error::aborted;
  const bool flushes = command == ata::Command::FlushCache || command == ata::Command::FlushCacheExt;
  wait(flushes ? flush_time : command_time, Phase::Settling);
}

void IdeChannel::begin_verify() {
  const u32 wanted = static_cast<ata::Command>(state_.command) == ata::Command::Seek ? 1 : active().count(width());
  const std::optional<u64> first = active().address(width());
  if (!first || *first >= active().sectors()) {
    state_.error = ata::error::id_not_found;
    return wait(command_time, Phase::Settling);
  }
  const u64 there = std::min<u64>(wanted, active().sectors() - *first);
  if (there < wanted) {
    active().set_address(width(), *first + there);
    state_.error = ata::error::id_not_found;
  }
  wait(command_time + active().move_to(*first) + there * sector_time, Phase::Settling);
}

void IdeChannel::begin_transfer() {
  const std::optional<u64> first = active().address(width());
  if (form().multiple && active().multiple() == 0)
    state_.error = ata::error::aborted;
  else if (!first || *first >= active().sectors())
    state_.error = ata::error::id_not_found;
  if (state_.error != 0) return wait(command_time, Phase::Settling);
  state_.sector = *first;
  state_.left = active().count(width());
  // Data for a write goes into the buffer first, then the head moves.
  if (form().protocol == Protocol::PioOut) return wait(command_time, Phase::Preparing);
  const u64 seek = active().move_to(*first);
  if (form().protocol == Protocol::PioIn) {
    return wait(command_time + seek + u64{block_sectors()} * sector_time, Phase::Fetching);
  }
  state_.length = sector_bytes;
  wait(command_time + seek, Phase::DmaSeeks);
}

/// Of the next block: 0 if the disk ends before it.
u32 IdeChannel::block_sectors() {
  const u32 most = form().multiple ? std::max<u32>(active().multiple(), 1) : 1;
  const u64 there = state_.sector < active().sectors() ? active().sectors() - state_.sector : 0;
  return static_cast<u32>(std::min<u64>(std::min(most, state_.left), there));
}

void IdeChannel::step() {
  switch (state_.phase) {
    case Phase::Fetching:
      return fetched();
    case Phase::Preparing:
      return expect_data();
    case Phase::Storing:
      return stored();
    case Phase::DmaSeeks:
      state_.phase = Phase::DmaWaits;
      return pump();
    case Phase::DmaMoves:
      return moved();
    case Phase::Settling:
      return finish(state_.error);
    case Phase::Diagnosing:
      for (AtaDrive& drive : drives_) drive.post_signature();
      ready_after_reset();
      state_.active = 0;
      return interrupt(Cause::Done);
    case Phase::Resetting:
      for (AtaDrive& drive : drives_) drive.software_reset();
      return ready_after_reset();
    case Phase::Idle:
    case Phase::DataIn:
    case Phase::DataOut:
    case Phase::DmaWaits:
    case Phase::HeldReset:
      return;
  }
}

void IdeChannel::ready_after_reset() {
  stop();
  state_.selected = 0;
  update();
}

void IdeChannel::not_found() {
  active().set_address(width(), state_.sector);
  finish(ata::error::id_not_found);
}

void IdeChannel::finish(u8 error) {
  stop();
  active().end(error);
  interrupt(error != 0 ? Cause::Failed : Cause::Done);
}

void IdeChannel::interrupt(Cause cause) {
  state_.cause = static_cast<u8>(cause);
  active().set_interrupting(true);
  update();
}

void IdeChannel::update() {
  const AtaDrive& selected = drives_[state_.selected];
  const bool wanted = selected.present() && selected.interrupting();
  const bool enabled = (state_.control & ata::control::no_interrupt) == 0;
  if (wanted && !enabled) {
    records_.withheld(state_.told, {WithheldCause::InterruptEnableOff, state_.interrupt_switched}, state_.cause);
  } else {
    records_.not_withheld(state_.told, 0);
  }
  const bool was_asserted = std::exchange(state_.asserted, wanted && enabled);
  if (state_.asserted && !was_asserted) bus_master_.interrupted();
  pin_.set(state_.asserted ? Level::High : Level::Low, state_.cause);
}

bool IdeChannel::sensible() const {
  const State& s = state_;
  if (s.selected > 1 || s.active > 1 || s.phase > Phase::Resetting || s.told.cause > WithheldCause::NotProgrammed) {
    return false;
  }
  if (s.length > buffer_bytes || s.length % sector_bytes != 0 || s.position > s.length || s.position % 2 != 0 ||
      s.left > 65536) {
    return false;
  }
  const bool transfers = s.phase >= Phase::Fetching && s.phase <= Phase::DmaMoves;
  const AtaDrive& drive = drives_[s.active];
  if (transfers && (!drive.present() || s.sector > drive.sectors() || s.left == 0)) return false;
  const bool has_buffer = s.phase == Phase::DataIn || s.phase == Phase::DataOut || s.phase == Phase::Storing;
  const bool by_dma = s.phase == Phase::DmaSeeks || s.phase == Phase::DmaWaits || s.phase == Phase::DmaMoves;
  if (has_buffer && (s.length == 0 || s.length / sector_bytes > s.left)) return false;
  if (has_buffer && s.phase != Phase::Storing && s.position == s.length) return false;
  return !by_dma || (s.length == sector_bytes && s.position < sector_bytes);
}

void IdeChannel::exchange(Archive& archive) {
  archive(state_.selected, state_.control, state_.phase, state_.active, state_.command, state_.error, state_.sector,
          state_.left, state_.position, state_.length, state_.mastering, state_.asserted, state_.cause,
          state_.interrupt_switched, state_.told);
  if (!archive.ok() || (archive.loading() && !sensible())) {
    archive.refuse(Archive::Error::BadValue);
    state_ = State{};
    return;
  }
  archive.raw(state_.buffer.data(), state_.length);
  archive(bus_master_, drives_);
}

}  // namespace vitrine
