// The command words of the 8259A: bit numbers and fields, in the order of the data sheet (231468, figures 7 and 8).
#pragma once

#include "base/types.hpp"

namespace vitrine::pic8259 {

// ICW1, DS figure 7: A0 = 0, D4 = 1.
namespace icw1 {
inline constexpr unsigned needs_icw4 = 0;             // IC4
inline constexpr unsigned is_single = 1;              // SNGL
inline constexpr unsigned interval_is_four = 2;       // ADI, MCS-80 only
inline constexpr unsigned level_triggered = 3;        // LTIM
inline constexpr unsigned marks_icw1 = 4;             // tells ICW1 from OCW2 and OCW3
inline constexpr u8 address_for_four = 0b1110'0000;   // A7-A5, MCS-80 only
inline constexpr u8 address_for_eight = 0b1100'0000;  // A7-A6
}  // namespace icw1

// ICW2: the vector's upper five bits (8086), or A15-A8 (MCS-80).
inline constexpr u8 icw2_vector_base = 0b1111'1000;  // T7-T3

// ICW3: for a primary, the pins with secondaries; for a secondary, its number.
inline constexpr u8 icw3_number = 0b0000'0111;  // ID2-ID0

namespace icw4 {
inline constexpr unsigned mode_8086 = 0;             // uPM
inline constexpr unsigned automatic_eoi = 1;         // AEOI
inline constexpr unsigned buffered_primary = 2;      // M/S
inline constexpr unsigned buffered = 3;              // BUF
inline constexpr unsigned special_fully_nested = 4;  // SFNM
}  // namespace icw4

// OCW2, DS figure 8: A0 = 0, D4 = D3 = 0. R, SL and EOI are bits 7 to 5, the level is bits 2 to 0.
enum class Operation : u8 {
  StopRotatingOnAutomaticEoi = 0b000,
  NonSpecificEoi = 0b001,
  Nothing = 0b010,
  SpecificEoi = 0b011,
  RotateOnAutomaticEoi = 0b100,
  RotateOnNonSpecificEoi = 0b101,
  SetPriority = 0b110,
  RotateOnSpecificEoi = 0b111,
};

// OCW3: A0 = 0, D4 = 0, D3 = 1.
namespace ocw3 {
inline constexpr unsigned in_service = 0;            // RIS
inline constexpr unsigned read_register = 1;         // RR
inline constexpr unsigned poll = 2;                  // P
inline constexpr unsigned marks_ocw3 = 3;            // tells OCW3 from OCW2
inline constexpr unsigned special_mask = 5;          // SMM
inline constexpr unsigned changes_special_mask = 6;  // ESMM
}  // namespace ocw3

}  // namespace vitrine::pic8259
