#include "kernel/drivers/rtc.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {

constexpr u16 index_port = 0x70, data_port = 0x71;
enum Register : u8 { seconds = 0, minutes = 2, hours = 4, day = 7, month = 8, year = 9, status_a = 10, status_b = 11 };
constexpr u8 update_in_progress = 0x80, binary_mode = 0x04, hours_of_24 = 0x02, afternoon = 0x80;

u8 read(u8 number) {
  out8(index_port, number);
  return in8(data_port);
}

struct Calendar {
  u8 values[6];
  bool operator==(const Calendar&) const = default;
};

Calendar read_calendar() {
  while ((read(status_a) & update_in_progress) != 0) asm volatile("pause");
  return {{read(seconds), read(minutes), read(hours), read(day), read(month), read(year)}};
}

/// Days from 1970 to a date (H. Hinnant, "chrono-compatible low-level date algorithms").
u64 days_from_1970(u64 y, u64 m, u64 d) {
  y -= m <= 2 ? 1 : 0;
  const u64 era = y / 400;
  const u64 year_of_era = y - era * 400;
  const u64 day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const u64 day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

}  // namespace

u64 read_rtc() {
  // Twice the same: no update came in between (data sheet, "update cycle").
  Calendar calendar = read_calendar();
  for (Calendar again = read_calendar(); !(again == calendar); again = read_calendar()) calendar = again;
  const u8 mode = read(status_b);
  const bool is_afternoon = (mode & hours_of_24) == 0 && (calendar.values[2] & afternoon) != 0;
  calendar.values[2] &= static_cast<u8>(~afternoon);
  if ((mode & binary_mode) == 0) {
    for (u8& value : calendar.values) value = static_cast<u8>((value >> 4) * 10 + (value & 15));
  }
  u64 hour = calendar.values[2];
  if ((mode & hours_of_24) == 0) hour = hour % 12 + (is_afternoon ? 12 : 0);
  const u64 days = days_from_1970(2000u + calendar.values[5], calendar.values[4], calendar.values[3]);
  return ((days * 24 + hour) * 60 + calendar.values[1]) * 60 + calendar.values[0];
}

}  // namespace pulse
