#include "kernel/core/user_pieces.hpp"

#include <algorithm>
#include <new>

#include "kernel/core/user_memory.hpp"

namespace pulse {

Result<UserPieces> UserPieces::read(u64 address, u64 count, std::size_t most_bytes) {
  constexpr u64 most_pieces = 1024;  // UIO_MAXIOV
  if (count > most_pieces) return fail(Errno::Invalid);
  UserPieces made;
  if (count > few) {
    made.many_.reset(new (std::nothrow) Piece[count]);
    if (!made.many_) return fail(Errno::NoMemory);
  }
  if (const auto copied = copy_from_user(made.pieces(), address, count * sizeof(Piece)); !copied)
    return fail(copied.error());
  for (u64 i = 0; i < count; ++i) {
    Piece& piece = made.pieces()[i];
    if (static_cast<i64>(piece.size) < 0) return fail(Errno::Invalid);
    if (!is_user_range(piece.address, piece.size)) return fail(Errno::BadAddress);
    piece.size = std::min<u64>(piece.size, most_bytes - made.remaining_);
    made.remaining_ += piece.size;
  }
  return made;
}

template <class Copy>
std::size_t UserPieces::move(std::size_t size, Copy copy) {
  std::size_t moved = 0;
  while (moved < size) {
    const Piece& piece = pieces()[piece_];
    const std::size_t count = std::min<std::size_t>(size - moved, piece.size - done_);
    const std::size_t copied = count - copy(piece.address + done_, moved, count);
    moved += copied;
    done_ += copied;
    remaining_ -= copied;
    if (copied < count) break;
    if (done_ == piece.size && remaining_ > 0) {
      ++piece_;
      done_ = 0;
    }
  }
  return moved;
}

std::size_t UserPieces::put_some(std::span<const u8> bytes) {
  return move(bytes.size(), [&](u64 address, std::size_t from, std::size_t count) {
    return user_copy(reinterpret_cast<void*>(address), bytes.data() + from, count);
  });
}

std::size_t UserPieces::get_some(std::span<u8> bytes) {
  return move(bytes.size(), [&](u64 address, std::size_t from, std::size_t count) {
    return user_copy(bytes.data() + from, reinterpret_cast<const void*>(address), count);
  });
}

void UserPieces::go_back(std::size_t bytes) {
  remaining_ += bytes;
  while (bytes > done_) {
    bytes -= done_;
    done_ = pieces()[--piece_].size;
  }
  done_ -= bytes;
}

}  // namespace pulse
