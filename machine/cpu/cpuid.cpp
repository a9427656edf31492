// CPUID (SDM vol. 2, CPUID; vol. 2 tables 3-8 to 3-20): what this CPU is, as one table.
//
// The signature is that of an in-order Atom (family 6, model 1Ch, stepping 2): nothing here speculates, and kernels
// know that this model does not either, so that they take no detours around speculation.
#include <array>
#include <bit>
#include <string_view>

#include "abi/instruction_count.h"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/misc_enable.hpp"
#include "machine/cpu/signature.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

struct Leaf {
  u32 number;
  u32 subleaf;
  u32 eax, ebx, ecx, edx;
};

constexpr u32 set_bits(std::initializer_list<unsigned> positions) {
  u32 value = 0;
  for (const unsigned position : positions) value |= 1u << position;
  return value;
}

constexpr u32 word(std::string_view text, unsigned at) {
  u32 value = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const u32 character = at + i < text.size() ? static_cast<u8>(text[at + i]) : 0;
    value |= character << (8 * i);
  }
  return value;
}

constexpr std::string_view vendor = "GenuineIntel";
constexpr std::string_view brand = "Vitrine virtual CPU, 1 instruction per ns";
static_assert(brand.size() < 48);

constexpr u32 frequency_hz = 1'000'000'000;

// Leaf 1, EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2
constexpr u32 features_edx = set_bits({0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26});
// Leaf 1, ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT XSAVE RDRAND (OSXSAVE, bit 27, follows CR4)
constexpr u32 features_ecx = set_bits({0, 9, 13, 19, 20, 22, 23, 26, 30});
// Leaf 7, EBX: FSGSBASE TSC_ADJUST BMI1 SMEP BMI2 ERMS RDSEED SMAP
constexpr u32 extended_ebx = set_bits({0, 1, 3, 7, 8, 9, 18, 20});
// Leaf 7, ECX: UMIP
constexpr u32 extended_ecx = set_bits({2});
// Leaf 80000001h, ECX: LAHF-in-64-bit LZCNT; EDX: NX PDPE1GB RDTSCP LM (SYSCALL, bit 11, only in 64-bit mode)
constexpr u32 amd_ecx = set_bits({0, 5});
constexpr u32 amd_edx = set_bits({20, 26, 27, 29});

// What depends on the local APIC and on how many processors there are.
constexpr u32 feature_apic = 1u << 9, feature_htt = 1u << 28;              // leaf 1, EDX
constexpr u32 feature_x2apic = 1u << 21, feature_tsc_deadline = 1u << 24;  // leaf 1, ECX
constexpr u32 feature_arat = 1u << 2;                                      // leaf 6, EAX: its timer never stops
// The thermal monitor is the local APIC's: ACPI (its MSRs and clock modulation) and TM in leaf 1, EDX; in leaf 6 a
// sensor that can be read, with two thresholds.
constexpr u32 feature_thermal_monitor = 1u << 22 | 1u << 29, feature_thermal_sensor = 1u << 0, thermal_thresholds = 2;
constexpr u32 topology_smt = 1, topology_core = 2;  // leaf Bh, ECX bits 15-8

constexpr u32 highest_basic = 0x16;
constexpr u32 highest_extended = 0x80000008;

constexpr std::array leaves = {
    Leaf{0x0, 0, highest_basic, word(vendor, 0), word(vendor, 8), word(vendor, 4)},
    // EBX: CLFLUSH line of 8 quadwords; number and id of processors: add_place().
    Leaf{0x1, 0, processor_signature, 8u << 8, features_ecx, features_edx},
    // Descriptors: 4-KiB TLBs, 32-KiB L1 caches, 512-KiB L2 (SDM vol. 2 table 3-12); what they say has no effect here.
    Leaf{0x2, 0, 0x007D2C01, 0, 0, 0x00000030},
    // Caches: type and level, ways, sets; line size 64.
    Leaf{0x4, 0, 0x00000021, 7u << 22 | 63, 63, 0},
    Leaf{0x4, 1, 0x00000022, 7u << 22 | 63, 63, 0},
    Leaf{0x4, 2, 0x00000043, 7u << 22 | 63, 1023, 0},
    Leaf{0x6, 0, 0, 0, 0, 0},
    Leaf{0x7, 0, 0, extended_ebx, extended_ecx, 0},
    Leaf{0xA, 0, 0, 0, 0, 0},
    Leaf{0xB, 0, 0, 0, 0, 0},
    // XSAVE: x87 and SSE state in the legacy region and its header.
    Leaf{0xD, 0, 3, 576, 576, 0},
    // TSC and crystal: both 1 GHz. Base, maximum and bus frequency in MHz.
    Leaf{0x15, 0, 1, 1, frequency_hz, 0},
    Leaf{0x16, 0, frequency_hz / 1'000'000, frequency_hz / 1'000'000, 100, 0},
    Leaf{0x80000000, 0, highest_extended, 0, 0, 0},
    Leaf{0x80000001, 0, 0, 0, amd_ecx, amd_edx},
    Leaf{0x80000002, 0, word(brand, 0), word(brand, 4), word(brand, 8), word(brand, 12)},
    Leaf{0x80000003, 0, word(brand, 16), word(brand, 20), word(brand, 24), word(brand, 28)},
    Leaf{0x80000004, 0, word(brand, 32), word(brand, 36), word(brand, 40), word(brand, 44)},
    // L2: 512 KiB, 8 ways, lines of 64 bytes.
    Leaf{0x80000006, 0, 0, 0, 512u << 16 | 6u << 12 | 64, 0},
    Leaf{0x80000007, 0, 0, 0, 0, set_bits({8})},  // invariant TSC
    Leaf{0x80000008, 0, 48u << 8 | physical_address_bits, 0, 0, 0},
};

constexpr bool has_subleaves(u32 number) { return number == 0x4 || number == 0x7 || number == 0xD; }

Leaf find_leaf(u32 number, u32 subleaf) {
  // Above the highest basic leaf the CPU answers with the highest basic one (SDM vol. 2, CPUID).
  const bool extended = number >= 0x80000000;
  if (extended ? number > highest_extended : number > highest_basic) number = highest_basic;
  if (!has_subleaves(number)) subleaf = 0;
  for (const Leaf& leaf : leaves) {
    if (leaf.number == number && leaf.subleaf == subleaf) return leaf;
  }
  return {};
}

/// What a leaf says of this CPU among the others (SDM vol. 3A §8.9), and of its local APIC.
void add_place(const Cpu& cpu, Leaf& leaf, u32 subleaf) {
  const u32 id = cpu.apic != nullptr ? cpu.apic->initial_id() : cpu.number;
  const u32 count = cpu.group.count;
  const auto width = static_cast<u32>(std::bit_width(count - 1));
  switch (leaf.number) {
    case 0x1:
      leaf.ebx |= (id & 0xFF) << 24 | count << 16;
      if (count > 1) leaf.edx |= feature_htt;
      if (cpu.apic == nullptr) break;
      leaf.ecx |= feature_tsc_deadline | (cpu.apic->has_x2apic() ? feature_x2apic : 0);
      leaf.edx |= feature_thermal_monitor;
      if (cpu.apic->globally_enabled()) leaf.edx |= feature_apic;
      break;
    case 0x4:  // one package; each processor is a core of its own
      if (leaf.eax != 0) leaf.eax |= ((1u << width) - 1) << 26;
      break;
    case 0x6:
      if (cpu.apic == nullptr) break;
      leaf.eax |= feature_arat | feature_thermal_sensor;
      leaf.ebx |= thermal_thresholds;
      break;
    case 0xA: {
      if (cpu.apic == nullptr) break;
      using Monitor = PerformanceMonitor;
      leaf.eax = Monitor::version | Monitor::general << 8 | Monitor::width << 16 | Monitor::event_bits << 24;
      leaf.ebx = Monitor::events_absent;
      leaf.edx = Monitor::fixed | Monitor::width << 5;
      break;
    }
    case 0xB:
      if (cpu.apic == nullptr) break;
      leaf.ecx = subleaf & 0xFF;
      leaf.edx = id;
      if (subleaf == 0) {
        leaf.ebx = 1;
        leaf.ecx |= topology_smt << 8;
      } else if (subleaf == 1) {
        leaf.eax = width;
        leaf.ebx = count;
        leaf.ecx |= topology_core << 8;
      }
      break;
    default:
      break;
  }
}

/// What has been executed up to and with `operation` (abi/instruction_count.h).
void tell_instruction_count(Cpu& cpu, const Operation& operation) {
  cpu.sync(&operation);
  u64 count = 0;
  for (const Cpu* each : cpu.group.cpus) count += each->state.instructions;
  cpu.state.gpr[rax] = static_cast<u32>(count);
  cpu.state.gpr[rbx] = VITRINE_INSTRUCTION_COUNT_MAGIC;
  cpu.state.gpr[rcx] = 0;
  cpu.state.gpr[rdx] = count >> 32;
}

}  // namespace

Outcome cpu_identification(Cpu& cpu, const Operation& operation) {
  CpuState& state = cpu.state;
  const auto number = static_cast<u32>(state.gpr[rax]);
  if (number == VITRINE_INSTRUCTION_COUNT_LEAF) {
    tell_instruction_count(cpu, operation);
    return Outcome::Next;
  }
  const auto subleaf = static_cast<u32>(state.gpr[rcx]);
  Leaf leaf = find_leaf(number, subleaf);
  add_place(cpu, leaf, subleaf);
  if (number == 1 && (state.cr4 & cr4_bit::osxsave) != 0) leaf.ecx |= 1u << 27;
  if (number == 0x80000001 && cpu.mode.is64()) leaf.edx |= 1u << 11;
  if (number == 0x80000001 && (state.misc_enable & misc_enable_bit::no_execute_disable) != 0) leaf.edx &= ~(1u << 20);
  state.gpr[rax] = leaf.eax;
  state.gpr[rbx] = leaf.ebx;
  state.gpr[rcx] = leaf.ecx;
  state.gpr[rdx] = leaf.edx;
  return Outcome::Next;
}

}  // namespace vitrine
