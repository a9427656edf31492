// What the system half of the CPU shares among its files.
#pragma once

#include "machine/core/local_interrupts.hpp"
#include "machine/cpu/cpu.hpp"

namespace vitrine {

/// 48-bit linear addresses (SDM vol. 1 §3.3.7.1).
[[nodiscard]] inline bool canonical(u64 linear) {
  return static_cast<u64>(static_cast<i64>(linear << 16) >> 16) == linear;
}

/// PAE: loads the four registers from memory at CR3. False, and nothing loaded, if one has a reserved bit set. mmu.cpp.
[[nodiscard]] bool load_page_directory_pointers(Cpu& cpu, u64 cr3);

/// Where a frame goes: a stack that may not be the current one yet. Nothing is committed to RSP.
class StackWriter {
 public:
  /// `fault_selector`: what #SS reports when the limit refuses (SDM vol. 2, CALL and INT: the new SS, or 0).
  StackWriter(Cpu& cpu, const Segment& stack, u64 pointer, bool user, u16 fault_selector)
      : cpu_(cpu), stack_(stack), pointer_(pointer), user_(user), fault_selector_(fault_selector) {}

  /// A stack of 64-bit mode: no base, no limit, only canonical addresses.
  void make_flat64() { flat64_ = true; }
  [[nodiscard]] bool push(u64 value, unsigned bytes);
  [[nodiscard]] u64 pointer() const { return pointer_; }
  /// Linear address of the value that was pushed last.
  [[nodiscard]] u64 linear() const { return linear_; }

 private:
  Cpu& cpu_;
  const Segment& stack_;
  u64 pointer_;
  bool user_;
  u16 fault_selector_;
  bool flat64_ = false;
  u64 linear_ = 0;
};

/// RSP of the inner privilege level from the TSS (and SS, outside long mode). False: #TS.
[[nodiscard]] bool read_inner_stack(Cpu& cpu, u8 privilege, u16& selector, u64& pointer);
/// RSP by TSS slot of long mode: `slot` 0..2 are RSP0..2, 4..10 are IST1..7.
[[nodiscard]] bool read_long_stack(Cpu& cpu, unsigned slot, u64& pointer);

/// Sets RSP after SS was replaced: all of it, or its low half under a 16-bit stack.
void commit_stack_pointer(Cpu& cpu, const Segment& stack, u64 pointer);

/// An event on its way through the IDT.
struct Delivery {
  u8 vector = 0;
  DeliveryKind kind = DeliveryKind::Fault;
  bool has_error_code = false;
  u32 error_code = 0;
  bool checks_dpl = false;  ///< INT n, INT3, INTO: the gate's DPL is checked, and EXT stays 0
  bool int_n = false;       ///< CD xx: sensitive to IOPL in virtual-8086 mode
  bool sets_resume = false;
  u64 return_rip = 0;
  u64 request = 0;
};

/// Sends the event through the IDT. False: cpu.fault is set, and no register has changed. gate.cpp.
[[nodiscard]] bool deliver_through_idt(Cpu& cpu, const Delivery& event);
/// What is known of a delivery before anything is pushed; `flags` as the frame will hold them. gate.cpp.
[[nodiscard]] ProbedDelivery describe_delivery(const Cpu& cpu, const Delivery& event, u32 flags);
/// Bookkeeping of a delivery that has been committed: live frame, ledger, probe.
void note_delivery(Cpu& cpu, const ProbedDelivery& entry);
/// The live frame that an IRET leaves whose slots are at `frame` and hold `image`: the one at this address, else the
/// innermost one with these words in this address space, which the guest has moved. Null if there is none.
[[nodiscard]] const Cpu::LiveFrame* find_live_frame(const Cpu& cpu, u64 frame, const FrameImage& image);
/// IRET has left that frame: closes the account of its request.
void note_return(Cpu& cpu, u64 frame, const FrameImage& image, u64 iret_address);

/// The handler that calls the probe before `handler` runs, or `handler` itself. `linear`: of the instruction.
/// probe.cpp.
[[nodiscard]] Handler probing_handler(const Cpu& cpu, u64 linear, bool uses_gs, Handler handler);

// probe.cpp: brings the clock up to the operation and calls the probe, which must be there.
void tell_gs_changed(Cpu& cpu, const Operation& operation, CpuProbe::GsChange change);
void tell_table_loaded(Cpu& cpu, const Operation& operation, ProbedTable table);
void tell_stack_switched(Cpu& cpu, const Operation& operation, u64 from);

/// How a task switch was asked for (SDM vol. 3A table 7-2).
enum class TaskSwitch : u8 { Jump, Call, Gate, Return };
/// Switches to the task whose TSS descriptor `selector` names. `next`: RIP saved for the old task. The descriptor has
/// been checked by the caller as far as table 7-1 asks of the instruction. task.cpp.
[[nodiscard]] bool switch_task(Cpu& cpu, u16 selector, TaskSwitch reason, u64 next, const Delivery* event);

/// Operation::extra of the software interrupts that are not plain INT3 and INTO.
inline constexpr u8 int_n_marker = 1, int1_marker = 2;

/// What an instruction returns that asked for a task switch: a fault of the new task is delivered at once, from there.
[[nodiscard]] Outcome task_switch_outcome(Cpu& cpu, bool switched);

/// Whether port I/O is allowed to `size` bytes at `port` (SDM vol. 1 §19.5). False: the fault is set.
[[nodiscard]] bool port_allowed(Cpu& cpu, u16 port, unsigned size);

}  // namespace vitrine
