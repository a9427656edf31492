// FIFOs: who waits for whom at open, what poll says, and what is left when everybody has gone.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr const char* path = "/tmp/a fifo";
constexpr i64 fifo_mode = 0010000 | 0666;
char bytes[70000];

i64 open_it(int flags) { return call(Call::open, path, flags, 0); }
i64 poll_one(i64 file, u32 wanted) {
  PollEntry entry{static_cast<i32>(file), static_cast<u16>(wanted), 0xFFFF};
  const i64 count = call(Call::poll, &entry, 1, 0);
  return count < 0 ? count : entry.found;
}
constexpr u32 all = ready::in | ready::out | ready::hang_up | ready::error;

void making() {
  begin_part("fifo");
  call(Call::mkdir, "/tmp", 0777);
  call(Call::unlink, path);
  call(Call::umask, 022);
  show("mknod", call(Call::mknod, path, fifo_mode, 0));
  show("mknod again", call(Call::mknod, path, fifo_mode, 0));
  Status status{};
  show("stat", call(Call::stat, path, &status));
  show("its mode", status.mode);
  show("mknod of a directory", call(Call::mknod, "/tmp/d", 0040000 | 0755, 0));
  show("mknod of a link", call(Call::mknod, "/tmp/d", 0120000 | 0755, 0));
  show("mknod without a type", call(Call::mknod, "/tmp/plain", 0644, 0));
  show("that is a file", call(Call::stat, "/tmp/plain", &status) == 0 ? status.mode : 0);
  call(Call::unlink, "/tmp/plain");
}

void without_waiting() {
  begin_part("fifo, O_NONBLOCK");
  show("a writer where nobody reads", open_it(open_flag::write_only | open_flag::non_blocking));
  const i64 reader = open_it(open_flag::non_blocking);
  show("a reader", reader >= 0);
  show("poll before a writer came", poll_one(reader, all));
  show("read before a writer came", call(Call::read, reader, bytes, 10));
  const i64 writer = open_it(open_flag::write_only | open_flag::non_blocking);
  show("a writer now", writer >= 0);
  show("poll the reader", poll_one(reader, all));
  show("poll the writer", poll_one(writer, all));
  show("read, empty", call(Call::read, reader, bytes, 10));
  show("write", call(Call::write, writer, "hello", 5));
  show("poll the reader, a byte", poll_one(reader, all));
  show("seek", call(Call::lseek, reader, 0, 0));
  show("pread", call(Call::pread64, reader, bytes, 1, 0));
  show("take it", call(Call::read, reader, bytes, 10));
  show("fill", call(Call::write, writer, bytes, sizeof bytes));
  show("poll the writer, full", poll_one(writer, all));
  call(Call::close, writer);
  show("poll the reader, no writer", poll_one(reader, all));
  i64 total = 0;
  for (i64 count; (count = call(Call::read, reader, bytes, sizeof bytes)) > 0;) total += count;
  show("what was left", total);
  show("poll the reader, drained", poll_one(reader, all));
  show("end of file", call(Call::read, reader, bytes, 10));
  const i64 second = open_it(open_flag::write_only);
  show("a second writer", second >= 0);
  show("poll the reader again", poll_one(reader, all));
  call(Call::close, reader);
  show("poll the writer, no reader", poll_one(second, all));
  set_action(signal::pipe, abi::ignore_handler);
  show("write, no reader", call(Call::write, second, "x", 1));
  set_action(signal::pipe, abi::default_handler);
  call(Call::close, second);
}

void both_ways() {
  begin_part("fifo, O_RDWR");
  const i64 both = open_it(open_flag::read_write);
  show("opens at once", both >= 0);
  show("poll", poll_one(both, all));
  show("write", call(Call::write, both, "abc", 3));
  show("poll, 3 bytes", poll_one(both, all));
  show("read", call(Call::read, both, bytes, 10));
  call(Call::write, both, "kept?", 5);
  call(Call::close, both);
  const i64 reader = open_it(open_flag::non_blocking);
  show("nothing is kept when all have gone", call(Call::read, reader, bytes, 10));
  call(Call::close, reader);
}

void on_alarm(int, abi::SignalInformation*, abi::UserContext*) {}

void waiting() {
  begin_part("fifo, open waits");
  const i64 child = start_child([] {
    sleep_milliseconds(20);
    const i64 writer = open_it(open_flag::write_only);
    call(Call::write, writer, "from the child", 14);
    call(Call::close, writer);
    return 0;
  });
  const i64 reader = open_it(0);
  show("the reader waited for a writer", reader >= 0);
  show("read", call(Call::read, reader, bytes, 100));
  show("end of file", call(Call::read, reader, bytes, 100));
  call(Call::close, reader);
  show("child", wait_for(child));
  const i64 other = start_child([] {
    sleep_milliseconds(20);
    const i64 file = open_it(0);
    char got[10];
    return call(Call::read, file, got, 10) == 4 ? 7 : 1;
  });
  const i64 writer = open_it(open_flag::write_only);
  show("the writer waited for a reader", writer >= 0);
  show("write", call(Call::write, writer, "back", 4));
  call(Call::close, writer);
  show("child", wait_for(other));
  // A writer that came and went meanwhile counts.
  const i64 brief = start_child([] {
    sleep_milliseconds(20);
    call(Call::close, open_it(open_flag::write_only | open_flag::non_blocking));
    return 0;
  });
  const i64 late = open_it(0);
  show("a writer that left at once", late >= 0);
  show("nothing to read", call(Call::read, late, bytes, 100));
  call(Call::close, late);
  show("child", wait_for(brief));
  // A signal ends the wait, or not.
  for (const u64 flags : {u64{0}, u64{abi::signal_flag::restart}}) {
    handle(signal::user1, on_alarm, flags);
    static i64 parent;
    parent = call(Call::getpid);
    const i64 killer = start_child([] {
      sleep_milliseconds(20);
      call(Call::kill, parent, signal::user1);
      sleep_milliseconds(20);
      call(Call::close, open_it(open_flag::write_only | open_flag::non_blocking));
      return 0;
    });
    const i64 file = open_it(0);
    show(flags == 0 ? "a signal" : "a signal, SA_RESTART", file >= 0 ? 1 : file);
    if (file >= 0) call(Call::close, file);
    show("child", wait_for(killer));
  }
  show("nobody has it open", open_it(open_flag::write_only | open_flag::non_blocking));
  show("unlink", call(Call::unlink, path));
}

}  // namespace

int main_program(int, char**, char**) {
  making();
  without_waiting();
  both_ways();
  waiting();
  return 0;
}
