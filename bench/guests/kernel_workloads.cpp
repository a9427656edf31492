#include "bench/guests/kernel_workloads.hpp"

#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 bench_units;
word bench_user_stack_pointer;
u32 bench_ticks;
alignas(16) u8 bench_user_stack[4096];
extern const char bench_skip_ud[], bench_return[], bench_user_int[], bench_user_done[], bench_user_syscall[],
    bench_syscall_entry[], bench_map_page[], bench_tick[], bench_iret_only[];
void bench_undefined(u32 count);
void bench_int(u32 count);
void bench_enter(const void* code, word stack);
}

// Handlers as short as a kernel's shortest.
asm(R"(
.text
bench_undefined:          # UD2, count times; the handler steps over it
  movl %edi, %ecx
1:
  ud2
  decl %ecx
  jnz 1b
  ret
bench_skip_ud:
  addq $2, (%rsp)
  iretq

bench_int:                # INT 0x81 and IRET in ring 0
  movl %edi, %ecx
1:
  int $0x81
  decl %ecx
  jnz 1b
  ret
bench_iret_only:
  iretq

bench_enter:              # to ring 3, back by INT 0x82
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  movq %rsp, bench_saved_sp
  pushq $0x23
  pushq %rsi
  pushq $2
  pushq $0x2B
  pushq %rdi
  iretq
bench_user_done:
  movq bench_saved_sp, %rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret
bench_user_int:
  movl bench_units, %ebx
1:
  int $0x80
  decl %ebx
  jnz 1b
  int $0x82
bench_return:
  iretq
bench_user_syscall:
  movl bench_units, %ebx
1:
  syscall
  decl %ebx
  jnz 1b
  int $0x82
bench_syscall_entry:
  swapgs
  movq %rsp, bench_user_stack_pointer
  movq guest_tss + 4, %rsp
  pushq %rcx
  popq %rcx
  movq bench_user_stack_pointer, %rsp
  swapgs
  sysretq

bench_map_page:           # #PF: maps the page that was touched; the error code goes
  push %rax
  push %rdx
  movq %cr2, %rax
  movq %rax, %rdx
  andq $0xFFFFFFFFFFFFF000, %rdx
  shrq $12, %rax
  andl $511, %eax
  orq $3, %rdx
  andl $0x1FFFFF, %edx
  movq %rdx, bench_table(, %rax, 8)
  pop %rdx
  pop %rax
  addq $8, %rsp
  iretq

bench_tick:               # the timer: EOI, and a new one-shot of 12 counts (10 us)
  push %rax
  incl bench_ticks
  movb $0x20, %al
  outb %al, $0x20
  movb $12, %al
  outb %al, $0x40
  pop %rax
  iretq
.bss
.align 4096
.globl bench_table
bench_table: .skip 4096
bench_saved_sp: .skip 8
)");

extern "C" u64 bench_table[512];
extern "C" u64 guest_boot_tables[];

namespace {

u64 exceptions(u32 units) {
  set_gate_target(6, bench_skip_ud);
  bench_undefined(units);
  return units;
}

u64 int_and_iret(u32 units) {
  set_gate_target(0x81, bench_iret_only);
  bench_int(units);
  return units;
}

u64 in_ring3(const void* code, u32 units) {
  set_gate_target(0x80, bench_return);
  set_gate_dpl(0x80, 3);
  set_gate_target(0x82, bench_user_done);
  set_gate_dpl(0x82, 3);
  bench_units = units;
  bench_enter(code, reinterpret_cast<word>(bench_user_stack + sizeof bench_user_stack));
  return units;
}

u64 ring3_int(u32 units) { return in_ring3(bench_user_int, units); }

u64 system_calls(u32 units) {
  write_msr(msr_efer, read_msr(msr_efer) | 1);
  write_msr(msr_star, u64{0x18 | 3} << 48 | u64{0x08} << 32);
  write_msr(msr_lstar, reinterpret_cast<word>(bench_syscall_entry));
  write_msr(msr_fmask, flag_if | flag_tf);
  return in_ring3(bench_user_syscall, units);
}

/// The table of the first GiB, entry 256: linear 512 MiB on, in pages of 4 KiB.
char* map_small_pages() {
  u64* directory = guest_boot_tables + 1024;
  directory[256] = reinterpret_cast<word>(bench_table) | 7;
  return reinterpret_cast<char*>(word{512} << 20);
}

/// One touch of a page that is not there, its mapping, its unmapping.
u64 page_faults(u32 units) {
  char* pages = map_small_pages();
  set_gate_target(14, bench_map_page);
  u64 sum = 0;
  for (u32 unit = 0; unit < units; ++unit) {
    const u32 page = unit & 63;
    char* address = pages + page * 4096;
    sum += *reinterpret_cast<volatile u8*>(address) * 0 + 1;
    bench_table[page] = 0;
    invalidate(address);
  }
  return sum;
}

/// CR3 written, then one word in each of 16 pages touched.
u64 address_spaces(u32 units) {
  char* pages = map_small_pages();
  for (u32 page = 0; page < 512; ++page) bench_table[page] = (u64{page} * 4096 + 0x400000) | 3;
  const word tables = cr3();
  u64 sum = 0;
  for (u32 unit = 0; unit < units; ++unit) {
    set_cr3(tables);
    for (u32 page = 0; page < 16; ++page) sum += *reinterpret_cast<volatile u32*>(pages + page * 4096) * 0 + 1;
  }
  return sum;
}

/// One-shots of channel 0 that their handler arms again, 10 us each; the CPU halts in between.
u64 timer_interrupts(u32 units) {
  set_gate_target(irq_base, bench_tick);
  pic_allow(1);
  out8(0x43, 0x10);  // channel 0, low byte only, mode 0
  out8(0x40, 12);
  while (bench_ticks < units) wait_for_interrupt();
  return units;
}

u64 port_reads(u32 units) {
  u64 sum = 0;
  for (u32 unit = 0; unit < units; ++unit) sum += in8(0x21);
  return sum;
}

}  // namespace

const Workload kernel_workloads[kernel_workload_count] = {
    {"exceptions", exceptions, 1'000'000},          {"int_and_iret", int_and_iret, 1'500'000},
    {"ring3_int_and_iret", ring3_int, 1'000'000},   {"system_calls", system_calls, 3'000'000},
    {"page_faults", page_faults, 300'000},          {"address_spaces", address_spaces, 80'000},
    {"timer_interrupts", timer_interrupts, 20'000}, {"port_reads", port_reads, 4'000'000},
};
