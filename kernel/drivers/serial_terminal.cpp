#include "kernel/drivers/serial_terminal.hpp"

#include <array>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/bottom_half.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/process.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/devices.hpp"
#include "kernel/fs/terminal.hpp"

namespace pulse {

namespace {

constexpr u8 line = 4;
constexpr u16 base = 0x3F8, interrupt_enable = base + 1, line_status = base + 5;
constexpr u8 data_ready = 1, transmitter_empty = 0x20, received_data = 1;
constexpr u32 tty_major = 5, serial_major = 4, current_tty_minor = 0, console_minor = 1, first_serial_minor = 64;

/// What the system is to a terminal.
class Host final : public TerminalHost {
 public:
  void show(std::span<const u8> bytes) override {
    for (const u8 byte : bytes) {
      while ((in8(line_status) & transmitter_empty) == 0) asm volatile("pause");
      out8(base, byte);
    }
  }
  void signal_group(u32 group, u32 number) override { send_group_signal(group, number); }
  [[nodiscard]] u32 current_group() override {
    return current_thread().process != nullptr ? current_process().group : 0;
  }
  [[nodiscard]] u32 current_session() override {
    return current_thread().process != nullptr ? current_process().session : 0;
  }
  [[nodiscard]] bool ignores(u32 number) override {
    const bool blocked = (current_thread().signal_mask & signal_bit(number)) != 0;
    return blocked || current_process().actions->of[number].handler == vitrine::abi::ignore_handler;
  }
  [[nodiscard]] Result<void> copy_out(u64 address, const void* from, std::size_t size) override {
    return copy_to_user(address, from, size);
  }
  [[nodiscard]] Result<void> copy_in(void* to, u64 address, std::size_t size) override {
    return copy_from_user(to, address, size);
  }
};

Host host;
Terminal terminal(host);

class TerminalFile final : public File {
 public:
  Result<std::size_t> read(IoBuffer& into) override { return terminal.read(into); }
  Result<std::size_t> write(IoBuffer& from) override { return terminal.write(from); }
  Result<u64> control(u32 request, u64 argument) override { return terminal.control(request, argument); }
  [[nodiscard]] u32 ready() const override { return terminal.ready(); }
  WaitQueue* wait_queue() override { return &terminal.wait_queue(); }
};

// What the top half leaves for the bottom half.
std::array<u8, 256> received;
u32 received_in = 0, received_out = 0;

void hand_over(BottomHalf&) {
  while (received_out != received_in) terminal.input(received[received_out++ % received.size()]);
}
BottomHalf bottom_half{.function = hand_over};

HandlerResult on_interrupt(InterruptHandler&, Frame&) {
  bool any = false;
  while ((in8(line_status) & data_ready) != 0) {
    const u8 byte = in8(base);
    if (received_in - received_out < received.size()) received[received_in++ % received.size()] = byte;
    any = true;
  }
  if (!any) return HandlerResult::NotMine;
  mark(bottom_half);
  return HandlerResult::Handled;
}
InterruptHandler handler{.name = "ttyS0", .function = on_interrupt};

Result<Ref<File>> open_terminal(Node&, u32) {
  // The first leader of a session that opens it without having a terminal gets it.
  const Process* const process = current_thread().process;
  if (process != nullptr && process->id == process->session && terminal.session == 0) {
    terminal.session = process->session;
    terminal.foreground = process->group;
  }
  return Ref<File>(new TerminalFile);
}

}  // namespace

void start_serial_terminal() {
  register_device(device_number(tty_major, console_minor), open_terminal);
  register_device(device_number(tty_major, current_tty_minor), open_terminal);
  register_device(device_number(serial_major, first_serial_minor), open_terminal);
  kernel().interrupts.add(line, handler);
  out8(interrupt_enable, received_data);
}

}  // namespace pulse
