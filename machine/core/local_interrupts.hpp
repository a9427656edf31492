// The two sides of the wires between one CPU and its local APIC. Neither includes the other.
#pragma once

#include "base/types.hpp"
#include "machine/core/device.hpp"

namespace vitrine {

/// MAXPHYADDR of this CPU (CPUID leaf 80000008h).
inline constexpr unsigned physical_address_bits = 40;

/// What a CPU sees of its local APIC.
///
/// The CPU asks `selects()` for each access that no RAM of the fast path answers, and before it lets a page into its
/// TLB; so a CPU's own registers can be read at one address by every CPU. RDMSR and WRMSR go to the APIC first. Clock,
/// instruction count and ledger context are exact when one of these is called.
class LocalInterrupts : public InterruptAcknowledger {
 public:
  /// Does the page of `physical` belong to the xAPIC's registers (IA32_APIC_BASE: enabled, not x2APIC)?
  [[nodiscard]] bool selects(u64 physical) const { return (physical & ~u64{0xFFF}) == page_; }
  /// The CPU's access to its registers: `offset` 0..4095, `size` 1, 2, 4 or 8 (SDM vol. 3A §10.4.1: what is not an
  /// aligned 32-bit access is undefined; here a read gives the bytes of the register, and a write that is not aligned
  /// does nothing).
  virtual u64 read_register(u32 offset, u8 size) = 0;
  /// Is there a register? If so, reading it has no effect.
  [[nodiscard]] virtual bool reads_quietly(u32 offset) const = 0;
  virtual void write_register(u32 offset, u8 size, u64 value) = 0;

  enum class MsrResult : u8 {
    NotMine,  ///< the CPU looks itself
    Done,
    Refused,  ///< #GP(0)
  };
  /// IA32_APIC_BASE, x2APIC's 800h..8FFh, IA32_TSC_DEADLINE, the thermal registers.
  [[nodiscard]] virtual MsrResult read_msr(u32 number, u64& value) = 0;
  [[nodiscard]] virtual MsrResult write_msr(u32 number, u64 value) = 0;

  /// CR8, 0..15 (SDM vol. 3A §10.8.6).
  [[nodiscard]] virtual u8 task_priority_class() const = 0;
  virtual void set_task_priority_class(u8 value) = 0;

  /// CPUID: initial APIC id; whether leaf 1 shows the APIC (bit 11 of IA32_APIC_BASE).
  [[nodiscard]] virtual u32 initial_id() const = 0;
  [[nodiscard]] virtual bool globally_enabled() const = 0;
  /// CPUID: can it be in x2APIC mode?
  [[nodiscard]] virtual bool has_x2apic() const = 0;

  /// The guest changed the time-stamp counter: TSC = virtual nanoseconds + `offset`. TSC-deadline timers follow it.
  virtual void tsc_offset_changed(u64 offset) = 0;
  /// INIT: all registers but the id and IA32_APIC_BASE as after reset (SDM vol. 3A §10.4.7.3).
  virtual void init() = 0;
  /// Could it ever give the halted CPU something, as it is now: an NMI of a source of its own, or, with IF set
  /// (`interruptible`), a vector that it lets through? Only masks and switches count, not whether anything is due. NMI,
  /// INIT and ExtINT by message are the sender's matter.
  [[nodiscard]] virtual bool can_ever_wake(bool interruptible) const = 0;

  /// What the CPU itself has an LVT entry for.
  enum class Source : u8 { PerformanceCounter, CorrectedMachineCheck };
  virtual void raise_local(Source source) = 0;

 protected:
  static constexpr u64 no_page = ~u64{0};
  u64 page_ = no_page;  ///< physical address of the xAPIC's registers
};

/// What a local APIC does to its CPU beside the INTR pin (a LineDriver).
class ProcessorPins {
 public:
  virtual ~ProcessorPins() = default;
  virtual void nmi(RequestId request) = 0;
  virtual void init(RequestId request) = 0;
  /// SIPI: if the CPU waits for it, it starts at vector * 1000h in real mode (SDM vol. 3A §8.4.3).
  virtual void start_up(u8 vector, RequestId request) = 0;
  /// Instructions that it has retired since power-on: what heats it.
  [[nodiscard]] virtual u64 retired() const { return 0; }
};

}  // namespace vitrine
