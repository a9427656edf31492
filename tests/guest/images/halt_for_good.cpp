// HLT with IF clear: nothing wakes it. Vitrine says so with status 83.
#include "tests/guest/runtime/guest.hpp"

void guest_main() {
  print("ok   about to halt\n");
  asm volatile("cli; hlt");
  print("FAIL it went on\n");
}
