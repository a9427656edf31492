// The serial terminal: modes, the line discipline, job control. What is typed comes by TIOCSTI, so that no host types.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

// asm-generic/ioctls.h
namespace request {
constexpr int get_modes = 0x5401, set_modes = 0x5402, set_controlling = 0x540E, get_group = 0x540F, set_group = 0x5410,
              type = 0x5412, get_size = 0x5413, set_size = 0x5414, waiting = 0x541B, flush = 0x540B,
              get_session = 0x5429, drain = 0x5409;
}
// asm-generic/termbits.h
struct Modes {
  u32 input, output, control, local;
  u8 line;
  u8 characters[19];
};
constexpr u32 canonical = 2, signals_bit = 1, to_stop = 0x100;
constexpr int time_slot = 5, least_slot = 6;

i64 terminal;
char bytes[5000];

void type(std::string_view text) {
  for (const char byte : text) {
    const i64 result = call(Call::ioctl, terminal, request::type, &byte);
    if (result < 0) show("TIOCSTI", result);
  }
}

i64 read_some(u64 most = 100) { return call(Call::read, terminal, bytes, most); }

void show_read(std::string_view what, u64 most = 100) {
  const i64 count = read_some(most);
  if (count < 0) return show(what, count);
  for (i64 i = 0; i < count; ++i) {
    if (bytes[i] < 32 || bytes[i] == 127) bytes[i] = '$';
  }
  show(what, {bytes, static_cast<u64>(count)});
}

Modes modes() {
  Modes now{};
  call(Call::ioctl, terminal, request::get_modes, &now);
  return now;
}

void set(u32 local, u8 least = 1, u8 time = 0) {
  Modes wanted = modes();
  wanted.local = local;
  wanted.characters[least_slot] = least;
  wanted.characters[time_slot] = time;
  call(Call::ioctl, terminal, request::set_modes, &wanted);
}

void requests() {
  begin_part("ioctl");
  int ends[2];
  call(Call::pipe2, ends, 0);
  show("modes of a pipe", call(Call::ioctl, ends[0], request::get_modes, bytes));
  const i64 file = call(Call::open, "/abi/terminal", 0, 0);
  show("modes of a file", call(Call::ioctl, file, request::get_modes, bytes));
  show("modes into a bad address", call(Call::ioctl, terminal, request::get_modes, unmapped_address));
  show("modes from a bad address", call(Call::ioctl, terminal, request::set_modes, unmapped_address));
  show("unknown", call(Call::ioctl, terminal, 0x54FF, 0));
  struct {
    u16 rows, columns, x, y;
  } size{25, 80, 0, 0};
  show("set size", call(Call::ioctl, terminal, request::set_size, &size));
  size = {};
  show("get size", call(Call::ioctl, terminal, request::get_size, &size));
  show("  columns", size.columns);
  show("  rows", size.rows);
  show("seek", call(Call::lseek, terminal, 0, 0));
  Status status{};
  call(Call::fstat, terminal, &status);
  show("a character device", (status.mode & 0170000) == 0020000);
  show("major", static_cast<i64>(status.special_device >> 8));
  call(Call::close, ends[0]);
  call(Call::close, ends[1]);
  call(Call::close, file);
}

void lines() {
  begin_part("line");
  set(canonical);
  call(Call::fcntl, terminal, control::set_flags, open_flag::non_blocking | open_flag::read_write);
  show_read("nothing");
  type("abc");
  show_read("half a line");
  type("\n");
  show_read("a line");
  type("one\ntwo\n");
  show_read("one line at a time");
  show_read("the next");
  type("long line\n");
  show_read("three bytes", 3);
  show_read("its rest");
  type(
      "abx\x7F"
      "c\n");
  show_read("erase");
  type("wrong\x15right\n");
  show_read("kill");
  type(
      "\x7F\x7F"
      "x\n");
  show_read("erase of nothing");
  type("ab\x04");
  show_read("end of file behind text");
  type("\x04");
  show_read("end of file");
  show_read("once");
  type("\n");
  show_read("an empty line");
  type("a\rb\n");
  show_read("a carriage return ends a line");
  show_read("what follows");
  set(canonical | 0x8000);
  type("two words\x17x\n");
  show_read("word erase");
  type(
      "a\x16\x04"
      "b\n");
  show_read("literal next");
  type("flushed\n");
  show("flush", call(Call::ioctl, terminal, request::flush, 0));
  show_read("gone");
  type("kept");
  int count = 0;
  call(Call::ioctl, terminal, request::waiting, &count);
  show("waiting, half a line", count);
  type("\n");
  call(Call::ioctl, terminal, request::waiting, &count);
  show("waiting, a line", count);
  PollEntry entry{static_cast<i32>(terminal), ready::in, 0};
  call(Call::poll, &entry, 1, 0);
  show("poll", entry.found);
  read_some();
  call(Call::poll, &entry, 1, 0);
  show("poll, empty", entry.found);
  for (int i = 0; i < 50; ++i)
    type("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789");
  type("\n");
  show("a line of 5000", read_some(5000));
  show("nothing behind it", read_some(5000));
}

void raw() {
  begin_part("raw");
  set(0);
  show_read("nothing");
  type("a");
  show_read("a byte at once");
  type("x\x7F\x15\n");
  show_read("nothing is edited");
  set(0, 0);
  show_read("least 0: nothing is 0");
  set(0, 3);
  PollEntry entry{static_cast<i32>(terminal), ready::in, 0};
  type("ab");
  show("poll, least 3, two there", call(Call::poll, &entry, 1, 0));
  type("c");
  show("three there", call(Call::poll, &entry, 1, 0));
  show_read("all");
  set(canonical);
  type("no line yet");
  set(0);
  show_read("half a line is there in raw mode");
  call(Call::fcntl, terminal, control::set_flags, open_flag::read_write);
  set(0, 0, 1);
  i64 start = now();
  show("a tenth of a second", read_some());
  show("not early", now() - start >= 90 * millisecond);
  set(0, 1);
  const i64 child = start_child([] {
    sleep_milliseconds(20);
    type("z");
    return 0;
  });
  show_read("a reader waits");
  wait_for(child);
  set(canonical | signals_bit);
}

/// A child that types `bytes`, each so many tenths of a second after the one before.
i64 typist(std::string_view letters, i64 tenths) {
  static std::string_view text;
  static i64 pause;
  text = letters;
  pause = tenths * 100 * millisecond / 1'000'000;
  return start_child([] {
    for (const char& letter : text) {
      sleep_milliseconds(pause);
      type({&letter, 1});
    }
    return 0;
  });
}

/// What a read gets, and how many tenths of a second it takes.
void show_timed_read(std::string_view what, u64 most = 100) {
  const i64 start = now();
  show_read(what, most);
  show("  tenths of a second", (now() - start + 50 * millisecond) / (100 * millisecond));
}

/// The four cases of termios(3): VMIN and VTIME, with a reader that may wait.
void least_and_time() {
  begin_part("VMIN and VTIME");
  set(0, 0, 0);
  show_timed_read("0, 0: nothing");
  type("abc");
  show_timed_read("0, 0: what is there");
  set(0, 3, 0);
  i64 child = typist("12345", 2);
  show_timed_read("3, 0: three, however late");
  wait_for(child);
  show_timed_read("3, 0: a short read", 2);
  type("67");
  show_timed_read("3, 0: two of two", 2);
  set(0, 0, 3);
  show_timed_read("0, 3: nothing comes");
  child = typist("xy", 1);
  show_timed_read("0, 3: the first byte");
  wait_for(child);
  show_timed_read("0, 3: what is there");
  set(0, 4, 3);
  child = typist("abcdefgh", 2);
  show_timed_read("4, 3: four in time");
  wait_for(child);
  show_timed_read("4, 3: four that are there", 4);
  child = typist("pq", 5);
  show_timed_read("4, 3: the timer begins with a byte");
  wait_for(child);
  show_timed_read("4, 3: again");
  type("z");
  show_timed_read("4, 3: one that is there");
  PollEntry entry{static_cast<i32>(terminal), ready::in, 0};
  type("z");
  show("4, 3: poll, one there", call(Call::poll, &entry, 1, 0));
  call(Call::fcntl, terminal, control::set_flags, open_flag::read_write | open_flag::non_blocking);
  show_timed_read("4, 3: one there, a reader that may not wait");
  show_timed_read("4, 3: none");
  set(0, 0, 3);
  show_timed_read("0, 3: none");
  set(0, 0, 0);
  show_timed_read("0, 0: none");
  set(0, 4, 0);
  type("ab");
  show_timed_read("4, 0: two there, a reader that may not wait");
  call(Call::fcntl, terminal, control::set_flags, open_flag::read_write);
  type("ab");
  handle(signal::alarm, [](int, abi::SignalInformation*, abi::UserContext*) {});
  static i64 reader;
  reader = call(Call::getpid);
  child = start_child([] {
    sleep_milliseconds(100);
    return static_cast<int>(-call(Call::kill, reader, signal::alarm));
  });
  show_timed_read("4, 0: a signal after two");
  wait_for(child);
  set_action(signal::alarm, abi::default_handler);
  set(canonical | signals_bit);
}

volatile int got = 0;

/// A signal from the keyboard drops what is still to be shown, and so does the end of a session.
void drain() { call(Call::ioctl, terminal, request::drain, 1); }

void jobs() {
  begin_part("job control");
  i32 group = 0;
  show("session", call(Call::getsid, 0) == call(Call::getpid));
  i32 session = 0;
  show("of the terminal", call(Call::ioctl, terminal, request::get_session, &session));
  show("  the same", session == call(Call::getpid));
  show("foreground group", call(Call::ioctl, terminal, request::get_group, &group));
  show("  own", group == call(Call::getpgrp));
  const i64 tty = call(Call::open, "/dev/tty", open_flag::read_write, 0);
  show("/dev/tty", tty >= 0);
  show("  is the same", call(Call::ioctl, tty, request::get_group, &group));
  call(Call::close, tty);
  const Handler note = [](int number, abi::SignalInformation*, abi::UserContext*) { got = number; };
  handle(signal::interrupt, note);
  handle(signal::quit, note);
  handle(signal::terminal_stop, note);
  drain();
  type("lost\x03");
  show("Ctrl-C", got);
  drain();
  type("\x1C");
  show("Ctrl-backslash", got);
  drain();
  type("\x1A");
  show("Ctrl-Z", got);
  type("line\n");
  show_read("what was typed before is gone");
  group = 99999;
  show("foreground group of nobody", call(Call::ioctl, terminal, request::set_group, &group));
  group = -1;
  show("foreground group -1", call(Call::ioctl, terminal, request::set_group, &group));
  i64 child = start_child([] {
    call(Call::setpgid, 0, 0);
    return static_cast<int>(read_some());
  });
  show("a background reader stops", wait_for(child, wait_option::untraced));
  i32 child_group = static_cast<i32>(child);
  show("give it the terminal", call(Call::ioctl, terminal, request::set_group, &child_group));
  type("for the child\n");
  call(Call::kill, -child, signal::resume);
  show("it reads", wait_for(child));
  set_action(signal::terminal_output, abi::ignore_handler);
  group = static_cast<i32>(call(Call::getpgrp));
  show("take it back", call(Call::ioctl, terminal, request::set_group, &group));
  set_action(signal::terminal_output, abi::default_handler);
  child = start_child([] {
    call(Call::setpgid, 0, 0);
    set_action(signal::terminal_input, abi::ignore_handler);
    return static_cast<int>(-read_some());
  });
  show("a background reader that ignores it", wait_for(child));
  child = start_child([] {
    call(Call::setpgid, 0, 0);
    return call(Call::write, terminal, "", 0) == 0 ? 0 : 1;
  });
  show("a background writer may write", wait_for(child, wait_option::untraced));
  Modes wanted = modes();
  wanted.local |= to_stop;
  call(Call::ioctl, terminal, request::set_modes, &wanted);
  child = start_child([] {
    call(Call::setpgid, 0, 0);
    call(Call::write, terminal, "x", 1);
    return 0;
  });
  show("unless it is told to stop", wait_for(child, wait_option::untraced));
  wanted.local &= ~to_stop;
  call(Call::ioctl, terminal, request::set_modes, &wanted);
  call(Call::kill, child, signal::kill);
  wait_for(child);
  child = start_child([] {
    call(Call::setpgid, 0, 0);
    Modes own = modes();
    call(Call::ioctl, terminal, request::set_modes, &own);
    return 0;
  });
  show("a background process that sets modes stops", wait_for(child, wait_option::untraced));
  call(Call::kill, child, signal::kill);
  wait_for(child);
  child = start_child([] {
    call(Call::setsid);
    return call(Call::open, "/dev/tty", open_flag::read_write, 0) == -6 ? 0 : 1;
  });
  show("a new session has no terminal", wait_for(child));
}

}  // namespace

int main_program(int, char**, char**) {
  // A session of its own: on both systems the first process has the console, which can't be a controlling terminal.
  if (call(Call::getsid, 0) != call(Call::getpid) && call(Call::setsid) < 0) {
    const i64 child = call(Call::fork);
    if (child != 0) return static_cast<int>(wait_for(child) >> 8);
    call(Call::setsid);
  }
  terminal = call(Call::open, "/dev/ttyS0", open_flag::read_write, 0);
  begin_part("terminal");
  show("controlling", call(Call::ioctl, terminal, request::set_controlling, 0));
  const Modes before = modes();
  requests();
  lines();
  raw();
  least_and_time();
  jobs();
  call(Call::ioctl, terminal, request::set_modes, &before);
  drain();
  return 0;
}
