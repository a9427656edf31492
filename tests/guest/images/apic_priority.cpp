// Self-IPIs: order, nesting, TPR, PPR, EOI (SDM vol. 3, 10.8).
#include "tests/guest/runtime/apic.hpp"

namespace {

constexpr u8 vectors[] = {0x51, 0x41, 0xF1, 0x61, 0x62};
u8 order[16];
u32 served;
u32 priority_seen, depth, deepest;
bool open_in_handler, without_eoi;

void on_vector(Frame& frame) {
  if (served < sizeof order) order[served++] = static_cast<u8>(frame.vector);
  priority_seen = apic::read(apic::processor_priority);
  if (++depth > deepest) deepest = depth;
  if (open_in_handler) window();
  --depth;
  if (!without_eoi) apic::end_of_interrupt();
}

void on_spurious(Frame&) { panic("a spurious interrupt"); }

void clear() {
  served = depth = deepest = 0;
  open_in_handler = without_eoi = false;
}

void raise(u8 vector) { apic::send(apic::to_self | apic::asserted | vector); }

}  // namespace

void guest_main() {
  apic::start();
  for (const u8 vector : vectors) set_handler(vector, on_vector);
  set_handler(0x4F, on_vector);
  set_handler(0xFF, on_spurious);

  raise(0x41);
  check_true("a request stands in IRR", apic::has(apic::requests, 0x41));
  check_true("ISR is clear", !apic::has(apic::in_service, 0x41));
  window();
  check("it comes", served, 1);
  check("PPR is its class while it is handled", priority_seen, 0x40);
  check("PPR is 0 after EOI", apic::read(apic::processor_priority), 0);

  clear();
  for (const u8 vector : vectors) raise(vector);
  window();
  check("all come", served, 5);
  check("the highest first", order[0], 0xF1);
  check("in a class too", order[1], 0x62);
  check("then its neighbour", order[2], 0x61);
  check("then the lower class", order[3], 0x51);
  check("the lowest last", order[4], 0x41);

  clear();
  open_in_handler = true;
  raise(0x41);
  raise(0x4F);
  window();
  check("the same class does not nest", deepest, 1);
  check("but both come", served, 2);

  clear();
  without_eoi = true;
  raise(0x51);
  window();
  check_true("without EOI ISR keeps the bit", apic::has(apic::in_service, 0x51));
  without_eoi = false;
  raise(0x41);
  window();
  check("a lower one waits", served, 1);
  raise(0x61);
  window();
  check("a higher one does not", served, 2);
  raise(0x51);
  raise(0x51);
  check_true("one of its own vector is pending beside it", apic::has(apic::requests, 0x51));
  apic::end_of_interrupt();
  window();
  check("EOI lets both in", served, 4);
  check("the higher one first", order[2], 0x51);
  check("then the one that waited longest", order[3], 0x41);
  window();
  check("two requests of a vector were one", served, 4);

  clear();
  apic::write(apic::task_priority, 0x50);
  raise(0x51);
  window();
  check("TPR holds its class", served, 0);
  raise(0x61);
  window();
  check("not the next", served, 1);
  check("PPR is the class of the one in service", priority_seen, 0x60);
  apic::write(apic::task_priority, 0x4F);
  window();
  check("lowering TPR lets it in", served, 2);
#if GUEST_64
  u64 task_class;
  asm volatile("mov %%cr8, %0" : "=r"(task_class));
  check("CR8 is TPR's class", task_class, 4);
  asm volatile("mov %0, %%cr8" ::"r"(u64{6}));
  check("and writes it", apic::read(apic::task_priority), 0x60);
  raise(0x61);
  window();
  check("CR8 holds its class", served, 2);
  asm volatile("mov %0, %%cr8" ::"r"(u64{0}));
  window();
  check("and lets it go", served, 3);
#endif
  apic::write(apic::task_priority, 0);
}
