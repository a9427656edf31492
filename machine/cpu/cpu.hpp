// The x86 CPU: an interpreter over cached decoded blocks.
//
// Manuals: Intel SDM vol. 1-3. One instruction takes one nanosecond of virtual time; so does a delivery through the
// IDT, and an instruction that faults, so that no loop of the guest is free.
//
// Who writes what: cpu.cpp (pins, reset, archive), run.cpp (the run loop and leaving of blocks), memory.cpp (slow paths
// of memory access, TLB fill), mmu.cpp (page walk), translate.cpp (bytes to operations), segment.cpp (descriptor
// loads), transfer.cpp (far transfers), deliver.cpp (interrupts and exceptions), performance.cpp (counters),
// machine_check.cpp (the error bank), integer_*.cpp, system_*.cpp, x87_*.cpp, sse_*.cpp (instructions).
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "machine/core/bus.hpp"
#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/local_interrupts.hpp"
#include "machine/cpu/block.hpp"
#include "machine/cpu/fault_chain.hpp"
#include "machine/cpu/machine_check.hpp"
#include "machine/cpu/operation.hpp"
#include "machine/cpu/performance.hpp"
#include "machine/cpu/probe.hpp"
#include "machine/cpu/state.hpp"
#include "machine/cpu/tlb.hpp"

namespace vitrine {

/// A guest's exception on its way to delivery: a value, never a C++ exception.
struct Fault {
  u8 vector = 0;
  bool has_error_code = false;
  u32 error_code = 0;
  FailedCheck check = FailedCheck::None;
  u64 address = 0;               ///< linear address that could not be reached; becomes CR2 for a page fault
  bool during_delivery = false;  ///< raised while a vector was on its way through the IDT
  u8 delivering_vector = 0;
  DeliveryKind delivering_kind{};
  bool in_new_task = false;  ///< came up behind the commit point of a task switch: state.rip is the new task's
};

namespace vector {
inline constexpr u8 divide_error = 0, debug = 1, nmi = 2, breakpoint = 3, overflow = 4, bound = 5, undefined_opcode = 6,
                    device_not_available = 7, double_fault = 8, coprocessor_overrun = 9, invalid_tss = 10,
                    segment_not_present = 11, stack_fault = 12, general_protection = 13, page_fault = 14,
                    x87_error = 16, alignment_check = 17, machine_check = 18, simd_error = 19;
}

/// The words that an interrupt pushes and an IRET pops.
struct FrameImage {
  u64 rip = 0;
  u64 rsp = 0;
  u32 flags = 0;
  u16 cs = 0, ss = 0;
  bool has_stack = false;  ///< RSP and SS are among them
  bool operator==(const FrameImage&) const = default;
  void exchange(Archive& archive) { archive(rip, rsp, flags, cs, ss, has_stack); }
};

/// Why a block was left before its end (Cpu::leave).
enum class Leave : u8 {
  None,    ///< left at an end: chain onwards
  Budget,  ///< the next block does not fit into the budget
  Fault,   ///< Cpu::fault is to be delivered; the operation did nothing
  Alone,   ///< the operation must run alone: it touches a device, code, or a watched page
  Stored,  ///< the operation has stored to a device, which was the last thing for it to do
  Look,    ///< the run loop must look at pins, mode or deadline
};

/// Why run() returned.
enum class CpuExit : u8 {
  Budget,        ///< all of it is used up
  Halted,        ///< HLT; wakes when an interrupt comes
  Shutdown,      ///< triple fault
  Yielded,       ///< PAUSE: it waits for another CPU, whose turn it is now
  DeviceAccess,  ///< a device was accessed: deadline, lines and requests of the machine may have changed
};

struct Cpu;

/// The CPUs of one machine: who is where, and what they must know of each other.
struct CpuGroup {
  /// `processors`: 1..64, how many there will be.
  explicit CpuGroup(unsigned processors) : count(processors) {}
  const unsigned count;
  std::vector<Cpu*> cpus;  ///< by number
  CodeOwners code_owners;
  bool disturbed = false;  ///< a pin of a CPU that does not execute has changed since the one that executes began
};

/// How virtual time runs while a CPU does: the clock is `start` + (`phase` + instructions) / `share`, rounded down.
/// `share` CPUs run in turn through the same span of time, each as if it had all of it.
struct TimeShare {
  u64 start = 0;  ///< virtual nanoseconds
  u64 phase = 0;  ///< instructions of this round that came before
  u64 share = 1;
  [[nodiscard]] u64 at(u64 instructions) const {
    return start + (share == 1 ? phase + instructions : (phase + instructions) / share);
  }
};

struct Cpu final : Device, ProcessorPins {
  /// `seed` starts RDRAND and RDSEED. `controller` may be null (no external interrupts). It is the next one of `group`;
  /// null: it is alone.
  Cpu(DeviceContext device_context, MemoryBus& memory_bus, PortBus& port_bus, InterruptAcknowledger* controller,
      u64 seed, CpuGroup* group = nullptr);
  ~Cpu() override;

  // --- Device -----------------------------------------------------------------------------------------------------
  enum InputPin : u8 { intr_pin = 0, nmi_pin = 1, reset_pin = 2, ignne_pin = 3 };
  [[nodiscard]] std::string_view name() const override { return name_; }
  void reset() override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void exchange(Archive& archive) override;

  // --- ProcessorPins ----------------------------------------------------------------------------------------------
  void nmi(RequestId request) override;
  /// While it executes an instruction: when that is done.
  void init(RequestId request) override;
  void start_up(u8 vector, RequestId request) override;
  [[nodiscard]] u64 retired() const override { return state.instructions; }

  /// Its local APIC (not owned), which is its interrupt controller from now on.
  void connect_apic(LocalInterrupts& local);
  /// Runs at most so many `instructions`, and advances the clock by what it used.
  CpuExit run(u64 instructions) { return run(instructions, {.start = context.clock.now().value}); }
  CpuExit run(u64 instructions, const TimeShare& share);
  /// False if HLT can never end without outside help: IF=0 (NMI and RESET apart).
  [[nodiscard]] bool interruptible() const { return state.has(flag::interrupt); }
  /// Is there something for which HLT ends right now?
  [[nodiscard]] bool can_wake() const {
    if (state.waits_for_startup) return false;
    return state.pending_debug != 0 || (state.nmi_pending && !state.nmi_blocked) || state.machine_check_pending ||
           (state.intr && interruptible());
  }
  [[nodiscard]] const FaultChain& last_exceptions() const { return fault_chain; }
  /// The FERR# pin's driver; IRQ 13 by way of the board.
  void connect_ferr(LineDriver driver) { ferr = driver; }
  /// After state was written from outside (boot loader, debugger): recomputes all that is derived from it.
  void state_changed();
  /// An error of the hardware: the bank takes note of it. A corrected one may raise LVT CMCI, another is #MC.
  void machine_check(const MachineCheck::Error& error);
  /// The A20 gate changed.
  void set_a20(bool enabled);
  /// All cached code and translations of this RAM are stale (DMA).
  void ram_written(PhysicalAddress address, u64 size);
  /// Does it execute instructions, or will it at once?
  [[nodiscard]] bool runs() const {
    return !state.shutdown && !state.waits_for_startup && (!state.halted || can_wake());
  }
  /// Attaches a probe (not owned), or none (null). May be called from a callback of the one before.
  void set_probe(CpuProbe* watcher);
  /// Where the probe's code_point() is called: linear addresses, ascending. May be called from a callback; takes effect
  /// at the next block boundary.
  void set_code_points(std::vector<u64> addresses);

  CpuState state;
  const u8 number;  ///< 0..63; 0 starts the machine

  // --- for the instruction handlers (all of machine/cpu) ------------------------------------------------------------
  i64 budget = 0;                ///< nanoseconds left, the running block already paid
  const Block* block = nullptr;  ///< the running block
  TlbBank* tlb = nullptr;        ///< the view that data accesses of this privilege use
  CodeMode mode;                 ///< derived by update_mode()
  u8 cpl = 0;                    ///< derived by update_mode()
  MemoryView view{};             ///< derived by update_view()
  Leave leave = Leave::None;
  bool alone = false;  ///< one operation is running alone: devices and code may be touched
  bool device_accessed = false;
  bool yielded = false;    ///< a PAUSE ended the turn
  bool strict_fp = false;  ///< some SSE exception is unmasked in MXCSR: see sse code
  const Operation* leave_operation = nullptr;
  Fault fault;
  u32 generations[2] = {1,
                        1};  ///< [0]: changes when code goes stale; [1]: also when translations do. Links compare them
  static constexpr u8 code_generation = 0, fetch_generation = 1;

  // memory.cpp. On false: `leave` (and `fault`) are set and nothing has been changed.
  // `operation` may be null for accesses that no instruction's operand makes (descriptors, TSS, frames): such accesses
  // go to devices without further ado and are supervisor accesses if `implicit` is true (SDM vol. 3A §4.6).
  [[nodiscard]] bool read_slow(const Operation* operation, u64 linear, void* into, unsigned size);
  [[nodiscard]] bool write_slow(const Operation* operation, u64 linear, const void* from, unsigned size);
  /// As write_slow(), of an operation that does nothing more afterwards. False also when it has been done and the run
  /// loop must look: then `leave` is Leave::Stored.
  [[nodiscard]] bool store_slow(const Operation* operation, u64 linear, const void* from, unsigned size);
  /// As read_slow(), of an operation that accesses nothing else.
  [[nodiscard]] bool load_slow(const Operation* operation, u64 linear, void* into, unsigned size);
  /// Reads after having made sure that the write that follows can't fail.
  [[nodiscard]] bool read_for_write_slow(const Operation* operation, u64 linear, void* into, unsigned size);
  /// Is every byte writable (or readable)? Sets A and D as the access would.
  [[nodiscard]] bool can_access(const Operation* operation, u64 linear, unsigned size, Access access);
  /// Accesses of the CPU's own: descriptor tables, TSS. Always with supervisor rights. Inline in access.hpp.
  [[nodiscard]] bool read_system(u64 linear, void* into, unsigned size);
  [[nodiscard]] bool write_system(u64 linear, const void* from, unsigned size);
  [[nodiscard]] bool system_slow(u64 linear, void* data, unsigned size, Access access);
  /// A host pointer for `size` bytes of RAM at `linear`, at most a page of them, if the fast path has one now; else
  /// null.
  [[nodiscard]] u8* host_pointer(u64 linear, unsigned size, Access access) const;
  /// As host_pointer(), for the CPU's own accesses.
  [[nodiscard]] u8* system_pointer(u64 linear, unsigned size, Access access) const;

  void forget_device_pages() { device_pages_ = {}; }
  void flush_tlb();  ///< all entries, global ones too
  void flush_tlb_non_global();
  void write_protection_set();      ///< CR0.WP: drops what only its absence let through
  void flush_tlb_page(u64 linear);  ///< the whole page, which may be a large one
  /// Recomputes mode, cpl, tlb from state. After every change of CS, SS, DS, ES, CR0, CR4, EFER, VM or AC.
  void update_mode();
  void update_view();  ///< tlb only: after AC changed

  // mmu.cpp
  struct Translation {
    u64 physical = 0;       ///< of the byte
    bool writable = false;  ///< a write needs no further check (allowed, and D is set)
    u8 page_bits = 12;      ///< the page's size as a power of two
  };
  /// Walks the page tables (paging on or off), checks, sets A and D. On failure sets fault (#PF with its error code).
  /// `as` says with whose rights.
  [[nodiscard]] bool translate(u64 linear, Access access, MemoryView as, Translation& result);
  /// The walk without effects, for debuggers and reports. Rights are not checked.
  [[nodiscard]] bool peek_translate(u64 linear, u64& physical) const;

  /// Reports a fault; returns Outcome::Fault so that a function can `return cpu.raise(...)`.
  /// The outcome is a constant that handlers fold; only set_fault() is a call.
  Outcome raise(u8 vector, FailedCheck check) {
    set_fault({vector, false, 0, check, 0});
    return Outcome::Fault;
  }
  Outcome raise(u8 vector, u32 error_code, FailedCheck check, u64 address = 0) {
    set_fault({vector, true, error_code, check, address});
    return Outcome::Fault;
  }
  void set_fault(const Fault& raised);

  // deliver.cpp: takes `fault` through the IDT; handles double and triple faults. RIP is the faulting instruction's.
  void deliver_fault();
  /// Brings clock, instruction count and ledger context up to the boundary at state.rip.
  void settle();
  /// What is due at an instruction boundary: traps, NMI, INTR, in the manual's order (SDM vol. 3A §6.9, table 6-2).
  /// True if something was delivered.
  bool deliver_pending();
  /// INT n, INT3, INTO, INT1: software interrupt through the IDT. `next` is the return address.
  [[nodiscard]] Outcome software_interrupt(u8 vector, u64 next, const Operation& operation);

  /// Before an instruction reaches a device, or a record is written: brings clock, instruction count and ledger context
  /// up to this operation.
  void sync(const Operation* operation);
  /// Linear address of the running operation's first byte.
  [[nodiscard]] u64 rip_of(const Operation& operation) const;
  [[nodiscard]] u64 next_rip(const Operation& operation) const;
  [[nodiscard]] u64 linear_rip() const { return state.segments[cs].base + state.rip; }
  /// To be called whenever IF may have changed; `address`: linear address of the instruction. Keeps the ledger's
  /// account of who turned interrupts off.
  void interrupt_flag_changed(bool was_set, u64 address);
  /// True if the run loop has something to do at the next boundary once IF is set.
  [[nodiscard]] bool attention() const {
    return state.intr || state.nmi_pending || state.pending_debug != 0 || state.machine_check_pending;
  }
  /// Every instruction must be followed by a look: TF, or enabled debug registers.
  [[nodiscard]] bool stepping() const { return state.has(flag::trap) || (state.dr[7] & 0xFF) != 0; }

  /// What its own local APIC did concerns the machine only if another CPU was told something, or an event comes before
  /// `due`, which was the next one's time before.
  void local_apic_done(Tick due) {
    if (group.disturbed || context.events.next_due() < due) device_accessed = true;
  }
  /// May the running block go on after such an access, without a look of the run loop?
  [[nodiscard]] bool goes_on() const { return !device_accessed && !attention() && !pending_init; }

  DeviceContext context;
  MemoryBus& memory;
  PortBus& ports;
  InterruptAcknowledger* controller;
  LocalInterrupts* apic = nullptr;
  std::unique_ptr<CpuGroup> own_group;
  CpuGroup& group;
  LineDriver ferr;
  bool ignne = false;  ///< IGNNE# pin
  u64 seed;
  u64 a20_mask = ~u64{0};
  FaultChain fault_chain;
  /// Requests whose handlers are live: frame -> request, innermost last. Bounded.
  struct LiveFrame {
    u64 frame = 0;
    u64 request = 0;
    u8 vector = 0;
    FrameImage image;       ///< what was pushed: recognises the frame where the guest has moved it
    u64 address_space = 0;  ///< in which it was; a fork makes a copy of the frame in another one
    void exchange(Archive& archive) { archive(frame, request, vector, image, address_space); }
  };
  std::vector<LiveFrame> live_frames;
  static constexpr std::size_t most_live_frames = 1024;

  BlockCache blocks;
  struct JumpEntry {
    u64 linear = ~u64{0};  ///< linear_rip() of the block: the same RIP is elsewhere in another code segment
    Block* block = nullptr;
    u32 generation = 0;
    CodeMode mode{};
  };
  static constexpr unsigned jump_entries = 4096;
  JumpEntry jump_cache[jump_entries];
  static unsigned jump_slot(u64 linear) { return static_cast<unsigned>((linear ^ linear >> 12) & (jump_entries - 1)); }
  /// Where code pages are mapped, so that a link out of a page is followed only in the mapping that it was made in.
  CodeViews code_views;

  /// The block at state.rip if it was found before and nothing has changed since; else null.
  [[nodiscard]] Block* known_block() const {
    const u64 linear = linear_rip();
    const JumpEntry& entry = jump_cache[jump_slot(linear)];
    const bool holds =
        entry.linear == linear && entry.generation == generations[fetch_generation] && entry.mode == mode;
    return holds ? entry.block : nullptr;
  }
  /// Finds or decodes the block at state.rip. Null: `fault` is set (fetch failed). run.cpp.
  Block* find_block();
  Block* decode_block(u64 linear, u64 physical);  // translate.cpp
  /// What any CPU has decoded of these bytes is stale.
  void invalidate_code(u64 physical, u64 size);
  /// Has any CPU decoded code of this page?
  [[nodiscard]] bool any_code(u64 physical) const { return group.code_owners.of(physical) != 0; }
  [[nodiscard]] bool any_code_touched(u64 physical, u64 size) const;

  /// Counters and error bank; there are counters only beside a local APIC.
  PerformanceMonitor performance;
  MachineCheck machine_checks;
  u64 not_retired = 0;  ///< of state.instructions: deliveries and instructions that faulted
  [[nodiscard]] PerformanceMonitor::Progress progress() const {
    return {.cycles = state.instructions, .not_retired = not_retired, .user = cpl != 0};
  }
  /// Adds up what has been counted; the clock is exact.
  void count_performance() { overflow_due = performance.count(progress()) || overflow_due; }

  // run.cpp internals
  bool executing = false;                 ///< within run()
  std::optional<RequestId> pending_init;  ///< came while it was executing: never there outside of run()
  bool overflow_due = false;  ///< a counter has run over, and its interrupt comes before the next instruction
  i64 withheld = 0;           ///< of the budget: what lies behind the next overflow
  u64 run_start_instructions = 0;
  TimeShare time_share;
  i64 run_budget = 0;
  Operation* link_slot = nullptr;  ///< of the branch that left to the run loop: gets the block that is found next
  bool interrupt_taken = false;  ///< the instruction that runs alone went through the IDT: no single-step trap after it
  u64 blocked_reported_request = 0;  ///< the request whose IF=0 obstacle is in the ledger already

  // probe.cpp
  CpuProbe* probe = nullptr;     ///< decoded code calls it only where it was attached when the code was decoded
  std::vector<u64> code_points;  ///< ascending
  bool blocks_outdated = false;  ///< probe or code points have changed: the run loop drops what is decoded

 private:
  CpuExit run_blocks();
  void execute(const Block* entry);
  void run_alone(const Operation* operation, const Handler* inner);
  void run_part(const Operation* operations, unsigned count, const Handler* inner);
  void drop_outdated_blocks();
  bool boundary();
  void change_privilege(u8 to);
  void withhold_budget(const PerformanceMonitor::Progress& now);
  void look_at_counters();
  void take_fault();
  void access_device(const Operation* operation, u64 physical, u8* bytes, unsigned size, bool writes);
  void check_watchpoints(u64 linear, unsigned size, Access access);
  void protect_code(u64 physical);
  void drop_own_code(u64 physical, u64 size);
  void restart(u64 kept_instructions);
  void take_init(RequestId request);
  /// Forgets the translations of the page.
  void drop_translations(u64 linear);

  struct Free {
    void operator()(u8* pointer) const { std::free(pointer); }
  };
  const std::string name_;
  std::unique_ptr<TlbBank[]> banks_;
  bool writes_past_protection_ = false;  // they may hold a page that is written only as CR0.WP is clear
  /// The device pages that were read and written last: they are never in the TLB.
  struct DevicePage {
    u64 tag = TlbEntry::invalid;
    u64 physical = 0;
    MemoryView view{};
  };
  std::array<DevicePage, 2> device_pages_;
  /// Null unless all of the access is in the page that was remembered.
  [[nodiscard]] const DevicePage* known_device(u64 linear, unsigned size, bool writes, MemoryView as) const {
    const DevicePage& page = device_pages_[writes ? 1 : 0];
    const bool inside = page.tag == (linear & ~u64{0xFFF}) && page.tag == ((linear + size - 1) & ~u64{0xFFF});
    return inside && page.view == as ? &page : nullptr;
  }
  LargePages large_pages_;
  std::unique_ptr<u8, Free> scratch_;
  [[nodiscard]] bool memory_slow(const Operation* operation, u64 linear, void* data, unsigned size, Access access,
                                 bool for_write_back, MemoryView as);
  void fill(TlbBank& bank, u64 linear, const Translation& translation, Access access);
};

}  // namespace vitrine
