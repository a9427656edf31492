// What our guest images stand on: no operating system, no library, one CPU, text out, traps caught.
//
// An image defines guest_main(). The runtime has made: flat segments, a TSS, an IDT whose 256 gates all lead to
// guest_dispatch(), in 64-bit images an identity map of the first GiB in 2-MiB pages that ring 3 may use too. Both
// 8259s are set to vectors 0x20 and 0x28 with all requests masked; IF is clear.
//
// Protocol: text goes to port 0xE9, a line for each check: "ok WHAT" or "FAIL WHAT". A line that starts with "~" is not
// compared with other machines: QEMU is known to differ from the manual there, and the line says where the manual is.
// The last line is "PASS" or "FAIL n", and the status written to port 0xF4 is pass_value or fail_value.
#pragma once

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using word = unsigned long;  ///< as wide as a register

#ifdef __x86_64__
#define GUEST_64 1
#define REGISTER_A "rax"  // for assembly that both widths share
#define REGISTER_SP "rsp"
#define REGISTER_SI "rsi"
#define REGISTER_DI "rdi"
#else
#define GUEST_64 0
#define REGISTER_A "eax"
#define REGISTER_SP "esp"
#define REGISTER_SI "esi"
#define REGISTER_DI "edi"
#endif

void guest_main();
/// Runs before it, and does what is said above of the 8259s. An image that has its own finds them as firmware leaves them.
extern "C" void guest_prepare_controllers();

// --- ports ----------------------------------------------------------------------------------------------------------
inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory"); }
inline u8 in8(u16 port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory"); }

// --- text and checks ------------------------------------------------------------------------------------------------
constexpr u8 pass_value = 0x10;
constexpr u8 fail_value = 0x11;

void print(const char* text);
void print_hex(u64 value);
void print_decimal(u64 value);
[[noreturn]] void finish();
/// Last words on port 0xE9, then the end with fail_value.
[[noreturn]] void panic(const char* what, u64 value = 0);

void check(const char* what, u64 got, u64 expected);
inline void check_true(const char* what, bool got) { check(what, got, true); }
/// While one lives, the lines of checks start with "~" and end with `manual`, where the rule stands: QEMU 7.2 differs.
/// Null: compared after all.
struct NotCompared {
  explicit NotCompared(const char* manual);
  ~NotCompared();
  NotCompared(const NotCompared&) = delete;
  NotCompared& operator=(const NotCompared&) = delete;
};
/// QEMU 7.2 counts 16 bytes to a gate in the error code of 64-bit mode (its index is that of the gate all the same).
constexpr const char* error_code_of_gate_64 = GUEST_64 ? "SDM vol. 3, 6.13" : nullptr;
inline void check_alone(const char* what, u64 got, u64 expected, const char* manual) {
  const NotCompared here(manual);
  check(what, got, expected);
}

// --- registers ------------------------------------------------------------------------------------------------------
#define GUEST_CONTROL_REGISTER(name)                             \
  inline word name() {                                           \
    word value;                                                  \
    asm volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
    return value;                                                \
  }                                                              \
  inline void set_##name(word value) { asm volatile("mov %0, %%" #name ::"r"(value) : "memory"); }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
GUEST_CONTROL_REGISTER(dr0)
GUEST_CONTROL_REGISTER(dr1)
GUEST_CONTROL_REGISTER(dr2)
GUEST_CONTROL_REGISTER(dr3)
GUEST_CONTROL_REGISTER(dr6)
GUEST_CONTROL_REGISTER(dr7)
#undef GUEST_CONTROL_REGISTER

inline u64 read_msr(u32 number) {
  u32 low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return u64{high} << 32 | low;
}
inline void write_msr(u32 number, u64 value) {
  asm volatile("wrmsr" ::"c"(number), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)) : "memory");
}
inline word flags() {
  word value;
  asm volatile("pushf; pop %0" : "=r"(value)::"memory");
  return value;
}
inline void interrupts_on() { asm volatile("sti" ::: "memory"); }
inline void interrupts_off() { asm volatile("cli" ::: "memory"); }
/// STI and HLT together: a request that is already there wakes it.
inline void wait_for_interrupt() { asm volatile("sti; hlt; cli" ::: "memory"); }
/// Lets what is pending in: STI's shadow covers the first NOP (SDM vol. 2, STI).
inline void window() { asm volatile("sti; nop; nop; cli" ::: "memory"); }
inline void invalidate(const void* address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }

// Bits by the manual's names.
constexpr word flag_cf = 1, flag_tf = 0x100, flag_if = 0x200, flag_of = 0x800, flag_iopl3 = 0x3000, flag_nt = 0x4000,
               flag_rf = 0x10000, flag_vm = 0x20000, flag_ac = 0x40000, flag_vif = 0x80000;
constexpr word cr0_mp = 2, cr0_em = 4, cr0_ts = 8, cr0_ne = 0x20, cr0_wp = 0x10000, cr0_am = 0x40000,
               cr0_pg = 0x80000000;
constexpr word cr4_vme = 1, cr4_de = 8, cr4_pse = 0x10, cr4_pae = 0x20, cr4_pge = 0x80, cr4_osfxsr = 0x200,
               cr4_osxmmexcpt = 0x400, cr4_smep = 0x100000, cr4_smap = 0x200000;
constexpr u32 msr_efer = 0xC0000080, msr_star = 0xC0000081, msr_lstar = 0xC0000082, msr_fmask = 0xC0000084;

// --- segments -------------------------------------------------------------------------------------------------------
// The order is what SYSENTER and SYSRET ask for (SDM vol. 2).
constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code32 = 0x1B, user_data = 0x23, task_selector = 0x38,
              free_selector = 0x48;  ///< from here on the GDT is the image's own
#if GUEST_64
constexpr u16 user_code = 0x2B;
#else
constexpr u16 user_code = user_code32;
#endif
constexpr int gdt_size = 64;
extern "C" u64 guest_gdt[gdt_size];

/// A segment descriptor (SDM vol. 3, 3.4.5). `access` is byte 5, `sizes` the high half of byte 6 (G, D, L, AVL).
constexpr u64 descriptor(u32 base, u32 limit, u8 access, u8 sizes) {
  return u64{limit & 0xFFFF} | u64{base & 0xFFFFFF} << 16 | u64{access} << 40 | u64{(limit >> 16) & 0xF} << 48 |
         u64{static_cast<u8>(sizes & 0xF0)} << 48 | u64{base >> 24} << 56;
}
/// A call, interrupt or trap gate of 32-bit protected mode; `access` is byte 5.
constexpr u64 gate(u16 selector, u32 offset, u8 access, u8 parameters = 0) {
  return u64{offset & 0xFFFF} | u64{selector} << 16 | u64{static_cast<u8>(parameters & 31)} << 32 | u64{access} << 40 |
         u64{offset >> 16} << 48;
}
/// Puts a descriptor into slot `selector / 8` and gives back the selector.
u16 put_descriptor(u16 selector, u64 value);

#if GUEST_64
struct [[gnu::packed]] Tss {
  u32 reserved0;
  u64 sp0, sp1, sp2;
  u64 reserved1;
  u64 ist[7];
  u64 reserved2;
  u16 reserved3;
  u16 io_map;
};
#else
struct [[gnu::packed]] Tss {
  u32 link;
  u32 sp0, ss0, sp1, ss1, sp2, ss2;
  u32 cr3, ip, flags, ax, cx, dx, bx, sp, bp, si, di;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, io_map;
};
#endif
extern "C" Tss guest_tss;
/// The top of the stack that ring 0 gets when it is entered from ring 3.
word kernel_stack_top();

// --- traps ----------------------------------------------------------------------------------------------------------
/// What the stubs push. From `ip` on it is the CPU's own frame; sp and ss are there only from another ring (in 64-bit
/// mode always), the four after them only from virtual-8086 mode.
struct Frame {
#if GUEST_64
  word r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, dx, cx, bx, ax;
#else
  word gs, fs, es, ds, di, si, bp, unused_sp, bx, dx, cx, ax;
#endif
  word vector, error;
  word ip, cs, flags, sp, ss;
  word v86_es, v86_ds, v86_fs, v86_gs;
};

constexpr u32 no_trap = 256;
struct Trap {
  u32 vector = no_trap;
  word error = 0;
  word ip = 0, cs = 0, flags = 0, sp = 0, ss = 0;  ///< sp and ss: of the interrupted code, if the CPU pushed them
  word ax = 0, cx = 0, dx = 0;
  word cr2 = 0;
  word frame_sp = 0;  ///< the stack pointer when the frame had been pushed
};

using Handler = void (*)(Frame&);
using Code = void (*)();
/// Null: the trap ends what run() runs, or is a panic outside of it.
void set_handler(u8 vector, Handler handler);
/// Rights of the gate: 0 or 3.
void set_gate_dpl(u8 vector, u8 dpl);
/// Byte 5 of the gate, whole: 0x8E interrupt gate, 0x8F trap gate, 0x0E not present.
void set_gate_access(u8 vector, u8 access);
void set_gate_selector(u8 vector, u16 selector);
#if GUEST_64
void set_gate_ist(u8 vector, u8 ist);
#endif
/// Code of the image's own behind a gate: the CPU's frame is all that is on the stack.
void set_gate_target(u8 vector, const void* target);

/// Runs `code` in ring 0 until it returns or traps.
Trap run(Code code);
/// Runs `code` in ring 3 on a stack of its own, with these flags added; it ends by a trap.
Trap run_user(Code code, word with_flags = 0);
/// Leaves what run() runs, from a handler.
[[noreturn]] void leave_run(const Frame& frame);

/// Code with marks: name_at is the address of `instruction`, name_after the one behind it.
#define PROBE(name, before, instruction, after)                                                           \
  asm(".text\n.globl " #name "\n" #name ":\n" before "\n.globl " #name "_at\n" #name "_at:\n" instruction \
      "\n.globl " #name "_after\n" #name "_after:\n" after "\nret\n");                                    \
  extern "C" void name();                                                                                 \
  extern "C" const char name##_at[], name##_after[];

/// A trap of this vector and error code, at this address.
void check_trap(const char* what, const Trap& trap, u32 vector, word error, const char* at);
#define CHECK_FAULT(name, vector, error) check_trap(#name, run(name), vector, error, name##_at)
#define CHECK_TRAP(name, vector, error) check_trap(#name, run(name), vector, error, name##_after)
#define CHECK_USER_FAULT(name, vector, error) check_trap(#name, run_user(name), vector, error, name##_at)
#define CHECK_USER_TRAP(name, vector, error) check_trap(#name, run_user(name), vector, error, name##_after)
#define CHECK_NO_TRAP(name) check(#name " runs", run(name).vector, no_trap)

/// error code of a selector: index and TI, as the CPU pushes it; 2: in the IDT.
constexpr word selector_error(u16 selector) { return selector & 0xFFFC; }
constexpr word idt_error(u8 vector) { return word{vector} * 8 + 2; }
