// COM1 by polling, as early kernels print; what it sends is looked at by the transmitter's own state.
#include "tests/guest/runtime/pic.hpp"

namespace {
void send(u8 byte) {
  while ((in8(com1 + 5) & 0x20) == 0) {
  }
  out8(com1, byte);
}
}  // namespace

void guest_main() {
  out8(com1 + 3, 0x80);
  out8(com1 + 0, 1);
  out8(com1 + 1, 0);
  check("divisor reads back", in8(com1), 1);
  out8(com1 + 3, 0x03);
  out8(com1 + 2, 0x07);
  check("IIR says that FIFOs are on", in8(com1 + 2) & 0xC0, 0xC0);
  for (const char* text = "hello\n"; *text != 0; ++text) send(static_cast<u8>(*text));
  while ((in8(com1 + 5) & 0x40) == 0) {
  }
  check("THRE and TEMT at the end", in8(com1 + 5) & 0x60, 0x60);
  check("no error", in8(com1 + 5) & 0x9E, 0);
  out8(com1 + 7, 0x5A);
  check("scratch register", in8(com1 + 7), 0x5A);
}
