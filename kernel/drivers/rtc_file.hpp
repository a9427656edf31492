// /dev/rtc0: the clock chip's interrupts as a program waits for them (Linux, Documentation/admin-guide/rtc.rst):
// RTC_UIE_ON for one each second, RTC_IRQP_SET and RTC_PIE_ON for up to 8192 a second; a read gets how many came since
// the last.
#pragma once

#include "kernel/fs/devices.hpp"

namespace pulse {

inline constexpr u32 rtc_device = device_number(251, 0);

/// By interrupt on line 8; or polled: a timer looks at the chip's flags each millisecond, and its interrupts stay off.
enum class RtcService : u8 { Interrupts, Polled };
void start_rtc(RtcService service);

}  // namespace pulse
