#include "kernel/drivers/test_devices.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/pci.hpp"

namespace pulse {

namespace {

constexpr TestDevice devices[] = {
    {.name = "Vitrine's interrupt tester",
     .vendor = 0x1234,
     .id = 0x7E57,
     .window_bytes = 0x1000,
     .raise = [](volatile u32* window) { window[0x14 / 4] = 1; },
     .acknowledge =
         [](volatile u32* window, bool by_message) {
           if (by_message) return true;
           if ((window[0x18 / 4] & 1) == 0) return false;
           window[0x18 / 4] = 1;
           return true;
         }},
    {.name = "QEMU's edu",
     .vendor = 0x1234,
     .id = 0x11E8,
     .window_bytes = 0x1000,
     .raise = [](volatile u32* window) { window[0x60 / 4] = 1; },
     .acknowledge =
         [](volatile u32* window, bool) {
           const u32 status = window[0x24 / 4];
           window[0x64 / 4] = status;
           return status != 0;
         }},
};

struct Handler : InterruptHandler {
  const TestDevice* device = nullptr;
  volatile u32* window = nullptr;
  bool by_message = false, disowns = false;
  volatile u32 times = 0;
};
Handler handler;

constexpr u64 millisecond = 1'000'000;

/// Its pin stays active, since the handler says that it is not its device's.
void make_storm(const TestDevice& device, u8 line) {
  const auto& counts = kernel().interrupts.counts(line);
  device.raise(handler.window);
  for (int i = 0; i < 1000 && !counts.stopped; ++i) sleep_until(nanoseconds_since_boot() + 2 * millisecond);
  const u64 before = counts.delivered;
  sleep_until(nanoseconds_since_boot() + 2 * millisecond);
  log_info("{}: {} interrupts that nobody claimed, then {}", device.name, counts.not_mine,
           counts.delivered == before ? "silence" : "still more");
}

}  // namespace

void demonstrate_device_interrupts(TestDeviceUse use) {
  constexpr u32 rounds = 5;
  for (const TestDevice& device : devices) {
    const auto function = find_pci_function(device.vendor, device.id);
    if (!function) continue;
    handler.name = "test device";
    handler.device = &device;
    handler.window = function->map_window(0, device.window_bytes);
    handler.function = [](InterruptHandler& self, Frame&) {
      auto& own = static_cast<Handler&>(self);
      if (own.disowns) return HandlerResult::NotMine;
      if (!own.device->acknowledge(own.window, own.by_message)) return HandlerResult::NotMine;
      own.times = own.times + 1;
      return HandlerResult::Handled;
    };
    if (handler.window == nullptr) return log_warning("{}: it has no window", device.name);
    handler.by_message = true;  // until add_pci_handler() says otherwise, nothing interrupts
    const auto way = add_pci_handler(*function, handler);
    if (!way) return log_warning("{}: nobody says where its pin goes", device.name);
    handler.by_message = way->routing == Routing::Messages;
    if (use == TestDeviceUse::Storm) {
      handler.disowns = true;
      return make_storm(device, way->line);
    }
    for (u32 i = 0; i < rounds; ++i) {
      device.raise(handler.window);
      sleep_until(nanoseconds_since_boot() + 2 * millisecond);
    }
    log_info("{}: {} of {} interrupts came, {} on line {}, vector {:#x}", device.name, u32{handler.times}, rounds,
             handler.by_message ? "as messages" : "by its pin", way->line,
             kernel().interrupts.controller()->vector_of(way->line));
    return;
  }
  log_warning("there is no device that interrupts on command");
}

}  // namespace pulse
