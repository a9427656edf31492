// A sorted map of a few entries in one piece of memory: for what changes with every interrupt.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

namespace vitrine {

/// As std::map, but that references to its values are valid until the next insertion or removal.
template <class Key, class Value>
class SmallMap {
 public:
  using Entry = std::pair<Key, Value>;

  Value& operator[](const Key& key) {
    auto place = lower_bound(key);
    if (place == entries_.end() || place->first != key) place = entries_.insert(place, Entry{key, Value{}});
    return place->second;
  }
  /// The key must be there.
  [[nodiscard]] const Value& at(const Key& key) const {
    return std::ranges::find(entries_, key, &Entry::first)->second;
  }
  void erase(const Key& key) {
    const auto place = lower_bound(key);
    if (place != entries_.end() && place->first == key) entries_.erase(place);
  }
  void clear() { entries_.clear(); }

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }
  [[nodiscard]] auto rbegin() const { return entries_.rbegin(); }

 private:
  // From the front: there are few.
  auto lower_bound(const Key& key) {
    auto place = entries_.begin();
    while (place != entries_.end() && place->first < key) ++place;
    return place;
  }

  std::vector<Entry> entries_;
};

}  // namespace vitrine
