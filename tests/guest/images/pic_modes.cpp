// The 8259's less common words: specific EOI, rotation, automatic EOI, special mask, poll, spurious, nested handlers
// (data sheet 231468, "DS").
#include "tests/guest/runtime/pic.hpp"

namespace {

u32 served;
u8 order[16];
bool end_it = true, nest;

void quiet(u8 irq) {
  if (irq == 3) uart_quiet(com2);
  if (irq == 4) uart_quiet(com1);
  if (irq == 1) (void)in8(0x60);
}

void on_irq(Frame& frame) {
  const auto irq = static_cast<u8>(frame.vector - irq_base);
  if (served < sizeof order) order[served++] = irq;
  quiet(irq);
  if (nest) {
    nest = false;
    keyboard_raise();  // higher
    uart_raise(com1);  // lower than 3
    window();
    if (served < sizeof order) order[served++] = 0x80 | irq;
  }
  if (end_it) pic_end(irq);
}

/// The numbers of what was served since the last call, as digits of a number, first highest.
u64 served_order() {
  u64 digits = 0;
  for (u32 i = 0; i < served; ++i) digits = digits << 8 | order[i];
  served = 0;
  return digits;
}

void raise_3_and_4() {
  uart_raise(com1);
  uart_raise(com2);
}

}  // namespace

void guest_main() {
  for (u8 irq = 0; irq < 16; ++irq) set_handler(irq_base + irq, on_irq);
  i8042_start();
  pic_allow(1 << 1 | 1 << 3 | 1 << 4);

  nest = true;
  uart_raise(com2);
  window();
  window();
  check("a handler is interrupted by a higher priority only", served_order(), 0x03018304);

  // Specific rotation: pin 3 becomes the lowest, so 4 is the highest (DS, OCW2).
  out8(0x20, 0xC0 | 3);
  raise_3_and_4();
  window();
  check("set priority: 4 before 3", served_order(), 0x0403);
  out8(0x20, 0xC0 | 7);
  raise_3_and_4();
  window();
  check("and back", served_order(), 0x0304);

  // Rotation on non-specific EOI: what was served becomes the lowest.
  end_it = false;
  uart_raise(com2);
  window();
  out8(0x20, 0xA0);
  end_it = true;
  served = 0;
  raise_3_and_4();
  window();
  check("rotate on EOI: 3 is now the lowest", served_order(), 0x0403);
  out8(0x20, 0xC0 | 7);

  // Special mask mode: a masked level in service holds nothing back.
  end_it = false;
  uart_raise(com2);
  window();
  end_it = true;
  served = 0;
  uart_raise(com1);
  window();
  check("3 in service holds 4 back", served_order(), 0);
  out8(0x21, 0xFF & ~(1 << 1 | 1 << 4));  // 3 masked
  out8(0x20, 0x68);                       // special mask on
  window();
  check_alone("special mask: 4 comes", served_order(), 0x04, "DS, Special Mask Mode");
  uart_quiet(com1);
  out8(0x20, 0x48);
  out8(0x20, 0x63);
  pic_allow(1 << 1 | 1 << 3 | 1 << 4);

  // Poll (OCW3): the read is the acknowledge; bit 7 says that there was one.
  uart_raise(com1);
  out8(0x20, 0x0C);
  check("poll: request on 4", in8(0x20), 0x84);
  check("poll puts it in service", pic_in_service(), 0x10);
  uart_quiet(com1);
  out8(0x20, 0x20);
  out8(0x20, 0x0C);
  check_alone("poll: nothing there", in8(0x20) & 0x80, 0, "DS, The Poll Command");

  // A request that falls before the acknowledge is none, for this chip's edge mode needs the input high until then.
  {
    const NotCompared here("DS, Edge and Level Triggered Modes");
    uart_raise(com1);
    uart_quiet(com1);
    window();
    check("a request that falls before INTA is withdrawn", served_order(), 0);
    check("nothing in service", pic_in_service(), 0);
  }
  pic_start();
  pic_allow(1 << 1 | 1 << 3 | 1 << 4);

  // Automatic EOI (ICW4 bit 1).
  pic_start(irq_base, irq_base + 8, 0x03);
  pic_allow(1 << 1 | 1 << 3 | 1 << 4);
  end_it = false;
  uart_raise(com2);
  window();
  check("automatic EOI: it came", served_order(), 0x03);
  check("and ISR is empty without EOI", pic_in_service(), 0);
  uart_raise(com2);
  window();
  check("and the next one comes", served_order(), 0x03);
  end_it = true;

  pic_start();
  check("IMR after ICW1 and our mask", in8(0x21), 0xFF);
  out8(0x20, 0x0A);
  check("OCW3 keeps what it reads", in8(0x20) & 0x18, in8(0x20) & 0x18);
}
