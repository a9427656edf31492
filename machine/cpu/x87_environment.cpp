// The x87 environment: FSTENV, FSAVE and their like, control and status words, FNINIT, EMMS.
//
// Manual: Intel SDM vol. 1 §8.1.10 (FSTENV images), vol. 2.
// Instruction and data pointers and opcode are kept for each non-control instruction.
#include "machine/cpu/fpu_image.hpp"
#include "machine/cpu/sse.hpp"

namespace vitrine {

using namespace fpu_image;

namespace {

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

Selection select_x87_environment(const Decoded& decoded, Operation&) { return {.handler = pick(decoded)}; }

}  // namespace vitrine
