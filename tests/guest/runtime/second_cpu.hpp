// A second CPU for 32-bit images: started by INIT and SIPI, in flat protected mode on a stack of its own, with
// interrupts off and its local APIC on.
#pragma once

#include "tests/guest/runtime/io_apic.hpp"

static_assert(!GUEST_64);

extern "C" {
extern const u8 second_cpu_begin[], second_cpu_end[];
[[noreturn]] void second_cpu_main();  ///< the image's
inline u32 second_cpu_stack[1024];
inline u32 second_cpu_stack_top;
}

// Copied to 8000h: CS is 0800h there. The descriptor of the GDT is put behind it.
asm(R"(
  .section .text
  .code16
  .globl second_cpu_begin, second_cpu_end
second_cpu_begin:
  cli
  lgdtl %cs:second_cpu_end - second_cpu_begin
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $0x08, $second_cpu_entry
second_cpu_end:
  .code32
second_cpu_entry:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl second_cpu_stack_top, %esp
  movl $0xFEE000F0, %eax
  movl $0x1FF, (%eax)
  call second_cpu_main
)");

/// After io_apic::start().
inline void start_second_cpu() {
  constexpr word page = 0x8000;
  const word size = static_cast<word>(second_cpu_end - second_cpu_begin);
  auto* const to = reinterpret_cast<volatile u8*>(page);
  for (word i = 0; i < size; ++i) to[i] = second_cpu_begin[i];
  const u32 base = reinterpret_cast<word>(guest_gdt);
  const u32 limit = sizeof guest_gdt - 1;
  const u8 table[6] = {static_cast<u8>(limit),     static_cast<u8>(limit >> 8), static_cast<u8>(base),
                       static_cast<u8>(base >> 8), static_cast<u8>(base >> 16), static_cast<u8>(base >> 24)};
  for (word i = 0; i < sizeof table; ++i) to[size + i] = table[i];
  second_cpu_stack_top = reinterpret_cast<word>(second_cpu_stack + 1024);
  local_apic::send(local_apic::mode_init | local_apic::asserted, 1);
  local_apic::send(local_apic::mode_start_up | local_apic::asserted | page >> 12, 1);
}
