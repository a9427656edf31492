#include "kernel/arch/x86_64/descriptors.hpp"

#include <new>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/per_cpu.hpp"

extern "C" const char entry_stubs[], syscall_stub[], boot_stack_top[];

namespace pulse {

namespace {

struct [[gnu::packed]] TaskState {
  u32 reserved0 = 0;
  u64 rsp[3] = {};
  u64 reserved1 = 0;
  u64 ist[7] = {};
  u64 reserved2 = 0;
  u16 reserved3 = 0;
  u16 io_map = sizeof(TaskState);  // behind the limit: no port for ring 3
};
static_assert(sizeof(TaskState) == 104);

struct Gate {
  u16 offset_low;
  u16 selector;
  u8 stack;
  u8 access;
  u16 offset_middle;
  u32 offset_high;
  u32 reserved;
};

struct [[gnu::packed]] TablePointer {
  u16 limit;
  u64 base;
};

constexpr std::size_t stub_bytes = 16;
constexpr u8 interrupt_gate = 0x8E, user_interrupt_gate = 0xEE;
constexpr u8 breakpoint = 3, overflow = 4, system_call = 0x80;
constexpr std::size_t fault_stack_bytes = 8192;

/// What the hardware reads, and what the kernel keeps, of one CPU.
struct CpuArea : PerCpu {
  TaskState task_state;
  u64 gdt[8] = {0,
                0x00AF9B000000FFFF,   // KERNEL_CODE: 64-bit
                0x00CF93000000FFFF,   // KERNEL_DATA
                0,                    // USER_CODE_32: none, or SYSCALL in it would enter the kernel by IA32_CSTAR
                0x00CFF3000000FFFF,   // USER_DATA
                0x00AFFB000000FFFF};  // USER_CODE; then TASK_STATE in two slots
  alignas(16) u8 fault_stacks[3][fault_stack_bytes];

  void put_task_descriptor() {
    const u64 base = reinterpret_cast<u64>(&task_state);
    const u64 limit = sizeof task_state - 1;
    gdt[6] = limit | (base & 0xFFFFFF) << 16 | u64{0x89} << 40 | (base >> 24 & 0xFF) << 56;
    gdt[7] = base >> 32;
  }
};

constinit CpuArea boot_cpu{};  // used before constructors run
CpuArea* areas[most_cpus] = {&boot_cpu};
u32 running_cpus = 1;
Gate idt[256];

void put_gate(unsigned vector, u8 access, InterruptStack stack) {
  const u64 target = reinterpret_cast<u64>(entry_stubs) + vector * stub_bytes;
  idt[vector] = {static_cast<u16>(target),
                 KERNEL_CODE,
                 static_cast<u8>(stack),
                 access,
                 static_cast<u16>(target >> 16),
                 static_cast<u32>(target >> 32),
                 0};
}

InterruptStack stack_of(unsigned vector) {
  switch (vector) {
    case 2:
      return InterruptStack::Nmi;
    case 8:
      return InterruptStack::DoubleFault;
    case 18:
      return InterruptStack::MachineCheck;
    default:
      return InterruptStack::Current;
  }
}

}  // namespace

u32 cpu_count() { return running_cpus; }
PerCpu& cpu_at(u32 number) { return *areas[number]; }

PerCpu& boot_processor_data() { return boot_cpu; }

PerCpu* make_cpu(u32 number) {
  auto* area = new (std::nothrow) CpuArea;
  if (area == nullptr) return nullptr;
  area->number = number;
  areas[number] = area;
  return area;
}

void announce_cpu() { ++running_cpus; }

void set_kernel_stack(u64 top) {
  auto& area = static_cast<CpuArea&>(this_cpu());
  area.task_state.rsp[0] = top;
  area.kernel_stack = top;
}

void load_descriptors(PerCpu& cpu) {
  auto& area = static_cast<CpuArea&>(cpu);
  u64* const gdt = area.gdt;
  for (unsigned i = 0; i < 3; ++i) {
    area.task_state.ist[i] = reinterpret_cast<u64>(area.fault_stacks[i] + fault_stack_bytes);
  }
  area.put_task_descriptor();
  for (unsigned vector = 0; &area == &boot_cpu && vector < 256; ++vector) {
    const bool for_users = vector == breakpoint || vector == overflow || vector == system_call;
    put_gate(vector, for_users ? user_interrupt_gate : interrupt_gate, stack_of(vector));
  }
  const TablePointer gdt_pointer{sizeof area.gdt - 1, reinterpret_cast<u64>(gdt)};
  const TablePointer idt_pointer{sizeof idt - 1, reinterpret_cast<u64>(idt)};
  asm volatile(
      "lgdt %0\n lidt %1\n"
      "pushq %2\n leaq 1f(%%rip), %%rax\n pushq %%rax\n lretq\n"
      "1: mov %w3, %%ss\n mov %w4, %%ds\n mov %w4, %%es\n mov %w4, %%fs\n mov %w4, %%gs\n ltr %w5"
      :
      : "m"(gdt_pointer), "m"(idt_pointer), "i"(KERNEL_CODE), "r"(KERNEL_DATA), "r"(0), "r"(TASK_STATE)
      : "rax", "memory");
  area.self = &area;
  write_msr(msr::gs_base, reinterpret_cast<u64>(&area));
  write_msr(msr::kernel_gs_base, 0);
  set_kernel_stack(area.kernel_stack != 0 ? area.kernel_stack : reinterpret_cast<u64>(boot_stack_top));

  write_msr(msr::star, u64{USER_CODE_32} << 48 | u64{KERNEL_CODE} << 32);
  write_msr(msr::lstar, reinterpret_cast<u64>(syscall_stub));
  // NT above all: with it, the kernel's IRETQ would fault (SDM vol. 2, IRET).
  write_msr(msr::fmask, flag::status | flag::trap | flag::interrupt | flag::direction | flag::io_privilege |
                            flag::nested_task | flag::resume | flag::alignment_check | flag::identification);
}

}  // namespace pulse
