// The interpreter against the host's own CPU, one random instruction at a time.
//
// VITRINE_CASES sets how many cases each family runs (CI sets VITRINE_THOROUGH, for millions); VITRINE_SEED varies
// them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "machine/cpu/access.hpp"
#include "tests/differential/instruction_generator.hpp"
#include "tests/differential/native_cpu.hpp"

namespace vitrine::differential {
namespace {

constexpr unsigned states_per_instruction = 64;

u64 from_environment(const char* name, u64 fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 0);
}

/// Our CPU with one page of code and the data region at the same addresses as the host's.
class GuestCpu {
 public:
  GuestCpu() : code_(0x1000), data_(data_size), cpu_(make_context(), memory_, ports_, nullptr, 1) {
    VITRINE_ASSERT(
        memory_.map_ram(PhysicalAddress(instruction_address), code_.size(), code_.data(), MemoryBus::Kind::Ram));
    VITRINE_ASSERT(memory_.map_ram(PhysicalAddress(data_address), data_.size(), data_.data(), MemoryBus::Kind::Ram));
    CpuState& state = cpu_.state;
    state.cr0 |= cr0_bit::pe | cr0_bit::ne | cr0_bit::mp;
    state.cr4 |= cr4_bit::osfxsr | cr4_bit::osxmmexcpt;
    state.efer = efer_bit::lme | efer_bit::lma;
    for (Segment& segment : state.segments) {
      segment = {.selector = 0x10, .base = 0, .limit = 0xFFFFFFFF, .attributes = 0xC093, .usable = true};
    }
    state.segments[cs].attributes = 0xA09B;
    state.idtr.limit = 0;
    template_ = state;
    cpu_.state_changed();
  }

  u8* data() { return data_.data(); }

  void set_instruction(const std::vector<u8>& bytes) {
    cpu_.ram_written(PhysicalAddress(instruction_address), 64);
    std::memcpy(code_.data(), bytes.data(), bytes.size());
    std::memset(code_.data() + bytes.size(), 0x90, 16);
    length_ = bytes.size();
  }

  std::optional<u8> run(Registers& registers) {
    CpuState& state = cpu_.state;
    if (state.shutdown) {
      const u64 instructions = state.instructions;
      state = template_;
      state.instructions = instructions;
      cpu_.state_changed();
    }
    std::memcpy(state.gpr, registers.gpr, sizeof registers.gpr);
    state.rip = instruction_address;
    state.set_status_flags(static_cast<u32>(registers.flags));
    state.other_flags = static_cast<u32>(registers.flags) & flag::direction;
    load(registers, state.fpu);
    cpu_.fault_chain.clear();
    for (int steps = 0; steps < 64; ++steps) {  // a repeated string instruction takes a nanosecond an element
      cpu_.run(1);
      if (state.shutdown || state.rip != instruction_address) break;
    }
    const bool failed = cpu_.fault_chain.count != 0;
    std::memcpy(registers.gpr, state.gpr, sizeof registers.gpr);
    registers.flags = state.flags();
    store(registers, state.fpu);
    if (failed) return cpu_.fault_chain.steps[0].vector;
    return state.rip == instruction_address + length_ ? std::nullopt : std::optional<u8>(0xFF);
  }

 private:
  DeviceContext make_context() { return {clock_, events_, ledger_, DeviceId(0), ledger_.register_source("cpu0")}; }
  static void load(const Registers& registers, FpuState& fpu) {
    std::memcpy(&fpu.control, registers.fx, 2);
    u16 status;
    std::memcpy(&status, registers.fx + 2, 2);
    fpu.top = status >> 11 & 7;
    fpu.status = status & 0xC7FF;
    fpu.valid = registers.fx[4];
    std::memcpy(&fpu.mxcsr, registers.fx + 24, 4);
    for (unsigned i = 0; i < 8; ++i) {
      FpuState::Register& target = fpu.registers[(fpu.top + i) & 7];
      std::memcpy(&target.mantissa, registers.fx + 32 + 16 * i, 8);
      std::memcpy(&target.sign_exponent, registers.fx + 40 + 16 * i, 2);
    }
    for (unsigned i = 0; i < 16; ++i) std::memcpy(&fpu.xmm[i], registers.fx + 160 + 16 * i, 16);
  }
  static void store(Registers& registers, const FpuState& fpu) {
    std::memcpy(registers.fx, &fpu.control, 2);
    const u16 status = static_cast<u16>(fpu.status | fpu.top << 11);
    std::memcpy(registers.fx + 2, &status, 2);
    registers.fx[4] = fpu.valid;
    std::memcpy(registers.fx + 24, &fpu.mxcsr, 4);
    for (unsigned i = 0; i < 8; ++i) {
      const FpuState::Register& source = fpu.registers[(fpu.top + i) & 7];
      std::memcpy(registers.fx + 32 + 16 * i, &source.mantissa, 8);
      std::memcpy(registers.fx + 40 + 16 * i, &source.sign_exponent, 2);
    }
    for (unsigned i = 0; i < 16; ++i) std::memcpy(registers.fx + 160 + 16 * i, &fpu.xmm[i], 16);
  }

  Clock clock_;
  EventQueue events_;
  Ledger ledger_{clock_};
  MemoryBus memory_;
  PortBus ports_;
  std::vector<u8> code_, data_;
  Cpu cpu_;
  CpuState template_;
  std::size_t length_ = 0;
};

/// Which flags the manual defines after this instruction with these operands.
u32 defined_flags(const Instruction& instruction, const Registers& before) {
  u32 undefined = instruction.undefined_flags;
  if (instruction.shifts || instruction.shifts_double) {
    const unsigned mask = instruction.operand_bits == 64 ? 63 : 31;
    unsigned count = static_cast<unsigned>(before.gpr[rcx]) & mask;
    const u8 opcode = instruction.bytes[instruction.bytes.size() - 1];
    // An immediate count is the last byte; with CL or 1 there is none. Taking either as the count only widens the mask.
    if (count != 1 || (opcode & mask) != 1) undefined |= flag::overflow;
    undefined |= flag::adjust;
    if (instruction.operand_bits < 32) undefined |= flag::carry;
    (void)count;
    if (instruction.shifts_double && instruction.operand_bits == 16) undefined |= flag::status;
  }
  return flag::status & ~undefined;
}

std::string first_difference(const Instruction& instruction, const Registers& before, const Registers& host,
                             const Registers& ours, bool compare_fp) {
  static constexpr const char* names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  for (unsigned i = 0; i < 16; ++i) {
    if (host.gpr[i] != ours.gpr[i]) {
      return fmt::format("{}: was {:#x}, host {:#x}, ours {:#x}", names[i], before.gpr[i], host.gpr[i], ours.gpr[i]);
    }
  }
  const u32 defined = defined_flags(instruction, before) | flag::direction;
  if (((host.flags ^ ours.flags) & defined) != 0) {
    return fmt::format("flags: was {:#x}, host {:#x}, ours {:#x}, compared {:#x}", before.flags, host.flags & defined,
                       ours.flags & defined, defined);
  }
  if (!compare_fp) return {};
  u16 host_word;
  u16 our_word;
  std::memcpy(&host_word, host.fx + 2, 2);
  std::memcpy(&our_word, ours.fx + 2, 2);
  if (((host_word ^ our_word) & ~instruction.undefined_x87_status & 0xFFFF) != 0) {
    return fmt::format("x87 status: host {:#x}, ours {:#x}", host_word, our_word);
  }
  if (std::memcmp(host.fx, ours.fx, 2) != 0 || host.fx[4] != ours.fx[4]) {
    return fmt::format("x87 tags: host {:#x}, ours {:#x}", host.fx[4], ours.fx[4]);
  }
  u32 host_mxcsr;
  u32 our_mxcsr;
  std::memcpy(&host_mxcsr, host.fx + 24, 4);
  std::memcpy(&our_mxcsr, ours.fx + 24, 4);
  if (host_mxcsr != our_mxcsr) return fmt::format("mxcsr: host {:#x}, ours {:#x}", host_mxcsr, our_mxcsr);
  for (unsigned offset = 32; offset < 416; offset += 16) {
    const unsigned size = offset < 160 ? 10 : 16;
    if (std::memcmp(host.fx + offset, ours.fx + offset, size) == 0) continue;
    const auto hex = [&](const Registers& registers) {
      std::string text;
      for (unsigned i = size; i-- > 0;) text += fmt::format("{:02x}", registers.fx[offset + i]);
      return text;
    };
    const std::string name =
        offset < 160 ? fmt::format("st{}", offset / 16 - 2) : fmt::format("xmm{}", offset / 16 - 10);
    return fmt::format("{}: was {}, host {}, ours {}", name, hex(before), hex(host), hex(ours));
  }
  return {};
}

void compare(Family family) {
  NativeCpu native;
  GuestCpu guest;
  const bool thorough = std::getenv("VITRINE_THOROUGH") != nullptr;
  const u64 cases = from_environment("VITRINE_CASES", thorough ? 2'000'000 : 200'000);
  Random random(from_environment("VITRINE_SEED", 1) + static_cast<u64>(family));
  unsigned failures = 0;
  for (u64 done = 0; done < cases && failures < 20; done += states_per_instruction) {
    const Instruction instruction = generate(random, family);
    native.set_instruction(instruction.bytes);
    guest.set_instruction(instruction.bytes);
    for (unsigned i = 0; i < states_per_instruction; ++i) {
      Registers before;
      randomise(random, family, instruction, before);
      for (u64 offset = 0; offset < data_size; offset += 8) {
        // Data that means something as a float too, changed a little each time.
        if (i == 0) {
          const u64 value = random.one_in(2) ? random.next() : random.below(1000);
          std::memcpy(native.data() + offset, &value, 8);
        } else {
          break;
        }
      }
      std::memcpy(guest.data(), native.data(), data_size);
      Registers host = before;
      Registers ours = before;
      const std::optional<u8> host_vector = native.run(host);
      const std::optional<u8> our_vector = guest.run(ours);
      std::string difference;
      if (host_vector != our_vector) {
        const auto name = [](std::optional<u8> vector) {
          return vector ? fmt::format("vector {}", *vector) : "no fault";
        };
        difference = fmt::format("host: {}, ours: {}", name(host_vector), name(our_vector));
      } else if (!host_vector) {
        difference = first_difference(instruction, before, host, ours, family != Family::Integer);
      }
      if (difference.empty() && std::memcmp(guest.data(), native.data(), data_size) != 0) difference = "memory differs";
      if (difference.empty()) continue;
      std::string bytes;
      for (const u8 byte : instruction.bytes) bytes += fmt::format("{:02x} ", byte);
      ADD_FAILURE() << instruction.mnemonic << " (" << bytes << "): " << difference;
      ++failures;
      break;
    }
  }
}

TEST(HostCpu, integer_instructions_do_what_the_host_does) { compare(Family::Integer); }
TEST(HostCpu, mmx_and_sse_instructions_do_what_the_host_does) { compare(Family::Vector); }
TEST(HostCpu, x87_instructions_do_what_the_host_does) { compare(Family::X87); }

}  // namespace
}  // namespace vitrine::differential
