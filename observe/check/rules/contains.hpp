// std::ranges::contains, which Debian 12's library does not have yet.
#pragma once

#include <algorithm>

namespace vitrine {

template <class Range, class Value>
[[nodiscard]] bool contains(const Range& range, const Value& value) {
  return std::ranges::find(range, value) != std::ranges::end(range);
}

}  // namespace vitrine
