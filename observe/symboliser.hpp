// Who can name an address of the guest.
#pragma once

#include <string>

#include "base/types.hpp"

namespace vitrine {

class Symboliser {
 public:
  virtual ~Symboliser() = default;
  /// "name+0x12 (file.c:34)", or empty if nothing is known about this linear address.
  [[nodiscard]] virtual std::string describe(u64 address) const = 0;
};

/// "0xffffffff81000010 start+0x10": the address, and its name if `symbols` (may be null) has one.
[[nodiscard]] std::string describe_address(u64 address, const Symboliser* symbols);

}  // namespace vitrine
