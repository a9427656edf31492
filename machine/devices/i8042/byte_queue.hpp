// A first-in first-out buffer of a fixed number of bytes, as a keyboard or mouse has it.
#pragma once

#include <array>
#include <initializer_list>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

template <u8 Size>
struct ByteQueue {
  std::array<u8, Size> items{};
  u8 first = 0;
  u8 count = 0;

  [[nodiscard]] bool empty() const { return count == 0; }
  [[nodiscard]] u8 room() const { return static_cast<u8>(Size - count); }
  [[nodiscard]] u8 front() const { return items[first]; }
  /// What has no room is lost.
  void push(u8 byte) {
    if (room() > 0) items[(first + count++) % Size] = byte;
  }
  void push(std::initializer_list<u8> bytes) {
    for (u8 byte : bytes) push(byte);
  }
  u8 pop() {
    const u8 byte = front();
    if (empty()) return byte;
    first = static_cast<u8>((first + 1) % Size);
    --count;
    return byte;
  }
  void clear() { *this = {}; }
  void exchange(Archive& archive) {
    archive(items, first, count);
    if (first >= Size || count > Size) {
      archive.refuse(Archive::Error::BadValue);
      clear();
    }
  }
};

}  // namespace vitrine
