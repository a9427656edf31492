// What tools/path_meter counts: each of the paths that programs go through most, some times over.
#include "abi/path_mark.hpp"
#include "user/runtime/program.hpp"

extern "C" void path_mark(const char* name, user::u64 mark, user::u64 magic);
asm(R"(
.globl path_mark
.type path_mark, @function
path_mark:
  ret
)");

using namespace user;
using abi::Mark;

namespace {

constexpr u64 rounds = 24;

void mark(const char* name, Mark what) {
  (void)*static_cast<const volatile char*>(name);  // its page is there, or the meter could not read it
  path_mark(name, static_cast<u64>(what), abi::path_mark_magic);
}
void begin(const char* name) { mark(name, Mark::Begin); }
void finish(const char* name) { mark(name, Mark::End); }

void measure_marks() {
  for (u64 i = 0; i < rounds; ++i) {
    mark("marks", Mark::Nothing);
    finish("marks");
  }
}

// --- system calls ---------------------------------------------------------------------------------------------------

i64 call_by_int80(i64 number) {
  i64 result = number;
  asm volatile("int $0x80" : "+a"(result) : : "rcx", "r8", "r9", "r10", "r11", "memory");
  return result;
}

void null_calls() {
  for (u64 i = 0; i < rounds; ++i) {
    begin("null system call, SYSCALL");
    call(Call::getppid);
    finish("null system call, SYSCALL");
  }
  // Linux takes i386's numbers at this gate, Pulse x86-64's.
  constexpr i64 getppid_of_i386 = 64;
  const i64 parent = call(Call::getppid);
  const i64 number = call_by_int80(getppid_of_i386) == parent ? getppid_of_i386 : static_cast<i64>(Call::getppid);
  for (u64 i = 0; i < rounds; ++i) {
    begin("null system call, INT 0x80");
    call_by_int80(number);
    finish("null system call, INT 0x80");
  }
}

// --- page faults ----------------------------------------------------------------------------------------------------

void page_faults() {
  u8* const pages = fresh_pages(rounds);
  for (u64 i = 0; i < rounds; ++i) {
    begin("page fault, fresh page");
    *static_cast<volatile u8*>(pages + i * 4096) = 1;
    finish("page fault, fresh page");
  }
  const i64 child = call(Call::fork);
  if (child == 0) {
    for (u64 i = 0; i < rounds; ++i) {
      begin("page fault, copy on write");
      *static_cast<volatile u8*>(pages + i * 4096) = 2;
      finish("page fault, copy on write");
    }
    end(0);
  }
  wait_for(child);
}

// --- signals --------------------------------------------------------------------------------------------------------

void handler(int, abi::SignalInformation*, abi::UserContext*) {
  finish("signal, from kill to handler");
  begin("signal, return from handler");
}

void signals() {
  handle(signal::user1, handler);
  const i64 self = call(Call::getpid);
  for (u64 i = 0; i < rounds; ++i) {
    begin("signal, from kill to handler");
    call(Call::kill, self, signal::user1);
    finish("signal, return from handler");
  }
}

// --- threads --------------------------------------------------------------------------------------------------------

void compute(u64 loops) {
  for (u64 i = 0; i < loops; ++i) asm volatile("");
}

void yields() {
  const i64 child = call(Call::fork);
  for (u64 i = 0; i < 2 * rounds; ++i) {
    compute(2'000'000);  // so that it is the other's turn, whatever the scheduler counts
    mark("context switch, sched_yield to another process", Mark::Switch);
    call(Call::sched_yield);
    finish("context switch, sched_yield to another process");
  }
  if (child == 0) end(0);
  wait_for(child);
}

alignas(16) u8 thread_stack[16384];

struct Pair {
  const char* name;
  void (*wait)(Pair& pair);
  i64 ask, answer;  // eventfds
  i64 queue;
};

void take(i64 file) {
  u64 value;
  call(Call::read, file, &value, sizeof value);
}
void give(i64 file) {
  const u64 value = 1;
  call(Call::write, file, &value, sizeof value);
}

void serve(void* argument) {
  Pair& pair = *static_cast<Pair*>(argument);
  for (u64 i = 0; i < rounds; ++i) {
    pair.wait(pair);
    give(pair.answer);
  }
}

void wake_ups() {
  Pair pairs[] = {{"eventfd wake-up, A blocking read",
                   [](Pair& pair) {
                     take(pair.ask);
                     finish(pair.name);
                   },
                   0, 0, 0},
                  {"eventfd wake-up, B poll",
                   [](Pair& pair) {
                     PollEntry entry{static_cast<i32>(pair.ask), ready::in, 0};
                     call(Call::poll, &entry, 1, -1);
                     finish(pair.name);
                     take(pair.ask);
                   },
                   0, 0, 0},
                  {"eventfd wake-up, C epoll",
                   [](Pair& pair) {
                     EpollEvent event;
                     call(Call::epoll_wait, pair.queue, &event, 1, -1);
                     finish(pair.name);
                     take(pair.ask);
                   },
                   0, 0, 0}};
  for (Pair& pair : pairs) {
    pair.ask = call(Call::eventfd2, 0, 0);
    pair.answer = call(Call::eventfd2, 0, 0);
    if (&pair == &pairs[2]) {
      pair.queue = call(Call::epoll_create1, 0);
      const EpollEvent interest{ready::in, 0};
      call(Call::epoll_ctl, pair.queue, epoll::add, pair.ask, &interest);
    }
    u32 alive = 0;
    start_thread(serve, &pair, thread_stack + sizeof thread_stack, &alive);
    for (u64 i = 0; i < rounds; ++i) {
      sleep_milliseconds(5);  // the other thread waits by then
      begin(pair.name);
      give(pair.ask);
      take(pair.answer);
    }
    wait_for_thread(&alive);
  }
}

// --- interrupts -----------------------------------------------------------------------------------------------------

void ticks() {
  mark("timer tick, a program runs", Mark::Ticks);
  compute(40'000'000);
  finish("timer tick, a program runs");
}

// asm-generic/termbits.h
struct Modes {
  u32 input, output, control, local;
  u8 line;
  u8 characters[19];
};

void keys() {
  constexpr u32 canonical = 2, echo = 8;
  constexpr int get_modes = 0x5401, set_modes = 0x5402, no_controlling_terminal = 0400;
  const i64 terminal = call(Call::open, "/dev/tty1", open_flag::read_write | no_controlling_terminal, 0);
  Modes modes{};
  call(Call::ioctl, terminal, get_modes, &modes);
  modes.local &= ~(canonical | echo);
  call(Call::ioctl, terminal, set_modes, &modes);
  char key;
  for (u64 i = 0; i < rounds; ++i) {
    mark("key press to the reader", Mark::Key);
    call(Call::read, terminal, &key, 1);
    finish("key press to the reader");
  }
}

}  // namespace

int main_program(int, char**, char**) {
  measure_marks();
  sleep_milliseconds(5);  // the meter gets ready to count every instruction
  null_calls();
  page_faults();
  signals();
  yields();
  wake_ups();
  ticks();
  keys();
  mark("", Mark::Done);
  return 0;
}
