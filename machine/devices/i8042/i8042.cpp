#include "machine/devices/i8042/i8042.hpp"

#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {

constexpr u64 byte_time = 1'000'000;  // ns on the serial line

// Command byte (PS/2, "Controller command byte").
constexpr unsigned keyboard_interrupt = 0, mouse_interrupt = 1, system_flag = 2, keyboard_off = 4, mouse_off = 5,
                   translate = 6;
// Status (PS/2, "Status register").
constexpr u8 status_output_full = 0x01, status_input_full = 0x02, status_system = 0x04, status_command = 0x08,
             status_unlocked = 0x10, status_mouse_output = 0x20;
constexpr u8 input_port = 0xB0;  // keyboard not locked, colour display, no manufacturing jumper
constexpr u8 self_test_passed = 0x55, interface_works = 0x00, no_password = 0xF1;

enum Command : u8 {
  command_read_ram = 0x20,
  command_write_ram = 0x60,
  command_test_password = 0xA4,
  command_load_password = 0xA5,
  command_enable_password = 0xA6,
  command_disable_mouse = 0xA7,
  command_enable_mouse = 0xA8,
  command_test_mouse_port = 0xA9,
  command_self_test = 0xAA,
  command_test_keyboard_port = 0xAB,
  command_disable_keyboard = 0xAD,
  command_enable_keyboard = 0xAE,
  command_read_input_port = 0xC0,
  command_read_output_port = 0xD0,
  command_write_output_port = 0xD1,
  command_write_keyboard_output = 0xD2,
  command_write_mouse_output = 0xD3,
  command_write_to_mouse = 0xD4,
  command_disable_a20 = 0xDD,  // not IBM's; Linux's start-up code and many others send 0xDF
  command_enable_a20 = 0xDF,
  command_read_test_inputs = 0xE0,
  command_pulse_outputs = 0xF0
};

enum EventKind : u16 {
  event_sent,
  event_received,
  event_keyboard_tested,
  event_mouse_tested,
  event_mouse_report,
  event_output_unread
};
constexpr u16 event_kinds = 6;

// See listening().
constexpr u8 polls_that_tell = 16;
constexpr u64 polling_pause = 10'000'000;  // ns
constexpr u64 settled = 100'000'000;       // ns since the guest last wrote to the controller

/// The commands that a data byte follows.
bool takes_data(u8 command) {
  return (command >= command_write_ram && command < command_write_ram + 0x20) || command == command_load_password ||
         (command >= command_write_output_port && command <= command_write_to_mouse);
}

bool from_mouse_port(I8042::Cause cause) { return cause == I8042::Cause::Mouse || cause == I8042::Cause::MouseLoop; }

}  // namespace

I8042::I8042(DeviceContext context, LineDriver keyboard_irq, LineDriver mouse_irq, MachineControl& control)
    : context_(context),
      keyboard_irq_(keyboard_irq),
      mouse_irq_(mouse_irq),
      keyboard_records_(context, keyboard_irq),
      mouse_records_(context, mouse_irq),
      control_(control) {}

void I8042::reset() {
  for (u16 kind = 0; kind < event_kinds; ++kind) context_.events.cancel(context_.id, kind);
  state_ = State{};
  update();
}

void I8042::State::exchange(Archive& archive) {
  archive(ram, output_full, output, output_cause, reply_waits, reply, reply_cause, input_full, input_is_command, input,
          last_was_command, awaits_data_of, sending, sent_byte, receiving, translator, keyboard, mouse, programmed,
          idle_polls, last_idle_poll, last_write);
  archive(input_by, sent_by, writer, output_since, command_settings, keyboard_switched, mouse_switched, not_enabled,
          keyboard_quiet, mouse_quiet, keyboard_waits, mouse_waits);
  if (output_cause > Cause::MouseLoop || reply_cause > Cause::MouseLoop || sending > Port::Mouse ||
      receiving > Port::Mouse || (awaits_data_of != 0 && !takes_data(awaits_data_of))) {
    archive.refuse(Archive::Error::BadValue);
    *this = {};
  }
}

void I8042::exchange(Archive& archive) {
  archive.section("i8042", 2);
  archive(state_);
}

// Questions.

bool I8042::command_bit(unsigned position) const { return bit(state_.ram[0], position); }

u8 I8042::status() const {
  u8 value = status_unlocked;
  if (state_.output_full) value |= status_output_full;
  if (state_.output_full && from_mouse_port(state_.output_cause)) value |= status_mouse_output;
  if (state_.input_full) value |= status_input_full;
  if (command_bit(system_flag)) value |= status_system;
  if (state_.last_was_command) value |= status_command;
  return value;
}

u8 I8042::output_port() const {
  // Bit 0 is the reset line (1: not pulled), 1 A20, 4 and 5 the interrupts, 3 and 6 the clocks (PS/2, "Output port").
  const bool mouse_byte = state_.output_full && from_mouse_port(state_.output_cause);
  const bool keyboard_byte = state_.output_full && !mouse_byte;
  return static_cast<u8>(0x01 | (control_.a20() ? 0x02 : 0) | (command_bit(mouse_off) ? 0x08 : 0) |
                         (keyboard_byte ? 0x10 : 0) | (mouse_byte ? 0x20 : 0) | (command_bit(keyboard_off) ? 0x40 : 0));
}

bool I8042::keyboard_waits() const {
  return state_.output_full && !command_bit(keyboard_off) && state_.keyboard.has_byte();
}

bool I8042::mouse_waits() const { return state_.output_full && !command_bit(mouse_off) && state_.mouse.has_byte(); }

bool I8042::keyboard_interrupt_wanted() const {
  return state_.output_full && !from_mouse_port(state_.output_cause) && command_bit(keyboard_interrupt);
}

bool I8042::mouse_interrupt_wanted() const {
  return state_.output_full && from_mouse_port(state_.output_cause) && command_bit(mouse_interrupt);
}

bool I8042::ready_for_key() const {
  return !command_bit(keyboard_off) && state_.sending == Port::None && !state_.input_full &&
         state_.awaits_data_of == 0 && state_.keyboard.ready_for_key();
}

bool I8042::listening() const {
  const Tick now = context_.clock.now();
  if (!ready_for_key() || now < state_.last_write + settled) return false;
  const bool polls = state_.idle_polls >= polls_that_tell && now <= state_.last_idle_poll + polling_pause;
  return polls || (state_.programmed && command_bit(keyboard_interrupt));
}

u64 I8042::peek(Region region, u64 offset, AccessSize) const {
  if (offset != 0) return 0xFF;
  return region == data_port ? state_.output : status();
}

// The guest's accesses.

void I8042::accessed(u64 where) {
  keyboard_irq_.attended(where);
  mouse_irq_.attended(where);
}

// Each window is one port wide, so that a wider access reaches neighbours through the bus.

u64 I8042::read(Region region, u64 offset, AccessSize) {
  if (offset != 0) return 0xFF;
  const u8 value = region == data_port ? read_output() : read_status();
  update();
  return value;
}

void I8042::write(Region region, u64 offset, AccessSize, u64 value) {
  if (offset != 0) return;
  state_.last_write = context_.clock.now();
  state_.idle_polls = 0;
  accept(static_cast<u8>(value), region == command_port);
  update();
}

u8 I8042::read_status() {
  const u8 value = status();
  const bool nothing_under_way =
      state_.sending == Port::None && state_.receiving == Port::None && (value & status_output_full) == 0;
  if (nothing_under_way) {
    if (state_.idle_polls < polls_that_tell) ++state_.idle_polls;
    state_.last_idle_poll = context_.clock.now();
  }
  return value;
}

u8 I8042::read_output() {
  const u8 value = state_.output;
  state_.output_full = false;
  if (state_.reply_waits) {
    drive_lines();  // low between two bytes
    state_.reply_waits = false;
    fill_output(state_.reply, state_.reply_cause);
  }
  return value;
}

void I8042::accept(u8 byte, bool is_command) {
  const u64 by = keyboard_records_.here().by;
  state_.last_was_command = is_command;
  if (state_.sending != Port::None) {
    state_.input = byte;
    state_.input_is_command = is_command;
    state_.input_full = true;
    state_.input_by = by;
    return;
  }
  state_.writer = by;
  process(byte, is_command);
}

void I8042::process(u8 byte, bool is_command) {
  if (is_command) {
    state_.awaits_data_of = 0;
    return controller_command(byte);
  }
  const u8 command = std::exchange(state_.awaits_data_of, u8{0});
  if (command != 0) return controller_data(command, byte);
  set_command_bit(keyboard_off, false);  // sending switches the interface on (PS/2, "Sending data to the keyboard")
  state_.programmed = true;
  send(Port::Keyboard, byte);
}

void I8042::set_command_byte(u8 value) {
  state_.command_settings.note(state_.ram[0], value, {state_.writer, context_.clock.now()});
  keyboard_records_.programmed(DeviceRegister::KeyboardController, state_.ram[0], value, state_.writer);
  state_.ram[0] = value;
}

void I8042::set_command_bit(unsigned position, bool set) { set_command_byte(with_bit(state_.ram[0], position, set)); }

void I8042::controller_command(u8 command) {
  if (command >= command_read_ram && command < command_read_ram + 0x20)
    return reply(state_.ram[command - command_read_ram]);
  if (command >= command_write_ram && command < command_write_ram + 0x20) {
    state_.awaits_data_of = command;
    return;
  }
  switch (command) {
    case command_test_password:
      return reply(no_password);
    case command_load_password:
    case command_write_output_port:
    case command_write_keyboard_output:
    case command_write_mouse_output:
    case command_write_to_mouse:
      state_.awaits_data_of = command;
      return;
    case command_disable_mouse:
      return set_command_bit(mouse_off, true);
    case command_enable_mouse:
      return set_command_bit(mouse_off, false);
    case command_test_mouse_port:
    case command_test_keyboard_port:
      return reply(interface_works);
    case command_self_test:
      set_command_bit(system_flag, true);
      return reply(self_test_passed);
    case command_disable_keyboard:
      return set_command_bit(keyboard_off, true);
    case command_enable_keyboard:
      return set_command_bit(keyboard_off, false);
    case command_read_input_port:
      return reply(input_port);
    case command_read_output_port:
      return reply(output_port());
    case command_disable_a20:
    case command_enable_a20:
      return control_.set_a20(command == command_enable_a20);
    case command_read_test_inputs:
      return reply(static_cast<u8>((command_bit(keyboard_off) ? 0 : 0x01) | (command_bit(mouse_off) ? 0 : 0x02)));
    default:
      break;
  }
  // Each zero among the low four bits pulls that output for 6 us. Bit 0 is the reset line; the A20 gate is back
  // before the next instruction.
  if (command >= command_pulse_outputs && !bit(command, 0)) control_.request_exit(ExitKind::Reset, 0);
}

void I8042::controller_data(u8 command, u8 byte) {
  switch (command) {
    case command_load_password:
      if (byte != 0) state_.awaits_data_of = command_load_password;  // until its closing zero
      return;
    case command_write_output_port:
      return write_output_port(byte);
    case command_write_keyboard_output:
      return reply(byte, Cause::KeyboardLoop);
    case command_write_mouse_output:
      return reply(byte, Cause::MouseLoop);
    case command_write_to_mouse:
      set_command_bit(mouse_off, false);
      return send(Port::Mouse, byte);
    default:
      if (command != command_write_ram) {
        state_.ram[command - command_write_ram] = byte;
        return;
      }
      state_.programmed = true;
      return set_command_byte(byte);
  }
}

void I8042::write_output_port(u8 value) {
  control_.set_a20(bit(value, 1));
  if (!bit(value, 0)) control_.request_exit(ExitKind::Reset, 0);
}

// The output buffer.

void I8042::reply(u8 byte, Cause cause) {
  if (state_.output_full) {
    state_.reply_waits = true;
    state_.reply = byte;
    state_.reply_cause = cause;
    return;
  }
  fill_output(byte, cause);
}

void I8042::fill_output(u8 byte, Cause cause) {
  state_.output = byte;
  state_.output_cause = cause;
  state_.output_full = true;
  state_.output_since = context_.clock.now();
}

// The serial lines.

void I8042::send(Port port, u8 byte) {
  state_.sending = port;
  state_.sent_byte = byte;
  state_.sent_by = state_.writer;
  context_.events.reschedule(context_.clock.now() + byte_time, context_.id, event_sent);
}

void I8042::sent() {
  const Tick now = context_.clock.now();
  const Port port = std::exchange(state_.sending, Port::None);
  const bool keyboard_sent = state_.keyboard.scanning();
  const bool mouse_sent = state_.mouse.reporting();
  if (port == Port::Keyboard) state_.keyboard.command(state_.sent_byte, now);
  if (port == Port::Mouse) state_.mouse.command(state_.sent_byte, now);
  note_devices(keyboard_sent, mouse_sent, state_.sent_by);
  if (!std::exchange(state_.input_full, false)) return;
  state_.writer = state_.input_by;
  process(state_.input, state_.input_is_command);
}

void I8042::receive_next() {
  // A clock line that the controller holds low inhibits its device; a transfer that is cut off is made again.
  const bool keyboard_may = !command_bit(keyboard_off) && state_.keyboard.has_byte();
  const bool mouse_may = !command_bit(mouse_off) && state_.mouse.has_byte();
  const bool busy = state_.output_full || state_.sending != Port::None;
  const bool goes_on =
      !busy && ((state_.receiving == Port::Keyboard && keyboard_may) || (state_.receiving == Port::Mouse && mouse_may));
  if (goes_on) return;
  if (state_.receiving != Port::None) context_.events.cancel(context_.id, event_received);
  state_.receiving = Port::None;
  if (busy || (!keyboard_may && !mouse_may)) return;
  state_.receiving = keyboard_may ? Port::Keyboard : Port::Mouse;
  context_.events.schedule(context_.clock.now() + byte_time, context_.id, event_received);
}

void I8042::received() {
  const Port port = std::exchange(state_.receiving, Port::None);
  if (port == Port::Mouse && state_.mouse.has_byte()) fill_output(state_.mouse.take_byte(), Cause::Mouse);
  if (port != Port::Keyboard || !state_.keyboard.has_byte()) return;
  const u8 byte = state_.keyboard.take_byte();
  if (!command_bit(translate)) return fill_output(byte, Cause::Keyboard);
  if (const auto code = state_.translator.translate(byte)) fill_output(*code, Cause::Keyboard);
}

void I8042::key(u64 scan_bytes) {
  if (!state_.keyboard.scanning()) {
    keyboard_records_.withheld(state_.keyboard_quiet, {WithheldCause::PortDisabled, state_.keyboard_switched},
                               std::to_underlying(Cause::Keyboard));
  }
  state_.keyboard.key(scan_bytes);
  update();
}

void I8042::mouse_motion(const Mouse::Motion& motion) {
  if (!state_.mouse.reporting() && !command_bit(mouse_off)) {
    mouse_records_.withheld(state_.mouse_quiet, {WithheldCause::PortDisabled, state_.mouse_switched},
                            std::to_underlying(Cause::Mouse));
  }
  state_.mouse.move(motion);
  update();
}

void I8042::mouse_motion(u64 packed) {
  mouse_motion(Mouse::Motion{.right = static_cast<i16>(packed),
                             .away = static_cast<i16>(packed >> 16),
                             .wheel = static_cast<i8>(packed >> 32),
                             .buttons = static_cast<u8>(packed >> 40)});
}

void I8042::event(u16 kind, u64) {
  switch (kind) {
    case event_sent:
      sent();
      break;
    case event_received:
      received();
      break;
    case event_keyboard_tested: {
      const bool sent = state_.keyboard.scanning();
      state_.keyboard.finish_self_test();
      note_devices(sent, state_.mouse.reporting(), state_.keyboard_switched.by);
      break;
    }
    case event_mouse_tested:
      state_.mouse.finish_self_test();
      break;
    case event_mouse_report:
      state_.mouse.report(context_.clock.now());
      break;
    default:
      break;
  }
  update();
}

void I8042::schedule_devices() {
  const auto plan = [&](Tick due, EventKind kind) {
    if (due == never) {
      context_.events.cancel(context_.id, kind);
    } else if (!context_.events.pending(context_.id, kind)) {
      context_.events.schedule(due, context_.id, kind);
    }
  };
  plan(state_.keyboard.self_test_end(), event_keyboard_tested);
  plan(state_.mouse.self_test_end(), event_mouse_tested);
  plan(state_.mouse.report_due(), event_mouse_report);
  // By then the next byte would have arrived.
  const bool told = state_.keyboard_waits.setting.since == state_.output_since ||
                    state_.mouse_waits.setting.since == state_.output_since;
  const bool one_waits = (keyboard_waits() || mouse_waits()) && !told;
  plan(one_waits ? state_.output_since + byte_time : never, event_output_unread);
}

// A command has switched a device on or off, or its self-test has ended.
void I8042::note_devices(bool keyboard_sent, bool mouse_sent, u64 by) {
  const auto note = [&](const LineRecords& records, Setting& setting, bool before, bool now) {
    if (before == now) return;
    setting = {by, context_.clock.now()};
    records.programmed(DeviceRegister::KeyboardScanning, before ? 1 : 0, now ? 1 : 0, by);
  };
  note(keyboard_records_, state_.keyboard_switched, keyboard_sent, state_.keyboard.scanning());
  note(mouse_records_, state_.mouse_switched, mouse_sent, state_.mouse.reporting());
}

void I8042::report_withheld() {
  constexpr u8 keyboard = std::to_underlying(Cause::Keyboard);
  constexpr u8 mouse = std::to_underlying(Cause::Mouse);
  if (command_bit(keyboard_off) && state_.keyboard.has_byte()) {
    keyboard_records_.withheld(state_.keyboard_quiet,
                               {WithheldCause::PortDisabled, state_.command_settings.of(keyboard_off)}, keyboard);
  } else if (state_.keyboard.scanning()) {
    keyboard_records_.not_withheld(state_.keyboard_quiet, keyboard);
  }
  if (command_bit(mouse_off) && state_.mouse.has_byte()) {
    mouse_records_.withheld(state_.mouse_quiet, {WithheldCause::PortDisabled, state_.command_settings.of(mouse_off)},
                            mouse);
  } else if (state_.mouse.reporting()) {
    mouse_records_.not_withheld(state_.mouse_quiet, mouse);
  }
  for (u8 cause = 1; cause < state_.not_enabled.size(); ++cause) {
    const bool is_mouse = from_mouse_port(static_cast<Cause>(cause));
    const unsigned enable = is_mouse ? mouse_interrupt : keyboard_interrupt;
    const LineRecords& records = is_mouse ? mouse_records_ : keyboard_records_;
    Withholding& told = state_.not_enabled[cause];
    if (state_.output_full && std::to_underlying(state_.output_cause) == cause && !command_bit(enable)) {
      records.withheld(told, {WithheldCause::InterruptEnableOff, state_.command_settings.of(enable)}, cause);
    } else {
      records.not_withheld(told, cause);
    }
  }
  const bool is_old = state_.output_full && context_.clock.now() >= state_.output_since + byte_time;
  const Withholding unread{WithheldCause::BufferNotRead, {0, state_.output_since}};
  const auto report_unread = [&](const LineRecords& records, Withholding& told, bool waits, u8 cause) {
    if (is_old && waits) return records.withheld(told, unread, cause);
    if (told != unread || !waits) records.not_withheld(told, cause);
  };
  report_unread(keyboard_records_, state_.keyboard_waits, keyboard_waits(), keyboard);
  report_unread(mouse_records_, state_.mouse_waits, mouse_waits(), mouse);
}

void I8042::drive_lines() {
  const u8 cause = std::to_underlying(state_.output_cause);
  keyboard_irq_.set(keyboard_interrupt_wanted() ? Level::High : Level::Low, cause);
  mouse_irq_.set(mouse_interrupt_wanted() ? Level::High : Level::Low, cause);
}

void I8042::update() {
  report_withheld();
  schedule_devices();
  receive_next();
  drive_lines();
}

}  // namespace vitrine
