// A new GDT has its code elsewhere; a far return loads CS before an interrupt can save the old selector.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

constexpr u16 new_code = 0x18;
u64 new_gdt[4];
struct [[gnu::packed]] {
  u16 limit;
  word base;
} new_gdt_pointer;
u32 ticks;

void on_serial(Frame&) {
  ++ticks;
  uart_quiet(com1);
  pic_end(4);
}

void load_new_gdt() {
  new_gdt[1] = guest_gdt[kernel_data / 8];  // where the code was
  new_gdt[kernel_data / 8] = guest_gdt[kernel_data / 8];
  new_gdt[new_code / 8] = guest_gdt[kernel_code / 8];
  new_gdt_pointer = {sizeof new_gdt - 1, reinterpret_cast<word>(new_gdt)};
  for (int vector = 0; vector < 256; ++vector) set_gate_selector(static_cast<u8>(vector), new_code);
  asm volatile("lgdt %0" : : "m"(new_gdt_pointer) : "memory");
#if GUEST_64
  asm volatile("pushq %0; pushq $1f; lretq; 1:" : : "i"(new_code) : "memory");
#else
  asm volatile("ljmp %0, $1f; 1:" : : "i"(new_code) : "memory");
#endif
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_serial);
  pic_allow(1 << 4);
  load_new_gdt();
  uart_raise(com1);
  const Trap trap = run([] { window(); });
  check("the handler runs", ticks, 1);
  check("and returns", trap.vector, no_trap);
}
