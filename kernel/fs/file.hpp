// An open file: what a descriptor refers to. Pipes, terminals, event queues and files on a disk are all of this type.
//
// Nothing here blocks: a read that would have to wait fails with TryAgain. The system call waits, in wait_queue(),
// until ready() says that it is worth another try. That is how one mechanism serves blocking calls, poll and epoll, and
// why all of it can be tested on the host. Calls come with pre-emption off; wait queues are woken with interrupts off.
#pragma once

#include <span>
#include <vector>

#include "kernel/core/mutex.hpp"
#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"
#include "kernel/core/wait_queue.hpp"

namespace pulse {

class EventQueue;
class Node;
class SignalFile;
class TimerFile;
struct WatchedFile;

/// The bytes that a read fills or a write takes: a program's memory, or the kernel's.
class IoBuffer {
 public:
  /// Bytes that are still to be moved.
  [[nodiscard]] virtual std::size_t remaining() const = 0;
  // Each of these may wait for a disk that a program's page comes from, and others run meanwhile.

  /// Moves the next bytes to the caller, at most remaining(), up to the first page that is not there. How many.
  [[nodiscard]] virtual std::size_t put_some(std::span<const u8> bytes) = 0;
  /// Takes the next bytes from the caller, in the same way.
  [[nodiscard]] virtual std::size_t get_some(std::span<u8> bytes) = 0;
  /// All of them, or BadAddress, and they are next again.
  [[nodiscard]] Result<void> put(std::span<const u8> bytes) { return all_or_none(put_some(bytes), bytes.size()); }
  [[nodiscard]] Result<void> get(std::span<u8> bytes) { return all_or_none(get_some(bytes), bytes.size()); }
  /// The last `bytes` bytes were not used after all: they are next again.
  virtual void go_back(std::size_t bytes) = 0;

 protected:
  ~IoBuffer() = default;

 private:
  Result<void> all_or_none(std::size_t moved, std::size_t wanted) {
    if (moved == wanted) return {};
    go_back(moved);
    return fail(Errno::BadAddress);
  }
};
/// What a call that moved so many bytes and then met an error answers.
[[nodiscard]] inline Result<std::size_t> moved_or(std::size_t moved, Errno error) {
  return moved > 0 ? Result<std::size_t>(moved) : fail(error);
}

/// Open flags that files look at; the numbers are Linux's (asm-generic/fcntl.h).
namespace open_flag {
inline constexpr u32 access_mode = 3, read_only = 0, write_only = 1, read_write = 2, create = 0x40, exclusive = 0x80,
                     truncate = 0x200, append = 0x400, non_blocking = 0x800, directory = 0x10000, no_follow = 0x20000,
                     close_on_exec = 0x80000;
}

class File : public Shared {
 public:
  File();
  ~File() override;

  u32 flags = 0;           ///< open_flag
  u64 offset = 0;          ///< for files that have one
  Mutex position;          ///< of whoever moves `offset`: what reads and writes there may wait for a disk
  Ref<Node> node;          ///< what fstat tells of; may be null (a pipe's is its own)
  std::vector<char> path;  ///< by which it was opened, for /proc/PID/fd; no 0 at its end; empty: none

  [[nodiscard]] bool readable() const { return (flags & open_flag::access_mode) != open_flag::write_only; }
  [[nodiscard]] bool writable() const { return (flags & open_flag::access_mode) != open_flag::read_only; }

  /// Bytes moved; 0 at the end of the file. TryAgain: nothing now.
  virtual Result<std::size_t> read(IoBuffer& into);
  virtual Result<std::size_t> write(IoBuffer& from);
  // For files without positions: IllegalSeek.
  virtual Result<u64> seek(i64 distance, u32 whence);
  /// At `at`, whatever `offset` is; that stays.
  virtual Result<std::size_t> read_at(u64 at, IoBuffer& into);
  virtual Result<std::size_t> write_at(u64 at, IoBuffer& from);
  /// ioctl(2). `argument` is a number or a program's address.
  virtual Result<u64> control(u32 request, u64 argument);
  /// What poll would say: ready::in, out, hang_up, error.
  [[nodiscard]] virtual u32 ready() const { return ready::in | ready::out; }
  /// Woken whenever ready() may have become more; null if that never changes.
  [[nodiscard]] virtual WaitQueue* wait_queue() { return nullptr; }
  static constexpr u64 forever = ~u64{0};
  /// Nanoseconds that a read which has got `moved` bytes waits for more. What it has then is its result, and no error.
  [[nodiscard]] virtual u64 patience(std::size_t moved) const { return moved == 0 ? forever : 0; }
  /// A blocked read or write (ready::in, out) may go on. poll may want more than that: ready().
  [[nodiscard]] virtual bool can_move(u32 events) const {
    return (ready() & (events | pulse::ready::error | pulse::ready::hang_up)) != 0;
  }
  /// A FIFO's: somebody has opened the other end since. A blocking open waits for that.
  [[nodiscard]] virtual bool is_connected() const { return true; }
  /// A descriptor of it was closed (others may remain).
  virtual void closed() {}

  // Itself, if it is one; else null.
  [[nodiscard]] virtual const EventQueue* as_event_queue() const { return nullptr; }
  [[nodiscard]] virtual EventQueue* as_event_queue() { return nullptr; }
  [[nodiscard]] virtual TimerFile* as_timer() { return nullptr; }
  [[nodiscard]] virtual SignalFile* as_signals() { return nullptr; }
  /// The event queues that watch it (event_queue.hpp); theirs.
  WatchedFile* watchers = nullptr;

 protected:
  /// Leaves the event queues: an open file is watched no longer than it is open (epoll(7)).
  void last_owner_left() override;
};

}  // namespace pulse
