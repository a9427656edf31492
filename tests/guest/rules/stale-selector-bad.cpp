// A new GDT has its code elsewhere, and CS is not loaded again: the first interrupt saves a selector that IRET refuses.
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
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_serial);
  pic_allow(1 << 4);
  load_new_gdt();
  uart_raise(com1);
  const Trap trap = run([] { window(); });
  check("the handler runs", ticks, 1);
  check("its IRET fails: a general protection fault", trap.vector, 13);
  check("that names the old selector", trap.error, kernel_code);
}
