// What a reader of the ledger keeps of each request, looked up by the request's id.
//
// Made for a lookup with every record: an open-addressing table that leads to values which stay where they are. The
// value of a request that is removed keeps its memory for the next one, so that nothing is allocated in the long run.
#pragma once

#include <bit>
#include <cstddef>
#include <deque>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

template <class Value>
class RequestTable {
 public:
  RequestTable() = default;
  RequestTable(const RequestTable&) = delete;
  RequestTable& operator=(const RequestTable&) = delete;

  /// Null if there is none. Valid until it is removed.
  [[nodiscard]] Value* find(u64 id) {
    if (id != last_id_) {
      last_ = look_up(id);
      last_id_ = id;
    }
    return last_;
  }
  [[nodiscard]] const Value* find(u64 id) const { return id == last_id_ ? last_ : look_up(id); }

  /// A value for an id that has none: new, or as a removed one was left.
  Value& add(u64 id) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Value* value = nullptr;
    if (unused_.empty()) {
      value = &values_.emplace_back();
    } else {
      value = unused_.back();
      unused_.pop_back();
    }
    put({.id = id, .value = value});
    ++size_;
    last_id_ = id;
    last_ = value;
    return *value;
  }

  /// Its value; add()'s if it has none.
  Value& at(u64 id) {
    Value* known = find(id);
    return known != nullptr ? *known : add(id);
  }

  /// No effect if there is none.
  void remove(u64 id) {
    std::size_t hole = home(id);
    while (slots_[hole].value != nullptr && slots_[hole].id != id) hole = next(hole);
    if (slots_[hole].value != nullptr) remove_slot(hole);
  }
  /// One of them, whichever. There must be one.
  void remove_any() {
    while (slots_[any_ & mask()].value == nullptr) ++any_;
    remove_slot(any_ & mask());
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Calls each(id, value), in no order.
  template <class Do>
  void for_each(Do&& each) const {
    for (const Slot& slot : slots_) {
      if (slot.value != nullptr) each(slot.id, static_cast<const Value&>(*slot.value));
    }
  }

 private:
  struct Slot {
    u64 id = 0;
    Value* value = nullptr;  // null: free
  };
  static constexpr std::size_t first_slots = 64;  // a power of two

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t next(std::size_t slot) const { return (slot + 1) & mask(); }
  // Fibonacci hashing: ids in a row go to slots far from each other.
  [[nodiscard]] std::size_t home(u64 id) const {
    return static_cast<std::size_t>((id * 0x9E3779B97F4A7C15u) >> shift_);
  }

  [[nodiscard]] Value* look_up(u64 id) const {
    std::size_t slot = home(id);
    while (slots_[slot].value != nullptr && slots_[slot].id != id) slot = next(slot);
    return slots_[slot].value;
  }

  void put(Slot entry) {
    std::size_t slot = home(entry.id);
    while (slots_[slot].value != nullptr) slot = next(slot);
    slots_[slot] = entry;
  }

  [[gnu::cold]] void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(slots_.size()));
    for (const Slot& slot : old) {
      if (slot.value != nullptr) put(slot);
    }
  }

  /// What stands behind it moves up, as far as it would not be found any more otherwise.
  void remove_slot(std::size_t hole) {
    if (slots_[hole].id == last_id_) last_ = nullptr;
    unused_.push_back(slots_[hole].value);
    for (std::size_t slot = next(hole); slots_[slot].value != nullptr; slot = next(slot)) {
      const std::size_t way_from_home = (slot - home(slots_[slot].id)) & mask();
      if (way_from_home < ((slot - hole) & mask())) continue;
      slots_[hole] = slots_[slot];
      hole = slot;
    }
    slots_[hole] = Slot{};
    --size_;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(first_slots);  // at most half of them taken
  unsigned shift_ = 64 - std::countr_zero(first_slots);
  std::size_t size_ = 0;
  std::deque<Value> values_;
  std::vector<Value*> unused_;
  u64 last_id_ = 0;        // the one that was asked for last: records of a request come in a row
  Value* last_ = nullptr;  // null: there is none
  std::size_t any_ = 0;    // where remove_any() goes on
};

}  // namespace vitrine
