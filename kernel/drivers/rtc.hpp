// The clock chip MC146818: its calendar and registers. rtc_file.hpp has its interrupts.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

struct RtcCalendar {
  u32 second = 0, minute = 0, hour = 0, day = 1, month = 1, year = 1970;  ///< day and month from 1
};
/// Waits while the chip updates it: up to 2 ms.
[[nodiscard]] RtcCalendar read_rtc_calendar();
/// Days from 1970-01-01.
[[nodiscard]] u64 days_from_1970(u64 year, u64 month, u64 day);
/// Seconds since 1970, as the chip's calendar says (taken as UTC, of this century).
[[nodiscard]] u64 read_rtc();

/// Registers A to C and their bits (MC146818A data sheet, "registers").
namespace rtc {
inline constexpr u8 register_a = 10, register_b = 11, register_c = 12;
inline constexpr u8 periodic = 0x40, alarm = 0x20, update_ended = 0x10;  // enables in B, flags in C
inline constexpr u8 interrupt_flag = 0x80;
}  // namespace rtc
[[nodiscard]] u8 read_rtc_register(u8 number);
void write_rtc_register(u8 number, u8 value);

}  // namespace pulse
