#include "machine/devices/uart16550/uart16550.hpp"

#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {

constexpr unsigned clocks_per_bit_at_divisor_one = 16;

enum Register : u8 {
  register_data,
  register_interrupt_enable,
  register_interrupt_identification,
  register_line_control,
  register_modem_control,
  register_line_status,
  register_modem_status
};
constexpr u64 scratch_register = 7;

// IER (DS 8.7)
constexpr unsigned ier_received = 0, ier_empty = 1, ier_line = 2, ier_modem = 3;
// LSR (DS 8.3)
constexpr u8 lsr_data_ready = 0x01, lsr_overrun = 0x02, lsr_framing = 0x08, lsr_break = 0x10, lsr_holding_empty = 0x20,
             lsr_all_empty = 0x40, lsr_error_in_fifo = 0x80;
constexpr u8 character_errors = 0x1C;
// LCR (DS 8.1)
constexpr unsigned lcr_two_stop_bits = 2, lcr_parity = 3, lcr_break = 6, lcr_dlab = 7;
// MCR (DS 8.6)
constexpr unsigned mcr_dtr = 0, mcr_rts = 1, mcr_out1 = 2, mcr_out2 = 3, mcr_loop = 4;

/// The causes, highest first, with their enables in IER (DS table 4).
struct Switched {
  Uart16550::Cause cause;
  unsigned enable;
};
constexpr std::array causes = {
    Switched{Uart16550::Cause::LineStatus, ier_line}, Switched{Uart16550::Cause::ReceivedData, ier_received},
    Switched{Uart16550::Cause::CharacterTimeout, ier_received}, Switched{Uart16550::Cause::TransmitterEmpty, ier_empty},
    Switched{Uart16550::Cause::ModemStatus, ier_modem}};

enum EventKind : u16 {
  event_shifted,
  event_empty_indication,
  event_arrived,
  event_character_timed_out,
  event_break_looped
};
constexpr u16 event_kinds = 5;

// Polling for input, as distinct from polling for room to send: see listening().
constexpr u8 polls_that_tell = 16;
constexpr u64 polling_pause = 10'000'000;  // ns
constexpr std::size_t most_incoming = 65536;

}  // namespace

void Uart16550::Fifo::exchange(Archive& archive) {
  archive(items, first, count);
  if (first >= fifo_size || count > fifo_size) {
    archive.refuse(Archive::Error::BadValue);
    first = count = 0;
  }
}

void Uart16550::State::exchange(Archive& archive) {
  archive(divisor, interrupt_enable, fifos_enabled, trigger, line_control, modem_control, scratch, line_errors, far_end,
          modem_inputs, modem_deltas, received, to_send, shifting, shift_register, shift_end, transmitter_empty,
          two_were_queued, first_since_mode_change, character_timeout);
  archive.sequence(incoming, most_incoming);
  archive(arrival_end, idle_polls, last_idle_poll, enable_settings, modem_settings, told);
}

Uart16550::Uart16550(DeviceContext context, std::string_view name, Channel channel, LineDriver irq, Outputs& outputs,
                     u64 crystal_hz)
    : context_(context),
      name_(name),
      channel_(channel),
      irq_(irq),
      records_(context, irq),
      outputs_(outputs),
      crystal_{crystal_hz} {}

void Uart16550::reset() {
  for (u16 kind = 0; kind < event_kinds; ++kind) context_.events.cancel(context_.id, kind);
  const u8 far_end = state_.far_end;
  state_ = State{};
  state_.far_end = state_.modem_inputs = far_end;
  update();
}

void Uart16550::exchange(Archive& archive) {
  archive.section(name_, 2);
  archive(state_);
}

// Questions.

bool Uart16550::loopback() const { return bit(state_.modem_control, mcr_loop); }
bool Uart16550::dlab() const { return bit(state_.line_control, lcr_dlab); }

u8 Uart16550::trigger_level() const {
  static constexpr u8 levels[] = {1, 4, 8, 14};  // DS 8.4.1
  return state_.fifos_enabled ? levels[state_.trigger & 3] : 1;
}

u8 Uart16550::data_mask() const { return static_cast<u8>(0xFF >> (3 - (state_.line_control & 3))); }

u64 Uart16550::clocks_now() const { return crystal_.counts_at(context_.clock.now()); }

u64 Uart16550::clocks_per_half_bit() const {
  // unverified: a divisor of 0 counts as 65536 (the data sheet allows 1 to 65535)
  return (state_.divisor == 0 ? 65536u : state_.divisor) * u64{clocks_per_bit_at_divisor_one / 2};
}

u64 Uart16550::clocks_of_last_stop_bit() const {
  // Five data bits have one and a half stop bits in place of two (DS 8.1, bit 2).
  const bool half = bit(state_.line_control, lcr_two_stop_bits) && (state_.line_control & 3) == 0;
  return clocks_per_half_bit() * (half ? 1 : 2);
}

u64 Uart16550::clocks_per_character() const {
  const u64 data_bits = 5 + (state_.line_control & 3);
  const u64 parity_bits = bit(state_.line_control, lcr_parity) ? 1 : 0;
  const u64 whole_stop_bits = bit(state_.line_control, lcr_two_stop_bits) ? 1 : 0;
  return clocks_per_half_bit() * 2 * (1 + data_bits + parity_bits + whole_stop_bits) + clocks_of_last_stop_bit();
}

u8 Uart16550::line_status() const {
  u8 status = state_.line_errors;
  if (state_.received.count > 0) status |= lsr_data_ready;
  if (state_.to_send.count == 0) status |= lsr_holding_empty;
  if (state_.to_send.count == 0 && !state_.shifting) status |= lsr_all_empty;
  if (state_.fifos_enabled) {
    for (u8 i = 0; i < state_.received.count; ++i) {
      if (state_.received.items[(state_.received.first + i) % fifo_size].errors != 0) status |= lsr_error_in_fifo;
    }
  }
  return status;
}

bool Uart16550::has_cause(Cause cause) const {
  switch (cause) {
    case Cause::None:
      return false;
    case Cause::LineStatus:
      return state_.line_errors != 0;
    case Cause::ReceivedData:
      return state_.received.count >= trigger_level();
    case Cause::CharacterTimeout:
      return state_.character_timeout;
    case Cause::TransmitterEmpty:
      return state_.transmitter_empty;
    case Cause::ModemStatus:
      return state_.modem_deltas != 0;
  }
  return false;
}

Uart16550::Cause Uart16550::pending_cause() const {
  for (const Switched& each : causes) {
    if (bit(state_.interrupt_enable, each.enable) && has_cause(each.cause)) return each.cause;
  }
  return Cause::None;
}

u8 Uart16550::interrupt_identification() const {
  static constexpr u8 codes[] = {0x1, 0x6, 0x4, 0xC, 0x2, 0x0};  // DS table 4, by Cause
  return static_cast<u8>(codes[std::to_underlying(pending_cause())] | (state_.fifos_enabled ? 0xC0 : 0));
}

bool Uart16550::interrupt_wanted() const {
  return pending_cause() != Cause::None && bit(state_.modem_control, mcr_out2) && !loopback();
}

bool Uart16550::can_receive() const {
  return state_.incoming.empty() && state_.received.count < capacity() && !loopback();
}

bool Uart16550::listening() const {
  if (bit(state_.interrupt_enable, ier_received)) return true;
  return state_.idle_polls >= polls_that_tell && context_.clock.now() <= state_.last_idle_poll + polling_pause;
}

u8 Uart16550::value_at(u64 offset) const {
  switch (offset) {
    case register_data:
      if (dlab()) return static_cast<u8>(state_.divisor);
      return state_.received.top().data;
    case register_interrupt_enable:
      return dlab() ? static_cast<u8>(state_.divisor >> 8) : state_.interrupt_enable;
    case register_interrupt_identification:
      return interrupt_identification();
    case register_line_control:
      return state_.line_control;
    case register_modem_control:
      return state_.modem_control;
    case register_line_status:
      return line_status();
    case register_modem_status:
      return state_.modem_inputs | state_.modem_deltas;
    case scratch_register:
      return state_.scratch;
    default:
      return 0xFF;
  }
}

// The guest's accesses. A wider one goes to ports one after the other, lowest first.

u64 Uart16550::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) value |= u64{value_at(offset + i)} << 8 * i;
  return value;
}

u64 Uart16550::read(Region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) value |= u64{read_byte(offset + i)} << 8 * i;
  update();
  return value;
}

void Uart16550::write(Region, u64 offset, AccessSize size, u64 value) {
  for (unsigned i = 0; i < size.value; ++i) write_byte(offset + i, static_cast<u8>(value >> 8 * i));
  update();
}

u8 Uart16550::read_byte(u64 offset) {
  const u8 value = value_at(offset);
  switch (offset) {
    case register_data:
      return dlab() ? value : read_received();
    case register_interrupt_identification:
      if (pending_cause() == Cause::TransmitterEmpty) state_.transmitter_empty = false;
      return value;
    case register_line_status:
      return read_line_status();
    case register_modem_status:
      state_.modem_deltas = 0;
      return value;
    default:
      return value;
  }
}

u8 Uart16550::read_received() {
  const u8 value = state_.received.top().data;
  if (state_.received.count == 0) return value;
  // Without FIFOs, RBR keeps the character: only DR goes.
  state_.received.pop();
  if (!state_.fifos_enabled) state_.received.top().data = value;
  state_.character_timeout = false;
  reveal_errors();
  restart_timeout();
  return value;
}

u8 Uart16550::read_line_status() {
  const u8 value = line_status();
  state_.line_errors = 0;
  if (state_.received.count > 0) state_.received.top().errors = 0;
  if ((value & (lsr_data_ready | lsr_all_empty)) == lsr_all_empty) {
    state_.idle_polls = static_cast<u8>(state_.idle_polls < polls_that_tell ? state_.idle_polls + 1 : polls_that_tell);
    state_.last_idle_poll = context_.clock.now();
  }
  return value;
}

void Uart16550::write_byte(u64 offset, u8 value) {
  switch (offset) {
    case register_data:
      if (dlab()) {
        state_.divisor = static_cast<u16>((state_.divisor & 0xFF00) | value);
      } else {
        write_holding(value);
      }
      return;
    case register_interrupt_enable:
      if (dlab()) {
        state_.divisor = static_cast<u16>((state_.divisor & 0x00FF) | value << 8);
      } else {
        write_interrupt_enable(value);
      }
      return;
    case register_interrupt_identification:
      return write_fifo_control(value);
    case register_line_control:
      return write_line_control(value);
    case register_modem_control:
      return write_modem_control(value & 0x1F);
    case scratch_register:
      state_.scratch = value;
      return;
    default:  // LSR and MSR: read only (DS 8.3: LSR writes are for factory tests)
      return;
  }
}

void Uart16550::write_holding(u8 value) {
  state_.idle_polls = 0;
  state_.transmitter_empty = false;
  context_.events.cancel(context_.id, event_empty_indication);
  if (state_.to_send.count >= capacity()) {
    if (state_.fifos_enabled) return;  // unverified: a full FIFO drops what is written
    state_.to_send.pop();
  }
  state_.to_send.push({value, 0});
  if (state_.to_send.count >= 2) state_.two_were_queued = true;
  start_shifting(clocks_now());
}

void Uart16550::write_interrupt_enable(u8 value) {
  const bool was_enabled = bit(state_.interrupt_enable, ier_empty);
  value &= 0x0F;
  const Setting here = records_.here();
  state_.enable_settings.note(state_.interrupt_enable, value, here);
  records_.programmed(DeviceRegister::UartInterruptEnable, std::exchange(state_.interrupt_enable, value), value,
                      here.by);
  // Enabling the interrupt while THR is empty asks at once; drivers count on it (Linux 8250: the THRE test).
  if (!was_enabled && bit(value, ier_empty) && state_.to_send.count == 0) state_.transmitter_empty = true;
}

void Uart16550::write_modem_control(u8 value) {
  const Setting here = records_.here();
  state_.modem_settings.note(state_.modem_control, value, here);
  records_.programmed(DeviceRegister::UartModemControl, std::exchange(state_.modem_control, value), value, here.by);
  sample_modem_lines();
}

void Uart16550::write_fifo_control(u8 value) {
  const bool enable = bit(value, 0);
  if (enable != state_.fifos_enabled) {
    // A change of bit 0 clears both FIFOs (DS 8.4).
    clear_receiver();
    clear_transmitter();
    state_.fifos_enabled = enable;
    state_.first_since_mode_change = true;
  }
  if (!enable) {
    state_.trigger = 0;
    return;  // the other bits are programmed only together with bit 0 (DS 8.4)
  }
  if (bit(value, 1)) clear_receiver();
  if (bit(value, 2)) clear_transmitter();
  state_.trigger = static_cast<u8>(value >> 6);
}

void Uart16550::write_line_control(u8 value) {
  const bool break_begins = bit(value, lcr_break) && !bit(state_.line_control, lcr_break);
  state_.line_control = value;
  if (break_begins && loopback()) schedule(event_break_looped, clocks_now() + clocks_per_character());
}

void Uart16550::clear_receiver() {
  state_.received = Fifo{};
  state_.character_timeout = false;
  context_.events.cancel(context_.id, event_character_timed_out);
}

void Uart16550::clear_transmitter() {
  // The shift register is not cleared (DS 8.4, bit 2).
  if (state_.to_send.count == 0) return;
  state_.to_send = Fifo{};
  state_.two_were_queued = false;
  state_.transmitter_empty = true;
}

// Sending.

void Uart16550::schedule(u16 kind, u64 at_clock) {
  context_.events.reschedule(crystal_.tick_of(at_clock), context_.id, kind);
}

void Uart16550::start_shifting(u64 at_clock) {
  if (state_.shifting || state_.to_send.count == 0) return;
  state_.shift_register = state_.to_send.pop().data;
  state_.shifting = true;
  state_.shift_end = at_clock + clocks_per_character();
  schedule(event_shifted, state_.shift_end);
  if (state_.to_send.count == 0) holding_emptied();
}

void Uart16550::holding_emptied() {
  // DS 8.4.2 B: with FIFOs, the indication waits a character less its last stop bit unless two bytes were queued at
  // the same time, so that a driver that sends byte by byte is not interrupted twice for each.
  const bool late = state_.fifos_enabled && !state_.two_were_queued && !state_.first_since_mode_change;
  state_.two_were_queued = false;
  state_.first_since_mode_change = false;
  if (late) {
    schedule(event_empty_indication, state_.shift_end - clocks_of_last_stop_bit());
  } else {
    state_.transmitter_empty = true;
  }
}

void Uart16550::shifted() {
  const u8 byte = state_.shift_register & data_mask();
  state_.shifting = false;
  if (loopback()) {
    deliver({byte, 0});
  } else if (!bit(state_.line_control, lcr_break)) {
    outputs_.byte_out(channel_, byte);
  }
  start_shifting(state_.shift_end);
}

// Receiving.

void Uart16550::receive(u8 byte) {
  if (state_.incoming.size() >= most_incoming) return;
  state_.incoming.push_back({byte, 0});
  if (state_.incoming.size() == 1) start_arrival(clocks_now());
}

void Uart16550::receive_break() {
  if (state_.incoming.size() >= most_incoming) return;
  // unverified: a break is a framing error too, since its stop bit is low
  state_.incoming.push_back({0, lsr_break | lsr_framing});
  if (state_.incoming.size() == 1) start_arrival(clocks_now());
}

void Uart16550::start_arrival(u64 at_clock) {
  state_.arrival_end = at_clock + clocks_per_character();
  schedule(event_arrived, state_.arrival_end);
}

void Uart16550::arrived() {
  if (state_.incoming.empty()) return;
  const Character character = state_.incoming.front();
  state_.incoming.erase(state_.incoming.begin());
  if (!state_.incoming.empty()) start_arrival(state_.arrival_end);
  // Loopback disconnects the input pin (DS 8.6.5).
  if (!loopback()) deliver({static_cast<u8>(character.data & data_mask()), character.errors});
}

void Uart16550::deliver(Character character) {
  if (state_.received.count >= capacity()) {
    state_.line_errors |= lsr_overrun;
    // DS 8.3, bit 1: the FIFO keeps what it has; RBR without FIFOs gets the new character.
    if (!state_.fifos_enabled) state_.received.top() = character;
  } else {
    state_.received.push(character);
  }
  reveal_errors();
  restart_timeout();
}

void Uart16550::reveal_errors() {
  // A character's errors show when it is at the top of the FIFO (DS 8.3, bits 2 to 4).
  if (state_.received.count > 0) state_.line_errors |= state_.received.top().errors & character_errors;
}

void Uart16550::restart_timeout() {
  // DS 8.4.1: four character times since the last arrival or read.
  if (state_.fifos_enabled && state_.received.count > 0) {
    schedule(event_character_timed_out, clocks_now() + 4 * clocks_per_character());
  } else {
    context_.events.cancel(context_.id, event_character_timed_out);
  }
}

// Modem lines.

void Uart16550::set_modem_lines(u8 lines) {
  state_.far_end = lines & 0xF0;
  sample_modem_lines();
  update();
}

void Uart16550::sample_modem_lines() {
  const u8 control = state_.modem_control;
  u8 inputs = state_.far_end;
  if (loopback()) {  // DS 8.6.5: CTS from RTS, DSR from DTR, RI from OUT1, DCD from OUT2
    inputs =
        static_cast<u8>((bit(control, mcr_rts) ? clear_to_send : 0) | (bit(control, mcr_dtr) ? data_set_ready : 0) |
                        (bit(control, mcr_out1) ? ring_indicator : 0) | (bit(control, mcr_out2) ? carrier_detect : 0));
  }
  const u8 changed = inputs ^ state_.modem_inputs;
  // RI counts only at its trailing edge (DS 8.8, bit 2).
  const u8 counted = changed & static_cast<u8>(~(inputs & ring_indicator));
  state_.modem_deltas |= static_cast<u8>(counted >> 4);
  state_.modem_inputs = inputs;
}

void Uart16550::event(u16 kind, u64) {
  switch (kind) {
    case event_shifted:
      shifted();
      break;
    case event_empty_indication:
      if (state_.to_send.count == 0) state_.transmitter_empty = true;
      break;
    case event_arrived:
      arrived();
      break;
    case event_character_timed_out:
      state_.character_timeout = state_.fifos_enabled && state_.received.count > 0;
      break;
    case event_break_looped:
      if (loopback() && bit(state_.line_control, lcr_break)) deliver({0, lsr_break | lsr_framing});
      break;
    default:
      break;
  }
  update();
}

void Uart16550::report_withheld() {
  const Cause pending = pending_cause();
  const bool gated = pending != Cause::None && !interrupt_wanted();
  if (gated) {
    const Setting& gate = state_.modem_settings.of(loopback() ? mcr_loop : mcr_out2);
    const u8 cause = std::to_underlying(pending);
    records_.withheld(state_.told[cause], {WithheldCause::OutputGateOff, gate}, cause);
  }
  for (const Switched& each : causes) {
    const Setting& setting = state_.enable_settings.of(each.enable);
    // Drivers switch these two off while they have nothing to send, and no wish to know. A guest that polls makes the
    // first of them come and go with each character.
    const bool by_choice = each.cause == Cause::TransmitterEmpty || each.cause == Cause::ModemStatus;
    const u8 cause = std::to_underlying(each.cause);
    if (bit(state_.interrupt_enable, each.enable) || !has_cause(each.cause)) {
      if (!by_choice && !(gated && each.cause == pending)) records_.not_withheld(state_.told[cause], cause);
      continue;
    }
    if (by_choice && setting != Setting{}) continue;
    records_.withheld(state_.told[cause], {WithheldCause::InterruptEnableOff, setting}, cause);
  }
}

void Uart16550::update() {
  report_withheld();
  irq_.set(interrupt_wanted() ? Level::High : Level::Low, std::to_underlying(pending_cause()));
}

}  // namespace vitrine
