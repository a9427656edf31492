#include "apps/linux_watch.hpp"

#include <utility>

namespace vitrine {

void LinuxWatch::watch_threads(ProbeFanout& probes) {
  threads_ = std::make_unique<LinuxThreads>(
      machine_.ledger(), [this](std::vector<u64> addresses) { machine_.set_code_points(std::move(addresses)); });
  threads_->on_kernel = [this](const LinuxKernel& kernel) { found(kernel); };
  probes.add(*threads_);
}

void LinuxWatch::found(const LinuxKernel& kernel) {
  if (!symbols_.empty()) return;
  const std::string text = kernel.symbols.map_text();
  named_ = symbols_.add({text.begin(), text.end()}, 0).has_value();
  if (named_) names_ = kernel.symbols;
}

void LinuxWatch::find_names() {
  if (named_ || !symbols_.empty()) return;
  if (const std::optional<LinuxKernel> kernel = find_linux_kernel(machine_.cpu())) found(*kernel);
}

std::string LinuxWatch::names_for_trace() const {
  return named_ ? names_.map_text_of(addresses_.all()) : std::string();
}

}  // namespace vitrine
