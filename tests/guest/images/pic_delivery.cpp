// The 8259s deliver: base vectors, mask, cascade, the end of an interrupt, read-back of IRR and ISR (data sheet
// 231468).
#include "tests/guest/runtime/pic.hpp"

namespace {

u32 count[16];
u8 order[16];
u32 served;
bool without_eoi;
u8 in_service_seen, secondary_in_service_seen;

void quiet(u8 irq) {
  if (irq == 3) uart_quiet(com2);
  if (irq == 4) uart_quiet(com1);
  if (irq == 1 || irq == 12) (void)in8(0x60);
}

void on_irq(Frame& frame, u8 base) {
  const auto irq = static_cast<u8>(frame.vector - base);
  ++count[irq];
  if (served < sizeof order) order[served++] = irq;
  in_service_seen = pic_in_service();
  secondary_in_service_seen = pic_in_service(0xA0);
  quiet(irq);
  if (!without_eoi) pic_end(irq);
}
void on_low(Frame& frame) { on_irq(frame, irq_base); }
void on_moved(Frame& frame) { on_irq(frame, 0x40); }

void clear() {
  for (u32& each : count) each = 0;
  served = 0;
}

}  // namespace

void guest_main() {
  for (u8 irq = 0; irq < 16; ++irq) {
    set_handler(irq_base + irq, on_low);
    set_handler(0x40 + irq, on_moved);
  }
  i8042_start();

  uart_raise(com1);
  window();
  check("a masked request does not come", count[4], 0);
  check("but it stands in IRR", pic_requests() & 0x10, 0x10);
  check("the mask reads back", in8(0x21), 0xFF);
  pic_allow(1 << 4);
  window();
  check("unmasked, it comes", count[4], 1);
  check("ISR holds it while its handler runs", in_service_seen, 0x10);
  check("after EOI ISR is empty", pic_in_service(), 0);
  check("IRR is empty", pic_requests() & 0x10, 0);

  clear();
  pic_allow(1 << 4 | 1 << 3);
  uart_raise(com1);
  uart_raise(com2);
  window();
  check("both come", count[3] + count[4], 2);
  check("the lower number first", order[0], 3);

  clear();
  pic_allow(1 << 12 | 1 << 2);
  mouse_raise();
  window();
  check("IRQ 12 comes through the cascade", count[12], 1);
  check("the primary's ISR holds pin 2", in_service_seen, 0x04);
  check("the secondary's ISR holds its pin 4", secondary_in_service_seen, 0x10);
  pic_allow(1 << 12);
  clear();
  mouse_raise();
  window();
  check("with pin 2 masked it does not", count[12], 0);
  pic_allow(1 << 12 | 1 << 2);
  window();
  check("until pin 2 is open", count[12], 1);

  clear();
  pic_allow(1 << 1);
  keyboard_raise();
  window();
  check("IRQ 1 comes", count[1], 1);

  // Without EOI the level stays in service and holds back its own and all lower priorities.
  clear();
  pic_allow(1 << 1 | 1 << 3 | 1 << 4);
  without_eoi = true;
  uart_raise(com2);
  window();
  without_eoi = false;
  check("in service without EOI", pic_in_service(), 0x08);
  uart_raise(com1);
  window();
  check("holds back a lower priority", count[4], 0);
  uart_raise(com2);
  window();
  check("holds back its own", count[3], 1);
  keyboard_raise();
  window();
  check("not a higher priority", count[1], 1);
  out8(0x20, 0x63);  // specific EOI of pin 3
  window();
  check("after a specific EOI the own comes", count[3], 2);
  check("then the lower", count[4], 1);

  clear();
  pic_start(0x40, 0x48);
  pic_allow(1 << 4);
  uart_raise(com1);
  window();
  check("ICW2 moves the vectors", count[4], 1);
  check("ICW1 clears ISR", pic_in_service(), 0);
}
