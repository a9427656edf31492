// Host and guest floating-point control, and why an instruction may not run.
#include "machine/cpu/floating.hpp"

#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

constexpr u32 host_default_mxcsr = mxcsr_bit::masks;
constexpr u16 host_default_x87_control = 0x37F;

void set_host_mxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value) : "memory"); }
u32 host_mxcsr() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value) : : "memory");
  return value;
}
void set_host_x87(u16 control) {
  asm volatile(
      "fnclex\n\t"
      "fldcw %0"
      :
      : "m"(control)
      : "memory");
}

/// What the host's MXCSR holds while the guest runs: its modes, no flags, all masked. An unmasked underflow overrides
/// FTZ (SDM vol. 1 §10.2.3.3).
u32 running_mxcsr(u32 guest) {
  const bool underflow_unmasked = (guest >> 7 & mxcsr_bit::underflow) == 0;
  const u32 modes = mxcsr_bit::daz | mxcsr_bit::rounding | (underflow_unmasked ? 0 : mxcsr_bit::ftz);
  return (guest & modes) | mxcsr_bit::masks;
}

void mxcsr_changed(Cpu& cpu) {
  cpu.strict_fp = (cpu.state.fpu.mxcsr & mxcsr_bit::masks) != mxcsr_bit::masks;
  set_host_mxcsr(running_mxcsr(cpu.state.fpu.mxcsr));
}

/// Is one of the results a denormal number?
bool has_tiny(Tiny tiny, Xmm value) {
  const u64 words[2] = {low_of(value), high_of(value)};
  const auto tiny_double = [](u64 bits) { return (bits & 0x7FF0000000000000) == 0 && bits << 1 != 0; };
  const auto tiny_single = [](u64 bits) { return (bits & 0x7F800000) == 0 && (bits & 0x007FFFFF) != 0; };
  switch (tiny) {
    case Tiny::Never:
      return false;
    case Tiny::OneDouble:
      return tiny_double(words[0]);
    case Tiny::Doubles:
      return tiny_double(words[0]) || tiny_double(words[1]);
    case Tiny::OneSingle:
      return tiny_single(words[0]);
    case Tiny::Singles:
      return tiny_single(words[0]) || tiny_single(words[0] >> 32) || tiny_single(words[1]) ||
             tiny_single(words[1] >> 32);
  }
  return false;
}

}  // namespace

void fp_enter(Cpu& cpu) {
  mxcsr_changed(cpu);
  set_host_x87(host_x87_control(cpu.state.fpu.control));
}

void fp_leave(Cpu& cpu) {
  cpu.state.fpu.mxcsr |= host_mxcsr() & mxcsr_bit::flags;
  set_host_mxcsr(host_default_mxcsr);
  set_host_x87(host_default_x87_control);
}

void collect_sse_flags(Cpu& cpu) { cpu.state.fpu.mxcsr |= host_mxcsr() & mxcsr_bit::flags; }

void load_mxcsr(Cpu& cpu, u32 value) {
  cpu.state.fpu.mxcsr = value;
  mxcsr_changed(cpu);
}

bool compute_strict(Cpu& cpu, Compute compute, Tiny tiny, Xmm a, Xmm b, Xmm& result) {
  collect_sse_flags(cpu);
  const u32 mxcsr = cpu.state.fpu.mxcsr;
  const u32 unmasked = ~(mxcsr >> 7) & mxcsr_bit::flags;
  set_host_mxcsr(running_mxcsr(mxcsr));
  const Xmm computed = compute(a, b);
  u32 flags = host_mxcsr() & mxcsr_bit::flags;
  set_host_mxcsr(running_mxcsr(mxcsr));
  if ((unmasked & mxcsr_bit::underflow) != 0 && has_tiny(tiny, computed)) flags |= mxcsr_bit::underflow;
  // An unmasked exception that is found before computing leaves the others unseen (SDM vol. 1 §11.5.2).
  if ((flags & unmasked & mxcsr_bit::before_computation) != 0) flags &= mxcsr_bit::before_computation;
  if ((flags & unmasked) != 0) {
    if ((cpu.state.cr4 & cr4_bit::osxmmexcpt) == 0) {
      cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
      return false;
    }
    cpu.state.fpu.mxcsr |= flags;
    cpu.raise(vector::simd_error, FailedCheck::None);
    return false;
  }
  cpu.state.fpu.mxcsr |= flags;
  result = computed;
  return true;
}

void raise_sse_refusal(Cpu& cpu) {
  if ((cpu.state.cr0 & cr0_bit::em) != 0 || (cpu.state.cr4 & cr4_bit::osfxsr) == 0) {
    cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  } else {
    cpu.raise(vector::device_not_available, FailedCheck::None);
  }
}

bool refuse_misaligned(Cpu& cpu) {
  cpu.raise(vector::general_protection, 0, FailedCheck::Alignment);
  return false;
}

Waiting raise_mmx_refusal(Cpu& cpu, const Operation& operation) {
  if ((cpu.state.cr0 & cr0_bit::em) == 0) return raise_x87_refusal(cpu, operation);
  cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
  return Waiting::Raised;
}

Waiting raise_x87_refusal(Cpu& cpu, const Operation& operation) {
  if ((cpu.state.cr0 & (cr0_bit::em | cr0_bit::ts)) == 0) return report_x87(cpu, operation);
  cpu.raise(vector::device_not_available, FailedCheck::None);
  return Waiting::Raised;
}

Waiting report_x87(Cpu& cpu, const Operation& operation) {
  if ((cpu.state.cr0 & cr0_bit::ne) != 0) {
    cpu.raise(vector::x87_error, FailedCheck::None);
    return Waiting::Raised;
  }
  // DOS compatibility (SDM vol. 1 §8.7.2 and appendix D): FERR# goes low-active, and the CPU waits before this
  // instruction until an interrupt comes or IGNNE# lets it pass. Waiting is the instruction run again.
  if (cpu.ignne) {
    cpu.state.fpu.status &= static_cast<u16>(~(x87_bit::summary | x87_bit::busy));
  } else {
    cpu.sync(&operation);
    cpu.ferr.set(Level::High);
  }
  cpu.state.rip = current_rip(cpu, operation);
  return Waiting::RunsAgain;
}

void x87_controls_changed(Cpu& cpu) {
  FpuState& fpu = cpu.state.fpu;
  fpu.status &= static_cast<u16>(x87_bit::flags | x87_bit::stack_fault | x87_bit::conditions);
  if ((fpu.status & ~fpu.control & x87_bit::flags) != 0) {
    fpu.status |= x87_bit::summary | x87_bit::busy;
  } else {
    if (cpu.ferr.connected()) cpu.ferr.set(Level::Low);
  }
  set_host_x87(host_x87_control(fpu.control));
}

void x87_initialise(Cpu& cpu) {
  FpuState& fpu = cpu.state.fpu;
  fpu.control = 0x37F;
  fpu.status = 0;
  fpu.top = 0;
  fpu.valid = 0;
  fpu.opcode = 0;
  fpu.instruction_pointer = fpu.data_pointer = 0;
  fpu.instruction_selector = fpu.data_selector = 0;
  x87_controls_changed(cpu);
}

Selection select_vector(const Decoded& decoded, Operation& operation) {
  switch (decoded.instruction.encoding) {
    case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
      break;
    default:
      return {};  // VEX, EVEX, XOP, 3DNow!: not in CPUID
  }
  using Select = Handler (*)(const Decoded&, Operation&);
  static constexpr Select selects[] = {select_sse_move,    select_sse_integer,   select_sse_arithmetic,
                                       select_sse_convert, select_sse_immediate, select_sse_element,
                                       select_sse_string};
  for (const Select select : selects) {
    if (const Handler handler = select(decoded, operation); handler != nullptr) return {.handler = handler};
  }
  return select_fpu_state(decoded, operation);
}

}  // namespace vitrine
