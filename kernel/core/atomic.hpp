// What several CPUs read and write at once. Every operation is ordered as all CPUs see it (sequentially consistent),
// but for the one that says less; on x86 it costs no more than a plain access.
#pragma once

namespace pulse {

template <class T>
class Atomic {
 public:
  constexpr explicit Atomic(T value) : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  [[nodiscard]] T load() const { return __atomic_load_n(&value_, __ATOMIC_SEQ_CST); }
  void store(T value) { __atomic_store_n(&value_, value, __ATOMIC_SEQ_CST); }
  /// What another CPU wrote before this value is there.
  [[nodiscard]] T load_published() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }

  T exchange(T value) { return __atomic_exchange_n(&value_, value, __ATOMIC_SEQ_CST); }
  T fetch_add(T value) { return __atomic_fetch_add(&value_, value, __ATOMIC_SEQ_CST); }
  T fetch_or(T value) { return __atomic_fetch_or(&value_, value, __ATOMIC_SEQ_CST); }
  /// Writes `wanted` if it is `expected`, and says whether it was.
  [[nodiscard]] bool replace(T expected, T wanted) {
    return __atomic_compare_exchange_n(&value_, &expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }

 private:
  T value_;
};

}  // namespace pulse
