// Save and restore of machine state through one function per component.
//
// A component writes `exchange(Archive&)` once: it names its fields in order, and the same code saves
// them, restores them, or (Mode::Measure is not needed: saving to an empty vector tells the size).
// Bytes are little-endian and free of padding, so an archive is the same on every host.
// Restoring drives no line and schedules nothing: what was pending is in the archive of the event queue.
#pragma once

#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

class Archive {
 public:
  enum class Error : u8 { None, Truncated, WrongSection, WrongVersion, BadValue };

  /// An archive that collects bytes.
  static Archive saver() { return Archive(); }
  /// An archive that hands out `bytes`, which must outlive it.
  static Archive loader(std::span<const u8> bytes) { return Archive(bytes); }

  [[nodiscard]] bool loading() const { return loading_; }
  [[nodiscard]] Error error() const { return error_; }
  [[nodiscard]] bool ok() const { return error_ == Error::None; }
  [[nodiscard]] const std::vector<u8>& bytes() const { return saved_; }
  /// True when a loader has handed out everything.
  [[nodiscard]] bool at_end() const { return position_ == source_.size(); }
  /// A component calls this on loading a value that no run of ours can have saved.
  void refuse(Error error) {
    if (error_ == Error::None) error_ = error;
  }

  /// Opens a component's part. On loading, name and version must be those that were saved.
  void section(std::string_view name, u32 version);

  /// Scalars, enums and the strong number types.
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void operator()(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      u8 byte = value ? 1 : 0;
      raw(&byte, 1);
      if (loading_) {
        if (byte > 1) refuse(Error::BadValue);
        value = byte != 0;
      }
    } else {
      raw(&value, sizeof value);
    }
  }
  template <class Tag, class Rep>
  void operator()(Quantity<Tag, Rep>& value) {
    (*this)(value.value);
  }
  template <class T, std::size_t N>
  void operator()(std::array<T, N>& values) {
    for (T& value : values) (*this)(value);
  }
  template <class T, std::size_t N>
  void operator()(T (&values)[N]) {
    for (T& value : values) (*this)(value);
  }
  /// A struct with an `exchange(Archive&)` member.
  template <class T>
    requires requires(T& value, Archive& archive) { value.exchange(archive); }
  void operator()(T& value) {
    value.exchange(*this);
  }
  /// Several fields in order.
  template <class First, class Second, class... Rest>
  void operator()(First& first, Second& second, Rest&... rest) {
    (*this)(first);
    (*this)(second);
    ((*this)(rest), ...);
  }
  /// A sequence whose length may differ; at most `limit` elements are accepted on loading.
  template <class T>
  void sequence(std::vector<T>& values, std::size_t limit) {
    u64 count = values.size();
    (*this)(count);
    if (loading_) {
      if (count > limit) {
        refuse(Error::BadValue);
        count = 0;
      }
      values.assign(static_cast<std::size_t>(count), T{});
    }
    for (T& value : values) (*this)(value);
  }
  /// `size` bytes as they are (guest memory).
  void raw(void* data, std::size_t size);

 private:
  Archive() = default;
  explicit Archive(std::span<const u8> bytes) : loading_(true), source_(bytes) {}

  bool loading_ = false;
  Error error_ = Error::None;
  std::vector<u8> saved_;
  std::span<const u8> source_;
  std::size_t position_ = 0;
};

}  // namespace vitrine
