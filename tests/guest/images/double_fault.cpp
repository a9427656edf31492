// Which pairs of exceptions make a double fault (SDM vol. 3, 6.15, table 6-5).
#include "tests/guest/runtime/guest.hpp"

PROBE(divide, "xorl %edx, %edx; movl $1, %eax; xorl %ecx, %ecx", "divl %ecx", "")
PROBE(undefined, "", "ud2", "")
PROBE(general_protection, "movl $0x7FC8, %eax", "movl %eax, %ds", "")
PROBE(software, "", "int $0x33", "")
PROBE(step, "", "int3", "")

void guest_main() {
  // Benign first, then anything: one after the other, and the second is what arrives.
  set_gate_access(6, 0x0E);
  const auto unlike_qemu = [](const char* what, const Trap& trap, word error, const char* at) {
    const NotCompared here("SDM vol. 3, 6.13");
    check_trap(what, trap, 11, error, at);
  };
  unlike_qemu("benign, then contributory: #NP", run(undefined), idt_error(6) | 1, undefined_at);
  set_gate_access(6, 0x8E);
  set_gate_access(0x33, 0x0E);
  unlike_qemu("INT n, then contributory: #NP, not external", run(software), idt_error(0x33), software_at);
  set_gate_access(0x33, 0x8E);
  set_gate_access(3, 0x0E);
  unlike_qemu("INT3, then contributory: #NP", run(step), idt_error(3), step_at);
  set_gate_access(3, 0x8E);

  // Contributory, then contributory.
  set_gate_access(0, 0x0E);
  const Trap divided = run(divide);
  check("#DE, then #NP: double fault", divided.vector, 8);
  check("its error code is 0", divided.error, 0);
  set_gate_access(0, 0x8E);
  set_gate_access(13, 0x0E);
  check("#GP, then #NP: double fault", run(general_protection).vector, 8);
  set_gate_access(13, 0x8E);
}
