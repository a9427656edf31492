// The functions of a 64-bit ELF file, by name; C++ names as their authors wrote them.
#pragma once

#include <string>
#include <vector>

#include "base/types.hpp"

namespace vitrine::paths {

struct NamedAddress {
  u64 address = 0;
  std::string name;
};

/// By address. Empty: it is no such file.
[[nodiscard]] std::vector<NamedAddress> functions_of(const std::vector<u8>& elf);

}  // namespace vitrine::paths
