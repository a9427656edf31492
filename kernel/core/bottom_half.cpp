#include "kernel/core/bottom_half.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {
BottomHalf* first_marked = nullptr;
BottomHalf* last_marked = nullptr;
bool running = false;
}  // namespace

void mark(BottomHalf& half) {
  if (half.pending) return;
  half.pending = true;
  half.next = nullptr;
  (last_marked != nullptr ? last_marked->next : first_marked) = &half;
  last_marked = &half;
}

void run_bottom_halves() {
  if (running) return;
  running = true;
  while (first_marked != nullptr) {
    BottomHalf& half = *first_marked;
    first_marked = half.next;
    if (first_marked == nullptr) last_marked = nullptr;
    half.pending = false;
    interrupts_on();
    half.function(half);
    interrupts_off();
  }
  running = false;
}

}  // namespace pulse
