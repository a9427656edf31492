#include "tests/differential/instruction_generator.hpp"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstring>

#include "machine/cpu/state.hpp"

namespace vitrine::differential {

namespace {

/// Instructions whose result is the machine's, the kernel's or the vendor's business, or that leave the straight line.
bool excluded(const ZydisDecodedInstruction& instruction) {
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_RDRAND:
    case ZYDIS_CATEGORY_RDSEED:
    case ZYDIS_CATEGORY_XSAVE:
    case ZYDIS_CATEGORY_XSAVEOPT:
      return true;
    default:
      break;
  }
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPID:
    case ZYDIS_MNEMONIC_PUSHFQ:
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_FSTPNCE:  // undocumented: an empty source
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FLDCW:
    case ZYDIS_MNEMONIC_F2XM1:
    case ZYDIS_MNEMONIC_FYL2X:
    case ZYDIS_MNEMONIC_FYL2XP1:
    case ZYDIS_MNEMONIC_FSIN:
    case ZYDIS_MNEMONIC_FCOS:
    case ZYDIS_MNEMONIC_FSINCOS:
    case ZYDIS_MNEMONIC_FPTAN:
    case ZYDIS_MNEMONIC_FPATAN:
    case ZYDIS_MNEMONIC_CLFLUSH:
    case ZYDIS_MNEMONIC_CLFLUSHOPT:
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
      return true;
    default:
      return false;
  }
}

bool wanted(const ZydisDecodedInstruction& instruction, Family family) {
  switch (instruction.meta.isa_set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_CMPXCHG16B:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_LONGMODE:
    case ZYDIS_ISA_SET_BMI1:
    case ZYDIS_ISA_SET_BMI2:
    case ZYDIS_ISA_SET_LZCNT:
    case ZYDIS_ISA_SET_POPCNT:
    case ZYDIS_ISA_SET_MOVBE:
      return family == Family::Integer;
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
      return family == Family::Vector;
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_SSE3X87:
      return family == Family::X87;
    default:
      return false;
  }
}

std::vector<u8> candidate(Random& random, Family family) {
  std::vector<u8> bytes;
  const auto byte = [&] { return static_cast<u8>(random.next()); };
  const bool vex = family == Family::Integer && random.one_in(8);
  if (vex) {
    // VEX.LZ.map: BMI1 and BMI2.
    bytes = {0xC4, static_cast<u8>((byte() & 0xE0) | (random.one_in(8) ? 3 : 2)), static_cast<u8>(byte() & 0xFB),
             static_cast<u8>(0xF0 | (byte() & 7))};
    if (random.one_in(8)) bytes[3] = 0xF0;
  } else {
    static constexpr u8 repeats[] = {0xF2, 0xF3, 0x66};
    if (random.one_in(family == Family::Vector ? 1 : 4)) {
      const u64 which = random.below(4);
      if (which < 3) bytes.push_back(repeats[which]);
    }
    if (random.one_in(2)) bytes.push_back(static_cast<u8>(0x40 | (byte() & 15)));
    if (family == Family::X87) {
      bytes.push_back(static_cast<u8>(0xD8 | (byte() & 7)));
    } else if (family == Family::Vector || random.one_in(3)) {
      bytes.push_back(0x0F);
      const u64 map = random.below(family == Family::Vector ? 4 : 12);
      if (map == 0) bytes.push_back(0x38);
      if (map == 1) bytes.push_back(0x3A);
      bytes.push_back(byte());
    } else {
      bytes.push_back(byte());
    }
  }
  while (bytes.size() < 15) bytes.push_back(byte());
  return bytes;
}

int gpr_number(ZydisRegister reg) {
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return ZydisRegisterGetId(reg);
    default:
      return -1;
  }
}

/// Fills in what the test must know of a decoded candidate; false if it can't be run.
bool describe(const ZydisDecodedInstruction& decoded, const ZydisDecodedOperand* operands, Instruction& made) {
  made.mnemonic = ZydisMnemonicGetString(decoded.mnemonic);
  if (decoded.cpu_flags != nullptr) made.undefined_flags = decoded.cpu_flags->undefined & flag::status;
  made.shifts = decoded.meta.category == ZYDIS_CATEGORY_SHIFT || decoded.meta.category == ZYDIS_CATEGORY_ROTATE;
  made.shifts_double = decoded.mnemonic == ZYDIS_MNEMONIC_SHLD || decoded.mnemonic == ZYDIS_MNEMONIC_SHRD;
  made.shifts = made.shifts && decoded.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
  made.operand_bits = operands[0].size;
  made.implicit_string = decoded.meta.category == ZYDIS_CATEGORY_STRINGOP;
  if ((decoded.attributes & (ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS)) != 0) return false;
  for (unsigned i = 0; i < decoded.operand_count_visible; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(operand.reg.value) >= ZYDIS_REGCLASS_FLAGS &&
        ZydisRegisterGetClass(operand.reg.value) != ZYDIS_REGCLASS_X87) {
      return false;
    }
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type != ZYDIS_MEMOP_TYPE_MEM) continue;
    if (decoded.raw.disp.size == 64) return false;
    made.has_memory = true;
    made.base = gpr_number(operand.mem.base);
    made.index = gpr_number(operand.mem.index);
    made.scale = operand.mem.scale == 0 ? 1 : operand.mem.scale;
    made.displacement = operand.mem.disp.value;
    // The address must be ours to choose: by a base that is not the index too, in 64 bits.
    if (made.base < 0 || made.base == made.index || decoded.address_width != 64) return false;
  }
  if (decoded.address_width != 64 && made.implicit_string) return false;
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      if (made.has_memory && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
        made.bit_string = true;
        made.bit_register = gpr_number(operands[1].reg.value);
        if (made.bit_register == made.base || made.bit_register == made.index) return false;
      }
      break;
    case ZYDIS_MNEMONIC_BSWAP:
      if (operands[0].size == 16) return false;
      break;
    case ZYDIS_MNEMONIC_SHLD:  // counts above 16 are undefined
    case ZYDIS_MNEMONIC_SHRD:
      if (operands[0].size == 16) return false;
      break;
    case ZYDIS_MNEMONIC_CVTPI2PS:  // with memory: MMX by Intel's manual, not on AMD's processors
      if (made.has_memory) return false;
      break;
    case ZYDIS_MNEMONIC_POP:  // the address of POP m counts from the RSP behind it
      if (made.has_memory && made.base == 4) return false;
      break;
    case ZYDIS_MNEMONIC_XLAT:
      if (decoded.address_width != 64) return false;
      break;
    default:
      break;
  }
  if (decoded.meta.isa_set == ZYDIS_ISA_SET_X87 || decoded.meta.isa_set == ZYDIS_ISA_SET_SSE3X87 ||
      decoded.meta.isa_set == ZYDIS_ISA_SET_FCMOV) {
    switch (decoded.mnemonic) {
      case ZYDIS_MNEMONIC_FCOM:
      case ZYDIS_MNEMONIC_FCOMP:
      case ZYDIS_MNEMONIC_FCOMPP:
      case ZYDIS_MNEMONIC_FUCOM:
      case ZYDIS_MNEMONIC_FUCOMP:
      case ZYDIS_MNEMONIC_FUCOMPP:
      case ZYDIS_MNEMONIC_FICOM:
      case ZYDIS_MNEMONIC_FICOMP:
      case ZYDIS_MNEMONIC_FTST:
      case ZYDIS_MNEMONIC_FXAM:
      case ZYDIS_MNEMONIC_FPREM:
      case ZYDIS_MNEMONIC_FPREM1:
        break;
      default:
        made.undefined_x87_status = 0x4500;
        break;  // C3, C2, C0
    }
  }
  return true;
}

u64 special_integer(Random& random) {
  static constexpr u64 values[] = {0,
                                   1,
                                   2,
                                   0x7F,
                                   0x80,
                                   0xFF,
                                   0x7FFF,
                                   0x8000,
                                   0xFFFF,
                                   0x7FFFFFFF,
                                   0x80000000,
                                   0xFFFFFFFF,
                                   0x7FFFFFFFFFFFFFFF,
                                   0x8000000000000000,
                                   0xFFFFFFFFFFFFFFFF};
  return values[random.below(std::size(values))];
}

u64 special_double(Random& random) {
  static constexpr u64 values[] = {0x0000000000000000, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000,
                                   0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, 0x7FF0000000000001,
                                   0x0000000000000001, 0x000FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x4330000000000001,
                                   0x41E0000000000000, 0xC1E0000000200000, 0x43E0000000000000, 0x0010000000000000,
                                   // the same for single precision, twice each
                                   0x3F8000003F800000, 0x7F8000007F800000, 0xFFC000007FC00000, 0x7F8000017F800001,
                                   0x0000000100000001, 0x007FFFFF807FFFFF, 0x7F7FFFFFFF7FFFFF, 0x4F0000004EFFFFFF};
  return values[random.below(std::size(values))];
}

u64 vector_half(Random& random) {
  switch (random.below(4)) {
    case 0:
      return special_double(random);
    case 1:
      return special_integer(random);
    case 2: {  // doubles of like magnitude: sums that round
      const u64 exponent = 0x3F0 + random.below(0x20);
      return (random.next() & 0x800FFFFFFFFFFFFF) | exponent << 52;
    }
    default:
      return random.next();
  }
}

void put(Registers& registers, unsigned offset, u64 value, unsigned size) {
  std::memcpy(registers.fx + offset, &value, size);
}

void randomise_x87(Random& random, Registers& registers) {
  static constexpr u16 precisions[] = {0x000, 0x200, 0x300, 0x300};
  put(registers, 0, 0x7F | precisions[random.below(4)] | random.below(4) << 10, 2);
  const u64 top = random.below(8);
  put(registers, 2, top << 11, 2);
  const u8 valid = random.one_in(3) ? static_cast<u8>(random.next()) : 0xFF;
  put(registers, 4, valid, 1);
  for (unsigned i = 0; i < 8; ++i) {
    u64 mantissa = random.next() | 0x8000000000000000;
    u64 exponent = 0x3FFF - 40 + random.below(80);
    switch (random.below(6)) {
      case 0: {
        static constexpr struct {
          u64 mantissa;
          u16 exponent;
        } values[] = {{0, 0},
                      {0, 0x8000},
                      {0x8000000000000000, 0x3FFF},
                      {0x8000000000000000, 0xBFFF},
                      {0x8000000000000000, 0x7FFF},
                      {0x8000000000000000, 0xFFFF},
                      {0xC000000000000000, 0x7FFF},
                      {0x8000000000000001, 0x7FFF},
                      {1, 0},
                      {0x7FFFFFFFFFFFFFFF, 0},
                      {0x8000000000000000, 0},
                      {0xFFFFFFFFFFFFFFFF, 0x7FFE},
                      {0x8000000000000000, 0x403E},
                      {0x4000000000000000, 0x4000}};
        const auto& value = values[random.below(std::size(values))];
        mantissa = value.mantissa;
        exponent = value.exponent;
        break;
      }
      case 1:
        exponent = random.next() & 0xFFFF;
        break;
      case 2:
        mantissa &= ~u64{0} << random.below(64);
        break;
      default:
        exponent |= random.next() & 0x8000;
        break;
    }
    put(registers, 32 + 16 * i, mantissa, 8);
    put(registers, 40 + 16 * i, exponent, 2);
  }
}

}  // namespace

Instruction generate(Random& random, Family family) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  for (;;) {
    Instruction made;
    made.bytes = candidate(random, family);
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, made.bytes.data(), made.bytes.size(), &decoded, operands)))
      continue;
    if (!wanted(decoded, family) || excluded(decoded) || !describe(decoded, operands, made)) continue;
    made.bytes.resize(decoded.length);
    return made;
  }
}

void randomise(Random& random, Family family, const Instruction& instruction, Registers& registers) {
  for (u64& value : registers.gpr) {
    value = random.one_in(3) ? special_integer(random) : random.next() >> random.below(64);
  }
  registers.flags = (random.next() & flag::status) | 0x202;
  put(registers, 0, 0x37F, 2);
  put(registers, 2, 0, 2);
  put(registers, 4, 0, 1);
  u64 mxcsr = 0x1F80 | random.below(4) << 13;
  if (random.one_in(4)) mxcsr |= 0x40;    // DAZ
  if (random.one_in(4)) mxcsr |= 0x8000;  // FTZ
  if (random.one_in(8)) mxcsr &= ~(random.next() & 0x1F80);
  put(registers, 24, mxcsr, 4);
  if (family != Family::Integer) {
    for (unsigned i = 0; i < 32; ++i) put(registers, 160 + 8 * i, vector_half(random), 8);
    for (unsigned i = 0; i < 8; ++i) {
      put(registers, 32 + 16 * i, vector_half(random), 8);
      put(registers, 40 + 16 * i, 0xFFFF, 2);
    }
  }
  if (family == Family::X87) randomise_x87(random, registers);

  constexpr u64 margin = 512;
  const auto somewhere = [&] {
    u64 address = data_address + margin + random.below(data_size - 2 * margin);
    if (random.one_in(2)) address &= ~u64{15};
    if (random.one_in(8)) address = data_address + 0x1000 - random.below(16);
    return address;
  };
  registers.gpr[rsp] = somewhere() & ~u64{7};
  registers.gpr[rbp] = random.one_in(2) ? somewhere() & ~u64{7} : registers.gpr[rbp];
  if (instruction.implicit_string) {
    registers.gpr[rsi] = somewhere();
    registers.gpr[rdi] = somewhere();
    registers.gpr[rcx] = random.below(12);
    if (random.one_in(4)) registers.flags |= flag::direction;
  }
  if (std::strcmp(instruction.mnemonic, "xlatb") == 0 || std::strcmp(instruction.mnemonic, "xlat") == 0) {
    registers.gpr[rbx] = somewhere() & ~u64{0xFF};
  }
  if (std::strcmp(instruction.mnemonic, "leave") == 0) registers.gpr[rbp] = somewhere();
  if (instruction.bit_string) {
    registers.gpr[instruction.bit_register] = static_cast<u64>(static_cast<i64>(random.below(2000)) - 1000);
  }
  if (instruction.has_memory) {
    u64 offset = static_cast<u64>(instruction.displacement);
    if (instruction.index >= 0) {
      if (instruction.index != instruction.bit_register) registers.gpr[instruction.index] = random.below(64);
      offset += registers.gpr[instruction.index] * instruction.scale;
    }
    registers.gpr[instruction.base] = somewhere() - offset;
  }
}

}  // namespace vitrine::differential
