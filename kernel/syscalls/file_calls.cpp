// Calls on descriptors: read and write wait here, whatever the file is.
#include <algorithm>

#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/core/user_pieces.hpp"
#include "kernel/fs/pipe.hpp"
#include "kernel/memory/kernel_buffer.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/file_room.hpp"

namespace pulse {

namespace {

constexpr std::size_t most_bytes = 0x7FFF'F000;  // as Linux's MAX_RW_COUNT

FileTable::OnExec on_exec_of(u64 flags) {
  return (flags & open_flag::close_on_exec) != 0 ? FileTable::OnExec::Close : FileTable::OnExec::Keep;
}

u64 deadline_of(u64 patience) {
  return patience == File::forever ? TimerQueue::never : nanoseconds_since_boot() + patience;
}

/// Tries, and waits for `events` between tries, until something was moved (as much as a reader of this file wants) or
/// an error is final: way A of waiting.
template <class Try>
CallResult move_blocking(File& file, u32 events, Try attempt) {
  const bool reads = events == ready::in;
  std::size_t moved = 0;
  const auto ended = [&](Errno why) { return moved > 0 ? CallResult(moved) : fail(why); };
  u64 deadline = deadline_of(reads ? file.patience(0) : File::forever);
  for (;;) {
    const Result<std::size_t> result = attempt();
    if (result) {
      moved += *result;
      const u64 patience = reads && *result > 0 ? file.patience(moved) : 0;
      if (patience == 0) return moved;
      deadline = deadline_of(patience);
      continue;
    }
    const bool would_block = result.error() == Errno::TryAgain;
    if (!would_block || (file.flags & open_flag::non_blocking) != 0 || file.wait_queue() == nullptr) {
      return ended(result.error());
    }
    const auto waited = wait_until(*file.wait_queue(), [&] { return file.can_move(events); }, deadline);
    if (waited == WaitResult::TimedOut) return moved;
    if (waited == WaitResult::Interrupted) return ended(Errno::RestartAlways);
  }
}

CallResult read_file(File& file, IoBuffer& into) {
  if (!file.readable()) return fail(Errno::BadFile);
  return move_blocking(file, ready::in, [&] { return file.read(into); });
}

/// The first bytes of another buffer.
class FirstBytes final : public IoBuffer {
 public:
  FirstBytes(IoBuffer& of, std::size_t count) : of_(&of), left_(count) {}
  [[nodiscard]] std::size_t remaining() const override { return std::min(left_, of_->remaining()); }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override {
    return take(of_->put_some(bytes.first(std::min(bytes.size(), left_))));
  }
  [[nodiscard]] std::size_t get_some(std::span<u8> bytes) override {
    return take(of_->get_some(bytes.first(std::min(bytes.size(), left_))));
  }
  void go_back(std::size_t bytes) override {
    of_->go_back(bytes);
    left_ += bytes;
  }

 private:
  std::size_t take(std::size_t bytes) {
    left_ -= bytes;
    return bytes;
  }
  IoBuffer* of_;
  std::size_t left_;
};

/// Writes all there is, unless the file may not block: a pipe takes as much as fits at a time.
CallResult write_all(File& file, IoBuffer& from) {
  const std::size_t all = from.remaining();
  do {
    const auto moved = move_blocking(file, ready::out, [&] { return file.write(from); });
    if (!moved) {
      if (all != from.remaining()) break;
      if (moved.error() == Errno::BrokenPipe) send_thread_signal(current_thread(), signal::pipe);
      return moved;
    }
    if (*moved == 0) break;
  } while (from.remaining() > 0 && (file.flags & open_flag::non_blocking) == 0);
  return all - from.remaining();
}

CallResult write_file(File& file, IoBuffer& from) {
  if (!file.writable()) return fail(Errno::BadFile);
  if (current_process().limits.now(Limited::FileSize) == Limits::none) return write_all(file, from);
  const bool appends = file.node && (file.flags & open_flag::append) != 0;
  const auto allowed = allowed_bytes(file.node.get(), appends ? file.node->size : file.offset, from.remaining());
  if (!allowed) return fail(allowed.error());
  FirstBytes first(from, *allowed);
  return write_all(file, first);
}

CallResult sys_read(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if ((*file)->readable() && !is_user_range(call.b, call.c)) return fail(Errno::BadAddress);
  UserBuffer buffer(call.b, std::min<u64>(call.c, most_bytes));
  return read_file(**file, buffer);
}

CallResult sys_write(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if ((*file)->writable() && !is_user_range(call.b, call.c)) return fail(Errno::BadAddress);
  UserBuffer buffer(call.b, std::min<u64>(call.c, most_bytes));
  return write_file(**file, buffer);
}

/// All pieces at once: what one call writes stands together.
template <class Move>
CallResult move_pieces(Call& call, bool (File::*may)() const, Move move) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  auto pieces = UserPieces::read(call.b, static_cast<u32>(call.c), most_bytes);
  if (!pieces) return fail(pieces.error());
  if (!((**file).*may)()) return fail(Errno::BadFile);
  return pieces->remaining() > 0 ? move(**file, *pieces) : CallResult(0);
}

CallResult sys_readv(Call& call) { return move_pieces(call, &File::readable, read_file); }
CallResult sys_writev(Call& call) { return move_pieces(call, &File::writable, write_file); }

/// Offsets are signed, and so is the one behind the last byte.
bool is_file_range(u64 offset, u64 size) {
  const u64 count = std::min<u64>(size, most_bytes);
  return static_cast<i64>(offset) >= 0 && static_cast<i64>(offset + count) >= 0;
}

bool has_positions(const File& file) {
  return file.node &&
         (file.node->is(node_mode::regular) || file.node->is(node_mode::directory) || file.node->is(node_mode::block));
}

CallResult sys_pread64(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!has_positions(**file)) return fail(Errno::IllegalSeek);
  if (!(*file)->readable()) return fail(Errno::BadFile);
  if (!is_file_range(call.d, call.c)) return fail(Errno::Invalid);
  UserBuffer buffer(call.b, std::min<u64>(call.c, most_bytes));
  return (*file)->read_at(call.d, buffer);
}

CallResult sys_pwrite64(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!has_positions(**file)) return fail(Errno::IllegalSeek);
  if (!(*file)->writable()) return fail(Errno::BadFile);
  if (!is_file_range(call.d, call.c)) return fail(Errno::Invalid);
  const auto allowed = allowed_bytes((*file)->node.get(), call.d, std::min<u64>(call.c, most_bytes));
  if (!allowed) return fail(allowed.error());
  UserBuffer buffer(call.b, *allowed);
  return (*file)->write_at(call.d, buffer);
}

CallResult sys_lseek(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  return (*file)->seek(static_cast<i64>(call.b), static_cast<u32>(call.c));
}

CallResult sys_close(Call& call) { return done(call.process().files->close(call.a)); }

CallResult sys_dup(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  const auto number = call.process().files->add(*file, FileTable::OnExec::Keep);
  if (!number) return fail(number.error());
  return *number;
}

CallResult duplicate_to(Call& call, u64 flags) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  const auto number = static_cast<u32>(call.b);
  if (const auto put = call.process().files->put(number, *file, on_exec_of(flags)); !put) return fail(put.error());
  return number;
}

CallResult sys_dup2(Call& call) {
  if (static_cast<u32>(call.a) == static_cast<u32>(call.b) && call.process().files->get(call.a)) {
    return static_cast<u32>(call.b);
  }
  return duplicate_to(call, 0);
}
CallResult sys_dup3(Call& call) {
  if (static_cast<u32>(call.a) == static_cast<u32>(call.b) || (call.c & ~u64{open_flag::close_on_exec}) != 0)
    return fail(Errno::Invalid);
  return duplicate_to(call, call.c);
}

CallResult sys_fcntl(Call& call) {
  constexpr u64 duplicate = 0, get_descriptor_flags = 1, set_descriptor_flags = 2, get_flags = 3, set_flags = 4,
                get_lock = 5, set_lock = 6, set_lock_wait = 7, duplicate_close_on_exec = 1030;
  constexpr u32 settable = open_flag::append | open_flag::non_blocking;
  FileTable& files = *call.process().files;
  const auto file = files.get(call.a);
  if (!file) return fail(file.error());
  switch (call.b) {
    case duplicate:
    case duplicate_close_on_exec: {
      const auto keep = call.b == duplicate ? FileTable::OnExec::Keep : FileTable::OnExec::Close;
      const auto number = files.add(*file, keep, static_cast<u32>(std::min<u64>(call.c, ~u32{0})));
      if (!number) return fail(number.error());
      return *number;
    }
    case get_descriptor_flags:
      return *files.on_exec(call.a) == FileTable::OnExec::Close ? 1 : 0;
    case set_descriptor_flags:
      return done(files.set_on_exec(call.a, (call.c & 1) != 0 ? FileTable::OnExec::Close : FileTable::OnExec::Keep));
    case get_flags:
      return (*file)->flags;
    case set_flags:
      (*file)->flags = ((*file)->flags & ~settable) | (static_cast<u32>(call.c) & settable);
      return 0;
    case get_lock:
    case set_lock:
    case set_lock_wait:
      return 0;
    default:
      return fail(Errno::Invalid);
  }
}

CallResult sys_ioctl(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  return (*file)->control(static_cast<u32>(call.b), call.c);
}

CallResult make_pipe_files(Call& call, u64 flags) {
  if ((flags & ~u64{open_flag::close_on_exec | open_flag::non_blocking}) != 0) return fail(Errno::Invalid);
  const auto ends = make_pipe();
  if (!ends) return fail(ends.error());
  ends->reader->flags = open_flag::read_only | (static_cast<u32>(flags) & open_flag::non_blocking);
  ends->writer->flags = open_flag::write_only | (static_cast<u32>(flags) & open_flag::non_blocking);
  FileTable& files = *call.process().files;
  const auto reader = files.add(ends->reader, on_exec_of(flags));
  if (!reader) return fail(reader.error());
  const auto writer = files.add(ends->writer, on_exec_of(flags));
  const u32 both[2] = {*reader, writer ? *writer : 0};
  const auto told = writer ? copy_to_user(call.a, both, sizeof both) : fail(writer.error());
  if (!told) {
    (void)files.close(*reader);
    if (writer) (void)files.close(*writer);
    return fail(told.error());
  }
  return 0;
}

CallResult sys_pipe(Call& call) { return make_pipe_files(call, 0); }
CallResult sys_pipe2(Call& call) { return make_pipe_files(call, call.b); }

CallResult sys_ftruncate(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!(*file)->writable() || !(*file)->node) return fail(Errno::Invalid);
  if (static_cast<i64>(call.b) < 0) return fail(Errno::Invalid);
  if (const auto room = check_file_size(*(*file)->node, call.b); !room) return fail(room.error());
  return done((*file)->node->set_size(call.b));
}

/// fallocate(2): the file becomes long enough. Room on the disk is not set aside.
CallResult sys_fallocate(Call& call) {
  constexpr u64 keep_size = 1;
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (static_cast<i64>(call.c) < 0 || static_cast<i64>(call.d) <= 0) return fail(Errno::Invalid);
  if ((call.b & ~keep_size) != 0) return fail(Errno::NotSupported);
  if (!(*file)->writable()) return fail(Errno::BadFile);
  if (!(*file)->node) return fail(Errno::IllegalSeek);
  Node& node = *(*file)->node;
  if (node.is(node_mode::fifo)) return fail(Errno::IllegalSeek);
  if (!node.is(node_mode::regular)) return fail(Errno::NoDevice);
  const u64 end = call.c + call.d;
  if (static_cast<i64>(end) < 0) return fail(Errno::FileTooBig);
  if (const auto room = check_file_size(node, end); !room) return fail(room.error());
  if ((call.b & keep_size) != 0 || end <= node.size) return 0;
  return done(node.set_size(end));
}

CallResult sys_sendfile(Call& call) {
  constexpr std::size_t piece = 4096;
  const auto to = call.process().files->get(call.a);
  const auto from = call.process().files->get(call.b);
  if (!to || !from) return fail(Errno::BadFile);
  if (!(*from)->node || !(*from)->node->is(node_mode::regular)) return fail(Errno::Invalid);
  u64 offset = (*from)->offset;
  if (call.c != 0) {
    const auto given = read_user<u64>(call.c);
    if (!given) return fail(given.error());
    offset = *given;
  }
  const auto bytes = std::make_unique<u8[]>(piece);
  u64 total = 0;
  while (total < call.d) {
    KernelBuffer into(bytes.get(), std::min<u64>(piece, call.d - total));
    const auto count = (*from)->read_at(offset, into);
    if (!count) return total > 0 ? CallResult(total) : fail(count.error());
    if (*count == 0) break;
    KernelBuffer out(bytes.get(), *count);
    const auto moved = write_file(**to, out);
    if (!moved) return total > 0 ? CallResult(total) : moved;
    offset += *moved;
    total += *moved;
    if (*moved < *count) break;
  }
  if (call.c == 0) {
    (*from)->offset = offset;
    return total;
  }
  if (const auto told = write_user(call.c, offset); !told) return fail(told.error());
  return total;
}

constexpr CallEntry entries[] = {
    {0, "read", sys_read},
    {1, "write", sys_write},
    {3, "close", sys_close},
    {8, "lseek", sys_lseek},
    {16, "ioctl", sys_ioctl},
    {17, "pread64", sys_pread64},
    {18, "pwrite64", sys_pwrite64},
    {19, "readv", sys_readv},
    {20, "writev", sys_writev},
    {22, "pipe", sys_pipe},
    {32, "dup", sys_dup},
    {33, "dup2", sys_dup2},
    {40, "sendfile", sys_sendfile},
    {72, "fcntl", sys_fcntl},
    {77, "ftruncate", sys_ftruncate},
    {285, "fallocate", sys_fallocate},
    {292, "dup3", sys_dup3},
    {293, "pipe2", sys_pipe2},
};

}  // namespace

std::span<const CallEntry> file_calls() { return entries; }

}  // namespace pulse
