// CPUID tells exactly what is there: an instruction has a handler if, and only if, CPUID announces the group that it
// belongs to (or it is older than CPUID). Tries every opcode of every map, with every ModRM byte and mandatory prefix.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "machine/cpu/decode.hpp"

namespace vitrine {

namespace {

/// Groups that CPUID announces (cpuid.cpp has the bits), or that every CPU since the Pentium Pro has.
bool is_announced(ZydisISASet group) {
  switch (group) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_RDPMC:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_CLFSH:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_FXSAVE64:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_PREFETCH_NOP:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSE3X87:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_CMPXCHG16B:
    case ZYDIS_ISA_SET_MOVBE:
    case ZYDIS_ISA_SET_POPCNT:
    case ZYDIS_ISA_SET_XSAVE:
    case ZYDIS_ISA_SET_RDRAND:
    case ZYDIS_ISA_SET_RDWRFSGS:
    case ZYDIS_ISA_SET_BMI1:
    case ZYDIS_ISA_SET_BMI2:
    case ZYDIS_ISA_SET_RDSEED:
    case ZYDIS_ISA_SET_SMAP:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_LZCNT:
    case ZYDIS_ISA_SET_RDTSCP:
    case ZYDIS_ISA_SET_LONGMODE:
      return true;
    default:
      return false;
  }
}

/// Encodings that earlier CPUs have as NOP (SDM vol. 2, opcode map, 0F 0D and 0F 1E), and those whose handler raises
/// #UD.
bool is_there_without_effect(const ZydisDecodedInstruction& instruction) {
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_PREFETCHWT1:
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT:
      return true;
    case ZYDIS_MNEMONIC_SYSCALL:  // not in 64-bit mode
    case ZYDIS_MNEMONIC_SYSRET:
      return instruction.machine_mode != ZYDIS_MACHINE_MODE_LONG_64;
    default:
      return false;
  }
}

struct Found {
  std::set<std::string> absent;       ///< announced, without a handler
  std::set<std::string> unannounced;  ///< with a handler, not announced
};

void look_at(const std::vector<u8>& bytes, CodeMode mode, const ZydisDecoder& zydis, Found& found) {
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, bytes.data(), bytes.size(), &instruction, operands))) return;
  const Decoded decoded{instruction, operands, mode, Address::General, false};
  Operation operation{};
  operation.operand_size = static_cast<u8>(instruction.operand_width / 8);
  operation.address_size = static_cast<u8>(instruction.address_width / 8);
  const bool handled = select_instruction(decoded, operation).handler != nullptr;
  const bool announced = is_announced(instruction.meta.isa_set) || is_there_without_effect(instruction);
  if (handled == announced) return;
  const std::string name = std::string(ZydisMnemonicGetString(instruction.mnemonic)) + " (" +
                           ZydisISASetGetString(instruction.meta.isa_set) + ")";
  (handled ? found.unannounced : found.absent).insert(name);
}

Found look_at_all(CodeMode mode, ZydisMachineMode machine_mode, ZydisStackWidth stack_width) {
  ZydisDecoder zydis;
  ZydisDecoderInit(&zydis, machine_mode, stack_width);
  ZydisDecoderEnableMode(&zydis, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  const std::vector<std::vector<u8>> maps = {{}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};
  std::vector<std::vector<u8>> prefixes = {{}, {0x66}, {0xF3}, {0xF2}};
  if (mode.is64()) prefixes.insert(prefixes.end(), {{0x48}, {0x66, 0x48}, {0xF3, 0x48}, {0xF2, 0x48}});
  std::vector<std::vector<u8>> starts;
  for (const auto& prefix : prefixes) {
    for (const auto& map : maps) {
      starts.push_back(prefix);
      starts.back().insert(starts.back().end(), map.begin(), map.end());
    }
  }
  // VEX: all maps, widths, lengths and mandatory prefixes, with one further register.
  for (unsigned map = 1; map <= 3; ++map) {
    for (unsigned last = 0; last < 16; ++last) {
      const unsigned w_vvvv_l_pp = (last & 8) << 4 | 0x78 | (last & 7);
      starts.push_back({0xC4, static_cast<u8>(0xE0 | map), static_cast<u8>(w_vvvv_l_pp)});
      starts.push_back({0xC4, static_cast<u8>(0xE0 | map), static_cast<u8>(w_vvvv_l_pp & ~0x08u)});
    }
  }
  Found found;
  for (const auto& start : starts) {
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      for (unsigned modrm = 0; modrm < 256; ++modrm) {
        std::vector<u8> bytes = start;
        bytes.push_back(static_cast<u8>(opcode));
        bytes.push_back(static_cast<u8>(modrm));
        bytes.resize(15);
        look_at(bytes, mode, zydis, found);
      }
    }
  }
  return found;
}

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += "  " + name + "\n";
  return text;
}

}  // namespace

TEST(Cpuid, what_is_announced_is_there_and_nothing_else_in_64_bit_mode) {
  const Found found = look_at_all({CodeMode::code64}, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  EXPECT_EQ(listed(found.absent), "");
  EXPECT_EQ(listed(found.unannounced), "");
}

TEST(Cpuid, what_is_announced_is_there_and_nothing_else_in_32_bit_mode) {
  const Found found = look_at_all({CodeMode::code32}, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  EXPECT_EQ(listed(found.absent), "");
  EXPECT_EQ(listed(found.unannounced), "");
}

TEST(Cpuid, vex_instructions_are_undefined_in_real_mode) {
  constexpr u8 andn[] = {0xC4, 0xE2, 0x78, 0xF2, 0xC1};  // ANDN EAX, EAX, ECX
  ZydisDecoder zydis;
  ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  ASSERT_TRUE(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, andn, sizeof andn, &instruction, operands)));
  const CodeMode mode{CodeMode::code16};
  for (const bool real : {false, true}) {
    Operation operation{};
    operation.operand_size = 4;
    const Selection selection = select_instruction({instruction, operands, mode, Address::General, real}, operation);
    EXPECT_EQ(selection.handler == nullptr, real);
  }
}

}  // namespace vitrine
