// A first-in first-out buffer of a fixed number of bytes, as a keyboard or mouse has it.
#pragma once

#include <array>
#include <initializer_list>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

template <u8 size>
struct ByteQueue {
  std::array<u8, size> items{};
  u8 first = 0;
  u8 count = 0;

  [[nodiscard]] bool empty() const { return count == 0; }
  [[nodiscard]] u8 room() const { return static_cast<u8>(size - count); }
  [[nodiscard]] u8 front() const { return items[first]; }
  /// What has no room is lost.
  void push(u8 byte) {
    if (room() > 0) items[(first + count++) % size] = byte;
  }
  void push(std::initializer_list<u8> bytes) {
    for (u8 byte : bytes) push(byte);
  }
  u8 pop() {
    const u8 byte = front();
    if (empty()) return byte;
    first = static_cast<u8>((first + 1) % size);
    --count;
    return byte;
  }
  void clear() { *this = {}; }
  void exchange(Archive& archive) {
    archive(items, first, count);
    if (first >= size || count > size) {
      archive.refuse(Archive::Error::BadValue);
      clear();
    }
  }
};

}  // namespace vitrine
