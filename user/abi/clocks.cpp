// Setting the clock, times(2), the kernel's log, and fallocate(2).
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr int realtime = 0, monotonic = 1;

i64 seconds_of(int clock) {
  Time time{};
  call(Call::clock_gettime, clock, &time);
  return time.seconds;
}

void setting() {
  begin_part("clock");
  const i64 before = seconds_of(monotonic);
  const Time wanted{1'000'000'000, 0};
  show("clock_settime", call(Call::clock_settime, realtime, &wanted));
  const i64 now_is = seconds_of(realtime);
  show("it is that time", now_is >= 1'000'000'000 && now_is < 1'000'000'003 ? 1 : now_is);
  show("the monotonic clock goes on", seconds_of(monotonic) - before < 3 ? 1 : 0);
  const Time day[] = {{1'500'000'000, 0}};
  show("settimeofday", call(Call::settimeofday, day, nullptr));
  show("it is that time too", seconds_of(realtime) - 1'500'000'000 < 3 ? 1 : 0);
  show("the monotonic clock can't be set", call(Call::clock_settime, monotonic, &wanted));
  const Time bad{5, 1'000'000'000};
  show("too many nanoseconds", call(Call::clock_settime, realtime, &bad));
  show("at a bad address", call(Call::clock_settime, realtime, unmapped_address));
  in_child([] {
    const Time time{1'000'000'000, 0};
    call(Call::setuid, 1000);
    show("by somebody else", call(Call::clock_settime, realtime, &time));
    show("settimeofday by somebody else", call(Call::settimeofday, &time, nullptr));
    return 0;
  });
}

struct Times {
  i64 user, system, children_user, children_system;
};

void using_time() {
  begin_part("times");
  Times times{-1, -1, -1, -1};
  const i64 first = call(Call::times, &times);
  show("at first little", times.user >= 0 && times.user < 50 ? 1 : times.user);
  sleep_milliseconds(50);
  const i64 later = call(Call::times, nullptr);
  show("hundredths go on", later - first >= 4 && later - first < 40 ? 1 : later - first);
  in_child([] {
    const i64 until = now() + 100 * millisecond;
    while (now() < until) {
    }
    return 0;
  });
  call(Call::times, &times);
  const i64 of_child = times.children_user + times.children_system;
  show("a child's 100 ms", of_child >= 5 && of_child <= 20 ? 1 : of_child);
  show("at a bad address", call(Call::times, unmapped_address));
}

void log() {
  begin_part("log");
  static char text[1 << 17];
  const i64 size = call(Call::syslog, 3, text, sizeof text);
  show("there is a log", size > 100 ? 1 : size);
  show("lines begin with a level", text[0] == '<' && text[2] == '>' ? 1 : 0);
  show("a part of it is no more", call(Call::syslog, 3, text, 100) <= 100 ? 1 : 0);
  show("its size", call(Call::syslog, 10, nullptr, 0) > 0 ? 1 : 0);
  show("console level 9", call(Call::syslog, 8, nullptr, 9));
  show("console level 0", call(Call::syslog, 8, nullptr, 0));
  show("console level 1", call(Call::syslog, 8, nullptr, 1));
  show("clear", call(Call::syslog, 5, nullptr, 0));
  show("no text", call(Call::syslog, 3, nullptr, 10));
  show("negative size", call(Call::syslog, 3, text, -1));
  show("no such action", call(Call::syslog, 11, text, 10));
  in_child([] {
    call(Call::setuid, 1000);
    show("clear by somebody else", call(Call::syslog, 5, nullptr, 0));
    return 0;
  });
}

void setting_aside() {
  begin_part("fallocate");
  const i64 file = call(Call::open, "/tmp/aside", open_flag::create | open_flag::read_write, 0600);
  Status status{};
  show("10000 bytes", call(Call::fallocate, file, 0, 0, 10000));
  call(Call::fstat, file, &status);
  show("it is so long", status.size);
  show("less", call(Call::fallocate, file, 0, 0, 10));
  show("without growing", call(Call::fallocate, file, 1, 20000, 10));
  call(Call::fstat, file, &status);
  show("it is as long as before", status.size);
  show("nothing", call(Call::fallocate, file, 0, 0, 0));
  show("at a negative place", call(Call::fallocate, file, 0, -1, 10));
  show("unknown modes", call(Call::fallocate, file, 0x1000, 0, 10));
  int ends[2];
  call(Call::pipe2, ends, 0);
  show("of a pipe", call(Call::fallocate, ends[1], 0, 0, 10));
  show("of what can't be written", call(Call::fallocate, ends[0], 0, 0, 10));
  show("of nothing", call(Call::fallocate, 99, 0, 0, 10));
  call(Call::close, file);
  call(Call::unlink, "/tmp/aside");
}

}  // namespace

int main_program(int, char**, char**) {
  setting();
  using_time();
  log();
  setting_aside();
  return 0;
}
