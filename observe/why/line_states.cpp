#include "observe/why/line_states.hpp"

#include <algorithm>

namespace vitrine {

LineState& LineStates::add(u32 key) {
  // Only a damaged trace has more: the first one then stands for them.
  if (states_.size() == most) return states_[*std::ranges::find_if(place_, [](u16 each) { return each != none; })];
  if (key >= place_.size()) place_.resize(key + 1, none);
  place_[key] = static_cast<u16>(states_.size());
  return states_.emplace_back();
}

const LineState* LineStates::find(u8 pin, u16 source) const {
  const u32 key = key_of(pin, source);
  return key < place_.size() && place_[key] != none ? &states_[place_[key]] : nullptr;
}

std::vector<const LineState*> LineStates::all() const {
  std::vector<const LineState*> all;
  all.reserve(states_.size());
  for (const u16 place : place_) {
    if (place != none) all.push_back(&states_[place]);
  }
  return all;
}

}  // namespace vitrine
