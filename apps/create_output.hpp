// A file that an option names, made before the work begins: who can't write must hear of it at once.
#pragma once

#include <string>

#include "host/file.hpp"

namespace vitrine {

/// Makes `path` (empty: nothing is asked for). False: it has complained, and `exit_status` says how.
[[nodiscard]] bool create_output(const char* option, const std::string& path, OutputFile& into, int& exit_status);

}  // namespace vitrine
