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

u32 InterruptTester::register_at(u64 offset) const {
  switch (offset) {
    case id:
      return id_value;
    case way:
      return static_cast<u32>(interrupts_.way());
    case vector:
      return state_.vector;
    case delay:
      return state_.delay;
    case period:
      return state_.period;
    case start:
      return state_.remaining;
    case status:
      return state_.asserted ? 1 : 0;
    case raised:
      return state_.raised;
    case merged:
      return state_.merged;
    case cleared:
      return state_.cleared;
    case time_low:
      return static_cast<u32>(state_.last.value);
    case time_high:
      return static_cast<u32>(state_.last.value >> 32);
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
    if (offset < pending_offset) interrupts_.write_table(offset, size, value);
    return;
  }
  if (size.value == 4 && offset % 4 == 0) write_register(offset, static_cast<u32>(value));
}

void InterruptTester::write_register(u64 offset, u32 value) {
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
  context_.events.cancel(context_.id, due);
  state_.remaining = count;
  if (count == 0) return;
  if (state_.delay == 0) return raise();
  context_.events.schedule(context_.clock.now() + state_.delay, context_.id, due);
}

void InterruptTester::raise() {
  --state_.remaining;
  ++state_.raised;
  state_.last = context_.clock.now();
  if (state_.remaining != 0) {
    context_.events.schedule(context_.clock.now() + std::max(state_.period, u32{1}), context_.id, due);
  }
  if (interrupts_.way() != PciInterrupts::Way::Pin) {
    interrupts_.send(static_cast<u8>(state_.vector), command_cause);
    return;
  }
  if (state_.asserted) ++state_.merged;
  state_.asserted = true;
}

void InterruptTester::event(u16, u64) {
  if (state_.remaining != 0) raise();
  update();
}

void InterruptTester::config_written(u8, AccessSize) { interrupts_.config_written(); }

void InterruptTester::update() { interrupts_.set_pin(state_.asserted ? Level::High : Level::Low, command_cause); }

void InterruptTester::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.vector, state_.delay, state_.period, state_.remaining, state_.asserted, state_.raised, state_.merged,
          state_.cleared, state_.last, config_, interrupts_);
}

}  // namespace vitrine
