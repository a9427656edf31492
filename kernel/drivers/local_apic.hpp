// A processor's own interrupt controller (SDM vol. 3A chapter 11): xAPIC by memory, x2APIC by MSRs.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

/// Vectors that belong to no line. The higher sixteen of a vector are its priority (§11.8.3.1).
namespace vector {
inline constexpr u8 timer = 0xEF, reschedule = 0xF0, flush_pages = 0xF1, stop = 0xF2, thermal = 0xFA,
                    performance = 0xFB, machine_check = 0xFC, error = 0xFE, spurious = 0xFF;
}

class LocalApic {
 public:
  enum class Mode : u8 { XApic, X2Apic };
  /// False if the processor has none (for X2Apic: has no x2APIC). The boot processor calls it first.
  [[nodiscard]] static bool start(u64 physical, Mode mode);
  /// The same on another processor, with the mode of the first.
  static void start_here();

  [[nodiscard]] static u32 id();
  static void end_of_interrupt();
  /// A fixed interrupt for the processor with this id.
  static void send(u32 id, u8 vector);
  /// INIT, and 10 ms later STARTUP twice, as the MP specification B.4 has it. `page` is where it begins, in pages below
  /// 1 MiB. Waits.
  static void start_processor(u32 id, u8 page);

  /// The timer's counts in a second, by the clock.
  [[nodiscard]] static u32 measure_timer();
  static void start_timer(u32 count);
  enum class Telling : u8 { Interrupt, Nothing };
  /// With Nothing it counts in silence, for who asks timer_ran_out().
  static void start_timer_once(u32 count, Telling telling = Telling::Interrupt);
  [[nodiscard]] static bool timer_ran_out();
  /// What the error interrupt is about (ESR).
  [[nodiscard]] static u32 take_errors();

 private:
  static u32 read(u16 number);
  static void write(u16 number, u32 value);
  static void send_command(u32 id, u32 command);
};

}  // namespace pulse
