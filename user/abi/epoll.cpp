// epoll: the rules of epoll(7) and epoll_ctl(2), and what other implementations got wrong (names in brackets).
#include "user/runtime/program.hpp"

using namespace user;

namespace {

int queue, ends[2];
char bytes[70000];
EpollEvent found[8];

i64 control(int to, int operation, i64 file, u32 events, u64 data = 0) {
  EpollEvent event{events, data};
  return call(Call::epoll_ctl, to, operation, file, &event);
}
i64 add(i64 file, u32 events, u64 data = 0) { return control(queue, epoll::add, file, events, data); }
i64 change(i64 file, u32 events, u64 data = 0) { return control(queue, epoll::change, file, events, data); }
i64 remove(i64 file) { return call(Call::epoll_ctl, queue, epoll::remove, file, nullptr); }
i64 wait(i64 timeout = 0, i64 most = 8) { return call(Call::epoll_wait, queue, found, most, timeout); }
i64 new_queue() { return call(Call::epoll_create1, 0); }
i64 new_counter(int flags = open_flag::non_blocking) { return call(Call::eventfd2, 0, flags); }
i64 post(i64 file, u64 value = 1) { return call(Call::write, file, &value, sizeof value); }
i64 take(i64 file) {
  u64 value = 0;
  const i64 count = call(Call::read, file, &value, sizeof value);
  return count < 0 ? count : static_cast<i64>(value);
}

void begin(std::string_view part) {
  begin_part(part);
  queue = static_cast<int>(new_queue());
  call(Call::pipe2, ends, open_flag::non_blocking);
}
void finish() {
  call(Call::close, queue);
  call(Call::close, ends[0]);
  call(Call::close, ends[1]);
}

void errors() {
  begin("epoll errors");
  show("create 0", call(Call::epoll_create, 0));
  show("create1 with flags", call(Call::epoll_create1, 1));
  show("add", add(ends[0], ready::in));
  show("again", add(ends[0], ready::in));
  const i64 second_number = call(Call::dup, ends[0]);
  show("its dup", add(second_number, ready::in));
  show("change of a stranger", change(ends[1], ready::in));
  show("remove of a stranger", remove(ends[1]));
  show("add of a closed one", add(99, ready::in));
  show("to no queue", control(99, epoll::add, ends[0], ready::in));
  show("to a pipe", control(ends[0], epoll::add, ends[1], ready::in));
  show("operation 9", control(queue, 9, ends[0], ready::in));
  show("event at a bad address", call(Call::epoll_ctl, queue, epoll::add, ends[1], unmapped_address));
  show("remove with one at a bad address",
       call(Call::epoll_ctl, queue, epoll::remove, second_number, unmapped_address));
  const i64 file = call(Call::open, "/abi/epoll", 0, 0);
  show("a regular file", add(file, ready::in));
  const i64 directory = call(Call::open, "/tmp", 0, 0);
  show("a directory", add(directory, ready::in));
  const i64 null = call(Call::open, "/dev/null", 0, 0);
  show("/dev/null", add(null, ready::in));
  show("itself", add(queue, ready::in));
  show("wait for 0", wait(0, 0));
  show("wait for -1", wait(0, -1));
  show("wait on a pipe", call(Call::epoll_wait, ends[0], found, 1, 0));
  call(Call::write, ends[1], "x", 1);
  show("wait into a bad address", call(Call::epoll_wait, queue, unmapped_address, 1, 0));
  show("it is not lost", wait());
  show("wait for 2^28", wait(0, 1 << 28));
  show("reading a queue", call(Call::read, queue, bytes, 8));
  show("writing a queue", call(Call::write, queue, bytes, 8));
  const Time bad{0, second};
  show("pwait2 with a bad time", call(Call::epoll_pwait2, queue, found, 1, &bad, nullptr, sizeof(u64)));
  const u64 mask = 0;
  show("pwait with a mask of 4 bytes", call(Call::epoll_pwait, queue, found, 1, 0, &mask, 4));
  for (const i64 open : {second_number, file, directory, null}) call(Call::close, open);
  finish();
}

// [asterinas] cycles of one and of three; depth.
void cycles() {
  begin("epoll cycles");
  const int other = static_cast<int>(new_queue()), third = static_cast<int>(new_queue());
  show("a queue in a queue", control(queue, epoll::add, other, ready::in));
  show("a cycle of two", control(other, epoll::add, queue, ready::in));
  show("a chain of three", control(other, epoll::add, third, ready::in));
  show("a cycle of three", control(third, epoll::add, queue, ready::in));
  show("exclusive", control(third, epoll::add, queue, ready::in | epoll::exclusive));
  int chain[8];
  for (int& one : chain) one = static_cast<int>(new_queue());
  i64 depth = 0;
  while (depth < 7 && control(chain[depth], epoll::add, chain[depth + 1], ready::in) == 0) ++depth;
  show("how deep", depth);
  call(Call::write, ends[1], "x", 1);
  control(third, epoll::add, ends[0], ready::in, 3);
  show("ready through three", wait());
  show("  with", found[0].events);
  call(Call::read, ends[0], bytes, 1);
  show("not any more", wait());
  for (const int one : chain) call(Call::close, one);
  call(Call::close, other);
  call(Call::close, third);
  finish();
}

void levels() {
  begin("epoll level");
  add(ends[0], ready::in, 77);
  show("empty", wait());
  call(Call::write, ends[1], "xy", 2);
  show("a byte", wait());
  show("  data", static_cast<i64>(found[0].data));
  show("  events", found[0].events);
  show("again", wait());
  call(Call::read, ends[0], bytes, 1);
  show("one left", wait());
  call(Call::read, ends[0], bytes, 1);
  show("none left", wait());
  show("writer", add(ends[1], ready::out, 78));
  show("has room", wait());
  show("change to what is not there", change(ends[1], ready::in, 78));
  show("nothing", wait());
  call(Call::close, ends[1]);
  show("hang-up unasked", wait());
  show("  events", found[0].events);
  show("  data", static_cast<i64>(found[0].data));
  show("nothing wanted, hang-up all the same", (change(ends[0], 0, 5), wait()));
  call(Call::close, ends[0]);
  show("closed files leave", wait());
  call(Call::pipe2, ends, 0);
  finish();
}

// [nanos#1560] toggling; [shadow#2673, WSL#2462] eventfd: every write is an edge; [tgoskits#1034] drained and ready
// again with no wait in between.
void edges() {
  begin("epoll edge");
  add(ends[0], ready::in | epoll::edge, 1);
  call(Call::write, ends[1], "x", 1);
  show("first", wait());
  show("no second", wait());
  call(Call::write, ends[1], "x", 1);
  show("more bytes", wait());
  call(Call::read, ends[0], bytes, 1);
  show("a byte left is no edge", wait());
  call(Call::read, ends[0], bytes, 9);
  call(Call::write, ends[1], "x", 1);
  show("drained, then ready", wait());
  call(Call::read, ends[0], bytes, 9);
  show("drained", wait());
  call(Call::write, ends[1], "x", 1);
  call(Call::read, ends[0], bytes, 9);
  show("came and went", wait());
  call(Call::write, ends[1], "x", 1);
  call(Call::read, ends[0], bytes, 9);
  call(Call::write, ends[1], "x", 1);
  show("came, went, came", wait());
  call(Call::close, ends[1]);
  show("hang-up", wait());
  show("  events", found[0].events);
  show("once", wait());
  const i64 counter = new_counter();
  show("eventfd", add(counter, ready::in | epoll::edge, 2));
  post(counter);
  show("write", wait());
  show("nothing", wait());
  post(counter);
  show("a write without a read", wait());
  post(counter);
  post(counter);
  show("two writes", wait());
  show("value", take(counter));
  show("after the read", wait());
  change(counter, ready::in | ready::out | epoll::edge, 2);
  show("in and out", wait());
  show("  events", found[0].events);
  post(counter);
  show("a write", wait());
  show("  events", found[0].events);
  take(counter);
  show("a read makes room, no edge of out unless it was full", wait());
  post(counter, ~u64{0} - 1);
  show("full", wait());
  show("  events", found[0].events);
  take(counter);
  show("room again", wait());
  show("  events", found[0].events);
  call(Call::close, counter);
  finish();
}

// [asio#452] ADD and MOD look at what is ready already.
void arming() {
  begin("epoll arming");
  call(Call::write, ends[1], "x", 1);
  add(ends[0], ready::in | epoll::edge, 1);
  show("ready before it was added", wait());
  show("told", wait());
  change(ends[0], ready::in | epoll::edge, 2);
  show("change arms again", wait());
  show("  data", static_cast<i64>(found[0].data));
  show("told", wait());
  remove(ends[0]);
  add(ends[0], ready::in | epoll::edge, 3);
  show("added anew", wait());
  finish();
}

// [nuttx#8871, elfuse#5] disarmed until changed.
void one_shots() {
  begin("epoll one-shot");
  const i64 counter = new_counter();
  add(ends[0], ready::in | epoll::one_shot, 1);
  add(counter, ready::in | epoll::one_shot, 2);
  call(Call::write, ends[1], "x", 1);
  show("first", wait());
  show("none", wait());
  call(Call::write, ends[1], "x", 1);
  show("a write does not arm", wait());
  post(counter);
  show("the other is armed still", wait());
  show("  data", static_cast<i64>(found[0].data));
  change(ends[0], ready::in | epoll::one_shot, 3);
  show("armed again", wait());
  show("  data", static_cast<i64>(found[0].data));
  show("none", wait());
  show("add does not", add(ends[0], ready::in | epoll::one_shot));
  change(ends[0], ready::in | epoll::one_shot | epoll::edge, 4);
  show("with edge", wait());
  call(Call::write, ends[1], "x", 1);
  show("none", wait());
  call(Call::close, ends[1]);
  show("no hang-up either", wait());
  change(ends[0], ready::in, 5);
  show("until changed", wait());
  show("  events", found[0].events);
  call(Call::close, counter);
  finish();
}

i64 waiters_woken(u32 flags, int waiters) {
  static int results[2];
  static u32 wanted;
  call(Call::pipe2, results, 0);
  wanted = flags;
  for (int i = 0; i < waiters; ++i) {
    if (call(Call::fork) != 0) continue;
    queue = static_cast<int>(new_queue());
    add(ends[0], wanted, 1);
    if (wait(5000) == 1) call(Call::write, results[1], "w", 1);
    sleep_milliseconds(200);
    end(0);
  }
  sleep_milliseconds(60);
  call(Call::write, ends[1], "x", 1);
  sleep_milliseconds(60);
  call(Call::fcntl, results[0], control::set_flags, open_flag::non_blocking);
  const i64 count = call(Call::read, results[0], bytes, 100);
  call(Call::read, ends[0], bytes, 100);
  call(Call::write, ends[1], "yyyy", 4);  // lets the rest go
  while (wait_for(-1) >= 0) {
  }
  call(Call::read, ends[0], bytes, 100);
  call(Call::close, results[0]);
  call(Call::close, results[1]);
  return count;
}

void exclusives() {
  begin("epoll exclusive");
  show("with one-shot", add(ends[0], ready::in | epoll::exclusive | epoll::one_shot));
  show("with read hang-up", add(ends[0], ready::in | epoll::exclusive | ready::read_hang_up));
  show("with edge", add(ends[0], ready::in | epoll::exclusive | epoll::edge));
  show("change", change(ends[0], ready::in));
  show("change to exclusive",
       (remove(ends[0]), add(ends[0], ready::in), change(ends[0], ready::in | epoll::exclusive)));
  remove(ends[0]);
  show("three wait, not exclusive", waiters_woken(ready::in, 3));
  show("three wait, exclusive", waiters_woken(ready::in | epoll::exclusive, 3));
  finish();
}

void turns() {
  begin("epoll turns");
  i64 counters[4];
  for (int i = 0; i < 4; ++i) {
    counters[i] = new_counter();
    add(counters[i], ready::in, static_cast<u64>(i));
    post(counters[i]);
  }
  for (int round = 0; round < 3; ++round) {
    show("two at a time", wait(0, 2));
    show("  first", static_cast<i64>(found[0].data));
    show("  second", static_cast<i64>(found[1].data));
  }
  show("all", wait());
  for (const i64 counter : counters) call(Call::close, counter);
  finish();
}

void lifetimes() {
  begin("epoll lifetime");
  const i64 copy = call(Call::dup, ends[0]);
  add(ends[0], ready::in, 1);
  call(Call::write, ends[1], "x", 1);
  call(Call::close, ends[0]);
  show("watched while the file is open", wait());
  show("by a number that is closed", remove(ends[0]));
  call(Call::close, copy);
  show("gone with the last", wait());
  call(Call::close, ends[1]);
  call(Call::pipe2, ends, 0);
  add(ends[0], ready::in, 1);
  call(Call::write, ends[1], "x", 1);
  show("a child shares the queue", in_child([] { return static_cast<int>(wait()); }));
  show("a child may close its own", in_child([] {
         call(Call::close, ends[0]);
         return static_cast<int>(wait());
       }));
  finish();
}

void waits() {
  begin("epoll wait");
  i64 start = now();
  show("timeout", wait(30));
  show("not early", now() - start >= 30 * millisecond);
  Time time{0, 30 * millisecond};
  start = now();
  show("pwait2", call(Call::epoll_pwait2, queue, found, 1, &time, nullptr, sizeof(u64)));
  show("not early", now() - start >= 30 * millisecond);
  add(ends[0], ready::in, 1);
  i64 child = start_child([] {
    sleep_milliseconds(20);
    call(Call::write, ends[1], "x", 1);
    return 0;
  });
  show("woken", wait(-1));
  wait_for(child);
  call(Call::read, ends[0], bytes, 1);
  child = start_child([] {
    sleep_milliseconds(20);
    change(ends[1], ready::out, 9);
    add(ends[1], ready::out, 9);
    return 0;
  });
  show("woken by an add", wait(5000));
  show("  data", static_cast<i64>(found[0].data));
  wait_for(child);
  PollEntry entry{queue, ready::in, 0};
  show("poll of a queue", call(Call::poll, &entry, 1, 0));
  remove(ends[1]);
  show("of one with nothing", call(Call::poll, &entry, 1, 0));
  child = start_child([] {
    sleep_milliseconds(20);
    call(Call::write, ends[1], "x", 1);
    return 0;
  });
  show("poll waits for a queue", call(Call::poll, &entry, 1, 5000));
  wait_for(child);
  finish();
}

}  // namespace

int main_program(int, char**, char**) {
  errors();
  cycles();
  levels();
  edges();
  arming();
  one_shots();
  exclusives();
  turns();
  lifetimes();
  waits();
  return 0;
}
