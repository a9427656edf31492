// One run of user/measure/path_lengths.cpp on a kernel.
#pragma once

#include <expected>
#include <string>

#include "tools/path_meter/path_meter.hpp"

namespace vitrine::paths {

struct KernelRun {
  std::string kernel;                ///< bzImage, or Pulse's ELF file
  std::string initrd;                ///< whose /init runs path-lengths (user/measure/init)
  std::string program;               ///< the ELF file of path-lengths
  std::string functions_of;          ///< of this path, all instructions are counted by function; empty: none
  std::size_t functions_sample = 8;  ///< of which of its samples
};

struct KernelPaths {
  Samples samples;
  std::vector<std::pair<std::string, u64>> functions;  ///< instructions of each, most first
};

/// What the kernel printed, if the program did not come to its end.
[[nodiscard]] std::expected<KernelPaths, std::string> measure(const KernelRun& run);

/// The sample with the median of all totals.
[[nodiscard]] Sample median_of(std::vector<Sample> samples);

}  // namespace vitrine::paths
