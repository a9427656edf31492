// Vectors that grow as a program likes: without exceptions, push_back() has no way to say that memory is short.
#pragma once

#include <algorithm>
#include <new>
#include <vector>

#include "kernel/core/types.hpp"

namespace pulse {

/// Makes room for `wanted` elements in all. False: memory is short, and nothing has changed.
template <class T>
[[nodiscard]] bool make_room(std::vector<T>& vector, std::size_t wanted) {
  if (wanted <= vector.capacity()) return true;
  const std::size_t capacity = std::max(wanted, 2 * vector.capacity());
  // What can be had now can be had again at once: nobody else allocates in between.
  void* const room = ::operator new(capacity * sizeof(T), std::nothrow);
  if (room == nullptr) return false;
  ::operator delete(room);
  vector.reserve(capacity);
  return true;
}

}  // namespace pulse
