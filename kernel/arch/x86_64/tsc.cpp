#include "kernel/arch/x86_64/tsc.hpp"

#include <cpuid.h>

#include <algorithm>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/pit8254.hpp"

namespace pulse {

namespace {

constexpr u64 second = 1'000'000'000;
constexpr unsigned fraction_bits = 32;

u64 kilohertz = 0;
u64 first_count = 0;
u64 nanoseconds_per_count = 0;  // in 2^-fraction_bits

/// SDM vol. 2, CPUID leaf 15h: the crystal's frequency, times EBX / EAX. 0: it doesn't say.
u64 frequency_from_cpuid() {
  u32 a, b, c, d;
  __cpuid(0, a, b, c, d);
  constexpr u32 leaf = 0x15;
  if (a < leaf) return 0;
  __cpuid(leaf, a, b, c, d);
  return a != 0 ? u64{c} * b / a : 0;
}

/// The shortest of three measurements: whoever took the CPU away made the others longer.
u64 frequency_from_pit() {
  constexpr u32 parts_of_second = 200;
  u64 least = ~u64{0};
  for (int i = 0; i < 3; ++i) {
    start_pit_stopwatch(pit_input_hz / parts_of_second);
    const u64 begin = read_tsc();
    while (!pit_stopwatch_ran_out()) asm volatile("pause");
    least = std::min(least, read_tsc() - begin);
  }
  return least * parts_of_second;
}

}  // namespace

void start_tsc_clock() {
  u64 hertz = frequency_from_cpuid();
  if (hertz == 0) hertz = frequency_from_pit();
  kilohertz = std::max<u64>(hertz / 1000, 1);
  nanoseconds_per_count = (second << fraction_bits) / (kilohertz * 1000);
  first_count = read_tsc();
}

u64 tsc_kilohertz() { return kilohertz; }

u64 nanoseconds_since_boot() {
  const u64 counts = read_tsc() - first_count;
  return static_cast<u64>(static_cast<unsigned __int128>(counts) * nanoseconds_per_count >> fraction_bits);
}

}  // namespace pulse
