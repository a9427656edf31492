#include "kernel/drivers/serial_terminal.hpp"

#include <array>

#include "kernel/core/bottom_half.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/fs/terminal_device.hpp"

namespace pulse {

namespace {

constexpr u8 line = 4;
constexpr u32 serial_major = 4, first_serial_minor = 64;
constexpr u64 polling_period = 1'000'000;

Uart16550* port = nullptr;

class Host final : public ProcessTerminalHost {
 public:
  void show(std::span<const u8> bytes) override { port->send(bytes); }
  [[nodiscard]] std::optional<u32> serial_line() const override { return 0; }
};
Host host;
Terminal terminal(host);

// What the top half leaves for the bottom half.
std::array<u8, 256> received;
u32 received_in = 0, received_out = 0;

void hand_over(BottomHalf&) {
  while (received_out != received_in) terminal.input(received[received_out++ % received.size()]);
}
BottomHalf bottom_half{.function = hand_over};

bool serve_port() {
  const u32 before = received_in;
  const bool any = port->serve([](u8 byte) {
    if (received_in - received_out < received.size()) received[received_in++ % received.size()] = byte;
  });
  if (received_in != before) mark(bottom_half);
  return any;
}

InterruptHandler handler{.name = "ttyS0", .function = [](InterruptHandler&, Frame&) {
                           return serve_port() ? HandlerResult::Handled : HandlerResult::NotMine;
                         }};

Timer polling{.expired = [](Timer& timer, u64) {
  (void)serve_port();
  timers().add(timer, nanoseconds_since_boot() + polling_period);
}};

}  // namespace

Terminal& serial_terminal() { return terminal; }

void start_serial_terminal(Uart16550& on, Uart16550::Service service) {
  port = &on;
  register_terminal(terminal);
  register_device(device_number(serial_major, first_serial_minor),
                  [](Node&, u32 flags) { return open_terminal(terminal, flags); });
  if (service == Uart16550::Service::Interrupts) {
    kernel().interrupts.add(line, handler);
  } else {
    timers().add(polling, nanoseconds_since_boot() + polling_period);
  }
  port->start(service);
}

}  // namespace pulse
