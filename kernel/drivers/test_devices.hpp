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

/// demonstrate=device: makes it interrupt, and tells by which way that came.
void demonstrate_device_interrupts();

}  // namespace pulse
