#include "kernel/fs/pipe.hpp"

#include <algorithm>
#include <memory>
#include <new>

#include "kernel/core/mutex.hpp"
#include "kernel/fs/node.hpp"

namespace pulse {

namespace {

constexpr std::size_t capacity = 65536;
/// What is copied at a time: a program gets or gives all of it, or it stays where it is (as Linux's pages).
constexpr std::size_t piece_bytes = 4096;
static_assert(capacity % piece_bytes == 0);

struct Pipe : Shared {
  std::unique_ptr<u8[]> bytes{new (std::nothrow) u8[capacity]};
  std::size_t begin = 0, length = 0;
  u32 readers = 0, writers = 0;            // open descriptions
  u32 reader_opens = 0, writer_opens = 0;  // ever
  WaitQueue changed;
  Mutex moving;  // whose bytes are copied: that may take a disk's time

  [[nodiscard]] std::size_t room() const { return capacity - length; }
  /// All of `count` bytes, which there is room for, or none.
  [[nodiscard]] bool append(IoBuffer& from, std::size_t count) {
    const std::size_t end = (begin + length) % capacity;
    const std::size_t before_wrap = std::min(count, capacity - end);
    if (!from.get({&bytes[end], before_wrap})) return false;
    if (before_wrap < count && !from.get({&bytes[0], count - before_wrap})) {
      from.go_back(before_wrap);
      return false;
    }
    length += count;
    return true;
  }
};

/// What can read, write, or both (a FIFO opened O_RDWR).
class PipeFile final : public File {
 public:
  PipeFile(Ref<Pipe> pipe, u32 access) : pipe_(std::move(pipe)) {
    flags = access;
    if (readable()) {
      ++pipe_->readers;
      ++pipe_->reader_opens;
    }
    if (writable()) {
      ++pipe_->writers;
      ++pipe_->writer_opens;
    }
    reads_ = readable();
    writes_ = writable();
    readers_at_open_ = pipe_->reader_opens;
    writers_at_open_ = pipe_->writer_opens;
    connected_ = pipe_->readers > 0 && pipe_->writers > 0;
    pipe_->changed.wake(ready::all);
  }
  ~PipeFile() override {
    if (reads_) --pipe_->readers;
    if (writes_) --pipe_->writers;
    if (node && pipe_->readers + pipe_->writers == 0) node->pipe = {};
    pipe_->changed.wake((reads_ ? ready::out | ready::error : 0) | (writes_ ? ready::in | ready::hang_up : 0));
  }

  Result<std::size_t> read(IoBuffer& into) override {
    Pipe& pipe = *pipe_;
    if (into.remaining() == 0) return 0;
    const Mutex::Hold hold(pipe.moving);
    if (pipe.length == 0) return pipe.writers > 0 ? fail(Errno::TryAgain) : Result<std::size_t>(0);
    std::size_t moved = 0;
    while (into.remaining() > 0 && pipe.length > 0) {
      const std::size_t count = std::min({into.remaining(), pipe.length, piece_bytes - pipe.begin % piece_bytes});
      if (!into.put({&pipe.bytes[pipe.begin], count})) break;
      pipe.begin = (pipe.begin + count) % capacity;
      pipe.length -= count;
      moved += count;
    }
    if (moved == 0) return fail(Errno::BadAddress);
    pipe.changed.wake(ready::out);
    return moved;
  }

  Result<std::size_t> write(IoBuffer& from) override {
    Pipe& pipe = *pipe_;
    if (from.remaining() == 0) return 0;
    const Mutex::Hold hold(pipe.moving);
    if (pipe.readers == 0) return fail(Errno::BrokenPipe);
    const bool whole = from.remaining() <= pipe_atomic_bytes;
    if (pipe.room() == 0 || (whole && pipe.room() < from.remaining())) return fail(Errno::TryAgain);
    std::size_t moved = 0;
    while (from.remaining() > 0 && pipe.room() > 0) {
      const std::size_t count = std::min({from.remaining(), pipe.room(), piece_bytes});
      if (!pipe.append(from, count)) break;
      moved += count;
    }
    if (moved == 0) return fail(Errno::BadAddress);
    pipe.changed.wake(ready::in);
    return moved;
  }

  [[nodiscard]] u32 ready() const override {
    const Pipe& pipe = *pipe_;
    u32 result = 0;
    if (reads_) {
      if (pipe.length > 0) result |= ready::in;
      // Before the first writer of a FIFO came, its reader sees no end.
      if (pipe.writers == 0 && (!node || pipe.writer_opens != writers_at_open_)) result |= ready::hang_up;
    }
    if (writes_) {
      if (pipe.readers == 0) return result | ready::out | ready::error;
      if (pipe.room() >= pipe_atomic_bytes) result |= ready::out;
    }
    return result;
  }
  WaitQueue* wait_queue() override { return &pipe_->changed; }

  [[nodiscard]] bool is_connected() const override {
    return connected_ || (reads_ ? pipe_->writer_opens != writers_at_open_ : pipe_->reader_opens != readers_at_open_);
  }

 private:
  Ref<Pipe> pipe_;
  bool reads_ = false, writes_ = false;  // as opened: fcntl does not change that
  bool connected_ = false;               // somebody had the other end open already
  u32 readers_at_open_ = 0, writers_at_open_ = 0;
};

}  // namespace

Result<PipeEnds> make_pipe() {
  Ref<Pipe> pipe(new Pipe);
  if (!pipe->bytes) return fail(Errno::NoMemory);
  Ref<File> reader(new PipeFile(pipe, open_flag::read_only));
  return PipeEnds{std::move(reader), Ref<File>(new PipeFile(pipe, open_flag::write_only))};
}

Result<Ref<File>> open_fifo(Node& node, u32 flags) {
  const u32 access = flags & open_flag::access_mode;
  if (access > open_flag::read_write) return fail(Errno::Invalid);
  if (!node.pipe) node.pipe = Ref<Shared>(new Pipe);
  const Ref<Pipe> pipe(static_cast<Pipe*>(node.pipe.get()));
  if (!pipe->bytes) {
    node.pipe = {};
    return fail(Errno::NoMemory);
  }
  const bool nobody_reads = access == open_flag::write_only && pipe->readers == 0;
  if (nobody_reads && (flags & open_flag::non_blocking) != 0) {
    if (pipe->writers == 0) node.pipe = {};
    return fail(Errno::NoDevice6);
  }
  Ref<File> file(new PipeFile(pipe, access));
  file->node = Ref<Node>(&node);
  return file;
}

}  // namespace pulse
