#include "machine/devices/parallel/parallel.hpp"

#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {

enum Register : u8 { register_data, register_status, register_control };

// Status, as the port reads it: BUSY (pin inverted), nACK, paper end, select, nERROR, interrupt (0: occurred).
constexpr u8 status_not_busy = 0x80, status_ack_high = 0x40, status_selected = 0x10, status_no_error = 0x08,
             status_no_interrupt = 0x04, status_undriven = 0x03;
// Control: strobe, auto feed, nINIT, select in, interrupt enable.
constexpr unsigned control_strobe = 0, control_not_init = 2, control_interrupt = 4;
constexpr u8 control_writable = 0x1F, control_undriven = 0xE0;

constexpr u64 strobe_to_ack = 2'000;  // ns; IEEE 1284 lets the printer take as long as it likes
constexpr u64 ack_width = 5'000;      // ns; IEEE 1284: 0.5 to 10 us

enum EventKind : u16 { event_ack_falls, event_ack_rises };

}  // namespace

ParallelPort::ParallelPort(DeviceContext context, std::string_view name, Channel channel, LineDriver irq,
                           Outputs& outputs)
    : context_(context), name_(name), channel_(channel), irq_(irq), records_(context, irq), outputs_(outputs) {}

void ParallelPort::reset() {
  stop_printer();
  state_ = State{};
  update();
}

void ParallelPort::exchange(Archive& archive) {
  archive.section(name_, 2);
  archive(state_);
}

bool ParallelPort::printer_is_in_reset() const { return !bit(state_.control, control_not_init); }

u8 ParallelPort::value_at(u64 offset) const {
  switch (offset) {
    case register_data:
      return state_.data;
    case register_status: {
      const bool busy = state_.busy || printer_is_in_reset();
      return static_cast<u8>((busy ? 0 : status_not_busy) | (state_.ack_low ? 0 : status_ack_high) | status_selected |
                             status_no_error | (state_.acknowledged ? 0 : status_no_interrupt) | status_undriven);
    }
    case register_control:
      return static_cast<u8>(control_undriven | state_.control);
    default:
      return 0xFF;
  }
}

u64 ParallelPort::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) value |= u64{value_at(offset + i)} << 8 * i;
  return value;
}

u64 ParallelPort::read(Region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) {
    value |= u64{value_at(offset + i)} << 8 * i;
    if (offset + i == register_status) state_.acknowledged = false;
  }
  update();
  return value;
}

void ParallelPort::write(Region, u64 offset, AccessSize size, u64 value) {
  for (unsigned i = 0; i < size.value; ++i) {
    const u8 byte = static_cast<u8>(value >> 8 * i);
    if (offset + i == register_data) state_.data = byte;
    if (offset + i == register_control) write_control(byte & control_writable);
  }
  update();
}

void ParallelPort::write_control(u8 value) {
  const bool strobe_begins = bit(value, control_strobe) && !bit(state_.control, control_strobe);
  const Setting here = records_.here();
  if (bit(value, control_interrupt) != bit(state_.control, control_interrupt)) state_.interrupt_switched = here;
  // The strobe itself decides nothing.
  records_.programmed(DeviceRegister::ParallelControl, with_bit(state_.control, control_strobe, false),
                      with_bit(value, control_strobe, false), here.by);
  state_.control = value;
  if (!bit(value, control_interrupt)) state_.acknowledged = false;
  if (printer_is_in_reset()) return stop_printer();
  if (!strobe_begins || state_.busy) return;
  state_.busy = true;
  context_.events.schedule(context_.clock.now() + strobe_to_ack, context_.id, event_ack_falls);
  outputs_.byte_out(channel_, state_.data);
}

void ParallelPort::stop_printer() {
  context_.events.cancel(context_.id, event_ack_falls);
  context_.events.cancel(context_.id, event_ack_rises);
  state_.busy = state_.ack_low = false;
}

void ParallelPort::event(u16 kind, u64) {
  if (kind == event_ack_falls) {
    state_.ack_low = true;
    state_.acknowledged = false;
    context_.events.schedule(context_.clock.now() + ack_width, context_.id, event_ack_rises);
  } else {
    state_.ack_low = state_.busy = false;
    state_.acknowledged = bit(state_.control, control_interrupt);
    if (!state_.acknowledged) {
      records_.withheld(state_.told, {WithheldCause::InterruptEnableOff, state_.interrupt_switched},
                        std::to_underlying(Cause::Acknowledged));
    }
  }
  update();
}

void ParallelPort::update() {
  irq_.set(interrupt_wanted() ? Level::High : Level::Low, std::to_underlying(Cause::Acknowledged));
}

}  // namespace vitrine
