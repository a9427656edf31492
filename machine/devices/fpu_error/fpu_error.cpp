#include "machine/devices/fpu_error/fpu_error.hpp"

namespace vitrine {

FpuError::FpuError(DeviceContext, LineDriver irq13, LineDriver ignne) : irq13_(irq13), ignne_(ignne) {}

void FpuError::update() {
  irq13_.set(state_.latched ? Level::High : Level::Low);
  ignne_.set(state_.ignore ? Level::High : Level::Low);
}

void FpuError::reset() {
  const bool ferr = state_.ferr;  // an input keeps the level that the wire has
  state_ = State{};
  state_.ferr = ferr;
  update();
}

void FpuError::line_changed(Pin pin, Level level, RequestId) {
  if (pin != ferr_pin) return;
  const bool active = level == Level::High;
  if (active && !state_.ferr) state_.latched = true;
  if (!active) state_.ignore = false;
  state_.ferr = active;
  update();
}

void FpuError::write(Region, u64, AccessSize, u64) {
  state_.latched = false;
  state_.ignore = state_.ferr;
  update();
}

void FpuError::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(state_.ferr, state_.latched, state_.ignore);
}

}  // namespace vitrine
