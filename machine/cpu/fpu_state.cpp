// Instructions that move floating-point state as a whole: FXSAVE, XSAVE, FSAVE and their like, control words, EMMS.
//
// Manual: Intel SDM vol. 1 §8.1.10 (FSTENV images), §10.5.1 (FXSAVE area), §13.4 (XSAVE area), vol. 2.
// The x87 "environment" (instruction and data pointers, opcode) is kept for each non-control instruction.
#include <cstring>

#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

template <class T>
void put(u8* image, unsigned offset, T value) {
  std::memcpy(image + offset, &value, sizeof value);
}
template <class T>
T get(const u8* image, unsigned offset) {
  T value;
  std::memcpy(&value, image + offset, sizeof value);
  return value;
}

// Whole images. Both pages are checked before a byte moves.
bool write_image(Cpu& cpu, const Operation& operation, u64 linear, const u8* image, unsigned size) {
  if (u8* host = cpu.host_pointer(linear, size, Access::Write); host != nullptr) {
    std::memcpy(host, image, size);
    return true;
  }
  return cpu.write_slow(&operation, linear, image, size);
}
bool read_image(Cpu& cpu, const Operation& operation, u64 linear, u8* image, unsigned size) {
  if (const u8* host = cpu.host_pointer(linear, size, Access::Read); host != nullptr) {
    std::memcpy(image, host, size);
    return true;
  }
  return cpu.read_slow(&operation, linear, image, size);
}
bool image_address(Cpu& cpu, const Operation& operation, unsigned size, Access access, u64& linear) {
  return operand_address<Address::General>(cpu, operation, size, access, linear);
}

unsigned xmm_count(const Cpu& cpu) { return cpu.mode.is64() ? 16 : 8; }

// --- the 512-byte area ---------------------------------------------------------------------------------------------
constexpr unsigned mxcsr_offset = 24, st_offset = 32, xmm_offset = 160, legacy_size = 512;
enum class Pointers : u8 { Selectors, Wide };  // 32-bit offsets with selectors, or 64-bit offsets (REX.W)

void put_x87(const Cpu& cpu, u8* image, Pointers pointers) {
  const FpuState& fpu = cpu.state.fpu;
  put<u16>(image, 0, fpu.control);
  put<u16>(image, 2, x87_status(cpu));
  put<u16>(image, 4, fpu.valid);
  put<u16>(image, 6, fpu.opcode);
  if (pointers == Pointers::Wide) {
    put<u64>(image, 8, fpu.instruction_pointer);
    put<u64>(image, 16, fpu.data_pointer);
  } else {
    put<u32>(image, 8, static_cast<u32>(fpu.instruction_pointer));
    put<u32>(image, 12, fpu.instruction_selector);
    put<u32>(image, 16, static_cast<u32>(fpu.data_pointer));
    put<u32>(image, 20, fpu.data_selector);
  }
  for (unsigned i = 0; i < 8; ++i) {
    const FpuState::Register& source = fpu.registers[(fpu.top + i) & 7];
    put<u64>(image, st_offset + 16 * i, source.mantissa);
    put<u64>(image, st_offset + 16 * i + 8, source.sign_exponent);
  }
}

void get_x87(Cpu& cpu, const u8* image, Pointers pointers) {
  FpuState& fpu = cpu.state.fpu;
  fpu.control = get<u16>(image, 0) | 0x40;
  fpu.status = get<u16>(image, 2);
  fpu.top = fpu.status >> 11 & 7;
  fpu.valid = get<u8>(image, 4);
  fpu.opcode = get<u16>(image, 6) & 0x7FF;
  if (pointers == Pointers::Wide) {
    fpu.instruction_pointer = get<u64>(image, 8);
    fpu.data_pointer = get<u64>(image, 16);
    fpu.instruction_selector = fpu.data_selector = 0;
  } else {
    fpu.instruction_pointer = get<u32>(image, 8);
    fpu.instruction_selector = get<u16>(image, 12);
    fpu.data_pointer = get<u32>(image, 16);
    fpu.data_selector = get<u16>(image, 20);
  }
  for (unsigned i = 0; i < 8; ++i) {
    FpuState::Register& target = fpu.registers[(fpu.top + i) & 7];
    target.mantissa = get<u64>(image, st_offset + 16 * i);
    target.sign_exponent = get<u16>(image, st_offset + 16 * i + 8);
  }
  x87_controls_changed(cpu);
}

void put_mxcsr(Cpu& cpu, u8* image) {
  collect_sse_flags(cpu);
  put<u32>(image, mxcsr_offset, cpu.state.fpu.mxcsr);
  put<u32>(image, mxcsr_offset + 4, mxcsr_bit::writable);
}

/// Both units can be had; SSE's own controls don't matter here.
bool available(Cpu& cpu) {
  if ((cpu.state.cr0 & (cr0_bit::em | cr0_bit::ts)) == 0) return true;
  cpu.raise(vector::device_not_available, FailedCheck::None);
  return false;
}

bool check_alignment(Cpu& cpu, u64 linear, unsigned alignment) {
  return (linear & (alignment - 1)) == 0 || refuse_misaligned(cpu);
}

bool refuse_reserved(Cpu& cpu) {
  cpu.raise(vector::general_protection, 0, FailedCheck::ReservedValue);
  return false;
}

template <Pointers P>
Outcome fxsave(Cpu& cpu, const Operation& operation) {
  if (!available(cpu)) return Outcome::Fault;
  u64 linear;
  if (!image_address(cpu, operation, legacy_size, Access::Write, linear)) return Outcome::Fault;
  if (!check_alignment(cpu, linear, 16)) return Outcome::Fault;
  alignas(16) u8 image[xmm_offset + 256] = {};
  put_x87(cpu, image, P);
  put_mxcsr(cpu, image);
  const unsigned size = xmm_offset + 16 * xmm_count(cpu);
  std::memcpy(image + xmm_offset, cpu.state.fpu.xmm.data(), size - xmm_offset);
  return write_image(cpu, operation, linear, image, size) ? Outcome::Next : Outcome::Fault;
}

template <Pointers P>
Outcome fxrstor(Cpu& cpu, const Operation& operation) {
  if (!available(cpu)) return Outcome::Fault;
  u64 linear;
  if (!image_address(cpu, operation, legacy_size, Access::Read, linear)) return Outcome::Fault;
  if (!check_alignment(cpu, linear, 16)) return Outcome::Fault;
  alignas(16) u8 image[legacy_size];
  if (!read_image(cpu, operation, linear, image, legacy_size)) return Outcome::Fault;
  const u32 mxcsr = get<u32>(image, mxcsr_offset);
  if ((mxcsr & ~mxcsr_bit::writable) != 0) {
    refuse_reserved(cpu);
    return Outcome::Fault;
  }
  get_x87(cpu, image, P);
  std::memcpy(cpu.state.fpu.xmm.data(), image + xmm_offset, 16 * xmm_count(cpu));
  load_mxcsr(cpu, mxcsr);
  return Outcome::Next;
}

// --- XSAVE: the same area, by components, with a header ------------------------------------------------------------
constexpr u64 component_x87 = 1, component_sse = 2, component_avx = 4;
constexpr unsigned header_offset = 512, header_size = 64;

bool xsave_allowed(Cpu& cpu) {
  if ((cpu.state.cr4 & cr4_bit::osxsave) == 0) {
    cpu.raise(vector::undefined_opcode, FailedCheck::Undefined);
    return false;
  }
  if ((cpu.state.cr0 & cr0_bit::ts) != 0) {
    cpu.raise(vector::device_not_available, FailedCheck::None);
    return false;
  }
  return true;
}

u64 requested_components(const Cpu& cpu) {
  return (cpu.state.gpr[rdx] << 32 | static_cast<u32>(cpu.state.gpr[rax])) & cpu.state.xcr0;
}

template <Pointers P>
Outcome xsave(Cpu& cpu, const Operation& operation) {
  if (!xsave_allowed(cpu)) return Outcome::Fault;
  u64 linear;
  if (!image_address(cpu, operation, legacy_size + header_size, Access::Write, linear)) return Outcome::Fault;
  if (!check_alignment(cpu, linear, 64)) return Outcome::Fault;
  const u64 components = requested_components(cpu);
  // What is not saved keeps its old bytes: read all, change parts, write back.
  alignas(16) u8 image[legacy_size + 8];
  if (!cpu.read_for_write_slow(&operation, linear, image, sizeof image)) return Outcome::Fault;
  if ((components & component_x87) != 0) put_x87(cpu, image, P);
  if ((components & (component_sse | component_avx)) != 0) put_mxcsr(cpu, image);
  if ((components & component_sse) != 0) {
    std::memcpy(image + xmm_offset, cpu.state.fpu.xmm.data(), 16 * xmm_count(cpu));
  }
  // Every component counts as in use, which the manual permits (SDM vol. 1 §13.6).
  const u64 held = get<u64>(image, header_offset);
  put<u64>(image, header_offset, (held & ~components) | components);
  return write_image(cpu, operation, linear, image, sizeof image) ? Outcome::Next : Outcome::Fault;
}

template <Pointers P>
Outcome xrstor(Cpu& cpu, const Operation& operation) {
  if (!xsave_allowed(cpu)) return Outcome::Fault;
  u64 linear;
  if (!image_address(cpu, operation, legacy_size + header_size, Access::Read, linear)) return Outcome::Fault;
  if (!check_alignment(cpu, linear, 64)) return Outcome::Fault;
  alignas(16) u8 image[legacy_size + header_size];
  if (!read_image(cpu, operation, linear, image, sizeof image)) return Outcome::Fault;
  const u64 components = requested_components(cpu);
  const u64 held = get<u64>(image, header_offset);
  // Standard form only: XCOMP_BV and the 8 bytes behind it are 0 (SDM vol. 1 §13.8.1).
  const bool bad_header = (held & ~cpu.state.xcr0) != 0 || get<u64>(image, header_offset + 8) != 0 ||
                          get<u64>(image, header_offset + 16) != 0;
  const bool loads_mxcsr = (components & (component_sse | component_avx)) != 0;
  const u32 mxcsr = get<u32>(image, mxcsr_offset);
  if (bad_header || (loads_mxcsr && (mxcsr & ~mxcsr_bit::writable) != 0)) {
    refuse_reserved(cpu);
    return Outcome::Fault;
  }
  if ((components & component_x87) != 0) {
    if ((held & component_x87) != 0) {
      get_x87(cpu, image, P);
    } else {
      for (FpuState::Register& target : cpu.state.fpu.registers) target = {};
      x87_initialise(cpu);
    }
  }
  if ((components & component_sse) != 0) {
    if ((held & component_sse) != 0) {
      std::memcpy(cpu.state.fpu.xmm.data(), image + xmm_offset, 16 * xmm_count(cpu));
    } else {
      for (unsigned i = 0; i < xmm_count(cpu); ++i) cpu.state.fpu.xmm[i] = {};
    }
  }
  if (loads_mxcsr) load_mxcsr(cpu, mxcsr);
  return Outcome::Next;
}

// --- MXCSR ---------------------------------------------------------------------------------------------------------

Outcome ldmxcsr(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) return refuse_sse(cpu);
  u32 value;
  if (!read_memory<Address::General>(cpu, operation, value)) return Outcome::Fault;
  if ((value & ~mxcsr_bit::writable) != 0) {
    refuse_reserved(cpu);
    return Outcome::Fault;
  }
  load_mxcsr(cpu, value);
  return Outcome::Next;
}

Outcome stmxcsr(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) return refuse_sse(cpu);
  collect_sse_flags(cpu);
  return write_memory<Address::General>(cpu, operation, cpu.state.fpu.mxcsr) ? Outcome::Next : Outcome::Fault;
}

// --- the x87 environment -------------------------------------------------------------------------------------------

/// The full tag word: 0 valid, 1 zero, 2 special, 3 empty, two bits for each physical register.
u16 tag_word(const FpuState& fpu) {
  unsigned tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const FpuState::Register& value = fpu.registers[i];
    const unsigned exponent = value.sign_exponent & 0x7FFF;
    unsigned tag = 0;
    if ((fpu.valid >> i & 1) == 0) {
      tag = 3;
    } else if (exponent == 0 && value.mantissa == 0) {
      tag = 1;
    } else if (exponent == 0 || exponent == 0x7FFF || value.mantissa >> 63 == 0) {
      tag = 2;
    }
    tags |= tag << 2 * i;
  }
  return static_cast<u16>(tags);
}

unsigned environment_size(const Operation& operation) { return operation.operand_size == 2 ? 14 : 28; }

/// SDM vol. 1 figures 8-9 to 8-12. Reserved upper halves are all ones.
void put_environment(const Cpu& cpu, const Operation& operation, u8* image) {
  const FpuState& fpu = cpu.state.fpu;
  const bool real = cpu.state.real_or_v86();
  const u32 instruction = static_cast<u32>(fpu.instruction_pointer) + (real ? fpu.instruction_selector * 16u : 0);
  const u32 data = static_cast<u32>(fpu.data_pointer) + (real ? fpu.data_selector * 16u : 0);
  const u16 words[3] = {fpu.control, x87_status(cpu), tag_word(fpu)};
  if (operation.operand_size == 2) {
    for (unsigned i = 0; i < 3; ++i) put<u16>(image, 2 * i, words[i]);
    put<u16>(image, 6, static_cast<u16>(instruction));
    put<u16>(image, 10, static_cast<u16>(data));
    if (real) {
      put<u16>(image, 8, static_cast<u16>((instruction >> 16 & 15) << 12 | fpu.opcode));
      put<u16>(image, 12, static_cast<u16>((data >> 16 & 15) << 12));
    } else {
      put<u16>(image, 8, fpu.instruction_selector);
      put<u16>(image, 12, fpu.data_selector);
    }
    return;
  }
  for (unsigned i = 0; i < 3; ++i) put<u32>(image, 4 * i, 0xFFFF0000 | words[i]);
  if (real) {
    put<u32>(image, 12, 0xFFFF0000 | (instruction & 0xFFFF));
    put<u32>(image, 16, (instruction >> 16) << 12 | fpu.opcode);
    put<u32>(image, 20, 0xFFFF0000 | (data & 0xFFFF));
    put<u32>(image, 24, (data >> 16) << 12);
  } else {
    put<u32>(image, 12, instruction);
    put<u32>(image, 16, static_cast<u32>(fpu.opcode) << 16 | fpu.instruction_selector);
    put<u32>(image, 20, data);
    put<u32>(image, 24, 0xFFFF0000 | fpu.data_selector);
  }
}

void get_environment(Cpu& cpu, const Operation& operation, const u8* image) {
  FpuState& fpu = cpu.state.fpu;
  const bool real = cpu.state.real_or_v86();
  const unsigned step = operation.operand_size == 2 ? 2 : 4;
  fpu.control = get<u16>(image, 0) | 0x40;
  fpu.status = get<u16>(image, step);
  fpu.top = fpu.status >> 11 & 7;
  const u16 tags = get<u16>(image, 2 * step);
  fpu.valid = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if ((tags >> 2 * i & 3) != 3) fpu.valid |= static_cast<u8>(1u << i);
  }
  if (step == 2) {
    fpu.instruction_pointer = get<u16>(image, 6);
    fpu.data_pointer = get<u16>(image, 10);
    const u16 instruction_rest = get<u16>(image, 8), data_rest = get<u16>(image, 12);
    if (real) {
      fpu.instruction_pointer |= u64{instruction_rest} >> 12 << 16;
      fpu.data_pointer |= u64{data_rest} >> 12 << 16;
      fpu.opcode = instruction_rest & 0x7FF;
      fpu.instruction_selector = fpu.data_selector = 0;
    } else {
      fpu.instruction_selector = instruction_rest;
      fpu.data_selector = data_rest;
    }
  } else {
    const u32 instruction_rest = get<u32>(image, 16), data_rest = get<u32>(image, 24);
    if (real) {
      fpu.instruction_pointer = get<u16>(image, 12) | (instruction_rest >> 12 & 0xFFFF) << 16;
      fpu.data_pointer = get<u16>(image, 20) | (data_rest >> 12 & 0xFFFF) << 16;
      fpu.opcode = instruction_rest & 0x7FF;
      fpu.instruction_selector = fpu.data_selector = 0;
    } else {
      fpu.instruction_pointer = get<u32>(image, 12);
      fpu.opcode = instruction_rest >> 16 & 0x7FF;
      fpu.instruction_selector = static_cast<u16>(instruction_rest);
      fpu.data_pointer = get<u32>(image, 20);
      fpu.data_selector = static_cast<u16>(data_rest);
    }
  }
  x87_controls_changed(cpu);
}

Outcome fnstenv(Cpu& cpu, const Operation& operation) {
  if (!available(cpu)) return Outcome::Fault;
  const unsigned size = environment_size(operation);
  u64 linear;
  u8 image[28];
  if (!image_address(cpu, operation, size, Access::Write, linear)) return Outcome::Fault;
  put_environment(cpu, operation, image);
  if (!write_image(cpu, operation, linear, image, size)) return Outcome::Fault;
  cpu.state.fpu.control |= x87_bit::flags;
  x87_controls_changed(cpu);
  return Outcome::Next;
}

Outcome fldenv(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) return refuse_x87(cpu, operation);
  const unsigned size = environment_size(operation);
  u64 linear;
  u8 image[28];
  if (!image_address(cpu, operation, size, Access::Read, linear)) return Outcome::Fault;
  if (!read_image(cpu, operation, linear, image, size)) return Outcome::Fault;
  get_environment(cpu, operation, image);
  return Outcome::Next;
}

Outcome fnsave(Cpu& cpu, const Operation& operation) {
  if (!available(cpu)) return Outcome::Fault;
  const unsigned size = environment_size(operation);
  u64 linear;
  u8 image[28 + 80];
  if (!image_address(cpu, operation, size + 80, Access::Write, linear)) return Outcome::Fault;
  put_environment(cpu, operation, image);
  const FpuState& fpu = cpu.state.fpu;
  for (unsigned i = 0; i < 8; ++i) {
    const FpuState::Register& source = fpu.registers[(fpu.top + i) & 7];
    put<u64>(image, size + 10 * i, source.mantissa);
    put<u16>(image, size + 10 * i + 8, source.sign_exponent);
  }
  if (!write_image(cpu, operation, linear, image, size + 80)) return Outcome::Fault;
  x87_initialise(cpu);
  return Outcome::Next;
}

Outcome frstor(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) return refuse_x87(cpu, operation);
  const unsigned size = environment_size(operation);
  u64 linear;
  u8 image[28 + 80];
  if (!image_address(cpu, operation, size + 80, Access::Read, linear)) return Outcome::Fault;
  if (!read_image(cpu, operation, linear, image, size + 80)) return Outcome::Fault;
  get_environment(cpu, operation, image);
  FpuState& fpu = cpu.state.fpu;
  for (unsigned i = 0; i < 8; ++i) {
    FpuState::Register& target = fpu.registers[(fpu.top + i) & 7];
    target.mantissa = get<u64>(image, size + 10 * i);
    target.sign_exponent = get<u16>(image, size + 10 * i + 8);
  }
  return Outcome::Next;
}

// --- control and status words --------------------------------------------------------------------------------------

Outcome fninit(Cpu& cpu, const Operation&) {
  if (!available(cpu)) return Outcome::Fault;
  x87_initialise(cpu);
  return Outcome::Next;
}

Outcome fnclex(Cpu& cpu, const Operation&) {
  if (!available(cpu)) return Outcome::Fault;
  cpu.state.fpu.status &= x87_bit::conditions;
  x87_controls_changed(cpu);
  return Outcome::Next;
}

Outcome fldcw(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) return refuse_x87(cpu, operation);
  u16 value;
  if (!read_memory<Address::General>(cpu, operation, value)) return Outcome::Fault;
  cpu.state.fpu.control = value | 0x40;
  x87_controls_changed(cpu);
  return Outcome::Next;
}

Outcome fnstcw(Cpu& cpu, const Operation& operation) {
  if (!available(cpu)) return Outcome::Fault;
  return write_memory<Address::General>(cpu, operation, cpu.state.fpu.control) ? Outcome::Next : Outcome::Fault;
}

Outcome fnstsw(Cpu& cpu, const Operation& operation) {
  if (!available(cpu)) return Outcome::Fault;
  return write_memory<Address::General>(cpu, operation, x87_status(cpu)) ? Outcome::Next : Outcome::Fault;
}

Outcome fnstsw_ax(Cpu& cpu, const Operation&) {
  if (!available(cpu)) return Outcome::Fault;
  write_register<u16>(cpu, rax * 8, x87_status(cpu));
  return Outcome::Next;
}

Outcome fwait(Cpu& cpu, const Operation& operation) {
  constexpr u64 both = cr0_bit::mp | cr0_bit::ts;
  if ((cpu.state.cr0 & both) == both) return cpu.raise(vector::device_not_available, FailedCheck::None);
  if ((cpu.state.fpu.status & x87_bit::summary) != 0) {  // whatever TS and EM say
    return report_x87(cpu, operation) == Waiting::Raised ? Outcome::Fault : Outcome::JumpStop;
  }
  return Outcome::Next;
}

/// FNENI, FNDISI, FNSETPM: meant something to an 8087 or 80287; now they do nothing.
Outcome fpu_no_operation(Cpu& cpu, const Operation&) { return available(cpu) ? Outcome::Next : Outcome::Fault; }

Outcome emms(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) return refuse_mmx(cpu, operation);
  cpu.state.fpu.valid = 0;
  return Outcome::Next;
}

Handler pick(const Decoded& decoded) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_FXSAVE:
      return &handle<fxsave<Pointers::Selectors>>;
    case ZYDIS_MNEMONIC_FXSAVE64:
      return &handle<fxsave<Pointers::Wide>>;
    case ZYDIS_MNEMONIC_FXRSTOR:
      return &handle<fxrstor<Pointers::Selectors>>;
    case ZYDIS_MNEMONIC_FXRSTOR64:
      return &handle<fxrstor<Pointers::Wide>>;
    case ZYDIS_MNEMONIC_XSAVE:
      return &handle<xsave<Pointers::Selectors>>;
    case ZYDIS_MNEMONIC_XSAVE64:
      return &handle<xsave<Pointers::Wide>>;
    case ZYDIS_MNEMONIC_XRSTOR:
      return &handle<xrstor<Pointers::Selectors>>;
    case ZYDIS_MNEMONIC_XRSTOR64:
      return &handle<xrstor<Pointers::Wide>>;
    case ZYDIS_MNEMONIC_LDMXCSR:
      return &handle<ldmxcsr>;
    case ZYDIS_MNEMONIC_STMXCSR:
      return &handle<stmxcsr>;
    case ZYDIS_MNEMONIC_FNSTENV:
      return &handle<fnstenv>;
    case ZYDIS_MNEMONIC_FLDENV:
      return &handle<fldenv>;
    case ZYDIS_MNEMONIC_FNSAVE:
      return &handle<fnsave>;
    case ZYDIS_MNEMONIC_FRSTOR:
      return &handle<frstor>;
    case ZYDIS_MNEMONIC_FNINIT:
      return &handle<fninit>;
    case ZYDIS_MNEMONIC_FNCLEX:
      return &handle<fnclex>;
    case ZYDIS_MNEMONIC_FLDCW:
      return &handle<fldcw>;
    case ZYDIS_MNEMONIC_FNSTCW:
      return &handle<fnstcw>;
    case ZYDIS_MNEMONIC_FNSTSW:
      return decoded.memory(0) ? &handle<fnstsw> : &handle<fnstsw_ax>;
    case ZYDIS_MNEMONIC_FWAIT:
      return &handle<fwait>;
    case ZYDIS_MNEMONIC_FENI8087_NOP:
    case ZYDIS_MNEMONIC_FDISI8087_NOP:
    case ZYDIS_MNEMONIC_FSETPM287_NOP:
      return &handle<fpu_no_operation>;
    case ZYDIS_MNEMONIC_EMMS:
      return &handle<emms>;
    default:
      return nullptr;
  }
}

}  // namespace

Selection select_fpu_state(const Decoded& decoded, Operation&) { return {.handler = pick(decoded)}; }

}  // namespace vitrine
