// 8042: the keyboard controller of a PC, with a PS/2 keyboard and a PS/2 mouse at its two serial ports.
//
// Manual: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"
//   ("PS/2" below); Intel UPI-41/42 data sheet for the host interface; IBM PC/AT Technical Reference.
// Interrupts: two outputs. IRQ 1 is high while the output buffer holds a byte of the keyboard or of the controller
//   itself and command byte bit 0 is set, IRQ 12 while it holds a byte of the mouse and bit 1 is set. Reading port
//   0x60 empties the buffer and lowers the line; the next byte needs at least its own time on the serial line, so
//   that each byte makes its own edge.
// Timing: a byte takes 1 ms on the serial line, both ways (11 bits at 11 kHz; PS/2: 10 to 16.7 kHz). While it sends,
//   the controller takes no further input: IBF stays 1. Controller commands take no time.
// Power-on state is what a PC's firmware leaves, because kernels are started directly: translation, keyboard and its
//   interrupt on, mouse port off, A20 as the machine has it.
// Not modelled: serial errors and time-outs (both devices are always there), the password (none is installed), the
//   copying of the input port to the status (0xC1, 0xC2), diagnostic dump (0xAC), typematic repeat.
// unverified: the keyboard goes first when both devices have a byte; a controller reply waits while the output buffer
//   is full; the interrupt of a reply to a controller command comes on IRQ 1, as the AT has it.
#pragma once

#include <array>

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/outside.hpp"
#include "machine/devices/i8042/keyboard.hpp"
#include "machine/devices/i8042/mouse.hpp"
#include "machine/devices/i8042/scan_codes.hpp"

namespace vitrine {

class I8042 final : public Device {
 public:
  /// Two regions of one port each: 0x60 and 0x64.
  enum class Window : u8 { Data, Command };
  static constexpr Region data_port{static_cast<u8>(Window::Data)};
  static constexpr Region command_port{static_cast<u8>(Window::Command)};
  /// Whose byte the output buffer holds: what a Raised record's detail says.
  enum class Cause : u8 { None, Keyboard, ControllerReply, KeyboardLoop, Mouse, MouseLoop };

  I8042(DeviceContext context, LineDriver keyboard_irq, LineDriver mouse_irq, MachineControl& control);

  // The outside's view.
  /// A key goes down or up: its set 2 bytes, the first in the least significant place, 0 after the last.
  void key(u64 scan_bytes);
  void mouse_motion(const Mouse::Motion& motion);
  /// The value of an InputKind::MouseMotion.
  void mouse_motion(u64 packed);
  /// A key given now reaches the guest's port: keyboard on and scanning, no command under way, room for any key.
  [[nodiscard]] bool ready_for_key() const;
  /// ready_for_key(), and the guest has shown that it waits for keys: it programmed the controller or the keyboard,
  /// then left them alone for a while, with the keyboard interrupt on; or it polls the status port.
  /// A guest that trusts the firmware's setting and only unmasks IRQ 1 shows it to the interrupt controller alone.
  [[nodiscard]] bool listening() const;

  [[nodiscard]] bool keyboard_interrupt_wanted() const;
  [[nodiscard]] bool mouse_interrupt_wanted() const;

  [[nodiscard]] std::string_view name() const override { return "i8042"; }
  void accessed(u64 where) override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

 private:
  enum class Port : u8 { None, Keyboard, Mouse };
  struct State {
    std::array<u8, 32> ram{0x65};  // byte 0 is the command byte
    bool output_full = false;
    u8 output = 0;
    Cause output_cause = Cause::None;
    bool reply_waits = false;
    u8 reply = 0;
    Cause reply_cause = Cause::None;
    bool input_full = false;  // waits until the controller has sent
    bool input_is_command = false;
    u8 input = 0;
    bool last_was_command = false;  // status bit 3
    u8 awaits_data_of = 0;          // the command whose data byte is to come
    Port sending = Port::None;
    u8 sent_byte = 0;
    Port receiving = Port::None;
    SetOneTranslator translator;
    Keyboard keyboard;
    Mouse mouse;
    // For listening() only.
    bool programmed = false;
    u8 idle_polls = 0;
    Tick last_idle_poll{};
    Tick last_write{};
    // For the ledger.
    u64 input_by = 0;  // who wrote the byte that waits,
    u64 sent_by = 0;   // the byte that is being sent,
    u64 writer = 0;    // and the one that is being processed
    Tick output_since{};
    BitSettings<8> command_settings;
    Setting keyboard_switched{}, mouse_switched{};  // when and by whom the device was told to send or to be quiet
    std::array<Withholding, 6> not_enabled{};       // by Cause
    Withholding keyboard_quiet, mouse_quiet, keyboard_waits, mouse_waits;
    void exchange(Archive& archive);
  };

  [[nodiscard]] u8 status() const;
  [[nodiscard]] u8 output_port() const;
  [[nodiscard]] bool command_bit(unsigned position) const;
  void set_command_bit(unsigned position, bool set);
  void set_command_byte(u8 value);

  u8 read_output();
  u8 read_status();
  void accept(u8 byte, bool is_command);
  void process(u8 byte, bool is_command);
  void controller_command(u8 command);
  void controller_data(u8 command, u8 byte);
  void write_output_port(u8 value);
  void reply(u8 byte, Cause cause = Cause::ControllerReply);
  void fill_output(u8 byte, Cause cause);
  void send(Port port, u8 byte);
  void sent();
  void received();
  void receive_next();
  [[nodiscard]] bool keyboard_waits() const;
  [[nodiscard]] bool mouse_waits() const;
  void schedule_devices();
  void note_devices(bool keyboard_sent, bool mouse_sent, u64 by);
  void report_withheld();
  void drive_lines();
  void update();

  DeviceContext context_;
  LineDriver keyboard_irq_;
  LineDriver mouse_irq_;
  LineRecords keyboard_records_;
  LineRecords mouse_records_;
  MachineControl& control_;
  State state_;
};

}  // namespace vitrine
