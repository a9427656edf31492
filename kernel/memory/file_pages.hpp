// The pages of files in memory are physical pages, so that mappings can show them.
#pragma once

#include "kernel/fs/tmpfs.hpp"

namespace pulse {

[[nodiscard]] FilePages& kernel_file_pages();

}  // namespace pulse
