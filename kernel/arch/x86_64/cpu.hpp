// Instructions that C++ has no words for.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory"); }
inline void out16(u16 port, u16 value) { asm volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory"); }
inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory"); }
inline u32 in32(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline u8 in8(u16 port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

inline u64 read_msr(u32 number) {
  u32 low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return u64{high} << 32 | low;
}
inline void write_msr(u32 number, u64 value) {
  asm volatile("wrmsr" ::"c"(number), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)) : "memory");
}
namespace msr {
inline constexpr u32 efer = 0xC0000080, star = 0xC0000081, lstar = 0xC0000082, fmask = 0xC0000084, fs_base = 0xC0000100,
                     gs_base = 0xC0000101, kernel_gs_base = 0xC0000102, machine_check_status = 0x17A;
}

inline u64 read_cr2() {
  u64 value;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
inline u64 read_dr6() {
  u64 value;
  asm volatile("mov %%dr6, %0" : "=r"(value));
  return value;
}
inline u16 read_x87_status() {
  u16 value;
  asm volatile("fnstsw %0" : "=a"(value));
  return value;
}
inline u16 read_x87_control() {
  u16 value;
  asm volatile("fnstcw %0" : "=m"(value));
  return value;
}
inline u32 read_mxcsr() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value));
  return value;
}
inline u64 read_cr3() {
  u64 value;
  asm volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}
inline void write_cr3(u64 value) { asm volatile("mov %0, %%cr3" ::"r"(value) : "memory"); }
inline void invalidate_page(u64 address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }
inline u64 read_tsc() {
  u32 low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return u64{high} << 32 | low;
}

namespace flag {
inline constexpr u64 carry = 1, status = 0x8D5, trap = 0x100, interrupt = 0x200, direction = 0x400,
                     io_privilege = 0x3000, nested_task = 0x4000, resume = 0x10000, alignment_check = 0x40000,
                     identification = 0x200000;
}
inline u64 read_flags() {
  u64 value;
  asm volatile("pushfq; popq %0" : "=r"(value)::"memory");
  return value;
}
inline bool interrupts_are_on() { return (read_flags() & flag::interrupt) != 0; }
inline void interrupts_on() { asm volatile("sti" ::: "memory"); }
inline void interrupts_off() { asm volatile("cli" ::: "memory"); }
/// Waits for an interrupt, with IF clear before and after. STI holds interrupts off for one more instruction, which is
/// the HLT: none can come in between and be slept over (SDM vol. 2, STI).
inline void wait_for_interrupt() { asm volatile("sti; hlt; cli" ::: "memory"); }
[[noreturn]] inline void halt_for_good() {
  for (;;) asm volatile("cli; hlt" ::: "memory");
}

/// Interrupts are off while one lives; then as they were.
class InterruptsOff {
 public:
  InterruptsOff() : were_on_(interrupts_are_on()) { interrupts_off(); }
  ~InterruptsOff() {
    if (were_on_) interrupts_on();
  }
  InterruptsOff(const InterruptsOff&) = delete;
  InterruptsOff& operator=(const InterruptsOff&) = delete;

 private:
  bool were_on_;
};

}  // namespace pulse
