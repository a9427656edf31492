// eventfd, timerfd and signalfd; sleeping and clocks.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr int realtime = 0, monotonic = 1;

i64 post(i64 file, u64 value) { return call(Call::write, file, &value, sizeof value); }
i64 take(i64 file) {
  u64 value = 0;
  const i64 count = call(Call::read, file, &value, sizeof value);
  return count < 0 ? count : static_cast<i64>(value);
}

i64 counter;

void counters() {
  begin_part("eventfd");
  show("flags 8", call(Call::eventfd2, 0, 8));
  counter = call(Call::eventfd2, 3, open_flag::non_blocking);
  show("initial", take(counter));
  show("empty", take(counter));
  u64 value = 1;
  show("read 4 bytes", call(Call::read, counter, &value, 4));
  show("write 4 bytes", call(Call::write, counter, &value, 4));
  show("read 100 bytes", (post(counter, 1), call(Call::read, counter, &value, 8)));
  post(counter, 2);
  post(counter, 5);
  show("sum", take(counter));
  show("write all ones", post(counter, ~u64{0}));
  show("write the most", post(counter, ~u64{0} - 1));
  show("one more", post(counter, 1));
  show("zero more", post(counter, 0));
  show("read into a bad address", call(Call::read, counter, unmapped_address, 8));
  show("write from a bad address", call(Call::write, counter, unmapped_address, 8));
  show("seek", call(Call::lseek, counter, 0, 0));
  call(Call::close, counter);
  counter = call(Call::eventfd2, 2, 1 | open_flag::non_blocking);
  show("semaphore", take(counter));
  show("again", take(counter));
  show("empty", take(counter));
  call(Call::close, counter);
  counter = call(Call::eventfd2, 0, 0);
  const i64 child = start_child([] {
    sleep_milliseconds(20);
    post(counter, 9);
    return 0;
  });
  show("a reader waits", take(counter));
  wait_for(child);
  post(counter, ~u64{0} - 1);
  const i64 reader = start_child([] {
    sleep_milliseconds(20);
    take(counter);
    return 0;
  });
  show("a writer waits", post(counter, 4));
  show("value", take(counter));
  wait_for(reader);
  call(Call::close, counter);
}

i64 set(i64 file, i64 value, i64 period, int flags = 0) {
  const TimerSetting setting{{period / 1000, period % 1000 * millisecond}, {value / 1000, value % 1000 * millisecond}};
  return call(Call::timerfd_settime, file, flags, &setting, nullptr);
}

void timers() {
  begin_part("timerfd");
  show("clock 99", call(Call::timerfd_create, 99, 0));
  show("flags 1", call(Call::timerfd_create, monotonic, 1));
  const i64 timer = call(Call::timerfd_create, monotonic, open_flag::non_blocking);
  show("not set", take(timer));
  show("set 20 ms", set(timer, 20, 0));
  show("at once", take(timer));
  PollEntry entry{static_cast<i32>(timer), ready::in, 0};
  i64 start = now();
  show("poll", call(Call::poll, &entry, 1, 1000));
  show("not early", now() - start >= 15 * millisecond);
  show("count", take(timer));
  show("once", take(timer));
  TimerSetting setting{};
  set(timer, 5000, 0);
  show("gettime", call(Call::timerfd_gettime, timer, &setting));
  show("  seconds left", setting.value.seconds >= 4);
  show("  period", setting.period.seconds);
  set(timer, 0, 0);
  call(Call::timerfd_gettime, timer, &setting);
  show("stopped", setting.value.seconds + setting.value.nanoseconds);
  set(timer, 10, 10);
  sleep_milliseconds(55);
  const i64 count = take(timer);
  show("periodic, several", count >= 4 && count <= 7);
  call(Call::fcntl, timer, control::set_flags, 0);
  show("a reader waits", take(timer));
  set(timer, 0, 0);
  setting = {{0, 1}, {0, 1}};
  call(Call::timerfd_settime, timer, 0, &setting, nullptr);
  sleep_milliseconds(5);
  show("a period of 1 ns", take(timer) >= 5 * millisecond);
  setting = {{0, 7}, {0, 1}};
  call(Call::timerfd_settime, timer, 0, &setting, nullptr);
  sleep_milliseconds(7);
  show("of 7 ns", take(timer) >= millisecond);
  set(timer, 0, 0);
  show("value of bad nanoseconds",
       (setting = {{0, 0}, {0, second}}, call(Call::timerfd_settime, timer, 0, &setting, nullptr)));
  show("negative", (setting = {{0, 0}, {-1, 0}}, call(Call::timerfd_settime, timer, 0, &setting, nullptr)));
  show("flags 8", (setting = {{0, 0}, {1, 0}}, call(Call::timerfd_settime, timer, 8, &setting, nullptr)));
  show("at a bad address", call(Call::timerfd_settime, timer, 0, unmapped_address, nullptr));
  show("of a pipe", call(Call::timerfd_settime, 1, 0, &setting, nullptr));
  Time time{};
  call(Call::clock_gettime, monotonic, &time);
  start = now();
  setting = {{0, 0}, {time.seconds, time.nanoseconds + 20 * millisecond}};
  if (setting.value.nanoseconds >= second) setting.value = {time.seconds + 1, setting.value.nanoseconds - second};
  show("absolute", call(Call::timerfd_settime, timer, 1, &setting, nullptr));
  show("count", take(timer));
  show("not early", now() - start >= 19 * millisecond);
  setting = {{0, 0}, {0, 1}};
  show("absolute, long past", call(Call::timerfd_settime, timer, 1, &setting, nullptr));
  show("count", take(timer));
  u64 value = 0;
  show("write", call(Call::write, timer, &value, 8));
  show("read 4 bytes", call(Call::read, timer, &value, 4));
  const i64 wall = call(Call::timerfd_create, realtime, 0);
  show("of the wall clock", set(wall, 10, 0));
  show("count", take(wall));
  call(Call::close, timer);
  call(Call::close, wall);
}

/// From the last of four CPUs, if there are so many: another one looks after timers there, and may sleep.
void timers_elsewhere() {
  begin_part("timers elsewhere");
  u64 cpus = 8;
  call(Call::sched_setaffinity, 0, sizeof cpus, &cpus);
  sleep_milliseconds(150);  // so that the others are idle
  i64 start = now();
  sleep_milliseconds(30);
  show("a sleep is not late", now() - start < 200 * millisecond);
  const i64 timer = call(Call::timerfd_create, monotonic, 0);
  start = now();
  set(timer, 30, 0);
  show("a timer", take(timer));
  show("is not late", now() - start < 200 * millisecond);
  call(Call::close, timer);
  cpus = ~u64{0};
  call(Call::sched_setaffinity, 0, sizeof cpus, &cpus);
}

struct SignalRecord {
  u32 number;
  i32 error, code;
  u32 process;
  u8 rest[112];
};

void signals() {
  begin_part("signalfd");
  u64 mask = signal_bit(signal::user1) | signal_bit(signal::user2);
  show("mask of 4 bytes", call(Call::signalfd4, -1, &mask, 4, 0));
  show("flags 1", call(Call::signalfd4, -1, &mask, 8, 1));
  show("change of a pipe", call(Call::signalfd4, 1, &mask, 8, 0));
  change_mask(How::Block, mask);
  const i64 file = call(Call::signalfd4, -1, &mask, 8, open_flag::non_blocking);
  SignalRecord record[3] = {};
  show("none", call(Call::read, file, record, sizeof record));
  const i64 self = call(Call::getpid);
  call(Call::kill, self, signal::user2);
  call(Call::kill, self, signal::user1);
  PollEntry entry{static_cast<i32>(file), ready::in, 0};
  show("poll", call(Call::poll, &entry, 1, 0));
  show("100 bytes", call(Call::read, file, record, 100));
  show("one at a time", call(Call::read, file, record, sizeof(SignalRecord)));
  show("  number", record[0].number);
  show("  sender", record[0].process == self);
  show("the rest", call(Call::read, file, record, sizeof record));
  show("  number", record[0].number);
  show("taken", call(Call::poll, &entry, 1, 0));
  mask = signal_bit(signal::user1);
  show("another mask", call(Call::signalfd4, file, &mask, 8, 0) == file);
  call(Call::kill, self, signal::user2);
  show("not of this mask", call(Call::read, file, record, sizeof record));
  call(Call::fcntl, file, control::set_flags, 0);
  static i64 target;
  target = self;
  const i64 child = start_child([] {
    sleep_milliseconds(20);
    call(Call::kill, target, signal::user1);
    return 0;
  });
  show("a reader waits", call(Call::read, file, record, sizeof record));
  show("  sender", record[0].process == child);
  wait_for(child);
  mask = signal_bit(signal::user2);
  Time none{0, 0};
  show("sigtimedwait takes", call(Call::rt_sigtimedwait, &mask, nullptr, &none, 8));
  show("sigtimedwait, none", call(Call::rt_sigtimedwait, &mask, nullptr, &none, 8));
  change_mask(How::Set, 0);
  call(Call::close, file);
}

void clocks() {
  begin_part("clock");
  Time time{};
  show("clock 99", call(Call::clock_gettime, 99, &time));
  show("bad address", call(Call::clock_gettime, monotonic, unmapped_address));
  show("resolution", call(Call::clock_getres, monotonic, &time));
  const i64 first = now();
  for (int i = 0; i < 1000; ++i) call(Call::getpid);
  show("never back", now() >= first);
  i64 start = now();
  time = {0, 25 * millisecond};
  show("nanosleep", call(Call::nanosleep, &time, nullptr));
  show("not early", now() - start >= 25 * millisecond);
  time = {0, second};
  show("bad nanoseconds", call(Call::nanosleep, &time, nullptr));
  time = {-1, 0};
  show("negative", call(Call::nanosleep, &time, nullptr));
  show("at a bad address", call(Call::nanosleep, unmapped_address, nullptr));
  call(Call::clock_gettime, monotonic, &time);
  show("until the past", call(Call::clock_nanosleep, monotonic, 1, &time, nullptr));
  time.seconds += 0;
  time.nanoseconds += 20 * millisecond;
  if (time.nanoseconds >= second) time = {time.seconds + 1, time.nanoseconds - second};
  start = now();
  show("until a moment", call(Call::clock_nanosleep, monotonic, 1, &time, nullptr));
  show("not early", now() - start >= 15 * millisecond);
  show("clock 99", call(Call::clock_nanosleep, 99, 0, &time, nullptr));
  show("a thread's CPU time", call(Call::clock_nanosleep, 3, 0, &time, nullptr));
  for (const int clock : {2, 3}) {
    Time before{}, after{};
    call(Call::clock_gettime, clock, &before);
    sleep_milliseconds(50);
    call(Call::clock_gettime, clock, &after);
    const i64 slept = (after.seconds - before.seconds) * second + after.nanoseconds - before.nanoseconds;
    show("CPU time of a sleep", slept >= 0 && slept < 20 * millisecond);
    for (start = now(); now() - start < 30 * millisecond;) {
    }
    call(Call::clock_gettime, clock, &before);
    const i64 busy = (before.seconds - after.seconds) * second + before.nanoseconds - after.nanoseconds;
    show("of a loop", busy >= 15 * millisecond && busy <= 60 * millisecond);
  }
}

}  // namespace

int main_program(int, char**, char**) {
  counters();
  timers();
  timers_elsewhere();
  signals();
  clocks();
  return 0;
}
