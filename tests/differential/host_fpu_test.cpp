// x87, MMX and SSE against the host's own CPU, and what only the manual can tell.
#include <cmath>

#include "tests/differential/host_fpu_bench.hpp"

namespace vitrine {
namespace {

using namespace fp_bench;

struct Instruction {
  ZydisDecodedInstruction decoded;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};
bool decode(const std::vector<u8>& bytes, Instruction& out) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &out.decoded, out.operands)) &&
         out.decoded.length == bytes.size();
}

bool is_ours(const Instruction& instruction) {
  switch (instruction.decoded.meta.isa_set) {
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
      break;
    default:
      return false;
  }
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:     // approximations of our own
    case ZYDIS_MNEMONIC_MASKMOVDQU:  // address RDI
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_LDMXCSR:  // random reserved bits
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_POPCNT:
      return false;
    // Intel enters MMX state for a memory operand too, AMD does not.
    case ZYDIS_MNEMONIC_CVTPI2PS:
      return instruction.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
    default:
      return true;
  }
}

TEST(FloatingPoint, every_mmx_and_sse_encoding_agrees_with_the_host) {
  Comparison comparison;
  unsigned encodings = 0;
  static const std::vector<u8> prefixes[] = {{}, {0x66}, {0xF3}, {0xF2}};
  static const std::vector<u8> maps[] = {{0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};
  for (const auto& prefix : prefixes) {
    for (const auto& map : maps) {
      for (const bool wide : {false, true}) {
        for (unsigned opcode = 0; opcode < 256; ++opcode) {
          // Registers 1 and 2; register 1 (RCX, XMM1) and [RSI]; shift groups by immediate; ModRM.reg 2, 3, 4, 6, 7.
          for (const u8 modrm : {u8{0xCA}, u8{0x0E}, u8{0xD1}, u8{0xD9}, u8{0xE1}, u8{0xF1}, u8{0xF9}}) {
            std::vector<u8> bytes = prefix;
            if (wide) bytes.push_back(0x48);
            bytes.insert(bytes.end(), map.begin(), map.end());
            bytes.push_back(static_cast<u8>(opcode));
            bytes.push_back(modrm);
            const bool group = map.size() == 1 && opcode >= 0x71 && opcode <= 0x73;
            if (!group && modrm != 0xCA && modrm != 0x0E) continue;
            Instruction instruction;
            bool fits = decode(bytes, instruction);
            const bool has_immediate = !fits;
            if (has_immediate) {
              bytes.push_back(0);
              fits = decode(bytes, instruction);
            }
            if (!fits || !is_ours(instruction)) continue;
            ++encodings;
            for (unsigned i = 0; i < (has_immediate ? 256 : 1); ++i) {
              if (has_immediate) bytes.back() = static_cast<u8>(i);
              comparison.compare(bytes, has_immediate ? 3 : 200, 0x3F);
            }
            if (comparison.failures >= 25) return;
          }
        }
      }
    }
  }
  EXPECT_GT(encodings, 700u);
  RecordProperty("encodings", static_cast<int>(encodings));
}

/// Instructions that are computed here, or whose result holds addresses.
bool compares_x87(unsigned opcode, unsigned modrm) {
  const unsigned reg = modrm >> 3 & 7;
  if (modrm < 0xC0) {
    if (opcode == 0xD9) return reg != 4 && reg != 5 && reg != 6;
    if (opcode == 0xDD) return reg != 4 && reg != 6;
    if (opcode == 0xDF) return reg != 4;  // FBLD of what is no number
    return true;
  }
  if (opcode == 0xD9) {
    switch (modrm) {
      case 0xD8 + 0:  // FSTPNCE: undocumented with an empty source
      case 0xD8 + 1:
      case 0xD8 + 2:
      case 0xD8 + 3:
      case 0xD8 + 4:
      case 0xD8 + 5:
      case 0xD8 + 6:
      case 0xD8 + 7:
      case 0xF0:
      case 0xF1:
      case 0xF2:
      case 0xF3:
      case 0xF9:
      case 0xFB:
      case 0xFE:
      case 0xFF:
        return false;
      default:
        return true;
    }
  }
  return true;
}

void compare_x87(Comparison& comparison, unsigned times, u16 control_mask) {
  for (unsigned opcode = 0xD8; opcode <= 0xDF; ++opcode) {
    for (unsigned modrm = 0; modrm < 256; ++modrm) {
      if (modrm < 0xC0 && (modrm & 0xC7) != 6) continue;
      if (!compares_x87(opcode, modrm)) continue;
      const std::vector<u8> bytes = {static_cast<u8>(opcode), static_cast<u8>(modrm)};
      Instruction instruction;
      if (!decode(bytes, instruction)) continue;
      // Where vendors differ, we do as Intel says: x87_memory.cpp and x87_compare.cpp.
      const bool loads = (opcode == 0xD9 || opcode == 0xDD) && modrm == 6;
      if (loads && (control_mask & x87_bit::denormal) == 0) continue;
      const bool to_flags = (opcode == 0xDB || opcode == 0xDF) && modrm >= 0xE8 && modrm < 0xF8;
      constexpr u16 stops = x87_bit::denormal | x87_bit::invalid;
      comparison.compare(bytes, times, control_mask, to_flags && (control_mask & stops) != stops ? 0x8D5 : 0);
      if (comparison.failures >= 25) return;
    }
  }
}

TEST(FloatingPoint, every_x87_encoding_agrees_with_the_host_when_exceptions_are_masked) {
  Comparison comparison;
  compare_x87(comparison, 200, 0x3F);
}

TEST(FloatingPoint, every_x87_encoding_agrees_with_the_host_when_exceptions_are_unmasked) {
  Comparison comparison;
  for (const u16 masks : std::initializer_list<u16>{0x00, 0x3E, 0x3D, 0x3B, 0x37, 0x2F, 0x1F}) {
    compare_x87(comparison, 40, masks);
    if (comparison.failures != 0) ADD_FAILURE() << "masks " << masks;
  }
}

// --- what is computed by us: within one unit in the last place of the host's ---------------------------------------

/// Distance of two results in units of the last place; huge if they aren't comparable.
u64 distance(const u8* a, const u8* b) {
  u64 mantissas[2];
  u16 exponents[2];
  std::memcpy(&mantissas[0], a, 8);
  std::memcpy(&exponents[0], a + 8, 2);
  std::memcpy(&mantissas[1], b, 8);
  std::memcpy(&exponents[1], b + 8, 2);
  const i64 step = static_cast<i64>(exponents[0] & 0x7FFF) - (exponents[1] & 0x7FFF);
  if (((exponents[0] ^ exponents[1]) & 0x8000) != 0) return ~u64{0};
  if (step == 0) return mantissas[0] > mantissas[1] ? mantissas[0] - mantissas[1] : mantissas[1] - mantissas[0];
  // One binade apart: 2^n against just below it.
  const u64 larger = step > 0 ? mantissas[0] : mantissas[1], smaller = step > 0 ? mantissas[1] : mantissas[0];
  return step == 1 || step == -1 ? (larger << 1) - smaller : ~u64{0};
}

TEST(FloatingPoint, transcendental_functions_are_within_two_units_of_the_host) {
  Guest guest;
  Host host;
  Random random;
  unsigned failures = 0;
  u64 equal = 0, all = 0;
  for (const u8 code : {u8{0xF0}, u8{0xF1}, u8{0xF2}, u8{0xF3}, u8{0xF9}, u8{0xFB}, u8{0xFE}, u8{0xFF}}) {
    for (unsigned i = 0; i < 1500 && failures < 20; ++i) {
      Both start;
      fill(random, start, 0x37F, false);
      start.image[4] = 0x3F;
      const u16 clear = 0;
      std::memcpy(start.image + 2, &clear, 2);
      if (i % 3 != 0) {  // ordinary arguments of each function
        u16 exponent = static_cast<u16>(0x3FFF - random.below(i % 3 == 1 ? 4 : 70));
        if (code != 0xF0 && code != 0xF9) exponent = static_cast<u16>(exponent + random.below(40));
        if (code == 0xF0) exponent = static_cast<u16>(exponent - 1);
        if (code == 0xF9) exponent = static_cast<u16>(exponent - 3);
        if (code != 0xF1 && random.below(2) != 0) exponent |= 0x8000;
        std::memcpy(start.image + 40, &exponent, 2);
        start.image[39] |= 0x80;
      }
      u16 exponent;
      u64 mantissa;
      std::memcpy(&exponent, start.image + 40, 2);
      std::memcpy(&mantissa, start.image + 32, 8);
      // Undefined arguments; and for angles beyond 2^10 other FPUs may have another pi.
      if (code == 0xF0 && (exponent & 0x7FFF) >= 0x3FFF) continue;
      if (code == 0xF9 && (exponent & 0x7FFF) >= 0x3FFD && (exponent & 0x7FFF) != 0x7FFF) continue;
      if ((exponent & 0x7FFF) == 0 && mantissa != 0) continue;
      Both on_host = start, ours = start;
      host.run({0xD9, code}, on_host);
      if (!guest.run({0xD9, code}, ours)) {
        ADD_FAILURE() << "raised " << int{guest.last_vector()};
        return;
      }
      u16 status_host, status_ours;
      std::memcpy(&status_host, on_host.image + 2, 2);
      std::memcpy(&status_ours, ours.image + 2, 2);
      bool good = ((status_host ^ status_ours) & 0x3D0D) == 0 && on_host.image[4] == ours.image[4];
      for (unsigned n = 0; n < 8; ++n) {
        const u64 units = distance(on_host.image + 32 + 16 * n, ours.image + 32 + 16 * n);
        good &= units <= (n < 2 ? 2 : 0);
        if (n < 2) {
          ++all;
          equal += units == 0;
        }
      }
      if (!good) {
        ADD_FAILURE() << "d9 " << int{code} << " (case " << i << ")\n" << difference(start, on_host, ours);
        ++failures;
      }
    }
  }
  RecordProperty("same_bits_percent", static_cast<int>(equal * 100 / all));
}

TEST(FloatingPoint, approximations_stay_within_the_bound_of_the_manual) {
  Guest guest;
  Random random;
  const double bound = 1.5 / 4096;
  for (unsigned i = 0; i < 20000; ++i) {
    Both both;
    fill(random, both, 0x37F, false);
    const u32 bits = static_cast<u32>((random() & 0x807FFFFF) | (2 + random.below(250)) << 23);
    std::memcpy(both.image + 160 + 16, &bits, 4);
    float input;
    std::memcpy(&input, &bits, 4);
    Both reciprocal = both, root = both;
    ASSERT_TRUE(guest.run({0xF3, 0x0F, 0x53, 0xC1}, reciprocal));
    ASSERT_TRUE(guest.run({0xF3, 0x0F, 0x52, 0xC1}, root));
    float result;
    std::memcpy(&result, reciprocal.image + 160, 4);
    EXPECT_LE(std::fabs(static_cast<double>(result) * static_cast<double>(input) - 1), bound) << bits;
    std::memcpy(&result, root.image + 160, 4);
    if (input > 0) {
      EXPECT_LE(std::fabs(static_cast<double>(result) * std::sqrt(static_cast<double>(input)) - 1), bound) << bits;
    } else {
      EXPECT_TRUE(std::isnan(result));
    }
    EXPECT_EQ(std::memcmp(both.image + 24, root.image + 24, 4), 0) << "no exception, ever";
  }
}

struct StrictRow {
  const char* what;
  u32 mxcsr;
  u64 a, b;
  u8 opcode;  // F2 0F xx: scalar doubles
  u32 new_flags;
  bool raises;
};

TEST(FloatingPoint, an_unmasked_sse_exception_leaves_the_register_and_sets_its_flags) {
  constexpr u64 one = 0x3FF0000000000000, snan = 0x7FF0000000000001, tiny = 0x0010000000000000,
                third = 0x4008000000000000;
  static const StrictRow rows[] = {
      {"invalid", 0x1F80 & ~0x80u, one, snan, 0x58, 0x01, true},
      {"divide by zero", 0x1F80 & ~0x200u, one, 0, 0x5E, 0x04, true},
      {"denormal operand", 0x1F80 & ~0x100u, one, 1, 0x58, 0x02, true},
      {"denormal operand hides inexact", 0x1F80 & ~0x100u, third, 1, 0x58, 0x02, true},
      {"inexact", 0x1F80 & ~0x1000u, one, third, 0x5E, 0x20, true},
      {"exact and tiny underflows when unmasked", 0x1F80 & ~0x800u, tiny, 0x3FE0000000000000, 0x59, 0x10, true},
      {"exact and tiny is silent when masked", 0x1F80 & ~0x80u, tiny, 0x3FE0000000000000, 0x59, 0x00, false},
      {"overflow", 0x1F80 & ~0x400u, 0x7FEFFFFFFFFFFFFF, third, 0x59, 0x28, true},
      {"masked ones accumulate", 0x1F80 & ~0x80u, one, third, 0x5E, 0x20, false},
  };
  Guest guest;
  for (const StrictRow& row : rows) {
    Both both{};
    both.image[0] = 0x7F;
    both.image[1] = 0x03;
    std::memcpy(both.image + 24, &row.mxcsr, 4);
    std::memcpy(both.image + 160, &row.a, 8);
    std::memcpy(both.image + 176, &row.b, 8);
    both.flags = 2;
    guest.run({0xF2, 0x0F, row.opcode, 0xC1}, both);
    u32 mxcsr;
    u64 result;
    std::memcpy(&mxcsr, both.image + 24, 4);
    std::memcpy(&result, both.image + 160, 8);
    EXPECT_EQ(mxcsr & 0x3F, row.new_flags) << row.what;
    EXPECT_EQ(guest.last_vector() == vector::simd_error, row.raises) << row.what;
    if (row.raises) EXPECT_EQ(result, row.a) << row.what;
  }
}

TEST(FloatingPoint, a_unit_that_is_off_refuses_as_the_manual_says) {
  struct Row {
    u64 cr0, cr4;
    std::vector<u8> bytes;
    u8 vector;
  };
  const std::vector<u8> sse = {0x0F, 0x58, 0xC1}, mmx = {0x0F, 0xFC, 0xC1}, x87 = {0xD8, 0xC1}, wait = {0x9B};
  const Row rows[] = {{cr0_bit::em, 0, sse, 6},     {cr0_bit::ts, 0, sse, 7},
                      {0, cr4_bit::osfxsr, sse, 6}, {cr0_bit::em, 0, mmx, 6},
                      {cr0_bit::ts, 0, mmx, 7},     {cr0_bit::em, 0, x87, 7},
                      {cr0_bit::ts, 0, x87, 7},     {cr0_bit::ts, 0, wait, 7},
                      {cr0_bit::em, 0, wait, 0xFF}, {0, cr4_bit::osxsave, {0x0F, 0xAE, 0x26}, 6}};
  for (const Row& row : rows) {
    Guest guest;
    guest.cpu->state.cr0 |= row.cr0;
    guest.cpu->state.cr4 ^= row.cr4 & cr4_bit::osfxsr;
    Both both{};
    both.image[0] = 0x7F;
    both.flags = 2;
    guest.run(row.bytes, both);
    EXPECT_EQ(int{guest.last_vector()}, int{row.vector}) << hex(row.bytes) << row.cr0;
  }
}

TEST(FloatingPoint, an_unmasked_x87_exception_waits_for_the_next_instruction) {
  Guest guest;
  Both both{};
  both.image[0] = 0x7B;  // zero divide unmasked
  both.image[1] = 0x03;
  both.image[4] = 0xFF;
  both.image[32 + 7] = 0x80;
  both.image[32 + 8] = 0xFF;
  both.image[32 + 9] = 0x3F;  // ST0 = 1, ST1 = 0
  both.flags = 2;
  EXPECT_TRUE(guest.run({0xD8, 0xF1}, both)) << "FDIV itself goes through";
  EXPECT_EQ(both.image[2] & 0x84, 0x84) << "ZE and ES";
  Both next = both;
  EXPECT_TRUE(guest.run({0xDD, 0x3E}, next)) << "FNSTSW does not wait";
  next = both;
  EXPECT_FALSE(guest.run({0x9B}, next));
  EXPECT_EQ(int{guest.last_vector()}, int{vector::x87_error});
  next = both;
  EXPECT_FALSE(guest.run({0x0F, 0xFC, 0xC1}, next)) << "MMX waits too";
  EXPECT_EQ(int{guest.last_vector()}, int{vector::x87_error});
}

TEST(FloatingPoint, fxsave_and_fxrstor_carry_the_whole_state) {
  Guest guest;
  Random random;
  for (const bool wide : {false, true}) {
    Both both;
    fill(random, both, 0x37F, true);
    both.image[2] = 0;
    Both saved = both;
    const auto encode = [&](u8 modrm) {
      return wide ? std::vector<u8>{0x48, 0x0F, 0xAE, modrm} : std::vector<u8>{0x0F, 0xAE, modrm};
    };
    ASSERT_TRUE(guest.run(encode(0x06), saved));
    EXPECT_EQ(difference(both, both, saved).find("XMM"), std::string::npos);
    u8 image[512];
    std::memcpy(image, guest.ram + data_address, 512);
    EXPECT_EQ(std::memcmp(image + 160, both.image + 160, 256), 0);
    EXPECT_EQ(std::memcmp(image + 32, both.image + 32, 128), 0);
    EXPECT_EQ(image[4], both.image[4]);
    Both other;
    fill(random, other, 0x27F, false);
    std::memcpy(other.memory, image, data_size);
    ASSERT_TRUE(guest.run(encode(0x0E), other));
    EXPECT_EQ(std::memcmp(other.image + 32, both.image + 32, 384), 0);
    EXPECT_EQ(std::memcmp(other.image, both.image, 5), 0);
  }
}

TEST(FloatingPoint, misaligned_operands_of_128_bits_raise_general_protection) {
  Guest guest;
  Both both{};
  both.image[0] = 0x7F;
  both.flags = 2;
  EXPECT_FALSE(guest.run({0x0F, 0x58, 0x46, 0x04}, both));  // ADDPS XMM0, [RSI+4]
  EXPECT_EQ(int{guest.last_vector()}, int{vector::general_protection});
  EXPECT_TRUE(guest.run({0x0F, 0x10, 0x46, 0x04}, both)) << "MOVUPS";
}

}  // namespace
}  // namespace vitrine
