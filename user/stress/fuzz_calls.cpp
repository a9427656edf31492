// Random system calls: fuzz_calls [SEED [ROUNDS]]. Each round is a child of its own that makes a few hundred calls;
// nothing that it does may do more than end it. Same seed, same calls.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

u64 state = 1;

u64 random() {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1D;
}
u64 below(u64 limit) { return random() % limit; }

constexpr u64 calls_in_round = 300;
char buffer[8192];
u8* pages;
const char* const paths[] = {"/tmp",      "/tmp/a",    "/tmp/b",   "/tmp/a/c",   "/tmp/link",      "/dev/null",
                             "/dev/zero", "/dev/full", "/",        "",           "/mnt",           "/mnt/a",
                             "/mnt/b",    "/mnt/d",    "/mnt/d/e", "/mnt/link",  "/dev/rtc0",      "/dev/ttyS1",
                             ".",         "..",        "/dev/tty", "/proc/self", "/proc/self/maps"};

/// These end the machine, or other processes than those of this round.
bool is_left_out(i64 number) {
  switch (static_cast<Call>(number)) {
    case Call::reboot:
    case Call::kill:
    case Call::tkill:
      return true;
    default:
      return false;
  }
}

u64 any_argument() {
  switch (below(14)) {
    case 0:
      return below(32);
    case 1:
      return below(4096);
    case 2:
      return 0 - below(4096);
    case 3:
      return u64{1} << below(64);
    case 4:
      return (u64{1} << below(64)) - 1;
    case 5:
      return random();
    case 6:
      return reinterpret_cast<u64>(paths[below(sizeof paths / sizeof *paths)]);
    case 7:
      return reinterpret_cast<u64>(pages) + 8192 - below(64);  // a mapping ends there
    case 8:
      return reinterpret_cast<u64>(kernel_address) + below(1u << 30);
    case 9:
      return 0xFFFFFFFF80000000 + below(1u << 22);  // the kernel's own text
    case 10:
      return reinterpret_cast<u64>(non_canonical_address);
    default:
      return reinterpret_cast<u64>(buffer) + below(4096);
  }
}

int round_of_calls() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) call(Call::close, descriptor);
  call(Call::open, "/dev/null", open_flag::read_write, 0);
  call(Call::pipe2, buffer, open_flag::non_blocking);
  call(Call::eventfd2, 0, open_flag::non_blocking);
  call(Call::epoll_create1, 0);
  call(Call::open, "/tmp/a", open_flag::create | open_flag::read_write, 0644);
  call(Call::timerfd_create, 1, open_flag::non_blocking);
  call(Call::mkdir, "/mnt/d", 0755);  // an ext2, if a disk is mounted there
  call(Call::open, "/mnt/d", 0, 0);
  call(Call::open, "/mnt/d/e", open_flag::create | open_flag::read_write, 0644);
  call(Call::open, "/mnt/a", open_flag::create | open_flag::read_write, 0644);
  pages = fresh_pages(4);
  call(Call::munmap, pages + 8192, 8192);
  for (u64 i = 0; i < calls_in_round; ++i) {
    for (u64 k = 0; k < 64; ++k) buffer[below(sizeof buffer)] = static_cast<char>(random());
    const i64 number = static_cast<i64>(below(8) == 0 ? below(512) : below(336));
    if (is_left_out(number)) continue;
    const i64 own = call(Call::getpid);
    call_words(number, static_cast<i64>(any_argument()), static_cast<i64>(any_argument()),
               static_cast<i64>(any_argument()), static_cast<i64>(any_argument()), static_cast<i64>(any_argument()),
               static_cast<i64>(any_argument()));
    if (call(Call::getpid) != own) end(0);  // a fork of this round
  }
  return 0;
}

}  // namespace

int main_program(int count, char** arguments, char**) {
  const u64 seed = number_in(count > 1 ? arguments[1] : nullptr, 1);
  const u64 rounds = number_in(count > 2 ? arguments[2] : nullptr, 20);
  begin_part("fuzz");
  show("seed", static_cast<i64>(seed));
  u64 ended = 0, killed = 0, late = 0;
  for (u64 round = 0; round < rounds; ++round) {
    state = (seed << 32) + round * 2 + 1;
    const i64 child = start_child(round_of_calls);
    i32 status = 0;
    i64 waited = 0;
    for (int tries = 0; tries < 20 && waited == 0; ++tries) {
      waited = call(Call::wait4, child, &status, wait_option::no_hang, nullptr);
      if (waited == 0) sleep_milliseconds(5);
    }
    if (waited == 0) {  // it waits for something that never comes
      call(Call::kill, child, signal::kill);
      call(Call::wait4, child, &status, 0, nullptr);
      ++late;
    } else if ((status & 0x7F) != 0) {
      ++killed;
    } else {
      ++ended;
    }
    if (round % 1000 == 999) show("rounds", static_cast<i64>(round + 1));
  }
  show("ended by themselves", static_cast<i64>(ended));
  show("ended by a signal", static_cast<i64>(killed));
  show("ended because they waited", static_cast<i64>(late));
  return 0;
}
