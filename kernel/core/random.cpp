#include "kernel/core/random.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {

constexpr u32 rdrand_bit = 30;  // CPUID.1:ECX

u64 first_seed() {
  u32 eax = 1, ebx, ecx = 0, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  u64 value = read_tsc();
  if (bit(ecx, rdrand_bit)) {
    u64 drawn;
    asm volatile("rdrand %0" : "=r"(drawn)::"cc");
    value ^= drawn;
  }
  return value;
}

}  // namespace

u64 random_number() {
  static u64 state = first_seed();
  state += 0x9E3779B97F4A7C15;
  u64 mixed = state;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
  return mixed ^ mixed >> 31;
}

}  // namespace pulse
