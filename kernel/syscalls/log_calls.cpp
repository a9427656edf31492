// syslog(2), glibc's klogctl: the kernel's log for dmesg.
#include <algorithm>

#include "kernel/core/log.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

u64 read_up_to = 0, cleared_up_to = 0;  // places in the log

CallResult tell(u64 begin, u64 end, u64 into) {
  for (u64 at = begin; at < end;) {
    char piece[256];
    std::size_t count = 0;
    while (count < sizeof piece && at < end) piece[count++] = log_byte(at++);
    if (const auto told = copy_to_user(into, piece, count); !told) return fail(told.error());
    into += count;
  }
  return end - begin;
}

/// The first place from `at` on where a line begins, or `end`.
u64 line_from(u64 at, const LogRange& log) {
  if (at <= log.begin) return log.begin;
  while (at < log.end && log_byte(at - 1) != '\n') ++at;
  return at;
}

CallResult sys_syslog(Call& call) {
  enum Action : u64 {
    close = 0,
    open = 1,
    read = 2,
    read_all = 3,
    read_and_clear = 4,
    clear = 5,
    console_off = 6,
    console_on = 7,
    set_level = 8,
    unread = 9,
    size = 10
  };
  if (call.a > size) return fail(Errno::Invalid);
  if (call.a != read_all && call.a != size) {
    if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
  }
  static LogLevel level_before_off = LogLevel::Info;
  const LogRange log = log_range();
  const auto room = static_cast<i32>(call.c);
  switch (call.a) {
    case read:
    case read_all:
    case read_and_clear: {
      if (call.b == 0 || room < 0) return fail(Errno::Invalid);
      if (room == 0) return 0;
      const bool takes = call.a == read;
      const u64 oldest = std::max(log.begin, takes ? read_up_to : cleared_up_to);
      // read takes the oldest lines, read_all shows the newest.
      const u64 begin = takes || log.end - oldest <= static_cast<u64>(room)
                            ? oldest
                            : line_from(log.end - static_cast<u64>(room), log);
      const u64 end = std::min(log.end, begin + static_cast<u64>(room));
      const auto told = tell(begin, end, call.b);
      if (told && takes) read_up_to = end;
      if (told && call.a == read_and_clear) cleared_up_to = log.end;
      return told;
    }
    case clear:
      cleared_up_to = log.end;
      return 0;
    case console_off:
      if (console_level() != LogLevel::Emergency) level_before_off = console_level();
      set_console_level(LogLevel::Emergency);
      return 0;
    case console_on:
      set_console_level(level_before_off);
      return 0;
    case set_level:
      // Linux shows what is below the level, and this kernel what is not above it.
      if (room < 1 || room > 8) return fail(Errno::Invalid);
      set_console_level(static_cast<LogLevel>(room - 1));
      return 0;
    case unread:
      return log.end - std::max(log.begin, read_up_to);
    case size:
      return log_bytes;
    default:
      return 0;
  }
}

constexpr CallEntry entries[] = {{103, "syslog", sys_syslog}};

}  // namespace

std::span<const CallEntry> log_calls() { return entries; }

}  // namespace pulse
