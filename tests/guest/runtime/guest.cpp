#include "tests/guest/runtime/guest.hpp"

#include "tests/guest/runtime/pic.hpp"

extern "C" {
// Slot: see the selectors in guest.hpp. The accessed bits are set, so that loading a selector writes nothing.
alignas(16) u64 guest_gdt[gdt_size] = {
    0,
#if GUEST_64
    descriptor(0, 0xFFFFF, 0x9B, 0xA0),  // ring 0, 64-bit
#else
    descriptor(0, 0xFFFFF, 0x9B, 0xC0),
#endif
    descriptor(0, 0xFFFFF, 0x93, 0xC0),
    descriptor(0, 0xFFFFF, 0xFB, 0xC0),
    descriptor(0, 0xFFFFF, 0xF3, 0xC0),
    descriptor(0, 0xFFFFF, 0xFB, GUEST_64 ? 0xA0 : 0xC0),
    descriptor(0, 0xFFFFF, 0xF3, 0xC0),
};
struct [[gnu::packed]] TablePointer {
  u16 limit;
  word base;
};
TablePointer guest_gdt_pointer = {sizeof guest_gdt - 1, reinterpret_cast<word>(guest_gdt)};
alignas(16) Tss guest_tss;
word guest_recovery;
word guest_user_stack, guest_user_flags, guest_user_code;
extern const char guest_stubs[];
int guest_run(Code code);
[[noreturn]] void guest_leave();
[[noreturn]] void guest_enter_user();

// What the compiler calls by itself.
void* memset(void* target, int value, word size) {
  auto* bytes = static_cast<u8*>(target);
  for (word i = 0; i < size; ++i) {
    bytes[i] = static_cast<u8>(value);
    asm volatile("" ::: "memory");
  }
  return target;
}
void* memcpy(void* target, const void* source, word size) {
  auto* to = static_cast<u8*>(target);
  const auto* from = static_cast<const u8*>(source);
  for (word i = 0; i < size; ++i) {
    to[i] = from[i];
    asm volatile("" ::: "memory");
  }
  return target;
}
}

namespace {

constexpr int idt_words = GUEST_64 ? 2 : 1;
alignas(16) u64 idt[256 * idt_words];
alignas(16) u8 ring0_stack[0x4000];
alignas(16) u8 ring3_stack[0x4000];
Handler handlers[256];
Trap caught;
u32 failures;

const char* not_compared;

void begin_line(bool good, const char* what) {
  if (not_compared != nullptr) print("~ ");
  if (!good && not_compared == nullptr) ++failures;
  print(good ? "ok   " : "FAIL ");
  print(what);
}
void end_line() {
  if (not_compared != nullptr) {
    print(" (");
    print(not_compared);
    print(")");
  }
  print("\n");
}

}  // namespace

void print(const char* text) {
  for (; *text != 0; ++text) out8(0xE9, static_cast<u8>(*text));
}

void print_hex(u64 value) {
  char text[19];
  char* at = text + 18;
  *at = 0;
  do {
    *--at = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  *--at = 'x';
  *--at = '0';
  print(at);
}

void print_decimal(u64 value) {
  char text[21];
  char* at = text + 20;
  *at = 0;
  auto rest = static_cast<u32>(value);
  do {
    *--at = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  print(at);
}

void finish() {
  if (failures == 0) {
    print("PASS\n");
  } else {
    print("FAIL ");
    print_decimal(failures);
    print("\n");
  }
  out8(0xF4, failures == 0 ? pass_value : fail_value);
  for (const char* word = "Shutdown"; *word != 0; ++word) out8(0x8900, static_cast<u8>(*word));  // Bochs has no F4
  for (;;) asm volatile("cli; hlt");
}

void panic(const char* what, u64 value) {
  print("PANIC ");
  print(what);
  print(" ");
  print_hex(value);
  print("\n");
  ++failures;
  finish();
}

NotCompared::NotCompared(const char* manual) { not_compared = manual; }
NotCompared::~NotCompared() { not_compared = nullptr; }

void check(const char* what, u64 got, u64 expected) {
  begin_line(got == expected, what);
  if (got != expected) {
    print(": ");
    print_hex(got);
    print(", expected ");
    print_hex(expected);
  }
  end_line();
}

void check_trap(const char* what, const Trap& trap, u32 vector, word error, const char* at) {
  const bool good = trap.vector == vector && trap.error == error && trap.ip == reinterpret_cast<word>(at);
  begin_line(good, what);
  print(": vector ");
  print_decimal(trap.vector);
  print(", error ");
  print_hex(trap.error);
  if (trap.ip != reinterpret_cast<word>(at)) {
    print(", at ");
    print_hex(trap.ip);
    print(" instead of ");
    print_hex(reinterpret_cast<word>(at));
  }
  if (!good) {
    print(", expected vector ");
    print_decimal(vector);
    print(", error ");
    print_hex(error);
  }
  end_line();
}

u16 put_descriptor(u16 selector, u64 value) {
  guest_gdt[selector / 8] = value;
  asm volatile("" ::: "memory");
  return selector;
}

word kernel_stack_top() { return reinterpret_cast<word>(ring0_stack + sizeof ring0_stack); }

void set_gate_target(u8 vector, const void* target) {
  const auto address = reinterpret_cast<word>(target);
  idt[vector * idt_words] = gate(kernel_code, static_cast<u32>(address), 0x8E);
#if GUEST_64
  idt[vector * idt_words + 1] = address >> 32;
#endif
}
void set_handler(u8 vector, Handler handler) { handlers[vector] = handler; }
void set_gate_access(u8 vector, u8 access) {
  u64& low = idt[vector * idt_words];
  low = (low & ~(u64{0xFF} << 40)) | u64{access} << 40;
}
void set_gate_dpl(u8 vector, u8 dpl) { set_gate_access(vector, static_cast<u8>(0x8E | dpl << 5)); }
void set_gate_selector(u8 vector, u16 selector) {
  u64& low = idt[vector * idt_words];
  low = (low & ~(u64{0xFFFF} << 16)) | u64{selector} << 16;
}
#if GUEST_64
void set_gate_ist(u8 vector, u8 ist) {
  u64& low = idt[vector * idt_words];
  low = (low & ~(u64{7} << 32)) | u64{ist} << 32;
}
#endif

void leave_run(const Frame& frame) {
  const bool has_stack = GUEST_64 || (frame.cs & 3) != 0 || (frame.flags & flag_vm) != 0;
  caught = {.vector = static_cast<u32>(frame.vector),
            .error = frame.error,
            .ip = frame.ip,
            .cs = frame.cs & 0xFFFF,
            .flags = frame.flags,
            .sp = has_stack ? frame.sp : 0,
            .ss = has_stack ? frame.ss & 0xFFFF : 0,
            .ax = frame.ax,
            .cx = frame.cx,
            .dx = frame.dx,
            .cr2 = cr2(),
            .frame_sp = reinterpret_cast<word>(&frame.ip)};
  guest_leave();
}

Trap run(Code code) {
  caught = {};
  if (guest_run(code) == 0) return {};
  return caught;
}

Trap run_user(Code code, word with_flags) {
  guest_user_stack = reinterpret_cast<word>(ring3_stack + sizeof ring3_stack - 64);
  guest_user_flags = 2 | with_flags;
  guest_user_code = reinterpret_cast<word>(code);
  return run(guest_enter_user);
}

extern "C" void guest_dispatch(Frame* frame) {
  const auto vector = static_cast<u8>(frame->vector);
  if (handlers[vector] != nullptr) return handlers[vector](*frame);
  if (guest_recovery != 0) leave_run(*frame);
  print("trap ");
  print_decimal(vector);
  print(", error ");
  print_hex(frame->error);
  panic("at", frame->ip);
}

extern "C" [[gnu::weak]] void guest_prepare_controllers() { pic_start(); }

extern "C" [[noreturn]] void guest_start() {
  for (int vector = 0; vector < 256; ++vector) {
    set_gate_target(static_cast<u8>(vector), guest_stubs + vector * 16);
  }
  const TablePointer pointer = {sizeof idt - 1, reinterpret_cast<word>(idt)};
  asm volatile("lidt %0" ::"m"(pointer) : "memory");
#if GUEST_64
  guest_tss.sp0 = kernel_stack_top();
  guest_gdt[task_selector / 8 + 1] = reinterpret_cast<word>(&guest_tss) >> 32;
#else
  guest_tss.sp0 = kernel_stack_top();
  guest_tss.ss0 = kernel_data;
#endif
  guest_tss.io_map = sizeof guest_tss;
  const auto tss = static_cast<u32>(reinterpret_cast<word>(&guest_tss));
  put_descriptor(task_selector, descriptor(tss, sizeof guest_tss - 1, 0x89, 0));
  asm volatile("ltr %w0; lldt %w1" ::"r"(u32{task_selector}), "r"(0) : "memory");
  guest_prepare_controllers();
  guest_main();
  finish();
}
