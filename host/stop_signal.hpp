// SIGINT, SIGTERM and SIGHUP ask for the end of the run: the first is remembered, so that the report still comes.
// A second SIGINT ends the program at once, with the terminal restored.
#pragma once

namespace vitrine {

/// Installs the handlers while it lives. At most one at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that came first; 0: none.
  [[nodiscard]] int received() const;
  /// Becomes readable when a signal came, so that poll() does not sleep over it.
  [[nodiscard]] int wake_descriptor() const;
};

}  // namespace vitrine
