// What watches a CPU more closely than the ledger does: called at the few places where interrupt handling shows in
// registers, and at guest addresses of the watcher's choice.
//
// A probe sees; it must not change the machine. Attached before the first instruction, it is built into the decoded
// code; without one, nothing is paid for it. Calls come on the machine's thread, at the moment of the event: clock,
// instruction count and Ledger::context are exact, so that records may be appended. The ledger's records of that
// moment may still be in its buffer (Ledger::flush() hands them out).
//
// Cpu::state holds the registers; but RIP is exact only in delivered(), returned(), left_kernel(), entered_kernel() and
// looked(): elsewhere it is where the running block began, and the argument names the instruction. The host's
// floating-point unit is the guest's during a call: a probe computes with integers only.
#pragma once

#include <span>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

struct Cpu;
struct Operation;

/// The interrupted context, as the frame tells it or would tell it.
struct InterruptedContext {
  u64 rip = 0;  ///< offset in CS, as pushed
  u64 rsp = 0;  ///< before the delivery, whether pushed or not
  u32 flags = 0;
  u16 cs = 0, ss = 0;
  u8 privilege = 0;
};

/// A vector has gone through the IDT: the frame is written, the handler's first instruction is next.
struct ProbedDelivery {
  u64 request = 0;  ///< id in the ledger
  u8 vector = 0;
  DeliveryKind kind{};
  bool has_error_code = false;
  u32 error_code = 0;
  u64 frame = 0;                ///< linear address of the saved instruction pointer
  u8 slot_size = 0;             ///< of the frame: 2, 4 or 8 bytes
  u8 slots = 0;                 ///< of the frame without error code: 3, 5 or 9; 0 for a task gate: it is in the TSS
  bool stack_switched = false;  ///< RSPn or ISTn
  u8 ist = 0;                   ///< 1..7, or 0
  bool task_gate = false;
  u64 instruction = 0;  ///< linear address of the interrupted (for INT n: the running) instruction
  InterruptedContext before;
};

/// An IRET.
struct ProbedReturn {
  u64 instruction = 0;  ///< linear address of the IRET
  u64 frame = 0;        ///< linear address of the slot at the top of the stack
  u8 operand_size = 0;  ///< 2, 4 or 8
  u64 request = 0;      ///< of the live frame at this address, or of one that was moved here; 0: there is none
  u8 vector = 0;        ///< of that frame
};

enum class ProbedTable : u8 { Idt, Gdt, TaskRegister };

class CpuProbe {
 public:
  virtual ~CpuProbe() = default;

  /// Registers are the handler's: all general registers but RSP still hold the interrupted values.
  virtual void delivered(const Cpu& cpu, const ProbedDelivery& delivery) = 0;
  /// An IRET is next: nothing has changed. It may still fault.
  virtual void returning(const Cpu& cpu, const ProbedReturn& iret) = 0;
  /// It succeeded. Registers are those that the interrupted code gets.
  virtual void returned(const Cpu& cpu, const ProbedReturn& iret) = 0;
  /// SYSRET, SYSEXIT or a far return to an outer ring has left the kernel without a frame. `instruction`: linear.
  virtual void left_kernel(const Cpu& cpu, u64 instruction) = 0;
  /// SYSCALL or SYSENTER has entered it.
  virtual void entered_kernel(const Cpu& cpu, u64 instruction) = 0;
  /// LIDT, LGDT or LTR is done.
  virtual void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) = 0;
  /// IF went from 0 to 1 (STI, POPF, IRET, SYSRET...). Called only while wants_interrupt_flag.
  virtual void interrupts_enabled(const Cpu& cpu, u64 instruction) = 0;
  /// HLT is done; `in_shadow`: the instruction before it was the STI that set IF.
  enum class HaltShadow : u8 { None, Sti };
  virtual void halted(const Cpu& cpu, u64 instruction, HaltShadow shadow) = 0;
  /// RSP was loaded by MOV, XCHG, LEA, POP RSP, LSS or a task switch: not by what adjusts it (PUSH, CALL, ADD, LEA from
  /// RSP) or takes it back from the frame pointer (LEAVE, MOV and LEA from RBP), and not by a delivery or its IRET.
  virtual void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) = 0;
  /// SWAPGS, or a write to either GS base at privilege 0 (WRMSR, WRGSBASE), is done.
  enum class GsChange : u8 { Swapped, BaseWritten, KernelBaseWritten };
  virtual void gs_changed(const Cpu& cpu, u64 instruction, GsChange change) = 0;
  /// Code at privilege 0 is about to use a GS-relative operand. Called only while wants_gs_use.
  virtual void gs_used(const Cpu& cpu, u64 instruction) = 0;
  /// The instruction at a code point (Cpu::set_code_points) is about to run.
  virtual void code_point(const Cpu& cpu, u64 address) = 0;
  /// The machine's loop took a look around: an event was due, or a limit was met. No rhythm is promised.
  virtual void looked(const Cpu& cpu) = 0;

  bool wants_interrupt_flag = false;
  bool wants_gs_use = false;
};

/// Copies RAM at a linear address, as the CPU's page tables map it now. No effect on the machine. False, and `into` is
/// not defined, if a byte is not mapped or not RAM (or ROM).
[[nodiscard]] bool peek_memory(const Cpu& cpu, u64 linear, std::span<u8> into);

}  // namespace vitrine
