// The second half of an interrupt: what its handler leaves for a moment when interrupts are on again.
//
// A top half marks a bottom half; it runs before the interrupted code goes on, after the last nested top half, with
// IF=1. Bottom halves never nest, and run in the order in which they were marked.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

struct BottomHalf {
  void (*function)(BottomHalf& self) = nullptr;
  BottomHalf* next = nullptr;
  bool pending = false;
};

/// Marks it. Interrupts are off. Once marked it runs once, however often it is marked before.
void mark(BottomHalf& half);
/// Runs what is marked. Called and left with interrupts off.
void run_bottom_halves();

}  // namespace pulse
