// Instructions that move the state of both units as a whole: FXSAVE, XSAVE and their like; MXCSR.
//
// Manual: Intel SDM vol. 1 §10.5.1 (FXSAVE area), §13.4 (XSAVE area), vol. 2.
#include "machine/cpu/fpu_image.hpp"
#include "machine/cpu/sse.hpp"

namespace vitrine {

using namespace fpu_image;

namespace {

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
    default:
      return nullptr;
  }
}

}  // namespace

Selection select_fpu_state(const Decoded& decoded, Operation& operation) {
  if (const Handler handler = pick(decoded); handler != nullptr) return {.handler = handler};
  return select_x87_environment(decoded, operation);
}

}  // namespace vitrine
