// Several stretches of a program's memory, one behind the other, as one side of a read or write: readv(2), writev(2).
#pragma once

#include <array>
#include <memory>

#include "kernel/core/result.hpp"
#include "kernel/fs/file.hpp"

namespace pulse {

class UserPieces final : public IoBuffer {
 public:
  /// `count` entries of struct iovec at `address`; of what they have together, the first `most_bytes`. Invalid: too
  /// many, or lengths that can't be. BadAddress: an entry, or what it names, is not the program's. NoMemory.
  [[nodiscard]] static Result<UserPieces> read(u64 address, u64 count, std::size_t most_bytes);

  [[nodiscard]] std::size_t remaining() const override { return remaining_; }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override;
  [[nodiscard]] std::size_t get_some(std::span<u8> bytes) override;
  void go_back(std::size_t bytes) override;

 private:
  struct Piece {
    u64 address, size;
  };
  static constexpr std::size_t few = 8;
  [[nodiscard]] Piece* pieces() { return many_ ? many_.get() : few_.data(); }
  /// `copy(address, from, count)` for each stretch; it says how many bytes of it were not copied.
  template <class Copy>
  std::size_t move(std::size_t size, Copy copy);

  std::array<Piece, few> few_{};
  std::unique_ptr<Piece[]> many_;
  std::size_t remaining_ = 0;
  std::size_t piece_ = 0, done_ = 0;  // the next byte: in which piece, and where
};

}  // namespace pulse
