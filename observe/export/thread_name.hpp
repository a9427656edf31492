// The name that a ThreadNamed record carries.
#pragma once

#include <algorithm>
#include <string>

#include "machine/core/ledger.hpp"

namespace vitrine {

[[nodiscard]] inline std::string thread_name(const Record& record) {
  std::string name;
  for (const u64 word : {record.address, record.frame}) {
    for (unsigned i = 0; i < 8; ++i) name += static_cast<char>(word >> (8 * i));
  }
  name.resize(std::min(name.find('\0'), name.size()));
  return name;
}

}  // namespace vitrine
