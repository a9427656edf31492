#include "machine/devices/interrupt_tester/interrupt_tester.hpp"

#include <algorithm>

namespace vitrine {

namespace {
constexpr u8 command_cause = static_cast<u8>(InterruptTester::Cause::Command);
}

InterruptTester::InterruptTester(DeviceContext context, LineDriver pin, MessagePort& port)
    : context_(context),
      pin_(pin),
      config_({.vendor = vendor, .device = device, .revision = 1, .class_code = 0xFF0000}),
      interrupts_(context, config_, pin, &port,
                  {.pin = 1,
                   .msi_messages = msi_messages,
                   .msix_entries = msix_entries,
                   .msix_bar = messages_bar,
                   .msix_table = 0,
                   .msix_pending = pending_offset}) {
  config_.define_bar(registers_bar, PciConfig::BarKind::Memory32, window_bytes);
  config_.define_bar(messages_bar, PciConfig::BarKind::Memory32, window_bytes);
}

std::string_view InterruptTester::name() const { return context_.ledger.sources()[context_.source.value]; }

void InterruptTester::reset() {
  context_.events.cancel(context_.id, due);
  state_ = State{};
  config_.reset();
  interrupts_.reset();
}

/// The state with those that fell due while it rested.
InterruptTester::State InterruptTester::current() const {
  State state = state_;
  const Tick now = context_.clock.now();
  if (state.rest == Rest::None || state.next > now) return state;
  const u64 step = std::max(state.period, u32{1});
  const u64 due = std::min<u64>(state.remaining, 1 + (now.value - state.next.value) / step);
  state.raised += static_cast<u32>(due);
  state.remaining -= static_cast<u32>(due);
  if (state.rest == Rest::Pin) state.merged += static_cast<u32>(due);
  state.last = state.next + (due - 1) * step;
  state.next = state.last + step;
  return state;
}

InterruptTester::Rest InterruptTester::rest() const {
  if (interrupts_.way() == PciInterrupts::Way::Pin) return state_.asserted ? Rest::Pin : Rest::None;
  return interrupts_.waits(static_cast<u8>(state_.vector)) ? Rest::Message : Rest::None;
}

u32 InterruptTester::register_at(u64 offset) const {
  const State state = current();
  switch (offset) {
    case id:
      return id_value;
    case way:
      return static_cast<u32>(interrupts_.way());
    case vector:
      return state.vector;
    case delay:
      return state.delay;
    case period:
      return state.period;
    case start:
      return state.remaining;
    case status:
      return state.asserted ? 1 : 0;
    case raised:
      return state.raised;
    case merged:
      return state.merged;
    case cleared:
      return state.cleared;
    case time_low:
      return static_cast<u32>(state.last.value);
    case time_high:
      return static_cast<u32>(state.last.value >> 32);
    default:
      return 0;
  }
}

u64 InterruptTester::peek(Region region, u64 offset, AccessSize size) const {
  if (region == messages) {
    return offset < pending_offset ? interrupts_.table(offset, size)
                                   : interrupts_.pending(offset - pending_offset, size);
  }
  u64 value = 0;
  for (u64 i = 0; i < size.value; ++i) {
    const u64 at = offset + i;
    value |= u64{register_at(at & ~u64{3}) >> 8 * (at & 3) & 0xFF} << 8 * i;
  }
  return value;
}

void InterruptTester::write(Region region, u64 offset, AccessSize size, u64 value) {
  if (region == messages) {
    state_ = current();
    if (offset < pending_offset) interrupts_.write_table(offset, size, value);
    return arrange();
  }
  if (size.value == 4 && offset % 4 == 0) write_register(offset, static_cast<u32>(value));
}

void InterruptTester::write_register(u64 offset, u32 value) {
  state_ = current();
  switch (offset) {
    case vector:
      state_.vector = value;
      break;
    case delay:
      state_.delay = value;
      break;
    case period:
      state_.period = value;
      break;
    case start:
      begin(value);
      break;
    case status:
      if ((value & 1) == 0 || !state_.asserted) break;
      state_.asserted = false;
      ++state_.cleared;
      break;
    case raised:
      state_.raised = value;
      break;
    case merged:
      state_.merged = value;
      break;
    case cleared:
      state_.cleared = value;
      break;
    default:
      break;
  }
  update();
}

void InterruptTester::begin(u32 count) {
  state_.remaining = count;
  state_.next = context_.clock.now() + state_.delay;
  if (count != 0 && state_.delay == 0) raise();
}

void InterruptTester::raise() {
  --state_.remaining;
  ++state_.raised;
  state_.last = context_.clock.now();
  state_.next = state_.last + std::max(state_.period, u32{1});
  if (interrupts_.way() != PciInterrupts::Way::Pin) {
    interrupts_.send(static_cast<u8>(state_.vector), command_cause);
    return;
  }
  if (state_.asserted) ++state_.merged;
  state_.asserted = true;
}

void InterruptTester::arrange() {
  state_.rest = state_.remaining != 0 ? rest() : Rest::None;
  if (state_.remaining == 0 || state_.rest != Rest::None) return context_.events.cancel(context_.id, due);
  context_.events.reschedule(state_.next, context_.id, due);
}

void InterruptTester::event(u16, u64) {
  if (state_.remaining != 0 && state_.rest == Rest::None) raise();
  update();
}

void InterruptTester::config_written(u8, AccessSize) {
  state_ = current();
  interrupts_.config_written();
  arrange();
}

void InterruptTester::update() {
  interrupts_.set_pin(state_.asserted ? Level::High : Level::Low, command_cause);
  arrange();
}

void InterruptTester::exchange(Archive& archive) {
  archive.section(name(), 2);
  archive(state_.vector, state_.delay, state_.period, state_.remaining, state_.asserted, state_.raised, state_.merged,
          state_.cleared, state_.last, state_.next, state_.rest, config_, interrupts_);
  if (archive.loading() && state_.rest > Rest::Message) archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
