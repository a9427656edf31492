// Everything at once: stress [ROUNDS]. Forks, signals, pipes, timers, page faults and futexes, each by a process of its
// own, at the same time; meanwhile, as long as that takes, what makes devices interrupt: writes to the disk at /mnt,
// the clock chip 1024 times a second, both serial ports, and whatever keyboard and mouse send. Every wait has a limit
// that it never reaches unless a wake-up was lost; every result is checked; at the end, memory and processes must be
// what they were before.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr u64 page = 4096;
constexpr i64 too_long = 20'000;  // milliseconds
u64 rounds = 1;

[[noreturn]] void fail(std::string_view what, i64 found) {
  show(what, found);
  end(1);
}

/// Children that write to copied pages, fork again and end.
int forks() {
  u8* const memory = fresh_pages(16);
  for (u64 round = 0; round < rounds * 4; ++round) {
    for (u64 i = 0; i < 16; ++i) memory[i * page] = static_cast<u8>(round + i);
    const i64 child = call(Call::fork);
    if (child < 0) fail("fork", child);
    if (child == 0) {
      for (u64 i = 0; i < 16; ++i) {
        if (memory[i * page] != static_cast<u8>(round + i)) end(2);
        memory[i * page] = 0xEE;
      }
      const i64 grandchild = call(Call::fork);
      if (grandchild == 0) end(memory[page] == 0xEE ? 7 : 3);
      end(wait_for(grandchild) == 7 << 8 ? 5 : 4);
    }
    if (const i64 status = wait_for(child); status != 5 << 8) fail("a child's status", status);
    for (u64 i = 0; i < 16; ++i) {
      if (memory[i * page] != static_cast<u8>(round + i)) fail("a page changed", static_cast<i64>(i));
    }
  }
  return 0;
}

/// Two processes that answer each other's signal with a signal.
int signals() {
  const u64 set = signal_bit(signal::user1) | signal_bit(signal::user2);
  change_mask(How::Block, set);
  const i64 parent = call(Call::getpid);
  const Time limit{too_long / 1000, 0};
  const u64 turns = rounds * 20;
  const i64 child = call(Call::fork);
  const i64 other = child == 0 ? parent : child;
  const u64 expected = child == 0 ? signal_bit(signal::user1) : signal_bit(signal::user2);
  const u32 answer = child == 0 ? signal::user2 : signal::user1;
  for (u64 turn = 0; turn < turns; ++turn) {
    if (child != 0) call(Call::kill, other, answer);
    const i64 got = call(Call::rt_sigtimedwait, &expected, nullptr, &limit, sizeof expected);
    if (got < 0) fail("a signal was lost", got);
    if (child == 0) call(Call::kill, other, answer);
  }
  if (child == 0) end(0);
  return static_cast<int>(wait_for(child));
}

/// A ring of processes that hand a growing number on.
int pipes() {
  constexpr int members = 4;
  int ends[members][2];
  for (auto& one : ends) call(Call::pipe2, one, 0);
  const u64 laps = rounds * 10;
  for (int member = 1; member < members; ++member) {
    if (call(Call::fork) != 0) continue;
    for (u64 lap = 0; lap < laps; ++lap) {
      u64 token[64];
      if (call(Call::read, ends[member - 1][0], token, sizeof token) != sizeof token) end(1);
      for (u64& one : token) ++one;
      if (call(Call::write, ends[member][1], token, sizeof token) != sizeof token) end(2);
    }
    end(0);
  }
  u64 token[64] = {};
  for (u64 lap = 0; lap < laps; ++lap) {
    call(Call::write, ends[0][1], token, sizeof token);
    PollEntry entry{ends[members - 1][0], ready::in, 0};
    if (const i64 count = call(Call::poll, &entry, 1, too_long); count != 1) fail("a pipe's wake-up was lost", count);
    call(Call::read, ends[members - 1][0], token, sizeof token);
    for (const u64 one : token) {
      if (one != (lap + 1) * (members - 1)) fail("a token is wrong", static_cast<i64>(one));
    }
  }
  i64 ended = 0;
  for (i64 status = 0; (status = wait_for(-1)) >= 0; ++ended) {
    if (status != 0) fail("a member of the ring", status);
  }
  return ended == members - 1 ? 0 : 1;
}

/// Periodic timers under epoll, and sleeps.
int timers() {
  const i64 queue = call(Call::epoll_create1, 0);
  const TimerSetting setting{{0, 2 * millisecond}, {0, 2 * millisecond}};
  for (int i = 0; i < 3; ++i) {
    const i64 timer = call(Call::timerfd_create, 1, open_flag::non_blocking);
    call(Call::timerfd_settime, timer, 0, &setting, nullptr);
    EpollEvent event{ready::in, static_cast<u64>(timer)};
    call(Call::epoll_ctl, queue, epoll::add, timer, &event);
  }
  u64 expirations = 0;
  while (expirations < rounds * 6) {
    EpollEvent found[4];
    const i64 count = call(Call::epoll_wait, queue, found, 4, too_long);
    if (count <= 0) fail("a timer's wake-up was lost", count);
    for (i64 i = 0; i < count; ++i) {
      u64 value = 0;
      call(Call::read, found[i].data, &value, sizeof value);
      expirations += value;
    }
    if (expirations % 5 == 0) sleep_milliseconds(1);
  }
  return 0;
}

/// Maps, touches and unmaps; data must stay what it is.
int page_faults() {
  for (u64 round = 0; round < rounds * 4; ++round) {
    const u64 count = 8 + round % 24;
    u8* const memory = fresh_pages(count);
    for (u64 i = 0; i < count; ++i) {
      if (memory[i * page] != 0) fail("a new page is not zero", static_cast<i64>(i));
      memory[i * page + i] = static_cast<u8>(i + 1);
    }
    call(Call::mprotect, memory, page * count / 2, map::read);
    call(Call::munmap, memory + page * (count / 2), page);
    for (u64 i = 0; i < count; ++i) {
      if (i != count / 2 && memory[i * page + i] != static_cast<u8>(i + 1))
        fail("a page lost its data", static_cast<i64>(i));
    }
    call(Call::munmap, memory, page * count);
  }
  return 0;
}

constexpr int thread_count = 4;
alignas(16) u8 stacks[thread_count][8192];
u32 alive[thread_count];
u32 turn_word = 0;

/// Threads that run in turn, each waking all the others.
int futexes() {
  for (int i = 0; i < thread_count; ++i) {
    start_thread(
        [](void* own) {
          const auto number = static_cast<u32>(reinterpret_cast<u64>(own));
          const Time limit{too_long / 1000, 0};
          const auto last = static_cast<u32>(rounds * 8);
          for (;;) {
            const u32 turn = __atomic_load_n(&turn_word, __ATOMIC_ACQUIRE);
            if (turn >= last) return;
            if (turn % thread_count == number) {
              __atomic_store_n(&turn_word, turn + 1, __ATOMIC_RELEASE);
              call(Call::futex, &turn_word, futex::wake, 0x7FFFFFFF, nullptr, nullptr, 0);
            } else if (call(Call::futex, &turn_word, futex::wait, turn, &limit, nullptr, 0) == -110) {
              fail("a futex's wake-up was lost", turn);
            }
          }
        },
        reinterpret_cast<void*>(static_cast<u64>(i)), stacks[i] + sizeof stacks[i], &alive[i]);
  }
  for (const u32& one : alive) wait_for_thread(&one);
  return 0;
}

int still_busy[2];  // a pipe whose last writer ends when all jobs have
bool others_are_done() {
  PollEntry entry{still_busy[0], ready::in, 0};
  return call(Call::poll, &entry, 1, 0) != 0;
}

/// Blocks of a file go to the disk and come back.
int disk() {
  static u8 block[page], again[page];
  const i64 file = call(Call::open, "/mnt/stress", open_flag::create | open_flag::read_write, 0644);
  if (file < 0) return 0;
  for (u64 round = 0; !others_are_done(); ++round) {
    for (u64 i = 0; i < page; ++i) block[i] = static_cast<u8>(round + i);
    const u64 place = round % 16 * page;
    if (const i64 moved = call(Call::pwrite64, file, block, page, place); moved != page) fail("write to a disk", moved);
    if (const i64 result = call(Call::fsync, file); result != 0) fail("fsync", result);
    if (const i64 moved = call(Call::pread64, file, again, page, place); moved != page) fail("read of a disk", moved);
    for (u64 i = 0; i < page; ++i) {
      if (block[i] != again[i]) fail("a block lost its data", static_cast<i64>(i));
    }
  }
  return 0;
}

int clock_chip() {
  constexpr int set_rate = 0x4008700C, periodic_on = 0x7005;  // linux/rtc.h
  const i64 file = call(Call::open, "/dev/rtc0", 0, 0);
  if (file < 0) return 0;
  call(Call::ioctl, file, set_rate, 1024);
  call(Call::ioctl, file, periodic_on, 0);
  while (!others_are_done()) {
    PollEntry entry{static_cast<i32>(file), ready::in, 0};
    if (const i64 count = call(Call::poll, &entry, 1, too_long); count != 1)
      fail("the clock's wake-up was lost", count);
    u64 value = 0;
    call(Call::read, file, &value, sizeof value);
  }
  return 0;
}

int serial_ports() {
  const i64 first = call(Call::open, "/dev/ttyS0", open_flag::write_only | open_flag::no_terminal, 0);
  const i64 second = call(Call::open, "/dev/ttyS1", open_flag::write_only | open_flag::no_terminal, 0);
  while (!others_are_done()) {
    call(Call::write, first, "       \r", 8);  // nothing to see
    call(Call::write, second, "what nobody reads, thirty bytes\n", 32);
    sleep_milliseconds(1);
  }
  return 0;
}

int keyboard_and_mouse() {
  constexpr int flags = open_flag::non_blocking | open_flag::no_terminal;
  const i64 keys = call(Call::open, "/dev/tty1", flags, 0);
  const i64 mouse = call(Call::open, "/dev/input/mice", flags, 0);
  while (!others_are_done()) {
    PollEntry entries[2] = {{static_cast<i32>(keys), ready::in, 0}, {static_cast<i32>(mouse), ready::in, 0}};
    u8 bytes[64];
    call(Call::poll, entries, 2, 10);
    for (const i64 file : {keys, mouse}) {
      while (call(Call::read, file, bytes, sizeof bytes) > 0) continue;
    }
  }
  return 0;
}

struct Job {
  std::string_view name;
  int (*body)();
};
constexpr Job jobs[] = {{"forks", forks},   {"signals", signals},         {"pipes", pipes},
                        {"timers", timers}, {"page faults", page_faults}, {"futexes", futexes}};
constexpr int job_count = sizeof jobs / sizeof *jobs;
constexpr Job device_jobs[] = {{"disk", disk},
                               {"clock chip", clock_chip},
                               {"serial ports", serial_ports},
                               {"keyboard and mouse", keyboard_and_mouse}};
constexpr int device_job_count = sizeof device_jobs / sizeof *device_jobs;

enum class Kind : u8 { Load, Device };
i64 start(const Job& job, Kind kind) {
  const i64 child = call(Call::fork);
  if (child != 0) return child;
  if (kind == Kind::Device) call(Call::close, still_busy[1]);
  end(job.body());
}

bool has_ended_well(const Job& job, i64 id) {
  const i64 status = wait_for(id);
  if (status != 0) show(job.name, status);
  return status == 0;
}

bool all_at_once() {
  i64 ids[job_count], device_ids[device_job_count];
  call(Call::pipe2, still_busy, 0);
  for (int i = 0; i < job_count; ++i) ids[i] = start(jobs[i], Kind::Load);
  for (int i = 0; i < device_job_count; ++i) device_ids[i] = start(device_jobs[i], Kind::Device);
  bool sound = true;
  for (int i = 0; i < job_count; ++i) sound &= has_ended_well(jobs[i], ids[i]);
  for (const int one : still_busy) call(Call::close, one);
  for (int i = 0; i < device_job_count; ++i) sound &= has_ended_well(device_jobs[i], device_ids[i]);
  return sound;
}

struct SystemInformation {
  i64 uptime;
  u64 loads[3], ram, free_ram, shared, buffers, swap, free_swap;
  u16 processes, padding;
  u64 high, free_high;
  u32 unit;
  u8 rest[20];
};

SystemInformation information() {
  sleep_milliseconds(50);  // what ended is given back
  SystemInformation now{};
  call(Call::sysinfo, &now);
  return now;
}

}  // namespace

int main_program(int count, char** arguments, char**) {
  begin_part("stress");
  const u64 wanted = number_in(count > 1 ? arguments[1] : nullptr, 20);
  rounds = 5;
  if (!all_at_once()) return 1;  // what is allocated once, is allocated now
  const SystemInformation before = information();
  rounds = wanted;
  const bool sound = all_at_once();
  const SystemInformation after = information();
  constexpr u64 slack = 16 * page;  // slabs that are kept
  show("all is as it should be", sound);
  show("memory is back", before.free_ram <= after.free_ram + slack);
  show("processes are gone", before.processes == after.processes);
  if (before.free_ram > after.free_ram + slack) show("lost", static_cast<i64>(before.free_ram - after.free_ram));
  return sound && before.free_ram <= after.free_ram + slack && before.processes == after.processes ? 0 : 1;
}
