#include "kernel/drivers/rtc.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {

constexpr u16 index_port = 0x70, data_port = 0x71;
enum Register : u8 { seconds = 0, minutes = 2, hours = 4, day = 7, month = 8, year = 9 };
constexpr u8 update_in_progress = 0x80, binary_mode = 0x04, hours_of_24 = 0x02, afternoon = 0x80;

struct Calendar {
  u8 values[6];
  bool operator==(const Calendar&) const = default;
};

Calendar read_calendar() {
  while ((read_rtc_register(rtc::register_a) & update_in_progress) != 0) asm volatile("pause");
  return {{read_rtc_register(seconds), read_rtc_register(minutes), read_rtc_register(hours), read_rtc_register(day),
           read_rtc_register(month), read_rtc_register(year)}};
}

}  // namespace

/// (H. Hinnant, "chrono-compatible low-level date algorithms").
u64 days_from_1970(u64 y, u64 m, u64 d) {
  y -= m <= 2 ? 1 : 0;
  const u64 era = y / 400;
  const u64 year_of_era = y - era * 400;
  const u64 day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const u64 day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

u8 read_rtc_register(u8 number) {
  const InterruptsOff off;
  out8(index_port, number);
  return in8(data_port);
}
void write_rtc_register(u8 number, u8 value) {
  const InterruptsOff off;
  out8(index_port, number);
  out8(data_port, value);
}

RtcCalendar read_rtc_calendar() {
  // Twice the same: no update came in between (data sheet, "update cycle").
  Calendar calendar = read_calendar();
  for (Calendar again = read_calendar(); !(again == calendar); again = read_calendar()) calendar = again;
  const u8 mode = read_rtc_register(rtc::register_b);
  const bool is_afternoon = (mode & hours_of_24) == 0 && (calendar.values[2] & afternoon) != 0;
  calendar.values[2] &= static_cast<u8>(~afternoon);
  if ((mode & binary_mode) == 0) {
    for (u8& value : calendar.values) value = static_cast<u8>((value >> 4) * 10 + (value & 15));
  }
  u64 hour = calendar.values[2];
  if ((mode & hours_of_24) == 0) hour = hour % 12 + (is_afternoon ? 12 : 0);
  const auto at = [&](int place) { return u32{calendar.values[place]}; };
  return {at(0), at(1), static_cast<u32>(hour), at(3), at(4), 2000 + at(5)};
}

u64 read_rtc() {
  const RtcCalendar now = read_rtc_calendar();
  const u64 days = days_from_1970(now.year, now.month, now.day);
  return ((days * 24 + now.hour) * 60 + now.minute) * 60 + now.second;
}

}  // namespace pulse
