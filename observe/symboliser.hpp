// Who can name an address of the guest.
#pragma once

#include <optional>
#include <string>

#include "base/types.hpp"

namespace vitrine {

/// A line of the guest's source.
struct SourcePlace {
  std::string file;  ///< with the path that the compiler wrote down
  int line = 0;
  bool operator==(const SourcePlace&) const = default;
};

class Symboliser {
 public:
  virtual ~Symboliser() = default;
  /// "name+0x12 (file.c:34)", or empty if nothing is known about this linear address.
  [[nodiscard]] virtual std::string describe(u64 address) const = 0;
  /// The source line of this linear address, if debug information tells.
  [[nodiscard]] virtual std::optional<SourcePlace> place(u64 /*address*/) const { return std::nullopt; }
};

/// "0xffffffff81000010 start+0x10": the address, and its name if `symbols` (may be null) has one.
[[nodiscard]] std::string describe_address(u64 address, const Symboliser* symbols);

}  // namespace vitrine
