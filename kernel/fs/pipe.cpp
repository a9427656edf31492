#include "kernel/fs/pipe.hpp"

#include <algorithm>
#include <memory>
#include <new>

namespace pulse {

namespace {

constexpr std::size_t capacity = 65536;

struct Pipe : Shared {
  std::unique_ptr<u8[]> bytes{new (std::nothrow) u8[capacity]};
  std::size_t begin = 0, length = 0;
  u32 readers = 1, writers = 1;  // open descriptions
  WaitQueue changed;

  [[nodiscard]] std::size_t room() const { return capacity - length; }
};

class Reader final : public File {
 public:
  explicit Reader(Ref<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ~Reader() override {
    pipe_->readers = 0;
    pipe_->changed.wake(ready::out | ready::error);
  }
  Result<std::size_t> read(IoBuffer& into) override {
    Pipe& pipe = *pipe_;
    if (into.remaining() == 0) return 0;
    if (pipe.length == 0) return pipe.writers > 0 ? fail(Errno::TryAgain) : Result<std::size_t>(0);
    std::size_t moved = 0;
    while (into.remaining() > 0 && pipe.length > 0) {
      const std::size_t count = std::min({into.remaining(), pipe.length, capacity - pipe.begin});
      if (const auto done = into.put({&pipe.bytes[pipe.begin], count}); !done) return fail(done.error());
      pipe.begin = (pipe.begin + count) % capacity;
      pipe.length -= count;
      moved += count;
    }
    pipe.changed.wake(ready::out);
    return moved;
  }
  [[nodiscard]] u32 ready() const override {
    return (pipe_->length > 0 ? ready::in : 0) | (pipe_->writers == 0 ? ready::hang_up : 0);
  }
  WaitQueue* wait_queue() override { return &pipe_->changed; }

 private:
  Ref<Pipe> pipe_;
};

class Writer final : public File {
 public:
  explicit Writer(Ref<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ~Writer() override {
    pipe_->writers = 0;
    pipe_->changed.wake(ready::in | ready::hang_up);
  }
  Result<std::size_t> write(IoBuffer& from) override {
    Pipe& pipe = *pipe_;
    if (from.remaining() == 0) return 0;
    if (pipe.readers == 0) return fail(Errno::BrokenPipe);
    const bool whole = from.remaining() <= pipe_atomic_bytes;
    if (pipe.room() == 0 || (whole && pipe.room() < from.remaining())) return fail(Errno::TryAgain);
    std::size_t moved = 0;
    while (from.remaining() > 0 && pipe.room() > 0) {
      const std::size_t end = (pipe.begin + pipe.length) % capacity;
      const std::size_t count = std::min({from.remaining(), pipe.room(), capacity - end});
      if (const auto done = from.get({&pipe.bytes[end], count}); !done) return fail(done.error());
      pipe.length += count;
      moved += count;
    }
    pipe.changed.wake(ready::in);
    return moved;
  }
  [[nodiscard]] u32 ready() const override {
    if (pipe_->readers == 0) return ready::out | ready::error;
    return pipe_->room() >= pipe_atomic_bytes ? ready::out : 0;
  }
  WaitQueue* wait_queue() override { return &pipe_->changed; }

 private:
  Ref<Pipe> pipe_;
};

}  // namespace

Result<PipeEnds> make_pipe() {
  Ref<Pipe> pipe(new Pipe);
  if (!pipe->bytes) return fail(Errno::NoMemory);
  return PipeEnds{Ref<File>(new Reader(pipe)), Ref<File>(new Writer(pipe))};
}

}  // namespace pulse
