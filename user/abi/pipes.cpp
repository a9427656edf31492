// Pipes: sizes, ends, blocking and not, atomic writes.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

struct Ends {
  int read = -1, write = -1;
};
char bytes[70000];

Ends make_pipe(int flags = 0) {
  Ends ends;
  call(Call::pipe2, &ends, flags);
  return ends;
}

void close_both(const Ends& ends) {
  call(Call::close, ends.read);
  call(Call::close, ends.write);
}

void non_blocking() {
  begin_part("pipe");
  show("flags 1", call(Call::pipe2, bytes, 1));
  const Ends ends = make_pipe(open_flag::non_blocking);
  show("read, empty", call(Call::read, ends.read, bytes, 10));
  show("write 0", call(Call::write, ends.write, bytes, 0));
  show("read 0", call(Call::read, ends.read, bytes, 0));
  show("write 5", call(Call::write, ends.write, "abcde", 5));
  show("read 3", call(Call::read, ends.read, bytes, 3));
  show("read 10", call(Call::read, ends.read, bytes, 10));
  show("write to the reader", call(Call::write, ends.read, "x", 1));
  show("read the writer", call(Call::read, ends.write, bytes, 1));
  show("fill", call(Call::write, ends.write, bytes, sizeof bytes));
  show("write 1, full", call(Call::write, ends.write, "x", 1));
  show("take a page", call(Call::read, ends.read, bytes, 4096));
  show("write 4096", call(Call::write, ends.write, bytes, 4096));
  show("take less than a page", call(Call::read, ends.read, bytes, 1000));
  show("an atomic write that does not fit", call(Call::write, ends.write, bytes, 4096));
  close_both(ends);
}

void ends_that_close() {
  begin_part("pipe end");
  set_action(signal::pipe, abi::ignore_handler);
  const Ends ends = make_pipe();
  call(Call::write, ends.write, "rest", 4);
  call(Call::close, ends.write);
  show("what is left", call(Call::read, ends.read, bytes, 10));
  show("end of file", call(Call::read, ends.read, bytes, 10));
  call(Call::close, ends.read);
  const Ends other = make_pipe();
  call(Call::close, other.read);
  show("no reader", call(Call::write, other.write, "x", 1));
  show("no reader, 0 bytes", call(Call::write, other.write, "x", 0));
  call(Call::close, other.write);
  set_action(signal::pipe, abi::default_handler);
  show("the signal ends a child", in_child([] {
         const Ends broken = make_pipe();
         call(Call::close, broken.read);
         call(Call::write, broken.write, "x", 1);
         return 0;
       }));
}

Ends wide, back;

void blocking() {
  begin_part("pipe wait");
  wide = make_pipe();
  back = make_pipe();
  const i64 child = start_child([] {
    call(Call::close, wide.write);
    i64 total = 0;
    for (;;) {
      const i64 count = call(Call::read, wide.read, bytes, 3000);
      if (count <= 0) break;
      total += count;
    }
    call(Call::write, back.write, &total, sizeof total);
    return 0;
  });
  call(Call::close, wide.read);
  i64 written = 0;
  for (int i = 0; i < 5; ++i) written += call(Call::write, wide.write, bytes, 60000);
  call(Call::close, wide.write);
  show("written", written);
  i64 total = 0;
  show("a reader waits", call(Call::read, back.read, &total, sizeof total));
  show("it got", total);
  show("and ended", wait_for(child));
  close_both(back);
}

// Four writers of one record each, again and again: no record is torn.
void atomic_writes() {
  begin_part("pipe records");
  wide = make_pipe();
  for (int writer = 0; writer < 4; ++writer) {
    if (call(Call::fork) != 0) continue;
    char record[500];
    for (char& byte : record) byte = static_cast<char>('a' + writer);
    for (int i = 0; i < 100; ++i) call(Call::write, wide.write, record, sizeof record);
    end(0);
  }
  call(Call::close, wide.write);
  i64 whole = 0, torn = 0;
  char record[500];
  for (;;) {
    u64 have = 0;
    while (have < sizeof record) {
      const i64 count = call(Call::read, wide.read, record + have, sizeof record - have);
      if (count <= 0) break;
      have += static_cast<u64>(count);
    }
    if (have < sizeof record) break;
    bool same = true;
    for (const char byte : record) same &= byte == record[0];
    ++(same ? whole : torn);
  }
  show("whole", whole);
  show("torn", torn);
  i64 ended = 0;
  while (wait_for(-1) >= 0) ++ended;
  show("writers that ended", ended);
  call(Call::close, wide.read);
}

}  // namespace

int main_program(int, char**, char**) {
  non_blocking();
  ends_that_close();
  blocking();
  atomic_writes();
  return 0;
}
