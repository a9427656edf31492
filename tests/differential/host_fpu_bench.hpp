// The bench of the floating-point tests: a guest CPU and the host's own, the same bytes on both, from the same random
// state. Everything that FXSAVE shows (but the pointers), flags, registers and memory can be compared.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "machine/cpu/floating.hpp"

namespace vitrine::fp_bench {

constexpr u64 data_address = 0x200000, data_size = 64;

/// xorshift64*: deterministic operands.
struct Random {
  u64 state = 0x9E3779B97F4A7C15;
  u64 operator()() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1D;
  }
  u64 below(u64 limit) { return (*this)() % limit; }
};

/// What both sides start from and end with.
struct alignas(64) Both {
  u8 image[512];  // FXSAVE64
  u64 gpr[4];     // RAX, RCX, RDX, RBX
  u64 flags;
  alignas(16) u8 memory[data_size];
};

/// A CPU in 64-bit mode with 4 MiB, all mapped one to one.
struct Guest {
  static constexpr u64 memory_size = 4u << 20;
  Clock clock;
  EventQueue events;
  Ledger ledger{clock};
  PortBus ports;
  MemoryBus memory;
  u8* ram = static_cast<u8*>(std::aligned_alloc(4096, memory_size));
  std::unique_ptr<Cpu> cpu;
  u64 code = 0x10000;

  Guest() {
    std::memset(ram, 0, memory_size);
    EXPECT_TRUE(memory.map_ram(PhysicalAddress(0), memory_size, ram, MemoryBus::Kind::Ram).has_value());
    cpu = std::make_unique<Cpu>(DeviceContext{clock, events, ledger, DeviceId(0), ledger.register_source("cpu0")},
                                memory, ports, nullptr, 1);
    const auto entry = [&](u64 address, u64 value) { std::memcpy(ram + address, &value, 8); };
    entry(0x1000, 0x2003);
    entry(0x2000, 0x3003);
    entry(0x3000, 0x000083);
    entry(0x3008, 0x200083);
    CpuState& state = cpu->state;
    state.cr0 = cr0_bit::pe | cr0_bit::pg | cr0_bit::ne | cr0_bit::mp | cr0_bit::et;
    state.cr3 = 0x1000;
    state.cr4 = cr4_bit::pae | cr4_bit::osfxsr | cr4_bit::osxmmexcpt;
    state.efer = efer_bit::lme | efer_bit::lma;
    state.segments[cs] = {.selector = 8, .base = 0, .limit = 0xFFFFFFFF, .attributes = 0xA09B, .usable = true};
    for (const SegmentIndex segment : {es, ss, ds, fs, gs}) {
      state.segments[segment] = {.selector = 16, .base = 0, .limit = 0xFFFFFFFF, .attributes = 0xC093, .usable = true};
    }
    state.idtr.limit = 0;
    cpu->state_changed();
  }
  ~Guest() { std::free(ram); }

  /// Runs one instruction. False: it raised an exception (whose vector is in last_vector()).
  bool run(const std::vector<u8>& bytes, Both& both) {
    code += 64;
    if (code >= 0x100000) {
      code = 0x10000;
      cpu->ram_written(PhysicalAddress(code), 0x100000 - code);
    }
    std::memcpy(ram + code, bytes.data(), bytes.size());
    cpu->ram_written(PhysicalAddress(code), 64);
    std::memcpy(ram + data_address, both.memory, data_size);
    CpuState& state = cpu->state;
    load(both.image);
    state.gpr[rax] = both.gpr[0];
    state.gpr[rcx] = both.gpr[1];
    state.gpr[rdx] = both.gpr[2];
    state.gpr[rbx] = both.gpr[3];
    state.gpr[rsi] = data_address;
    state.set_flags(static_cast<u32>(both.flags));
    state.rip = code;
    state.shutdown = false;
    cpu->fault_chain.clear();
    cpu->run(1);
    save(both.image);
    for (unsigned i = 0; i < 4; ++i) both.gpr[i] = state.gpr[i];
    both.flags = state.flags();
    std::memcpy(both.memory, ram + data_address, data_size);
    return state.rip == code + bytes.size() && cpu->fault_chain.count == 0;
  }
  u8 last_vector() const { return cpu->fault_chain.count == 0 ? 0xFF : cpu->fault_chain.steps[0].vector; }

  void load(const u8* image) {
    FpuState& fpu = cpu->state.fpu;
    std::memcpy(&fpu.control, image, 2);
    u16 status;
    std::memcpy(&status, image + 2, 2);
    fpu.top = status >> 11 & 7;
    fpu.status = status & 0x47FF;
    if ((fpu.status & ~fpu.control & 0x3F) != 0) fpu.status |= 0x8080;
    fpu.valid = image[4];
    std::memcpy(&fpu.mxcsr, image + 24, 4);
    for (unsigned i = 0; i < 8; ++i) {
      std::memcpy(&fpu.registers[(fpu.top + i) & 7].mantissa, image + 32 + 16 * i, 8);
      std::memcpy(&fpu.registers[(fpu.top + i) & 7].sign_exponent, image + 40 + 16 * i, 2);
    }
    std::memcpy(fpu.xmm.data(), image + 160, 256);
  }
  void save(u8* image) {
    const FpuState& fpu = cpu->state.fpu;
    std::memcpy(image, &fpu.control, 2);
    const u16 status = x87_status(*cpu);
    std::memcpy(image + 2, &status, 2);
    image[4] = fpu.valid;
    std::memcpy(image + 24, &fpu.mxcsr, 4);
    for (unsigned i = 0; i < 8; ++i) {
      std::memcpy(image + 32 + 16 * i, &fpu.registers[(fpu.top + i) & 7].mantissa, 8);
      std::memcpy(image + 40 + 16 * i, &fpu.registers[(fpu.top + i) & 7].sign_exponent, 2);
    }
    std::memcpy(image + 160, fpu.xmm.data(), 256);
  }
};

/// The host runs the instruction between FXRSTOR64 and FXSAVE64.
struct Host {
  u8* page =
      static_cast<u8*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ~Host() { munmap(page, 4096); }

  void run(const std::vector<u8>& bytes, Both& both) {
    static_assert(offsetof(Both, gpr) == 0x200 && offsetof(Both, flags) == 0x220 && offsetof(Both, memory) == 0x230);
    std::vector<u8> code = {
        0x53, 0x41, 0x57,                          // push rbx; push r15
        0x48, 0x0F, 0xAE, 0x0F,                    // fxrstor64 [rdi]
        0x49, 0x89, 0xFF,                          // mov r15, rdi
        0x49, 0x8B, 0x87, 0x00, 0x02, 0x00, 0x00,  // mov rax, [r15+200]
        0x49, 0x8B, 0x8F, 0x08, 0x02, 0x00, 0x00,  // mov rcx
        0x49, 0x8B, 0x97, 0x10, 0x02, 0x00, 0x00,  // mov rdx
        0x49, 0x8B, 0x9F, 0x18, 0x02, 0x00, 0x00,  // mov rbx
        0x49, 0x8D, 0xB7, 0x30, 0x02, 0x00, 0x00,  // lea rsi, [r15+230]
        0x41, 0xFF, 0xB7, 0x20, 0x02, 0x00, 0x00,  // push qword [r15+220]
        0x9D,                                      // popfq
    };
    code.insert(code.end(), bytes.begin(), bytes.end());
    const u8 tail[] = {
        0x9C,                                      // pushfq
        0x41, 0x8F, 0x87, 0x20, 0x02, 0x00, 0x00,  // pop qword [r15+220]
        0x49, 0x89, 0x87, 0x00, 0x02, 0x00, 0x00, 0x49, 0x89, 0x8F, 0x08, 0x02, 0x00, 0x00, 0x49, 0x89, 0x97,
        0x10, 0x02, 0x00, 0x00, 0x49, 0x89, 0x9F, 0x18, 0x02, 0x00, 0x00, 0x49, 0x0F, 0xAE, 0x07,  // fxsave64 [r15]
        0xDB, 0xE3,                                                                                // fninit
        0x41, 0x5F, 0x5B, 0xC3,  // pop r15; pop rbx; ret
    };
    code.insert(code.end(), std::begin(tail), std::end(tail));
    std::memcpy(page, code.data(), code.size());
    const auto call = reinterpret_cast<void (*)(Both*)>(page);
    call(&both);
    const u32 mxcsr = 0x1F80;
    asm volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
  }
};

// --- operands: mostly the values where things happen ---------------------------------------------------------------
inline u64 random_double(Random& random) {
  static constexpr u64 special[] = {0,
                                    0x3FF0000000000000,
                                    0x7FF0000000000000,
                                    0x7FF8000000000000,
                                    0x7FF0000000000001,
                                    1,
                                    0x000FFFFFFFFFFFFF,
                                    0x0010000000000000,
                                    0x7FEFFFFFFFFFFFFF,
                                    0x4000000000000000,
                                    0x41DFFFFFFFC00000,
                                    0x41E0000000000000,
                                    0x43E0000000000000,
                                    0x3FE0000000000000};
  const u64 value = random();
  switch (random.below(4)) {
    case 0:
      return special[random.below(std::size(special))] | (value & 0x8000000000000000);
    case 1:
      return (value & 0x800FFFFFFFFFFFFF) | (1023 - 40 + random.below(80)) << 52;
    default:
      return value;
  }
}
inline u32 random_single(Random& random) {
  static constexpr u32 special[] = {0,          0x3F800000, 0x7F800000, 0x7FC00000, 0x7F800001, 1,
                                    0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x40000000, 0x4F000000, 0x3F000000};
  const u32 value = static_cast<u32>(random());
  switch (random.below(4)) {
    case 0:
      return special[random.below(std::size(special))] | (value & 0x80000000);
    case 1:
      return (value & 0x807FFFFF) | (127 - 20 + static_cast<u32>(random.below(40))) << 23;
    default:
      return value;
  }
}
inline void random_extended(Random& random, u8* out) {
  u64 mantissa = random() | u64{1} << 63;
  u16 exponent = static_cast<u16>(random());
  switch (random.below(8)) {
    case 0:
      mantissa = random();
      break;  // unsupported formats
    case 1:
      mantissa = u64{1} << 63;
      break;
    case 2: {
      static constexpr u16 exponents[] = {0, 1, 0x7FFF, 0x7FFE, 0x3FFF, 0x403E, 0x401E, 0x400E, 0x3FFE, 0x3FBF};
      exponent = static_cast<u16>((exponent & 0x8000) | exponents[random.below(std::size(exponents))]);
      if (exponent << 1 == 0) mantissa = random.below(2) != 0 ? 0 : random();
      if (random.below(2) != 0) mantissa &= u64{3} << 62;
      break;
    }
    case 3:
      mantissa &= ~u64{0} << random.below(64);
      [[fallthrough]];
    default:
      exponent = static_cast<u16>((exponent & 0x8000) | (0x3FFF - 40 + random.below(120)));
      break;
  }
  std::memcpy(out, &mantissa, 8);
  std::memcpy(out + 8, &exponent, 2);
}

enum class Numbers : u8 { Integers, Singles, Doubles };
inline u64 random_half(Random& random, Numbers kind) {
  if (kind == Numbers::Singles) return u64{random_single(random)} << 32 | random_single(random);
  if (kind == Numbers::Doubles) return random_double(random);
  return random();
}

inline void fill(Random& random, Both& both, u16 x87_control, bool some_empty) {
  std::memset(&both, 0, sizeof both);
  const auto kind = static_cast<Numbers>(random.below(3));
  const u16 status = static_cast<u16>(random() & 0x7F7F & ~(~x87_control & 0x3F));
  std::memcpy(both.image, &x87_control, 2);
  std::memcpy(both.image + 2, &status, 2);
  both.image[4] = static_cast<u8>(some_empty ? random() : 0xFF);
  const u32 mxcsr = static_cast<u32>(0x1F80 | (random() & 0xE07F));
  std::memcpy(both.image + 24, &mxcsr, 4);
  for (unsigned i = 0; i < 8; ++i) random_extended(random, both.image + 32 + 16 * i);
  for (unsigned i = 0; i < 32; ++i) {
    const u64 half = random_half(random, kind);
    std::memcpy(both.image + 160 + 8 * i, &half, 8);
  }
  for (unsigned i = 0; i < data_size; i += 8) {
    const u64 half = random_half(random, kind);
    std::memcpy(both.memory + i, &half, 8);
  }
  for (u64& value : both.gpr) value = random.below(2) != 0 ? random() : random.below(40) - 20;
  both.flags = 0x202 | (random() & 0x8D5);
}

inline std::string hex(const std::vector<u8>& bytes) {
  std::string text;
  for (const u8 byte : bytes) {
    char piece[4];
    std::snprintf(piece, sizeof piece, "%02x ", byte);
    text += piece;
  }
  return text;
}

inline std::string difference(const Both& start, const Both& host, const Both& ours) {
  std::string text;
  const auto line = [&](const std::string& name, const void* a, const void* b, const void* from, unsigned size) {
    if (std::memcmp(a, b, size) == 0) return;
    const auto bytes = [&](const void* data) {
      const u8* p = static_cast<const u8*>(data);
      std::vector<u8> reversed;
      for (unsigned i = size; i-- > 0;) reversed.push_back(p[i]);
      return hex(reversed);
    };
    text += name + ": host " + bytes(a) + "ours " + bytes(b) + "from " + bytes(from) + "\n";
  };
  line("FCW", host.image, ours.image, start.image, 2);
  line("FSW", host.image + 2, ours.image + 2, start.image + 2, 2);
  line("FTW", host.image + 4, ours.image + 4, start.image + 4, 1);
  line("MXCSR", host.image + 24, ours.image + 24, start.image + 24, 4);
  for (unsigned i = 0; i < 8; ++i) {
    line("ST" + std::to_string(i), host.image + 32 + 16 * i, ours.image + 32 + 16 * i, start.image + 32 + 16 * i, 10);
  }
  for (unsigned i = 0; i < 16; ++i) {
    line("XMM" + std::to_string(i), host.image + 160 + 16 * i, ours.image + 160 + 16 * i, start.image + 160 + 16 * i,
         16);
  }
  for (unsigned i = 0; i < 4; ++i) line("GPR" + std::to_string(i), &host.gpr[i], &ours.gpr[i], &start.gpr[i], 8);
  line("FLAGS", &host.flags, &ours.flags, &start.flags, 8);
  line("memory", host.memory, ours.memory, start.memory, 16);
  line("rest of memory", host.memory + 16, ours.memory + 16, start.memory + 16, data_size - 16);
  return text;
}

struct Comparison {
  Guest guest;
  Host host;
  Random random;
  unsigned failures = 0;

  void compare(const std::vector<u8>& bytes, unsigned times, u16 control_mask, u64 ignored_flags = 0) {
    for (unsigned i = 0; i < times && failures < 25; ++i) {
      u16 control = static_cast<u16>(0x40 | 0x3F | (random() & 0xF00));
      if ((control & 0x300) == 0x100) control |= 0x200;  // reserved
      control &= static_cast<u16>(control_mask | ~0x3F);
      Both start;
      fill(random, start, control, i % 4 == 3);
      Both on_host = start, ours = start;
      host.run(bytes, on_host);
      const bool ran = guest.run(bytes, ours);
      if (!ran) {
        ADD_FAILURE() << hex(bytes) << "raised " << int{guest.last_vector()};
        ++failures;
        return;
      }
      ours.flags |= on_host.flags & 0x200;
      ours.flags = (ours.flags & ~ignored_flags) | (on_host.flags & ignored_flags);
      const std::string found = difference(start, on_host, ours);
      if (!found.empty()) {
        ADD_FAILURE() << hex(bytes) << "(case " << i << ")\n" << found;
        ++failures;
        return;
      }
    }
  }
};

}  // namespace vitrine::fp_bench
