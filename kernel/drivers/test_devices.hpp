// Devices that interrupt on command: Vitrine's interrupt tester and QEMU's edu.
#pragma once

#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

struct TestDevice {
  std::string_view name;
  u16 vendor, id;
  u64 window_bytes;
  /// Makes it interrupt once.
  void (*raise)(volatile u32* window);
  /// Quiets it. False: it was not the one that interrupted.
  bool (*acknowledge)(volatile u32* window, bool by_message);
};

enum class TestDeviceUse : u8 {
  Count,  ///< demonstrate=device: it interrupts, and the log tells by which way that came
  Storm,  ///< demonstrate=storm: its handler disowns it, until the interrupt manager gives up on the line
};
void demonstrate_device_interrupts(TestDeviceUse use);

}  // namespace pulse
