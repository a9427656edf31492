#include "kernel/arch/x86_64/fixups.hpp"

namespace pulse {

namespace {

struct Fixup {
  u64 instruction, target;
};
extern "C" const Fixup fixups_begin[], fixups_end[];

}  // namespace

bool fix_up(Frame& frame) {
  for (const Fixup* fixup = fixups_begin; fixup != fixups_end; ++fixup) {
    if (fixup->instruction != frame.rip) continue;
    frame.rip = fixup->target;
    return true;
  }
  return false;
}

}  // namespace pulse
