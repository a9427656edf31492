// The architectural state of one x86 CPU, as plain data.
//
// Manual: Intel SDM vol. 1 ch. 3, vol. 3A ch. 2. What is derived from it (TLB, decoded blocks, current mode) is in Cpu.
#pragma once

#include <array>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

/// Slots of the register file. 0..15 are RAX..R15 in the manual's encoding order; the two behind them serve the
/// effective-address computation.
enum RegisterSlot : u8 {
  rax = 0,
  rcx,
  rdx,
  rbx,
  rsp,
  rbp,
  rsi,
  rdi,
  r8,
  r9,
  r10,
  r11,
  r12,
  r13,
  r14,
  r15,
  zero_slot = 16,       ///< always 0: an absent base or index
  block_rip_slot = 17,  ///< instruction pointer of the running block's first instruction: base of RIP-relative operands
  register_slots = 18,
};

enum SegmentIndex : u8 { es = 0, cs = 1, ss = 2, ds = 3, fs = 4, gs = 5, segment_count = 6 };

/// RFLAGS bits (SDM vol. 1 §3.4.3).
namespace flag {
inline constexpr u32 carry = 1u << 0, always_one = 1u << 1, parity = 1u << 2, adjust = 1u << 4, zero = 1u << 6,
                     sign = 1u << 7, trap = 1u << 8, interrupt = 1u << 9, direction = 1u << 10, overflow = 1u << 11,
                     iopl = 3u << 12, nested_task = 1u << 14, resume = 1u << 16, virtual_8086 = 1u << 17,
                     alignment_check = 1u << 18, virtual_interrupt = 1u << 19, virtual_interrupt_pending = 1u << 20,
                     identification = 1u << 21;
inline constexpr u32 status = carry | parity | adjust | zero | sign | overflow;
}  // namespace flag

/// Control-register and EFER bits (SDM vol. 3A §2.5, §2.2.1).
namespace cr0_bit {
inline constexpr u64 pe = 1u << 0, mp = 1u << 1, em = 1u << 2, ts = 1u << 3, et = 1u << 4, ne = 1u << 5, wp = 1u << 16,
                     am = 1u << 18, nw = 1u << 29, cd = 1u << 30, pg = 1u << 31;
}
namespace cr4_bit {
inline constexpr u64 vme = 1u << 0, pvi = 1u << 1, tsd = 1u << 2, de = 1u << 3, pse = 1u << 4, pae = 1u << 5,
                     mce = 1u << 6, pge = 1u << 7, pce = 1u << 8, osfxsr = 1u << 9, osxmmexcpt = 1u << 10,
                     umip = 1u << 11, fsgsbase = 1u << 16, pcide = 1u << 17, osxsave = 1u << 18, smep = 1u << 20,
                     smap = 1u << 21;
}
namespace efer_bit {
inline constexpr u64 sce = 1u << 0, lme = 1u << 8, lma = 1u << 10, nxe = 1u << 11;
}

/// A segment register with its hidden part. `attributes` holds descriptor bits 40..55 in place (SDM vol. 3A §3.4.5).
struct Segment {
  u16 selector = 0;
  u64 base = 0;
  u32 limit = 0xFFFF;
  u16 attributes = 0x0093;  ///< bits 0-3 type, 4 S, 5-6 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G
  bool usable = true;       ///< false after a null selector was loaded

  [[nodiscard]] u8 type() const { return attributes & 0xF; }
  [[nodiscard]] u8 dpl() const { return attributes >> 5 & 3; }
  [[nodiscard]] bool code() const { return (attributes & 0x18) == 0x18; }
  [[nodiscard]] bool expand_down() const { return (attributes & 0x1C) == 0x14; }
  [[nodiscard]] bool writable() const { return (attributes & 0x1A) == 0x12; }
  [[nodiscard]] bool readable() const { return (attributes & 0x18) == 0x10 || (attributes & 0x1A) == 0x1A; }
  [[nodiscard]] bool big() const { return (attributes & 0x4000) != 0; }        // D/B
  [[nodiscard]] bool long_mode() const { return (attributes & 0x2000) != 0; }  // L
  bool operator==(const Segment&) const = default;
  void exchange(Archive& archive) { archive(selector, base, limit, attributes, usable); }
};

struct TableRegister {
  u64 base = 0;
  u16 limit = 0xFFFF;
  void exchange(Archive& archive) { archive(base, limit); }
};

struct alignas(16) Vector128 {
  u64 low = 0, high = 0;
  bool operator==(const Vector128&) const = default;
  void exchange(Archive& archive) { archive(low, high); }
};

/// x87, MMX and SSE state (SDM vol. 1 ch. 8, 10).
struct FpuState {
  struct alignas(16) Register {
    u64 mantissa = 0;
    u16 sign_exponent = 0;
    void exchange(Archive& archive) { archive(mantissa, sign_exponent); }
  };
  std::array<Register, 8>
      registers;         ///< physical R0..R7; ST(i) is registers[(top + i) & 7]; MMi is registers[i].mantissa
  u16 control = 0x0040;  ///< power-on value; FNINIT makes it 0x37F
  u16 status = 0;        ///< without TOP (bits 11-13), which is in `top`
  u8 top = 0;
  u8 valid = 0xFF;  ///< bit i: R i is not empty (abridged tag word of FXSAVE); power-on tag word is 0x5555
  u16 opcode = 0;
  u64 instruction_pointer = 0;
  u16 instruction_selector = 0;
  u64 data_pointer = 0;
  u16 data_selector = 0;
  std::array<Vector128, 16> xmm;
  u32 mxcsr = 0x1F80;

  void exchange(Archive& archive) {
    archive(registers, control, status, top, valid, opcode, instruction_pointer, instruction_selector, data_pointer,
            data_selector, xmm, mxcsr);
  }
};

struct CpuState {
  u64 gpr[register_slots]{};
  u64 rip = 0xFFF0;

  /// The six status flags as LAHF and SETO leave them in AX: bits 8-15 are SF ZF 0 AF 0 PF 1 CF, bit 0 is OF.
  /// Read and write through flags() and set_flags() except in the hottest handlers.
  u16 status = 0x0200;
  /// All other RFLAGS bits; the status bits here are 0, bit 1 is 0.
  u32 other_flags = 0;

  Segment segments[segment_count];
  Segment ldtr{.attributes = 0x0082};
  Segment tr{.attributes = 0x008B};
  TableRegister gdtr, idtr;

  u64 cr0 = 0x60000010;
  u64 cr2 = 0, cr3 = 0, cr4 = 0, cr8 = 0;  // CR8: of a CPU without a local APIC
  u64 dr[8] = {0, 0, 0, 0, 0, 0, 0xFFFF0FF0, 0x400};
  u64 xcr0 = 1;
  u64 efer = 0;

  // Model-specific registers (SDM vol. 4).
  u64 star = 0, lstar = 0, cstar = 0, syscall_mask = 0, kernel_gs_base = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 pat = 0x0007040600070406;
  u64 tsc_aux = 0;
  u64 tsc_offset = 0;  ///< TSC = virtual nanoseconds + tsc_offset (modulo 2^64)
  u64 tsc_adjust = 0;  ///< IA32_TSC_ADJUST: moves with each change of the TSC by software (SDM vol. 3B §17.17.3)
  u64 misc_enable = 1 | 1u << 11 | 1u << 12;  ///< no branch trace store, no PEBS
  u64 mtrr_default = 0;
  std::array<u64, 11> mtrr_fixed{};
  std::array<u64, 16> mtrr_variable{};
  u64 pdpte[4]{};  ///< PAE page-directory-pointer registers, loaded with CR3

  FpuState fpu;

  u64 instructions = 0;  ///< retired; a delivery through the IDT and a faulting instruction count as one each
  bool halted = false;
  bool shutdown = false;           ///< after a triple fault
  bool waits_for_startup = false;  ///< between INIT and SIPI (SDM vol. 3A §8.4)
  bool nmi_blocked = false;        ///< until IRET
  bool nmi_pending = false;
  bool intr = false;              ///< level of the INTR pin
  bool interrupt_shadow = false;  ///< the instruction after STI, MOV SS, POP SS: no interrupt before it completes
  bool debug_shadow = false;      ///< the instruction after MOV SS, POP SS: no debug exception before it either
  bool nmi_line = false;          ///< level of the NMI pin; a rise makes nmi_pending
  bool machine_check_pending = false;
  u64 pending_debug = 0;      ///< DR6 bits of a trap-class #DB that is due at the next boundary
  u64 random = 0;             ///< state of RDRAND and RDSEED, from the machine's seed
  u64 intr_request = 0;       ///< RequestId that INTR carries
  u64 nmi_request = 0;        ///< of the pending NMI
  u64 nmi_blocked_since = 0;  ///< delivery of the NMI that is in progress
  // Who cleared IF last, and when (for the ledger).
  u64 interrupts_off_address = 0, interrupts_off_since = 0;
  u64 halted_since = 0;
  u64 shadow_at = ~u64{0};  ///< value of `instructions` right behind an STI that set IF: no interrupt at that boundary

  [[nodiscard]] u32 flags() const {
    const u32 lahf = status >> 8;
    return (lahf & 0xD5) | flag::always_one | (status & 1u) << 11 | other_flags;
  }
  void set_flags(u32 value) {
    set_status_flags(value);
    other_flags = value & ~(flag::status | flag::always_one);
  }
  void set_status_flags(u32 value) { status = static_cast<u16>((value & 0xD5) << 8 | 0x0200 | (value >> 11 & 1)); }
  [[nodiscard]] bool has(u32 mask) const { return (other_flags & mask) != 0; }
  [[nodiscard]] u8 iopl() const { return other_flags >> 12 & 3; }
  [[nodiscard]] bool protected_mode() const { return (cr0 & cr0_bit::pe) != 0; }
  [[nodiscard]] bool v86() const { return (other_flags & flag::virtual_8086) != 0; }
  /// Real-address or virtual-8086 mode: selectors are paragraph numbers.
  [[nodiscard]] bool real_or_v86() const { return !protected_mode() || v86(); }
  [[nodiscard]] bool long_mode() const { return (efer & efer_bit::lma) != 0; }
  [[nodiscard]] bool paging() const { return (cr0 & cr0_bit::pg) != 0; }

  void exchange(Archive& archive);
};

}  // namespace vitrine
