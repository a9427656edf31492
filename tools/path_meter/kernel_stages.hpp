// Which functions of Pulse and of Linux begin which stage of a path.
#pragma once

#include <vector>

#include "tools/path_meter/elf_names.hpp"
#include "tools/path_meter/path_meter.hpp"

namespace vitrine::paths {

[[nodiscard]] std::vector<StagePoint> stages_of_pulse(const std::vector<NamedAddress>& functions);
[[nodiscard]] std::vector<StagePoint> stages_of_linux(const std::vector<NamedAddress>& functions);

}  // namespace vitrine::paths
