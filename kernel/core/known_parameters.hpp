// What the boot parameters may be, so that one that was mistyped is told of (docs/pulse.md has what they mean).
#pragma once

#include "kernel/core/format.hpp"
#include "kernel/core/parameters.hpp"

namespace pulse {

/// One word of the command line that does nothing, or not what it says.
class ParameterComplaints {
 public:
  /// `wanted`: what `word` should have been; empty: nothing is known by its name.
  virtual void add(std::string_view word, std::string_view wanted) = 0;

 protected:
  ~ParameterComplaints() = default;
};

void check_parameters(const Parameters& parameters, ParameterComplaints& complaints);

}  // namespace pulse
