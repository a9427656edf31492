// NS16550A: the asynchronous serial port with FIFOs, wired as on a PC (1.8432 MHz, OUT2 gates the interrupt).
//
// Manual: National Semiconductor PC16550D data sheet (1995), sections 6 to 8, "DS" below. IBM PC/AT Technical
// Reference,
//   serial/parallel adapter: OUT2 enables the interrupt driver onto the bus.
// Interrupt: one output, high while any enabled cause is pending; the causes, highest first, are Uart16550::Cause.
//   Reading LSR ends LineStatus, reading RBR ends ReceivedData (below the trigger level) and CharacterTimeout, reading
//   IIR while it is reported (or writing THR) ends TransmitterEmpty, reading MSR ends ModemStatus. The output reaches
//   the bus only while OUT2 is set, and not in loopback, which forces the OUT2 pin inactive (DS 8.6.5).
// Timing: a character takes its start, data, parity and stop bits at the programmed rate, both ways.
// Not modelled: DMA signalling (FCR bit 3: the pins are not connected on a PC), wrong parity and framing from outside
//   (the host sends neither; a break it can send), flow control by the far end.
#pragma once

#include <array>
#include <vector>

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/outside.hpp"

namespace vitrine {

class Uart16550 final : public Device {
 public:
  static constexpr u32 port_count = 8;
  /// What a Raised record's detail says, in order of the chip's priority.
  enum class Cause : u8 {
    None,
    LineStatus,        ///< overrun, parity, framing error or break
    ReceivedData,      ///< data, or the FIFO's trigger level reached
    CharacterTimeout,  ///< data below the trigger level, and silence for four characters
    TransmitterEmpty,  ///< the holding register or FIFO ran empty
    ModemStatus        ///< a modem line changed
  };
  /// The modem lines as the far end drives them, at the places that they have in MSR.
  enum ModemLine : u8 { clear_to_send = 0x10, data_set_ready = 0x20, ring_indicator = 0x40, carrier_detect = 0x80 };
  /// A terminal is there, ready and listening.
  static constexpr u8 terminal_connected = clear_to_send | data_set_ready | carrier_detect;

  static constexpr u64 pc_crystal_hz = 1'843'200;  ///< IBM PC/AT Technical Reference, the serial adapter

  /// `name` and `outputs` must outlive the device. Bytes leave through `channel`. Every time of the chip counts in
  /// clocks of its crystal: a faster one makes a faster line, with the same divisors.
  Uart16550(DeviceContext context, std::string_view name, Channel channel, LineDriver irq, Outputs& outputs,
            u64 crystal_hz = pc_crystal_hz);

  // The outside's view.
  /// The line is idle and the receiver has room: a byte given now is not lost, if the guest reads in time.
  [[nodiscard]] bool can_receive() const;
  /// A byte begins to arrive; it is in the receiver one character time later. Bytes given while another arrives wait.
  void receive(u8 byte);
  /// A break begins: the receiver gets a zero character with the break bit one character time later.
  void receive_break();
  /// The guest waits for input: its receive interrupt is on, or it polls LSR and sends nothing.
  [[nodiscard]] bool listening() const;
  /// The far end sets its modem lines (any of ModemLine).
  void set_modem_lines(u8 lines);

  /// The highest pending and enabled cause: what IIR reports.
  [[nodiscard]] Cause pending_cause() const;
  /// What the interrupt driver on the bus is asked for.
  [[nodiscard]] bool interrupt_wanted() const;

  [[nodiscard]] std::string_view name() const override { return name_; }
  void accessed(u64 where) override { irq_.attended(where); }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

 private:
  static constexpr u8 fifo_size = 16;

  struct Character {
    u8 data = 0;
    u8 errors = 0;  // at the places that they have in LSR
    void exchange(Archive& archive) { archive(data, errors); }
  };
  struct Fifo {
    std::array<Character, fifo_size> items{};
    u8 first = 0;
    u8 count = 0;
    void push(Character character) { items[(first + count++) % fifo_size] = character; }
    Character pop() {
      --count;
      const u8 at = first;
      first = (first + 1) % fifo_size;
      return items[at];
    }
    [[nodiscard]] const Character& top() const { return items[first]; }
    Character& top() { return items[first]; }
    void exchange(Archive& archive);
  };
  struct State {
    u16 divisor = 12;  // unverified: the data sheet leaves it undefined at power-on; 12 is 9600 baud
    u8 interrupt_enable = 0;
    bool fifos_enabled = false;
    u8 trigger = 0;  // FCR bits 7..6
    u8 line_control = 0;
    u8 modem_control = 0;
    u8 scratch = 0;
    u8 line_errors = 0;  // LSR bits 1..4, until LSR is read
    u8 far_end = terminal_connected;
    u8 modem_inputs = terminal_connected;  // MSR bits 4..7 as the chip last saw them
    u8 modem_deltas = 0;                   // MSR bits 0..3
    Fifo received;                         // RBR; without FIFOs one character deep
    Fifo to_send;                          // THR
    bool shifting = false;
    u8 shift_register = 0;
    u64 shift_end = 0;                     // input clocks since power-on
    bool transmitter_empty = false;        // the THRE interrupt
    bool two_were_queued = false;          // DS 8.4.2 B: since THR was last empty
    bool first_since_mode_change = false;  // DS 8.4.2 B: after a change of FCR bit 0
    bool character_timeout = false;
    std::vector<Character> incoming;  // on the line; the first is arriving
    u64 arrival_end = 0;              // input clocks since power-on
    u8 idle_polls = 0;                // reads of LSR in a row that found nothing to do
    Tick last_idle_poll{};
    // For the ledger.
    BitSettings<4> enable_settings;
    BitSettings<5> modem_settings;
    std::array<Withholding, 6> told{};  // by Cause
    void exchange(Archive& archive);
  };

  [[nodiscard]] u8 value_at(u64 offset) const;
  [[nodiscard]] u8 read_byte(u64 offset);
  void write_byte(u64 offset, u8 value);
  [[nodiscard]] u8 line_status() const;
  [[nodiscard]] u8 interrupt_identification() const;
  [[nodiscard]] bool loopback() const;
  [[nodiscard]] bool dlab() const;
  [[nodiscard]] u8 capacity() const { return state_.fifos_enabled ? fifo_size : 1; }
  [[nodiscard]] u8 trigger_level() const;
  [[nodiscard]] u8 data_mask() const;
  [[nodiscard]] u64 clocks_per_half_bit() const;
  [[nodiscard]] u64 clocks_per_character() const;
  [[nodiscard]] u64 clocks_of_last_stop_bit() const;
  [[nodiscard]] u64 clocks_now() const;

  u8 read_received();
  u8 read_line_status();
  void write_holding(u8 value);
  void write_interrupt_enable(u8 value);
  void write_fifo_control(u8 value);
  void write_line_control(u8 value);
  void clear_receiver();
  void clear_transmitter();
  void start_shifting(u64 at_clock);
  void holding_emptied();
  void shifted();
  void start_arrival(u64 at_clock);
  void arrived();
  void deliver(Character character);
  void reveal_errors();
  void restart_timeout();
  void sample_modem_lines();
  void write_modem_control(u8 value);
  [[nodiscard]] bool has_cause(Cause cause) const;
  void report_withheld();
  void schedule(u16 kind, u64 at_clock);
  void update();

  DeviceContext context_;
  std::string_view name_;
  Channel channel_;
  LineDriver irq_;
  LineRecords records_;
  Outputs& outputs_;
  ClockRatio crystal_;
  State state_;
};

}  // namespace vitrine
