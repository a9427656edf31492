// A list whose length is known when it is made, and which is mostly short: up to `Few` elements need no allocation.
#pragma once

#include <memory>
#include <new>
#include <span>
#include <utility>

#include "kernel/core/types.hpp"

namespace pulse {

template <class T, std::size_t Few>
class ShortList {
 public:
  /// Room for `most`. Memory may be short: then has_room() is false, and nothing may be added.
  explicit ShortList(std::size_t most)
      : elements_(most <= Few ? reinterpret_cast<T*>(few_)
                              : static_cast<T*>(::operator new(most * sizeof(T), std::nothrow))) {}
  ~ShortList() {
    for (T& element : all()) element.~T();
    if (!is_few()) ::operator delete(elements_);
  }
  ShortList(const ShortList&) = delete;
  ShortList& operator=(const ShortList&) = delete;

  [[nodiscard]] bool has_room() const { return elements_ != nullptr; }
  template <class... Arguments>
  T& add(Arguments&&... arguments) {
    return *new (elements_ + size_++) T{std::forward<Arguments>(arguments)...};
  }
  [[nodiscard]] std::span<T> all() { return {elements_, size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  [[nodiscard]] bool is_few() const { return elements_ == reinterpret_cast<const T*>(few_); }

  T* elements_;
  std::size_t size_ = 0;
  alignas(T) u8 few_[Few * sizeof(T)];
};

}  // namespace pulse
