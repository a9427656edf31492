// IRET to ring 3 takes data segments of ring 0 away. What 64-bit code reaches by FS and GS is still where their bases
// say: kernels keep a pointer to their own data there (SDM vol. 2, IRET: the selector becomes null).
#include "tests/guest/runtime/guest.hpp"

PROBE(return_at_once, "", "int $0x80", "")
PROBE(look_in_ring_3, "movl %gs, %ecx; movl %gs:0, %eax", "int $0x80", "")

namespace {
constexpr u32 msr_fs_base = 0xC0000100, msr_gs_base = 0xC0000101;
u32 fs_data[4] = {0x11111111}, gs_data[4] = {0x22222222};

u32 read_fs() {
  u32 value;
  asm volatile("movl %%fs:0, %0" : "=r"(value));
  return value;
}
u32 read_gs() {
  u32 value;
  asm volatile("movl %%gs:0, %0" : "=r"(value));
  return value;
}
void load_segments() {
  asm volatile("movl %0, %%fs; movl %0, %%gs" ::"r"(u32{kernel_data}));
  write_msr(msr_fs_base, reinterpret_cast<word>(fs_data));
  write_msr(msr_gs_base, reinterpret_cast<word>(gs_data));
}
}  // namespace

void guest_main() {
  set_gate_dpl(0x80, 3);
  load_segments();
  check("ring 3 was there", run_user(return_at_once).vector, 0x80);
  check("the base of FS is the same", read_fs(), fs_data[0]);
  check("the base of GS is the same", read_gs(), gs_data[0]);

  load_segments();
  const Trap trap = run_user(look_in_ring_3);
  check("in ring 3 the selector is null", trap.cx & 0xFFFF, 0);
  check("and the base is good there too", static_cast<u32>(trap.ax), gs_data[0]);
}
