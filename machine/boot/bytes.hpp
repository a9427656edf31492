// Little-endian bytes of files and of the structures that guests read.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

static_assert(std::endian::native == std::endian::little);

/// A file that may be shorter than its headers say. Reading beyond its end gives 0: ask has() where that matters.
class ByteView {
 public:
  ByteView() = default;
  explicit ByteView(std::span<const u8> bytes) : bytes_(bytes) {}

  [[nodiscard]] u64 size() const { return bytes_.size(); }
  [[nodiscard]] bool has(u64 offset, u64 count) const { return offset <= size() && count <= size() - offset; }
  /// Empty when the file doesn't have all of it.
  [[nodiscard]] std::span<const u8> part(u64 offset, u64 count) const {
    return has(offset, count) ? bytes_.subspan(offset, count) : std::span<const u8>{};
  }
  template <std::unsigned_integral T>
  [[nodiscard]] T get(u64 offset) const {
    T value = 0;
    if (has(offset, sizeof value)) std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  [[nodiscard]] u8 get8(u64 offset) const { return get<u8>(offset); }
  [[nodiscard]] u16 get16(u64 offset) const { return get<u16>(offset); }
  [[nodiscard]] u32 get32(u64 offset) const { return get<u32>(offset); }
  [[nodiscard]] u64 get64(u64 offset) const { return get<u64>(offset); }
  [[nodiscard]] bool starts_with(std::string_view text, u64 offset = 0) const {
    return has(offset, text.size()) && std::memcmp(bytes_.data() + offset, text.data(), text.size()) == 0;
  }

 private:
  std::span<const u8> bytes_;
};

/// A structure under construction: append, or set what was appended.
class ByteBuilder {
 public:
  ByteBuilder() = default;
  explicit ByteBuilder(u64 zeroes) : bytes_(zeroes) {}

  [[nodiscard]] u64 size() const { return bytes_.size(); }
  [[nodiscard]] const std::vector<u8>& bytes() const { return bytes_; }
  [[nodiscard]] std::vector<u8> take() { return std::move(bytes_); }

  void put8(u8 value) { bytes_.push_back(value); }
  void put16(u16 value) { put(value); }
  void put32(u32 value) { put(value); }
  void put64(u64 value) { put(value); }
  void put_bytes(std::span<const u8> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  /// With its final 0.
  void put_string(std::string_view text) {
    put_text(text);
    put8(0);
  }
  void put_text(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
  void align(u64 alignment) {
    while (bytes_.size() % alignment != 0) put8(0);
  }

  template <std::unsigned_integral T>
  void set(u64 offset, T value) {
    if (offset <= size() && sizeof value <= size() - offset) std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  void set8(u64 offset, u8 value) { set(offset, value); }
  void set16(u64 offset, u16 value) { set(offset, value); }
  void set32(u64 offset, u32 value) { set(offset, value); }
  void set64(u64 offset, u64 value) { set(offset, value); }

 private:
  template <std::unsigned_integral T>
  void put(T value) {
    const u64 at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }

  std::vector<u8> bytes_;
};

}  // namespace vitrine
