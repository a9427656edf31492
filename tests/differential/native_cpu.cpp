#include "tests/differential/native_cpu.hpp"

#include <sys/mman.h>
#include <ucontext.h>

#include <csignal>
#include <cstring>

#include "base/assert.hpp"

namespace vitrine::differential {

namespace {

/// Stands at code_address, in one mapping with the code, so that the code reaches it with absolute 32-bit addresses.
struct Context {
  Registers in;
  Registers out;
  u64 host_stack;
  u64 fault;  // vector + 1
};

constexpr u64 context_address = code_address + 0x8000;
constexpr u64 slot_offset = instruction_address - code_address;
constexpr u64 exit_offset = 0x800;

Context& context() { return *reinterpret_cast<Context*>(context_address); }

/// Emits the few instructions that are needed around the one under test.
struct Emitter {
  u8* at;
  void bytes(std::initializer_list<u8> values) {
    for (const u8 value : values) *at++ = value;
  }
  void u32_at(u64 value) {
    const u32 narrow = static_cast<u32>(value);
    std::memcpy(at, &narrow, 4);
    at += 4;
  }
  /// [disp32] absolute: ModRM with SIB, no base, no index.
  void absolute(u8 reg, const void* target) {
    bytes({static_cast<u8>((reg & 7) << 3 | 4), 0x25});
    u32_at(reinterpret_cast<u64>(target));
  }
  void load(u8 reg, const u64* from) {
    bytes({static_cast<u8>(reg >= 8 ? 0x4C : 0x48), 0x8B});
    absolute(reg, from);
  }
  void store(u8 reg, const u64* to) {
    bytes({static_cast<u8>(reg >= 8 ? 0x4C : 0x48), 0x89});
    absolute(reg, to);
  }
  void jump(const u8* target) {
    bytes({0xE9});
    u32_at(static_cast<u64>(target - (at + 4)));
  }
};

u8* code() { return reinterpret_cast<u8*>(code_address); }

void emit_entry() {
  Emitter emit{code()};
  emit.bytes({0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57});  // push rbx, rbp, r12..r15
  emit.store(4, &context().host_stack);
  emit.bytes({0x48, 0x0F, 0xAE});  // fxrstor64
  emit.absolute(1, context().in.fx);
  emit.bytes({0xFF});  // push qword
  emit.absolute(6, &context().in.flags);
  emit.bytes({0x9D});  // popfq
  for (u8 reg = 0; reg < 16; ++reg) {
    if (reg != 4) emit.load(reg, &context().in.gpr[reg]);
  }
  emit.load(4, &context().in.gpr[4]);
  emit.jump(code() + slot_offset);
}

void emit_exit() {
  Emitter emit{code() + exit_offset};
  for (u8 reg = 0; reg < 16; ++reg) emit.store(reg, &context().out.gpr[reg]);
  emit.load(4, &context().host_stack);
  emit.bytes({0x9C, 0x8F});  // pushfq; pop qword
  emit.absolute(0, &context().out.flags);
  emit.bytes({0x48, 0x0F, 0xAE});  // fxsave64
  emit.absolute(0, context().out.fx);
  // The fault handler comes in here, having saved everything itself.
  emit.load(4, &context().host_stack);
  emit.bytes({0xDB, 0xE3, 0xFC});                                                  // fninit, cld
  emit.bytes({0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3});  // pops, ret
}

/// Length of the exit code's first part: up to where a fault comes in.
u64 fault_entry() {
  // 16 stores and one load of 8 bytes, PUSHFQ, POP m64 and FXSAVE64 m.
  return code_address + exit_offset + 17 * 8 + 1 + 7 + 9;
}

void on_fault(int, siginfo_t*, void* raw) {
  auto* machine = &static_cast<ucontext_t*>(raw)->uc_mcontext;
  static constexpr int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 16; ++i) context().out.gpr[i] = static_cast<u64>(machine->gregs[order[i]]);
  context().out.flags = static_cast<u64>(machine->gregs[REG_EFL]);
  std::memcpy(context().out.fx, machine->fpregs, 512);
  context().fault = static_cast<u64>(machine->gregs[REG_TRAPNO]) + 1;
  machine->fpregs->mxcsr = 0x1F80;
  machine->gregs[REG_RIP] = static_cast<greg_t>(fault_entry());
}

}  // namespace

NativeCpu::NativeCpu() {
  const auto map = [](u64 address, u64 size, int protection) {
    void* got = mmap(reinterpret_cast<void*>(address), size, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    VITRINE_ASSERT(got == reinterpret_cast<void*>(address));
  };
  map(code_address, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(data_address, data_size, PROT_READ | PROT_WRITE);
  emit_entry();
  emit_exit();
  static u8 alternate_stack[65536];
  stack_t stack{};
  stack.ss_sp = alternate_stack;
  stack.ss_size = sizeof alternate_stack;
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) sigaction(number, &action, nullptr);
}

NativeCpu::~NativeCpu() {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) signal(number, SIG_DFL);
  munmap(reinterpret_cast<void*>(code_address), 0x10000);
  munmap(reinterpret_cast<void*>(data_address), data_size);
}

u8* NativeCpu::data() { return reinterpret_cast<u8*>(data_address); }

void NativeCpu::set_instruction(std::span<const u8> bytes) {
  Emitter emit{code() + slot_offset};
  for (const u8 byte : bytes) emit.bytes({byte});
  emit.jump(code() + exit_offset);
}

std::optional<u8> NativeCpu::run(Registers& registers) {
  context().in = registers;
  context().fault = 0;
  reinterpret_cast<void (*)()>(code_address)();
  registers = context().out;
  if (context().fault == 0) return std::nullopt;
  return static_cast<u8>(context().fault - 1);
}

}  // namespace vitrine::differential
