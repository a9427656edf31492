#include "bench/guests/apic_workloads.hpp"

#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/pci.hpp"

extern "C" {
u32 apic_bench_left;
volatile u32* apic_bench_trigger;  // the PCI function's register that makes it interrupt
volatile u32* apic_bench_clear;    // and the one that must be written afterwards, if there is one
extern const char apic_bench_count[], apic_bench_rearm[], apic_bench_answer[], apic_bench_message[];
extern const char apic_bench_other_start[], apic_bench_other_end[];
}

// Handlers as short as a kernel's shortest. The local APIC's page is FEE00000h: EOI B0h, ICR 300h, initial count 380h.
asm(R"(
.text
apic_bench_count:         # a vector that only ends
  push %rax
  movl $0xFEE00000, %eax
  movl $0, 0xB0(%rax)
  decl apic_bench_left
  pop %rax
  iretq
apic_bench_rearm:         # the timer: a new one-shot of 10,000 bus clocks
  push %rax
  movl $0xFEE00000, %eax
  movl $0, 0xB0(%rax)
  decl apic_bench_left
  movl $10000, 0x380(%rax)
  pop %rax
  iretq
apic_bench_answer:        # from the other CPU: send one back, unless it is enough
  push %rax
  movl $0xFEE00000, %eax
  movl $0, 0xB0(%rax)
  decl apic_bench_left
  jz 1f
  movl $0x4042, 0x300(%rax)
1:
  pop %rax
  iretq
apic_bench_message:       # from the PCI function: have it send the next
  push %rax
  movl $0xFEE00000, %eax
  movl $0, 0xB0(%rax)
  movq apic_bench_clear, %rax
  testq %rax, %rax
  jz 1f
  movl $1, (%rax)
1:
  decl apic_bench_left
  jz 1f
  movq apic_bench_trigger, %rax
  movl $1, (%rax)
1:
  pop %rax
  iretq

# What the other CPU runs, copied to 8000h: to flat 32-bit mode, then it answers vector 42h with vector 41h to CPU 0.
.rodata
apic_bench_other_start:
.code16
  cli
  movw %cs, %ax
  movw %ax, %ds
  lgdtl apic_bench_gdtr - apic_bench_other_start
  lidtl apic_bench_idtr - apic_bench_other_start
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $0x8000 + apic_bench_flat - apic_bench_other_start
.code32
apic_bench_flat:
  movw $16, %ax
  movw %ax, %ds
  movw %ax, %ss
  movl $0x9000, %esp
  movl $0xFEE00000, %ebx
  movl $0x1FF, 0xF0(%ebx)
  movl $0, 0x80(%ebx)
  movl $0, 0x310(%ebx)
  movl $0x4041, 0x300(%ebx)
1:
  sti
  hlt
  jmp 1b
apic_bench_other_handler:
  movl $0, 0xB0(%ebx)
  movl $0x4041, 0x300(%ebx)
  iretl
.align 8
apic_bench_gdt:
  .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
apic_bench_gdtr:
  .word 23
  .long 0x8000 + apic_bench_gdt - apic_bench_other_start
apic_bench_idtr:
  .word 0x7FF
  .long 0x7000
apic_bench_other_end:
.code64
.text
.globl apic_bench_other_handler
)");

extern "C" const char apic_bench_other_handler[];

namespace {

constexpr u8 own_vector = 0x40, answer_vector = 0x41, other_vector = 0x42, message_vector = 0x43;

void start_apic() {
  map_devices();
  apic::write(apic::spurious_vector, 0x1FF);
}

u64 wait_for_all(u32 units) {
  while (*const_cast<volatile u32*>(&apic_bench_left) != 0) wait_for_interrupt();
  return units;
}

/// One IPI to itself after another, each taken before the next is sent.
u64 self_ipi(u32 units) {
  start_apic();
  set_gate_target(own_vector, apic_bench_count);
  apic_bench_left = units;
  asm volatile("sti");
  while (*const_cast<volatile u32*>(&apic_bench_left) != 0)
    apic::write(apic::command_low, apic::to_self | apic::asserted | own_vector);
  asm volatile("cli");
  return units;
}

/// One-shots of the APIC's timer that their handler arms again, 10,000 bus clocks each; the CPU halts in between.
u64 apic_timer(u32 units) {
  start_apic();
  set_gate_target(own_vector, apic_bench_rearm);
  apic_bench_left = units;
  apic::write(apic::divide, apic::divide_by_1);
  apic::write(apic::lvt_timer, own_vector);
  apic::write(apic::initial_count, 10'000);
  return wait_for_all(units);
}

u64 apic_reads(u32 units) {
  start_apic();
  u64 sum = 0;
  for (u32 unit = 0; unit < units; ++unit) sum += apic::read(apic::spurious_vector) & 0xFF;
  return sum;
}

/// Two CPUs send each other one IPI after another.
u64 ipi_ping_pong(u32 units) {
  start_apic();
  auto* code = reinterpret_cast<char*>(word{0x8000});
  for (const char* from = apic_bench_other_start; from != apic_bench_other_end; ++from) *code++ = *from;
  const u64 handler = 0x8000 + static_cast<u64>(apic_bench_other_handler - apic_bench_other_start);
  auto* const table = reinterpret_cast<volatile u64*>(word{0x7000});
  for (u32 gate = 0; gate < 256; ++gate) table[gate] = 0;
  table[other_vector] = (handler & 0xFFFF) | u64{8} << 16 | u64{0x8E00} << 32 | (handler >> 16) << 48;
  set_gate_target(answer_vector, apic_bench_answer);
  apic_bench_left = units;
  apic::send(apic::mode_init | apic::asserted, 1);
  apic::send(apic::mode_start_up | apic::asserted | 0x8000 >> 12, 1);  // its first IPI is where we begin
  return wait_for_all(units);
}

/// A PCI function that sends an MSI when it is told to, and is told so by the handler of the one before: Vitrine's
/// interrupt tester, or QEMU's edu (docs/specs/edu.txt there), which wants an acknowledge as well.
u64 msi_storm(u32 units) {
  constexpr u32 tester = 0x7E571234, edu = 0x11E81234;
  start_apic();
  for (u32 device = 0; device < 32; ++device) {
    const u32 id = pci_read(device, 0, 0);
    if (id != tester && id != edu) continue;
    pci_write(device, 0, 4, pci_read(device, 0, 4) | 6);  // memory, bus master
    auto* const registers = reinterpret_cast<volatile u32*>(word{pci_read(device, 0, 0x10) & ~0xFu});
    u32 capability = pci_read(device, 0, 0x34) & 0xFC;
    while ((pci_read(device, 0, capability) & 0xFF) != 5) capability = pci_read(device, 0, capability) >> 8 & 0xFC;
    pci_write(device, 0, capability + 4, apic::page);
    pci_write(device, 0, capability + 8, 0);
    pci_write(device, 0, capability + 12, message_vector);
    pci_write(device, 0, capability, pci_read(device, 0, capability) | 1u << 16);
    apic_bench_trigger = id == edu ? registers + 0x60 / 4 : registers + 0x14 / 4;
    apic_bench_clear = id == edu ? registers + 0x64 / 4 : nullptr;
    set_gate_target(message_vector, apic_bench_message);
    apic_bench_left = units;
    *apic_bench_trigger = 1;
    return wait_for_all(units);
  }
  panic("no PCI function that can send MSIs on command");
}

}  // namespace

const Workload apic_workloads[apic_workload_count] = {
    {"self_ipi", self_ipi, 500'000},       {"apic_timer", apic_timer, 20'000},
    {"apic_reads", apic_reads, 4'000'000}, {"ipi_ping_pong", ipi_ping_pong, 100'000},
    {"msi_storm", msi_storm, 300'000},
};
