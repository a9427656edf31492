// Counted references to things that several owners share. The count is in the object.
#pragma once

#include <utility>

#include "kernel/core/types.hpp"

namespace pulse {

class Shared {
 public:
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  virtual ~Shared() = default;
  void retain() { ++owners_; }
  void release() {
    if (--owners_ > 0) return;
    last_owner_left();
    delete this;
  }
  [[nodiscard]] u32 owners() const { return owners_; }

 protected:
  /// Right before it is destroyed, while it is still whole.
  virtual void last_owner_left() {}

 private:
  u32 owners_ = 0;
};

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit(false) Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->retain();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  template <class U>
  explicit(false) Ref(const Ref<U>& other) : Ref(other.get()) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }
  [[nodiscard]] T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const Ref& other) const { return object_ == other.object_; }

 private:
  T* object_ = nullptr;
};

}  // namespace pulse
