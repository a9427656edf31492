// three-ways [KEYS [TICKS [TERMINAL]]]: the same keystrokes and timer ticks, received by every way of waiting, and what
// each costs. A: a thread for each source blocks in read(2). B: O_NONBLOCK, and poll(2) or select(2). C: an event
// queue, epoll(7). Beside them what needs no help of the kernel: to look every 5 ms, and to look all the time.
//
// "instructions" are all that the machine executed meanwhile: the program's, the kernel's, interrupt handlers' (on
// Vitrine, abi/instruction_count.h). A halted CPU executes none.
#include "abi/instruction_count.h"
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr i64 period = 10 * millisecond, look_period = 5 * millisecond, microsecond = 1000;
constexpr int monotonic = 1, absolute_time = 1;
constexpr i64 try_again = -11;

u64 wanted_keys = 16, wanted_ticks = 32;
const char* terminal_name = "/dev/tty";

// asm-generic/termbits.h, asm-generic/ioctls.h
struct Modes {
  u32 input, output, control, local;
  u8 line;
  u8 characters[19];
};
constexpr u32 canonical = 2, echo = 8;
constexpr int get_modes = 0x5401, set_modes = 0x5402, flush = 0x540B, flush_input = 0;

/// What one way of waiting has come to.
struct Tally {
  u64 keys = 0, ticks = 0;
  u64 calls = 0;     ///< system calls; those that ask for the time are not counted
  u64 wake_ups = 0;  ///< calls that may block and came back
  u64 in_vain = 0;   ///< reads that found nothing
  i64 delays = 0, longest_delay = 0;
};
Tally tally;
i64 keyboard, timer;
i64 first_due;

[[noreturn]] void give_up(std::string_view what, i64 answer) {
  show(what, answer);
  end(1);
}

template <class... Words>
i64 counted(Call number, Words... words) {
  __atomic_fetch_add(&tally.calls, 1, __ATOMIC_RELAXED);
  return call(number, words...);
}
void woken() { __atomic_fetch_add(&tally.wake_ups, 1, __ATOMIC_RELAXED); }

bool all_keys() { return tally.keys >= wanted_keys; }
bool all_ticks() { return tally.ticks >= wanted_ticks; }
bool all_received() { return all_keys() && all_ticks(); }

void read_keys() {
  char bytes[32];
  const i64 count = counted(Call::read, keyboard, bytes, sizeof bytes);
  if (count == try_again) {
    ++tally.in_vain;
  } else if (count <= 0) {
    give_up("reading the terminal", count);
  } else {
    tally.keys += static_cast<u64>(count);
  }
}

void read_ticks() {
  u64 count = 0;
  const i64 result = counted(Call::read, timer, &count, sizeof count);
  if (result == try_again) {
    ++tally.in_vain;
    return;
  }
  if (result != sizeof count) give_up("reading the timer", result);
  const i64 due = first_due + static_cast<i64>(tally.ticks) * period;
  const i64 delay = now() - due;
  tally.delays += delay;
  if (delay > tally.longest_delay) tally.longest_delay = delay;
  tally.ticks += count;
}

// --- the ways -------------------------------------------------------------------------------------------------------

alignas(16) u8 thread_stack[16384];

void block_for_ticks(void*) {
  while (!all_ticks()) {
    read_ticks();
    woken();
  }
}

void block() {
  u32 alive = 0;
  const i64 started = start_thread(block_for_ticks, nullptr, thread_stack + sizeof thread_stack, &alive);
  if (started < 0) give_up("clone", started);
  while (!all_keys()) {
    read_keys();
    woken();
  }
  wait_for_thread(&alive);
}

void use_poll() {
  while (!all_received()) {
    PollEntry entries[] = {{static_cast<i32>(keyboard), ready::in, 0}, {static_cast<i32>(timer), ready::in, 0}};
    const i64 count = counted(Call::poll, entries, 2, -1);
    if (count < 0) give_up("poll", count);
    woken();
    if (entries[0].found != 0) read_keys();
    if (entries[1].found != 0) read_ticks();
  }
}

void use_select() {
  while (!all_received()) {
    u64 files[16] = {};  // fd_set
    files[0] = u64{1} << keyboard | u64{1} << timer;
    const i64 most = (keyboard > timer ? keyboard : timer) + 1;
    const i64 count = counted(Call::select, most, files, nullptr, nullptr, nullptr);
    if (count < 0) give_up("select", count);
    woken();
    if ((files[0] >> keyboard & 1) != 0) read_keys();
    if ((files[0] >> timer & 1) != 0) read_ticks();
  }
}

void use_epoll() {
  const i64 queue = counted(Call::epoll_create1, 0);
  for (const i64 source : {keyboard, timer}) {
    const EpollEvent interest{ready::in, static_cast<u64>(source)};
    if (const i64 result = counted(Call::epoll_ctl, queue, epoll::add, source, &interest); result < 0)
      give_up("epoll_ctl", result);
  }
  while (!all_received()) {
    EpollEvent events[2];
    const i64 count = counted(Call::epoll_wait, queue, events, 2, -1);
    if (count < 0) give_up("epoll_wait", count);
    woken();
    for (i64 i = 0; i < count; ++i) {
      if (static_cast<i64>(events[i].data) == keyboard) {
        read_keys();
      } else {
        read_ticks();
      }
    }
  }
  counted(Call::close, queue);
}

void look_now_and_then() {
  while (!all_received()) {
    const Time pause{0, look_period};
    counted(Call::nanosleep, &pause, nullptr);
    woken();
    read_keys();
    read_ticks();
  }
}

void look_all_the_time() {
  while (!all_received()) {
    read_keys();
    read_ticks();
  }
}

/// What the machine does anyway.
void wait_for_nothing() {
  const Time pause{0, static_cast<i64>(wanted_ticks) * period};
  counted(Call::nanosleep, &pause, nullptr);
  woken();
}

struct Way {
  std::string_view name;
  void (*receive)();
  bool blocking_reads = false;
};
constexpr Way ways[] = {
    {"nobody waits", wait_for_nothing},
    {"A blocking read", block, true},
    {"B poll", use_poll},
    {"B select", use_select},
    {"C epoll", use_epoll},
    {"look every 5 ms", look_now_and_then},
    {"look all the time", look_all_the_time},
};

// --- the table ------------------------------------------------------------------------------------------------------

struct Column {
  std::string_view title;
  u64 width;
};
constexpr Column columns[] = {
    {"", 17},    {"instructions", 12}, {"of the CPU", 10}, {"calls", 7},       {"wake-ups", 8},  {"in vain", 7},
    {"keys", 4}, {"ticks", 5},         {"ms", 5},          {"mean delay", 10}, {"max delay", 9},
};

void put_cell(const Column& column, std::string_view text) {
  const bool first = column.title.empty();
  if (first) print(text);
  for (u64 i = text.size(); i < column.width; ++i) print(" ");
  if (!first) print(text);
  print(&column == &columns[std::size(columns) - 1] ? "\n" : " | ");
}

/// In tenths, as "12.3" and a unit.
struct Text {
  char bytes[24];
  u64 first = sizeof bytes;
  explicit Text(u64 value) { put(value); }
  Text(u64 tenths, std::string_view unit) {
    for (u64 i = unit.size(); i > 0; --i) bytes[--first] = unit[i - 1];
    bytes[--first] = static_cast<char>('0' + tenths % 10);
    bytes[--first] = '.';
    put(tenths / 10);
  }
  [[nodiscard]] std::string_view view() const { return {bytes + first, sizeof bytes - first}; }

 private:
  void put(u64 value) {
    do {
      bytes[--first] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
  }
};

void print_row(const Way& way, u64 instructions, u64 nanoseconds) {
  const Column* column = columns;
  put_cell(*column++, way.name);
  const bool are_counted = instructions != 0;
  put_cell(*column++, are_counted ? Text(instructions).view() : "-");
  put_cell(*column++, are_counted ? Text(instructions * 1000 / nanoseconds, " %").view() : "-");
  for (const u64 value : {tally.calls, tally.wake_ups, tally.in_vain, tally.keys, tally.ticks})
    put_cell(*column++, Text(value).view());
  put_cell(*column++, Text(nanoseconds / millisecond).view());
  const bool has_delays = tally.ticks > 0;
  const u64 mean = has_delays ? static_cast<u64>(tally.delays) / tally.ticks : 0;
  put_cell(*column++, has_delays ? Text(mean * 10 / microsecond, " us").view() : "-");
  put_cell(*column++, has_delays ? Text(static_cast<u64>(tally.longest_delay) * 10 / microsecond, " us").view() : "-");
}

// --- sources --------------------------------------------------------------------------------------------------------

void open_sources(const Way& way) {
  const int flags = way.blocking_reads ? 0 : open_flag::non_blocking;
  constexpr int no_controlling_terminal = 0400;
  keyboard = call(Call::open, terminal_name, open_flag::read_write | no_controlling_terminal | flags, 0);
  if (keyboard < 0) give_up(terminal_name, keyboard);
  timer = call(Call::timerfd_create, monotonic, flags);
  if (timer < 0) give_up("timerfd_create", timer);
  call(Call::ioctl, keyboard, flush, flush_input);  // what was typed before is nobody's
  first_due = (now() / period + 2) * period;
  const TimerSetting setting{{0, period}, {first_due / second, first_due % second}};
  call(Call::timerfd_settime, timer, absolute_time, &setting, nullptr);
}

void measure(const Way& way) {
  open_sources(way);
  tally = {};
  const i64 begin = now();
  const u64 before = vitrine_instructions();
  way.receive();
  const u64 instructions = vitrine_instructions() - before;
  print_row(way, instructions, static_cast<u64>(now() - begin));
  call(Call::close, keyboard);
  call(Call::close, timer);
}

}  // namespace

int main_program(int count, char** arguments, char**) {
  if (count > 1) wanted_keys = number_in(arguments[1], wanted_keys);
  if (count > 2) wanted_ticks = number_in(arguments[2], wanted_ticks);
  if (count > 3) terminal_name = arguments[3];
  const i64 terminal = call(Call::open, terminal_name, open_flag::read_write, 0);
  if (terminal < 0) give_up(terminal_name, terminal);
  print("Each way waits for ");
  print_number(static_cast<i64>(wanted_keys));
  print(" keys and ");
  print_number(static_cast<i64>(wanted_ticks));
  print(" ticks of a timer: please type.\n");
  Modes before{};
  call(Call::ioctl, terminal, get_modes, &before);
  Modes raw = before;
  raw.local &= ~(canonical | echo);
  call(Call::ioctl, terminal, set_modes, &raw);
  for (const Column& column : columns) put_cell(column, column.title);
  for (const Way& way : ways) measure(way);
  call(Call::ioctl, terminal, set_modes, &before);
  return 0;
}
