// Runs in the guest, on Linux: says what /proc/interrupts holds, and a moment at which it held exactly that.
//
// It reads the file, takes the time-stamp counter (Vitrine's counts guest nanoseconds since power-on), and reads the
// file again. Were an interrupt counted between the two readings, they would differ, and it tries again. So the figures
// that it prints are true at the moment that it prints, whatever happened before the first reading or after the second.
//
// No library: the build needs no static libc, and the program is a page long.
#include <asm/unistd_64.h>

namespace {

using Size = unsigned long;

long system_call(long number, long first, long second, long third) {
  long result = number;
  asm volatile("syscall" : "+a"(result) : "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
  return result;
}

struct Text {
  char bytes[16384];
  Size size;
};

// Not on the stack: no library, no memset.
Text before, after;

void read_interrupts(Text& text) {
  const long file = system_call(__NR_open, reinterpret_cast<long>("/proc/interrupts"), 0, 0);
  text.size = 0;
  for (;;) {
    const long got = system_call(__NR_read, file, reinterpret_cast<long>(text.bytes + text.size),
                                 static_cast<long>(sizeof text.bytes - text.size));
    if (got <= 0) break;
    text.size += static_cast<Size>(got);
  }
  system_call(__NR_close, file, 0, 0);
}

bool equal(const Text& a, const Text& b) {
  if (a.size != b.size) return false;
  for (Size i = 0; i < a.size; ++i) {
    if (a.bytes[i] != b.bytes[i]) return false;
  }
  return true;
}

unsigned long time_stamp() {
  unsigned low = 0;
  unsigned high = 0;
  asm volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
  return static_cast<unsigned long>(high) << 32 | low;
}

void print(const char* text, Size size) {
  system_call(__NR_write, 1, reinterpret_cast<long>(text), static_cast<long>(size));
}

void print_number(unsigned long value) {
  char digits[20];
  Size first = sizeof digits;
  do {
    digits[--first] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  print(digits + first, sizeof digits - first);
}

}  // namespace

extern "C" [[noreturn]] void _start() {
  unsigned long moment = 0;
  do {
    read_interrupts(before);
    moment = time_stamp();
    read_interrupts(after);
  } while (!equal(before, after));
  print("witness at ", 11);
  print_number(moment);
  print("\n", 1);
  print(before.bytes, before.size);
  print("witness ends\n", 13);
  for (;;) system_call(__NR_exit, 0, 0, 0);
}
