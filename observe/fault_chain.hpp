// A triple fault explained: the exceptions that led to it, which check failed at each, and where the CPU stood.
//
// Takes plain data only, so that it can be tested, and used for a dump, without a CPU.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/cpu/fault_chain.hpp"
#include "observe/symboliser.hpp"

namespace vitrine {

/// The registers to print. What the mode does not have is left 0.
struct RegisterDump {
  enum class Mode : u8 { Real16, Protected16, Protected32, Long64 };
  Mode mode = Mode::Real16;       ///< decides register width and how `code` is disassembled
  std::array<u64, 16> general{};  ///< in encoding order: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15
  u64 rip = 0, rflags = 0;
  u64 linear_rip = 0;  ///< rip plus the base of CS
  u16 cs = 0, ss = 0, ds = 0, es = 0, fs = 0, gs = 0, tr = 0, ldtr = 0;
  u64 fs_base = 0, gs_base = 0;
  u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0;
  u64 idt_base = 0, gdt_base = 0;
  u16 idt_limit = 0, gdt_limit = 0;
  u8 privilege = 0;
  std::vector<u8> code;  ///< bytes at linear_rip, as many as could be read (16 are enough for a few lines)
};

/// Several lines for people. `symbols` may be null.
[[nodiscard]] std::string explain_triple_fault(const FaultChain& chain, const RegisterDump& registers,
                                               const Symboliser* symbols);
/// One exception as a sentence, without a full stop at the end.
[[nodiscard]] std::string exception_sentence(const ExceptionStep& step, const Symboliser* symbols);
/// The registers as a block of lines.
[[nodiscard]] std::string register_text(const RegisterDump& registers);
/// Up to `most` instructions, one a line.
[[nodiscard]] std::string code_text(const RegisterDump& registers, std::size_t most, const Symboliser* symbols);

}  // namespace vitrine
