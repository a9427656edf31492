#include "machine/devices/port92/port92.hpp"

namespace vitrine {

namespace {
constexpr u8 fast_reset = 0x01, a20_gate = 0x02;
constexpr u8 stored = 0xC9;  // lights, CMOS lock and the reset bit; the others are reserved and read as zero
}  // namespace

Port92::Port92(DeviceContext, MachineControl& control) : control_(control) {}

u64 Port92::peek(Region, u64, AccessSize) const {
  return static_cast<u64>(state_.other_bits | (control_.a20() ? a20_gate : 0));
}

void Port92::write(Region, u64, AccessSize, u64 value) {
  const bool resets = (value & fast_reset) != 0 && (state_.other_bits & fast_reset) == 0;
  state_.other_bits = static_cast<u8>(value & stored);
  const bool gate_open = (value & a20_gate) != 0;
  if (gate_open != control_.a20()) control_.set_a20(gate_open);
  if (resets) control_.request_exit(ExitKind::Reset, 0);
}

void Port92::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.other_bits);
}

}  // namespace vitrine
