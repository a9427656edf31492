#include "kernel/drivers/serial_terminal.hpp"

#include <array>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/bottom_half.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/fs/terminal_device.hpp"

namespace pulse {

namespace {

constexpr u32 serial_major = 4, first_serial_minor = 64;
constexpr u64 polling_period = 1'000'000;

class Host final : public ProcessTerminalHost {
 public:
  void show(std::span<const u8> bytes) override { port->send(bytes); }
  [[nodiscard]] std::optional<u32> serial_line() const override { return number; }
  Uart16550* port = nullptr;
  u32 number = 0;
};

struct SerialTerminal {
  Host host;
  Terminal terminal{host};
  // What the top half leaves for the bottom half.
  std::array<u8, 256> received{};
  u32 received_in = 0, received_out = 0;
  struct Half : BottomHalf {
    SerialTerminal* owner = nullptr;
  } half;
  struct Handler : InterruptHandler {
    SerialTerminal* owner = nullptr;
  } handler;
  struct Polling : Timer {
    SerialTerminal* owner = nullptr;
  } polling;

  bool serve() {
    const u32 before = received_in;
    const bool any = host.port->serve([this](u8 byte) {
      if (received_in - received_out < received.size()) received[received_in++ % received.size()] = byte;
    });
    if (received_in != before) mark(half);
    return any;
  }
  void hand_over() {
    while (received_out != received_in) terminal.input(received[received_out++ % received.size()]);
  }
};

struct Place {
  std::string_view name;
  u8 line;
  DeviceOpener open;
};
SerialTerminal serial_terminals[2];
constexpr Place places[2] = {
    {"ttyS0", 4, [](Node&, u32 flags) { return open_terminal(serial_terminals[0].terminal, flags); }},
    {"ttyS1", 3, [](Node&, u32 flags) { return open_terminal(serial_terminals[1].terminal, flags); }}};

}  // namespace

void start_serial_terminal(u32 number, Uart16550& on, Uart16550::Service service) {
  const Place& place = places[number];
  SerialTerminal& self = serial_terminals[number];
  self.host.port = &on;
  self.host.number = number;
  register_terminal(self.terminal);
  register_device(device_number(serial_major, first_serial_minor + number), place.open);
  self.half.owner = self.handler.owner = self.polling.owner = &self;
  self.half.function = [](BottomHalf& half) { static_cast<SerialTerminal::Half&>(half).owner->hand_over(); };
  {
    const InterruptsOff off;
    (void)self.serve();  // what was typed before; nothing interrupts for it
  }
  if (service == Uart16550::Service::Interrupts) {
    self.handler.name = place.name;
    self.handler.function = [](InterruptHandler& handler, Frame&) {
      const bool any = static_cast<SerialTerminal::Handler&>(handler).owner->serve();
      return any ? HandlerResult::Handled : HandlerResult::NotMine;
    };
    kernel().interrupts.add(place.line, self.handler);
  } else {
    self.polling.expired = [](Timer& timer, u64) {
      (void)static_cast<SerialTerminal::Polling&>(timer).owner->serve();
      timers().add(timer, nanoseconds_since_boot() + polling_period);
    };
    timers().add(self.polling, nanoseconds_since_boot() + polling_period);
  }
  on.start(service);
}

}  // namespace pulse
