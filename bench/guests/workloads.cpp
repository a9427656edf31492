#include "bench/guests/workloads.hpp"

namespace {

constexpr u32 mib = 1 << 20;
alignas(4096) u64 first_buffer[8 * mib / sizeof(u64)];
// Not a power of two apart: no emulator's direct-mapped table shall see the two as one.
alignas(4096) u64 second_buffer_with_gap[8 * mib / sizeof(u64) + 5 * 512];
u64* const second_buffer = second_buffer_with_gap + 5 * 512;

/// Keeps the compiler from seeing through a loop, at no cost.
template <typename T>
inline void keep(T& value) {
  asm volatile("" : "+r"(value)::"memory");
}

struct Random {
  u64 state = 88172645463325252;
  u64 next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
};

u64 nothing(u32) { return 0; }

/// CRC-32 by table over 4 KiB, then some multiplication, a unit.
u64 integer(u32 units) {
  static u32 table[256];
  static u8 bytes[4096];
  for (u32 i = 0; i < 256; ++i) {
    u32 value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? value >> 1 ^ 0xEDB88320 : value >> 1;
    table[i] = value;
  }
  for (u32 i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<u8>(i * 7);
  u32 crc = ~0U;
  u64 mixed = 1;
  for (u32 unit = 0; unit < units; ++unit) {
    for (const u8 byte : bytes) crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF];
    for (u32 i = 0; i < 512; ++i) mixed = (mixed ^ crc) * 0x9E3779B97F4A7C15 + (mixed >> 29);
    keep(crc);
  }
  return mixed ^ crc;
}

/// A small interpreter on random code, and branches on random bits: 1,000 steps a unit.
u64 branches(u32 units) {
  Random random;
  static u8 code[1024];
  for (u8& each : code) each = static_cast<u8>(random.next() >> 20 & 7);
  u64 accumulator = 1;
  u64 other = 7;
  u32 at = 0;
  for (u32 step = 0; step < units * 1000; ++step) {
    const u8 operation = code[at & 1023];
    if (operation < 2) {
      accumulator += other;
      if ((accumulator & 0x100) != 0) other ^= accumulator;
    } else if (operation < 4) {
      accumulator ^= accumulator << 5;
      if ((accumulator & 0x20) == 0) ++at;
    } else if (operation < 5) {
      other = accumulator >> 3;
      if (other > 0x1000) accumulator -= other;
    } else if (operation < 6) {
      accumulator = accumulator >> 1 | accumulator << 63;
    } else if ((accumulator & 0x1000) != 0) {
      at += 3;
    } else {
      other += 13;
    }
    ++at;
    keep(accumulator);
  }
  return accumulator ^ other;
}

/// 1 MiB, word by word, a unit.
u64 memory_copy(u32 units) {
  for (u32 unit = 0; unit < units; ++unit) {
    const u64* from = first_buffer;
    u64* to = second_buffer;
    first_buffer[unit] = unit;
    for (u32 i = 0; i < mib / sizeof(u64); ++i) {
      to[i] = from[i];
      keep(to);
    }
  }
  return second_buffer[units / 2];
}

/// 1 MiB, word by word, a unit.
u64 memory_fill(u32 units) {
  u64* to = first_buffer;
  for (u32 unit = 0; unit < units; ++unit) {
    for (u32 i = 0; i < mib / sizeof(u64); ++i) {
      to[i] = unit;
      keep(to);
    }
  }
  return to[1];
}

/// 10,000 dependent loads over 8 MiB in a random cycle a unit.
u64 pointer_chase(u32 units) {
  constexpr u32 count = 8 * mib / 64;  // one a cache line
  for (u32 i = 0; i < count; ++i) first_buffer[i * 8] = i;
  Random random;
  for (u32 i = count - 1; i > 0; --i) {  // Sattolo's shuffle: one cycle
    const u32 other = static_cast<u32>(random.next() % i);
    const u64 value = first_buffer[i * 8];
    first_buffer[i * 8] = first_buffer[other * 8];
    first_buffer[other * 8] = value;
  }
  u64 at = 0;
  for (u32 step = 0; step < units * 10'000; ++step) at = first_buffer[at * 8];
  return at;
}

/// REP MOVSQ, MOVSB, STOSQ and REPNE SCASB over 256 KiB each, a unit.
u64 rep_strings(u32 units) {
  u64 sum = 0;
  for (u32 unit = 0; unit < units; ++unit) {
    const void* from = first_buffer;
    void* to = second_buffer;
    u64 count = mib / 4 / 8;
    asm volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(count)::"memory");
    from = first_buffer;
    to = second_buffer;
    count = mib / 4;
    asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
    to = second_buffer;
    count = mib / 4 / 8;
    asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(u64{unit} << 56) : "memory");
    to = first_buffer;
    count = mib / 4;
    asm volatile("repne scasb" : "+D"(to), "+c"(count) : "a"(0xEE) : "memory", "cc");
    sum += count + second_buffer[5];
  }
  return sum;
}

/// Newton's square root and a polynomial in 80-bit arithmetic: 1,000 rounds a unit.
u64 x87(u32 units) {
  long double x = 1.5L;
  long double sum = 0;
  for (u32 step = 0; step < units * 1000; ++step) {
    x = (x + 3.0L / x) * 0.5L;
    sum = sum * 0.75L + ((x * 1.25L - 2.0L) * x + 0.125L);
    x += 0.25L;
    asm volatile("" : "+m"(sum)::"memory");
  }
  return static_cast<u64>(sum * 1e6L);
}

/// A product of two 24x24 matrices of doubles, with square roots, a unit.
u64 sse(u32 units) {
  constexpr int size = 24;
  static double left[size][size];
  static double right[size][size];
  static double product[size][size];
  for (int i = 0; i < size; ++i) {
    for (int j = 0; j < size; ++j) {
      left[i][j] = i + j * 0.5;
      right[i][j] = i * 0.25 - j;
    }
  }
  for (u32 unit = 0; unit < units; ++unit) {
    for (int i = 0; i < size; ++i) {
      for (int j = 0; j < size; ++j) {
        double sum = 0;
        for (int k = 0; k < size; ++k) sum += left[i][k] * right[k][j];
        double root = sum < 0 ? -sum : sum;
        asm("sqrtsd %0, %0" : "+x"(root));
        product[i][j] = sum + root;
      }
    }
    left[unit % size][3] = product[unit % size][4] / 1024;
    asm volatile("" ::: "memory");
  }
  double total = 0;
  for (const auto& row : product) {
    for (const double each : row) total += each < 0 ? -each : each;
  }
  return static_cast<u64>(total);
}

}  // namespace

const Workload user_workloads[user_workload_count] = {
    {"empty", nothing, 0},
    {"integer", integer, 12'000},
    {"branches", branches, 30'000},
    {"memory_copy", memory_copy, 400},
    {"memory_fill", memory_fill, 500},
    {"pointer_chase", pointer_chase, 600},
    {"rep_strings", rep_strings, 300},
    {"x87", x87, 2'000},
    {"sse", sse, 1'000},
};
