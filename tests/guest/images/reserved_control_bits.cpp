// Bits of control registers, of EFER and MSRs that must not be set (SDM vol. 3, 2.5; vol. 2, MOV to CR, WRMSR).
#include "tests/guest/runtime/guest.hpp"

PROBE(write_reserved_cr4, "mov %cr4, %" REGISTER_A "; orl $0x80000000, %eax", "mov %" REGISTER_A ", %cr4", "")
PROBE(write_vmxe_without_vmx, "mov %cr4, %" REGISTER_A "; orl $0x2000, %eax", "mov %" REGISTER_A ", %cr4", "")
PROBE(paging_without_protection, "mov %cr0, %" REGISTER_A "; orl $0x80000000, %eax; andl $-2, %eax",
      "mov %" REGISTER_A ", %cr0", "")
PROBE(not_write_through_with_cache, "mov %cr0, %" REGISTER_A "; orl $0x20000000, %eax; andl $0xBFFFFFFF, %eax",
      "mov %" REGISTER_A ", %cr0", "")
PROBE(read_unknown_msr, "movl $0x12345678, %ecx", "rdmsr", "")
PROBE(write_unknown_msr, "movl $0x12345678, %ecx", "wrmsr", "")
PROBE(reserved_efer, "movl $0xC0000080, %ecx; rdmsr; orl $0x2, %eax", "wrmsr", "")
PROBE(no_such_control_register, "", ".byte 0x0F, 0x20, 0xC8", "")
#if GUEST_64
PROBE(pae_off_in_long_mode, "mov %cr4, %rax; andl $0xFFFFFFDF, %eax", "mov %rax, %cr4", "")
PROBE(upper_half_of_cr0, "mov %cr0, %rax; btsq $32, %rax", "mov %rax, %cr0", "")
PROBE(lme_off_while_paging, "movl $0xC0000080, %ecx; rdmsr; andl $0xFFFFFEFF, %eax", "wrmsr", "")
PROBE(lstar_not_canonical, "movl $0xC0000082, %ecx; xorl %eax, %eax; movl $0x8000, %edx", "wrmsr", "")
PROBE(upper_half_of_dr7, "movq $0x100000400, %rax", "movq %rax, %dr7", "")
#endif

void guest_main() {
  CHECK_FAULT(write_reserved_cr4, 13, 0);
  CHECK_FAULT(write_vmxe_without_vmx, 13, 0);
  CHECK_FAULT(paging_without_protection, 13, 0);
  CHECK_FAULT(not_write_through_with_cache, 13, 0);
  CHECK_FAULT(read_unknown_msr, 13, 0);
  CHECK_FAULT(write_unknown_msr, 13, 0);
  CHECK_FAULT(reserved_efer, 13, 0);
  CHECK_FAULT(no_such_control_register, 6, 0);
#if GUEST_64
  CHECK_FAULT(pae_off_in_long_mode, 13, 0);
  CHECK_FAULT(upper_half_of_cr0, 13, 0);
  CHECK_FAULT(lme_off_while_paging, 13, 0);
  CHECK_FAULT(lstar_not_canonical, 13, 0);
  CHECK_FAULT(upper_half_of_dr7, 13, 0);
#endif
}
