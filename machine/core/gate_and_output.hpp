// The two pins of a timer channel that another chip may drive and see.
#pragma once

#include "machine/core/device.hpp"

namespace vitrine {

class GateAndOutput {
 public:
  virtual ~GateAndOutput() = default;
  /// Drives the channel's GATE input.
  virtual void set_gate(Level level) = 0;
  /// The channel's OUT pin now.
  [[nodiscard]] virtual Level output() const = 0;
};

}  // namespace vitrine
