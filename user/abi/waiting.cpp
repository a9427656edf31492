// poll and select on pipes, files, devices and event files.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

int ends[2];
char bytes[70000];

i64 poll_one(i64 file, u32 wanted, i64 timeout = 0) {
  PollEntry entry{static_cast<i32>(file), static_cast<u16>(wanted), 0xFFFF};
  const i64 count = call(Call::poll, &entry, 1, timeout);
  return count < 0 ? count : entry.found;
}

void polling() {
  begin_part("poll");
  constexpr u32 all = ready::in | ready::out | ready::priority | ready::read_hang_up;
  call(Call::pipe2, ends, open_flag::non_blocking);
  show("empty pipe, reader", poll_one(ends[0], all));
  show("empty pipe, writer", poll_one(ends[1], all));
  call(Call::write, ends[1], "x", 1);
  show("a byte", poll_one(ends[0], all));
  show("a byte, nothing wanted", poll_one(ends[0], 0));
  call(Call::write, ends[1], bytes, sizeof bytes);
  show("full pipe, writer", poll_one(ends[1], all));
  call(Call::read, ends[0], bytes, 100);
  show("room for 100, writer", poll_one(ends[1], all));
  call(Call::read, ends[0], bytes, 4096);
  show("room for a page, writer", poll_one(ends[1], all));
  call(Call::close, ends[1]);
  show("writer gone, bytes left", poll_one(ends[0], all));
  while (call(Call::read, ends[0], bytes, sizeof bytes) > 0) {
  }
  show("writer gone", poll_one(ends[0], all));
  show("writer gone, nothing wanted", poll_one(ends[0], 0));
  call(Call::close, ends[0]);
  call(Call::pipe2, ends, open_flag::non_blocking);
  call(Call::close, ends[0]);
  show("reader gone", poll_one(ends[1], all));
  call(Call::close, ends[1]);
  show("closed", poll_one(ends[1], all));
  show("negative", poll_one(-5, all));
  const i64 file = call(Call::open, "/abi/waiting", 0, 0);
  show("a file", poll_one(file, all));
  const i64 directory = call(Call::open, "/tmp", 0, 0);
  show("a directory", poll_one(directory, all));
  const i64 null = call(Call::open, "/dev/null", open_flag::read_write, 0);
  show("/dev/null", poll_one(null, all));
  const i64 counter = call(Call::eventfd2, 0, open_flag::non_blocking);
  show("eventfd 0", poll_one(counter, all));
  u64 value = ~u64{0} - 1;
  call(Call::write, counter, &value, sizeof value);
  show("eventfd full", poll_one(counter, all));
  call(Call::read, counter, &value, sizeof value);
  PollEntry entries[3] = {{static_cast<i32>(file), ready::in, 0}, {-1, ready::in, 9}, {99, ready::in, 0}};
  show("three", call(Call::poll, entries, 3, 0));
  for (const PollEntry& entry : entries) show("  ", entry.found);
  show("none, with a timeout", call(Call::poll, nullptr, 0, 10));
  show("none, at a bad address", call(Call::poll, unmapped_address, 0, 0));
  show("one, at a bad address", call(Call::poll, unmapped_address, 1, 0));
  show("too many", call(Call::poll, entries, 1 << 20, 0));
  const Time bad{0, second}, negative{-1, 0};
  show("ppoll, bad time", call(Call::ppoll, entries, 1, &bad, nullptr, sizeof(u64)));
  show("ppoll, negative time", call(Call::ppoll, entries, 1, &negative, nullptr, sizeof(u64)));
  const u64 mask = 0;
  show("ppoll, mask of 4 bytes", call(Call::ppoll, entries, 1, nullptr, &mask, 4));
  for (i64 open : {file, directory, null, counter}) call(Call::close, open);
}

void waking() {
  begin_part("poll wait");
  call(Call::pipe2, ends, 0);
  const i64 begin = now();
  show("timeout", poll_one(ends[0], ready::in, 30));
  show("not early", now() - begin >= 30 * millisecond);
  i64 child = start_child([] {
    sleep_milliseconds(20);
    call(Call::write, ends[1], "x", 1);
    return 0;
  });
  show("woken by a byte", poll_one(ends[0], ready::in, -1));
  wait_for(child);
  child = start_child([] {
    call(Call::close, ends[1]);
    sleep_milliseconds(20);
    return 0;
  });
  call(Call::read, ends[0], bytes, 1);
  call(Call::close, ends[1]);
  show("woken by the last writer's end", poll_one(ends[0], ready::in, 5000));
  wait_for(child);
  call(Call::close, ends[0]);
  call(Call::pipe2, ends, 0);
  child = start_child([] {
    call(Call::close, ends[0]);
    sleep_milliseconds(20);
    return 0;
  });
  call(Call::close, ends[0]);
  wait_for(child);
  show("reader's end", poll_one(ends[1], 0, 5000));
  call(Call::close, ends[1]);
}

struct Set {
  u64 words[16] = {};
  void add(int file) { words[file / 64] |= u64{1} << file % 64; }
  [[nodiscard]] i64 has(int file) const { return static_cast<i64>(words[file / 64] >> file % 64 & 1); }
};
struct MicroTime {
  i64 seconds, microseconds;
};

void selecting() {
  begin_part("select");
  call(Call::pipe2, ends, 0);
  Set read, write, except;
  read.add(ends[0]);
  write.add(ends[1]);
  except.add(ends[0]);
  MicroTime time{0, 0};
  show("writer only", call(Call::select, ends[1] + 1, &read, &write, &except, &time));
  show("  read", read.has(ends[0]));
  show("  write", write.has(ends[1]));
  call(Call::write, ends[1], "x", 1);
  read.add(ends[0]);
  show("both", call(Call::select, ends[1] + 1, &read, &write, nullptr, &time));
  show("below the count only", call(Call::select, ends[1], &read, &write, nullptr, &time));
  show("  write is as it was", write.has(ends[1]));
  Set closed;
  closed.add(50);
  show("a closed one", call(Call::select, 51, &closed, nullptr, nullptr, &time));
  show("count -1", call(Call::select, -1, &read, nullptr, nullptr, &time));
  show("count 0", call(Call::select, 0, nullptr, nullptr, nullptr, &time));
  show("sets at a bad address", call(Call::select, 10, unmapped_address, nullptr, nullptr, &time));
  show("time at a bad address", call(Call::select, 0, nullptr, nullptr, nullptr, unmapped_address));
  time = {-1, 0};
  show("negative time", call(Call::select, 0, nullptr, nullptr, nullptr, &time));
  time = {0, 2'000'000};
  Set none;
  const i64 begin = now();
  time = {0, 30'000};
  show("timeout", call(Call::select, 0, &none, nullptr, nullptr, &time));
  show("not early", now() - begin >= 30 * millisecond);
  show("time left", time.seconds * 1'000'000 + time.microseconds);
  call(Call::read, ends[0], bytes, 1);
  Time limit{5, 0};
  const i64 child = start_child([] {
    sleep_milliseconds(20);
    call(Call::write, ends[1], "x", 1);
    return 0;
  });
  read = Set{};
  read.add(ends[0]);
  show("pselect woken", call(Call::pselect6, ends[0] + 1, &read, nullptr, nullptr, &limit, nullptr));
  show("time left after it", limit.seconds);
  wait_for(child);
  call(Call::close, ends[1]);
  call(Call::read, ends[0], bytes, 1);
  read.add(ends[0]);
  time = {0, 0};
  show("end of file is readable", call(Call::select, ends[0] + 1, &read, nullptr, nullptr, &time));
  call(Call::close, ends[0]);
}

}  // namespace

int main_program(int, char**, char**) {
  polling();
  waking();
  selecting();
  return 0;
}
