// A map of what was seen last: when it is full, the entries that were put in longest ago make room.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

template <class Key, class Value, std::size_t Most>
class BoundedMap {
 public:
  /// Puts it in, or in place of what was there; either way it is the newest now.
  void set(const Key& key, Value value) {
    entries_.insert_or_assign(key, Entry{std::move(value), ++serial_});
    if (entries_.size() > Most) drop_oldest_quarter();
  }
  /// Null if there is none. Valid until the next set() or erase().
  [[nodiscard]] Value* find(const Key& key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second.value;
  }
  [[nodiscard]] const Value* find(const Key& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second.value;
  }
  void erase(const Key& key) { entries_.erase(key); }
  template <class Do>
  void for_each(Do&& each) {
    for (auto& [key, entry] : entries_) each(key, entry.value);
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Value value;
    u64 serial = 0;
  };
  void drop_oldest_quarter() {
    std::vector<u64> serials;
    serials.reserve(entries_.size());
    for (const auto& [key, entry] : entries_) serials.push_back(entry.serial);
    const auto limit = serials.begin() + static_cast<std::ptrdiff_t>(Most / 4);
    std::ranges::nth_element(serials, limit);
    std::erase_if(entries_, [&](const auto& each) { return each.second.serial < *limit; });
  }

  std::map<Key, Entry> entries_;
  u64 serial_ = 0;
};

}  // namespace vitrine
