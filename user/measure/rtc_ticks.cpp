// rtc-ticks [RATE [COUNT]]: receives so many periodic interrupts of the clock chip, and tells how long that took and
// how many instructions the CPU executed meanwhile (abi/instruction_count.h; 0 on machines that don't count).
#include "abi/instruction_count.h"
#include "user/runtime/program.hpp"

using namespace user;

int main_program(int count, char** arguments, char**) {
  constexpr int set_rate = 0x4008700C, periodic_on = 0x7005;  // linux/rtc.h
  const u64 rate = number_in(count > 1 ? arguments[1] : nullptr, 64);
  const u64 wanted = number_in(count > 2 ? arguments[2] : nullptr, 32);
  begin_part("rtc");
  const i64 file = call(Call::open, "/dev/rtc0", 0, 0);
  if (file < 0) {
    show("/dev/rtc0", file);
    return 1;
  }
  if (const i64 result = call(Call::ioctl, file, set_rate, rate); result != 0) {
    show("rate", result);
    return 1;
  }
  call(Call::ioctl, file, periodic_on, 0);
  u64 value = 0;
  call(Call::read, file, &value, sizeof value);  // the first one comes at any time
  const i64 start = now();
  const u64 before = vitrine_instructions();
  for (u64 ticks = 0; ticks < wanted; ticks += value >> 8) {
    if (const i64 moved = call(Call::read, file, &value, sizeof value); moved != sizeof value) {
      show("read", moved);
      return 1;
    }
  }
  const i64 instructions = static_cast<i64>(vitrine_instructions() - before);
  show("milliseconds", (now() - start + millisecond / 2) / millisecond);
  show("instructions", instructions);
  return 0;
}
