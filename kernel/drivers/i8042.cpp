#include "kernel/drivers/i8042.hpp"

#include <algorithm>
#include <array>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/bottom_half.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/mouse_packets.hpp"
#include "kernel/drivers/scan_codes.hpp"
#include "kernel/fs/devices.hpp"
#include "kernel/fs/terminal.hpp"

namespace pulse {

namespace {

constexpr u16 data_port = 0x60, status_port = 0x64, command_port = 0x64;
constexpr u8 output_full = 0x01, input_full = 0x02, from_mouse = 0x20, nothing_there = 0xFF;
enum Command : u8 { write_configuration = 0x60, mouse_on = 0xA8, to_mouse = 0xD4 };
enum Configuration : u8 { keyboard_interrupt = 0x01, mouse_interrupt = 0x02, system_flag = 0x04, translation = 0x40 };
constexpr u8 report_movements = 0xF4, acknowledge = 0xFA;
constexpr u8 keyboard_line = 1, mouse_line = 12;
constexpr u64 patience = 20'000'000, polling_period = 10'000'000;
constexpr u32 input_major = 13, mice_minor = 63;

/// What a top half leaves for its bottom half.
template <class T, u32 Capacity>
struct Ring {
  std::array<T, Capacity> items{};
  u32 in = 0, out = 0;
  void put(T item) {
    if (in - out < Capacity) items[in++ % Capacity] = item;
  }
  [[nodiscard]] bool empty() const { return in == out; }
  T take() { return items[out++ % Capacity]; }
};

Terminal* screen = nullptr;
ScanCodes scan_codes;
Ring<u8, 128> key_bytes;
bool mouse_owes_acknowledge = false;
MousePackets mouse_packets;
Ring<MousePacket, 64> packets;
WaitQueue packet_came;

void hand_over_keys(BottomHalf&) {
  while (!key_bytes.empty()) {
    for (const char character : scan_codes.feed(key_bytes.take())) screen->input(static_cast<u8>(character));
  }
}
BottomHalf key_half{.function = hand_over_keys};

/// Takes the bytes of one of the two devices. The other's is left for its own interrupt.
template <class Take>
bool empty_buffer(bool wants_mouse, Take take) {
  bool any = false;
  for (u8 status = in8(status_port); (status & output_full) != 0; status = in8(status_port)) {
    if (((status & from_mouse) != 0) != wants_mouse) break;
    take(in8(data_port));
    any = true;
  }
  return any;
}

bool take_keys() {
  const bool any = empty_buffer(false, [](u8 byte) { key_bytes.put(byte); });
  if (any) mark(key_half);
  return any;
}

bool take_movements() {
  return empty_buffer(true, [](u8 byte) {
    if (mouse_owes_acknowledge && byte == acknowledge) {
      mouse_owes_acknowledge = false;
    } else if (const auto packet = mouse_packets.feed(byte)) {
      packets.put(*packet);
      packet_came.wake(ready::in);
    }
  });
}

InterruptHandler key_handler{.name = "keyboard", .function = [](InterruptHandler&, Frame&) {
                               return take_keys() ? HandlerResult::Handled : HandlerResult::NotMine;
                             }};
InterruptHandler mouse_handler{.name = "mouse", .function = [](InterruptHandler&, Frame&) {
                                 return take_movements() ? HandlerResult::Reschedule : HandlerResult::NotMine;
                               }};

/// The twin without interrupts: asks again and again, whether or not there is something.
struct Polling : Timer {
  bool (*take)() = nullptr;
  void start() {
    expired = [](Timer& timer, u64) {
      (void)static_cast<Polling&>(timer).take();
      timers().add(timer, nanoseconds_since_boot() + polling_period);
    };
    timers().add(*this, nanoseconds_since_boot() + polling_period);
  }
};
Polling key_polling, mouse_polling;

/// /dev/input/mice: packets as the mouse sent them; who reads less than one gets the rest the next time.
class MouseFile final : public File {
 public:
  Result<std::size_t> read(IoBuffer& into) override {
    std::size_t moved = 0;
    while (into.remaining() > 0 && (used_ < packet_.size() || take_packet())) {
      const std::size_t count = std::min(into.remaining(), packet_.size() - used_);
      if (const auto done = into.put({packet_.data() + used_, count}); !done) return fail(done.error());
      used_ += count;
      moved += count;
    }
    return moved > 0 || into.remaining() == 0 ? Result<std::size_t>(moved) : fail(Errno::TryAgain);
  }
  [[nodiscard]] u32 ready() const override { return used_ < packet_.size() || !packets.empty() ? pulse::ready::in : 0; }
  WaitQueue* wait_queue() override { return &packet_came; }

 private:
  bool take_packet() {
    const InterruptsOff off;
    if (packets.empty()) return false;
    packet_ = packets.take();
    used_ = 0;
    return true;
  }
  MousePacket packet_{};
  std::size_t used_ = sizeof(MousePacket);
};

/// False: it does not get ready in time.
bool send(u16 port, u8 byte) {
  const u64 deadline = nanoseconds_since_boot() + patience;
  while ((in8(status_port) & input_full) != 0) {
    if (nanoseconds_since_boot() > deadline) return false;
    asm volatile("pause");
  }
  out8(port, byte);
  return true;
}

}  // namespace

void start_i8042(Terminal& terminal, const I8042Options& options) {
  if (in8(status_port) == nothing_there) return;
  screen = &terminal;
  while ((in8(status_port) & output_full) != 0) (void)in8(data_port);
  u8 wanted = translation | system_flag;
  if (!options.keyboard_polled) wanted |= keyboard_interrupt;
  if (!options.mouse_polled) wanted |= mouse_interrupt;
  InterruptManager& interrupts = kernel().interrupts;
  if (options.keyboard_polled) {
    key_polling.take = take_keys;
    key_polling.start();
  } else {
    interrupts.add(keyboard_line, key_handler);
  }
  if (options.mouse_polled) {
    mouse_polling.take = take_movements;
    mouse_polling.start();
  } else {
    interrupts.add(mouse_line, mouse_handler);
  }
  mouse_owes_acknowledge = true;
  register_device(device_number(input_major, mice_minor), [](Node&, u32) { return Result<Ref<File>>(new MouseFile); });
  const bool sent = send(command_port, mouse_on) && send(command_port, write_configuration) &&
                    send(data_port, wanted) && send(command_port, to_mouse) && send(data_port, report_movements);
  if (!sent) log_warning("8042: the mouse's port does not take commands");
}

}  // namespace pulse
