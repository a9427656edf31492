// Performance counters: architectural performance monitoring, version 2 (SDM vol. 3B §18.2.1, §18.2.2).
//
// Two general counters, three fixed ones, 40 bits each. They count unhalted cycles, reference cycles (one rate here:
// a cycle is a nanosecond of the CPU's own time) and retired instructions. A delivery through the IDT and an
// instruction that faults are cycles in which none retires; an iteration of a string instruction counts as one
// instruction. CPUID leaf Ah says that caches and branches can't be counted.
//
// Nothing is done while an instruction runs: what a counter has counted follows from the CPU's instruction count, and
// when it overflows is known ahead. Where the privilege changes, what went before is added up.
#pragma once

#include <array>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

struct PerformanceMonitor {
  static constexpr unsigned general = 2, fixed = 3, counters = general + fixed;
  static constexpr unsigned width = 40;
  static constexpr u8 version = 2;
  /// CPUID leaf Ah: there are bits for the first 7 events; a 1 says that the event can't be counted.
  static constexpr unsigned event_bits = 7;
  static constexpr u32 events_absent = 0b1111000;

  /// Where the CPU is.
  struct Progress {
    u64 cycles = 0;       ///< CpuState::instructions
    u64 not_retired = 0;  ///< of them, those in which no instruction retired
    bool user = false;    ///< CPL is not 0
  };

  enum class Answer : u8 { NotMine, Done, Refused };
  /// Is MSR `number` one of these registers?
  [[nodiscard]] static bool owns(u32 number);
  [[nodiscard]] Answer read(u32 number, const Progress& now, u64& value) const;
  /// count() has been called for the same moment.
  [[nodiscard]] Answer write(u32 number, u64 value);
  /// RDPMC. `index`: ECX. False: there is no such counter.
  [[nodiscard]] bool read_counter(u32 index, const Progress& now, u64& value) const;

  /// Adds what has been counted up to `now`; its privilege has held since the last time. True if a counter has run
  /// over that is set to interrupt.
  bool count(const Progress& now);
  /// No counter runs over in fewer cycles than that if the privilege stays. 0: one has.
  [[nodiscard]] u64 cycles_to_overflow(const Progress& now) const;
  /// Does any counter count at all?
  [[nodiscard]] bool active() const { return active_; }
  void exchange(Archive& archive);

 private:
  /// What a counter is set to.
  struct Setting {
    enum class Event : u8 { None, Cycles, Instructions, IdleCycles } event = Event::None;
    bool system = false, user = false, interrupts = false;
  };
  [[nodiscard]] Setting setting(unsigned counter) const;
  [[nodiscard]] u64 counted(unsigned counter, const Progress& now) const;
  [[nodiscard]] u64 value_at(unsigned counter, const Progress& now) const;
  void settings_changed();

  std::array<u64, general> select_{};         // IA32_PERFEVTSELx
  std::array<u64, counters> values_{};        // IA32_PMCx, IA32_FIXED_CTRx, as of since_
  u64 fixed_control_ = 0;                     // IA32_FIXED_CTR_CTRL
  u64 enabled_ = (u64{1} << general) - 1;     // IA32_PERF_GLOBAL_CTRL; at power-up the general ones are on (§18.2.2)
  u64 overflowed_ = 0;                        // IA32_PERF_GLOBAL_STATUS
  Progress since_;                            // its `user` has no meaning
  bool active_ = false;                       // follows from the settings
  std::array<Setting, counters> settings_{};  // so do these
};

}  // namespace vitrine
