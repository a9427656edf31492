#include "machine/cpu/state.hpp"

namespace vitrine {

void CpuState::exchange(Archive& archive) {
  gpr[block_rip_slot] = 0;  // each block sets it; where the last one began depends on how the run was cut into pieces
  archive(gpr, rip, status, other_flags, segments, ldtr, tr, gdtr, idtr);
  archive(cr0, cr2, cr3, cr4, cr8, dr, xcr0, efer);
  archive(star, lstar, cstar, syscall_mask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip);
  archive(pat, tsc_aux, tsc_offset, tsc_adjust, misc_enable, mtrr_default, mtrr_fixed, mtrr_variable, pdpte);
  archive(fpu, instructions, halted, shutdown, nmi_blocked, nmi_pending, intr, interrupt_shadow, debug_shadow,
          nmi_line);
  archive(pending_debug, random, intr_request, interrupts_off_address, interrupts_off_since, nmi_request,
          nmi_blocked_since);
  archive(halted_since, shadow_at, waits_for_startup, machine_check_pending);
  if (!archive.loading()) return;
  // What no run of ours can have saved, and what the handlers rely on.
  const bool paging_without_protection = paging() && !protected_mode();
  const bool long_mode_without_paging = long_mode() && (!paging() || (cr4 & cr4_bit::pae) == 0);
  const bool status_in_other_flags = (other_flags & (flag::status | flag::always_one)) != 0;
  const bool undefined_flags = (other_flags & ~u32{0x3F7FD5}) != 0;
  if (paging_without_protection || long_mode_without_paging || status_in_other_flags || undefined_flags ||
      fpu.top > 7 || (v86() && !protected_mode())) {
    archive.refuse(Archive::Error::BadValue);
    // Nothing of it may run: power-on values stand in for it.
    *this = CpuState{};
  }
  gpr[zero_slot] = 0;
}

}  // namespace vitrine
