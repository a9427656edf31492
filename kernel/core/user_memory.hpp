// A program's memory, as the kernel reads and writes it: never through a bare pointer.
#pragma once

#include <memory>
#include <string_view>
#include <type_traits>

#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/result.hpp"
#include "kernel/fs/file.hpp"

namespace pulse {

/// Is all of it below the kernel's half? Says nothing of what is mapped.
[[nodiscard]] inline bool is_user_range(u64 address, std::size_t size) {
  return address <= USER_END && size <= USER_END - address;
}
/// user_copy.S: how many bytes were not copied.
extern "C" u64 user_copy(void* to, const void* from, std::size_t size);
[[nodiscard]] inline Result<void> copy_from_user(void* to, u64 from, std::size_t size) {
  if (!is_user_range(from, size) || user_copy(to, reinterpret_cast<const void*>(from), size) != 0)
    return fail(Errno::BadAddress);
  return {};
}
[[nodiscard]] inline Result<void> copy_to_user(u64 to, const void* from, std::size_t size) {
  if (!is_user_range(to, size) || user_copy(reinterpret_cast<void*>(to), from, size) != 0)
    return fail(Errno::BadAddress);
  return {};
}

template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] Result<T> read_user(u64 address) {
  T value;
  if (const auto done = copy_from_user(&value, address, sizeof value); !done) return fail(done.error());
  return value;
}
template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] Result<void> write_user(u64 address, const T& value) {
  return copy_to_user(address, &value, sizeof value);
}

/// A path or argument that was copied in.
struct UserText {
  std::unique_ptr<char[]> bytes;
  std::size_t length = 0;
  [[nodiscard]] std::string_view view() const { return {bytes.get(), length}; }
};
inline constexpr std::size_t path_limit = 4096;
/// A 0-terminated text of less than `limit` bytes. BadAddress; NameTooLong.
[[nodiscard]] Result<UserText> read_user_text(u64 address, std::size_t limit = path_limit);

/// A program's memory as the other side of a read or write.
class UserBuffer final : public IoBuffer {
 public:
  UserBuffer(u64 address, std::size_t size) : next_(address), remaining_(size) {}
  [[nodiscard]] std::size_t remaining() const override { return remaining_; }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override;
  [[nodiscard]] std::size_t get_some(std::span<u8> bytes) override;
  void go_back(std::size_t bytes) override {
    next_ -= bytes;
    remaining_ += bytes;
  }

 private:
  std::size_t advance(std::size_t bytes) {
    next_ += bytes;
    remaining_ -= bytes;
    return bytes;
  }
  u64 next_;
  std::size_t remaining_;
};

}  // namespace pulse
