// Threads by clone(2), and futex(2).
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr int most = 8;
constexpr u64 stack_bytes = 16384;

alignas(16) u8 stacks[most][stack_bytes];
u32 alive[most];

void* stack_of(int i) { return stacks[i] + stack_bytes; }

// A lock as C libraries have it: 0 free, 1 taken, 2 taken and waited for.
u32 lock_word = 0;
i64 counter = 0;

void take_lock() {
  u32 expected = 0;
  if (__atomic_compare_exchange_n(&lock_word, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_ACQUIRE) != 0) {
    call(Call::futex, &lock_word, futex::wait | futex::is_private, 2, nullptr, nullptr, 0);
  }
}
void give_lock() {
  if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_RELEASE) == 2) {
    call(Call::futex, &lock_word, futex::wake | futex::is_private, 1, nullptr, nullptr, 0);
  }
}

void locks() {
  begin_part("lock");
  for (int i = 0; i < most; ++i) {
    start_thread(
        [](void*) {
          for (int n = 0; n < 500; ++n) {
            take_lock();
            const i64 before = counter;
            if (n % 50 == 0) call(Call::sched_yield);
            counter = before + 1;
            give_lock();
          }
        },
        nullptr, stack_of(i), &alive[i]);
  }
  for (const u32& one : alive) wait_for_thread(&one);
  show("counted", counter);
}

u32 word_ = 0;
u32 other_word = 0;
u32 woken = 0;

void wait_on_word(void*) {
  const i64 result = call(Call::futex, &word_, futex::wait, 0, nullptr, nullptr, 0);
  if (result == 0) __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
}

void start_waiters(int count) {
  woken = 0;
  for (int i = 0; i < count; ++i) start_thread(wait_on_word, nullptr, stack_of(i), &alive[i]);
  sleep_milliseconds(30);
}

i64 settled() {
  sleep_milliseconds(30);
  return woken;
}

void futexes() {
  begin_part("futex");
  Time time{0, 20 * millisecond};
  show("another value", call(Call::futex, &word_, futex::wait, 1, nullptr, nullptr, 0));
  show("timeout", call(Call::futex, &word_, futex::wait, 0, &time, nullptr, 0));
  show("misaligned", call(Call::futex, reinterpret_cast<u8*>(&word_) + 1, futex::wait, 0, &time, nullptr, 0));
  show("bad address", call(Call::futex, unmapped_address, futex::wait, 0, &time, nullptr, 0));
  show("address of the kernel", call(Call::futex, kernel_address, futex::wait, 0, &time, nullptr, 0));
  time.nanoseconds = second;
  show("bad time", call(Call::futex, &word_, futex::wait, 0, &time, nullptr, 0));
  show("time at a bad address", call(Call::futex, &word_, futex::wait, 0, unmapped_address, nullptr, 0));
  show("no bits", call(Call::futex, &word_, futex::wait_bits, 0, nullptr, nullptr, 0));
  show("operation 99", call(Call::futex, &word_, 99, 0, nullptr, nullptr, 0));
  show("wake nobody", call(Call::futex, &word_, futex::wake, 1, nullptr, nullptr, 0));
  show("wake at a misaligned address",
       call(Call::futex, reinterpret_cast<u8*>(&word_) + 2, futex::wake, 1, nullptr, nullptr, 0));
  start_waiters(5);
  show("wake 1", call(Call::futex, &word_, futex::wake, 1, nullptr, nullptr, 0));
  show("woken", settled());
  show("wake 2", call(Call::futex, &word_, futex::wake, 2, nullptr, nullptr, 0));
  show("woken", settled());
  show("wake all", call(Call::futex, &word_, futex::wake, 0x7FFFFFFF, nullptr, nullptr, 0));
  show("woken", settled());
  for (int i = 0; i < 5; ++i) wait_for_thread(&alive[i]);
  start_waiters(5);
  show("requeue, another value", call(Call::futex, &word_, futex::compare_requeue, 1, 2, &other_word, 9));
  show("wake 1, requeue 2", call(Call::futex, &word_, futex::compare_requeue, 1, 2, &other_word, 0));
  show("woken", settled());
  show("wake all of the other", call(Call::futex, &other_word, futex::wake, 9, nullptr, nullptr, 0));
  show("wake the rest", call(Call::futex, &word_, futex::wake, 9, nullptr, nullptr, 0));
  for (int i = 0; i < 5; ++i) wait_for_thread(&alive[i]);
  show("all woken", woken);
  time = {0, 0};
  constexpr int monotonic = 1;
  call(Call::clock_gettime, monotonic, &time);
  time.nanoseconds += 20 * millisecond;
  if (time.nanoseconds >= second) time = {time.seconds + 1, time.nanoseconds - second};
  show("wait until a moment", call(Call::futex, &word_, futex::wait_bits, 0, &time, nullptr, ~0u));
}

u32 flags_seen = 0;

void ids() {
  begin_part("thread");
  static i64 process, thread_number, started;
  process = call(Call::getpid);
  show("first thread has the process's id", call(Call::gettid) == process);
  started = start_thread(
      [](void*) {
        flags_seen = call(Call::getpid) == process ? 1 : 0;
        thread_number = call(Call::gettid);
      },
      nullptr, stack_of(0), &alive[0]);
  wait_for_thread(&alive[0]);
  show("same process", flags_seen);
  show("the number that clone told", thread_number == started);
  show("clone of a thread without shared signals",
       call(Call::clone, clone_flag::thread | clone_flag::memory, stack_of(0), nullptr, nullptr, 0));
  show("clone of a thread without shared memory",
       call(Call::clone, clone_flag::thread | clone_flag::actions, stack_of(0), nullptr, nullptr, 0));
  show("clone with shared signals, without shared memory",
       call(Call::clone, clone_flag::actions, nullptr, nullptr, nullptr, 0));
  show("tids of a fork", in_child([] {
                           i32 told_child = 0, told_parent = 0;
                           const i64 child =
                               call(Call::clone, signal::child | clone_flag::parent_tid | clone_flag::child_set_tid,
                                    nullptr, &told_parent, &told_child, 0);
                           if (child == 0) end(told_child == static_cast<i32>(call(Call::gettid)) ? 1 : 2);
                           const i64 status = wait_for(child);
                           return static_cast<int>(status >> 8) * 10 + (told_parent == child) * 2 + (told_child == 0);
                         }) >>
                             8);
}

void process_ends() {
  begin_part("threads and exit");
  show("exit_group ends them all", in_child([] {
         for (int i = 0; i < 3; ++i) {
           start_thread(
               [](void*) {
                 for (;;) call(Call::pause);
               },
               nullptr, stack_of(i), &alive[i]);
         }
         start_thread(
             [](void*) {
               for (;;) {
               }
             },
             nullptr, stack_of(3), &alive[3]);
         sleep_milliseconds(20);
         return 4;
       }));
  show("exit_group of another thread", in_child([] {
         start_thread([](void*) { end(9); }, nullptr, stack_of(0), &alive[0]);
         for (;;) call(Call::pause);
         return 4;
       }));
  show("the first thread ends first", in_child([] {
         start_thread(
             [](void*) {
               sleep_milliseconds(20);
               end(8);
             },
             nullptr, stack_of(0), &alive[0]);
         call(Call::exit, 3);
         return 4;
       }));
  show("the last thread's status counts for nothing", in_child([] {
         start_thread([](void*) { sleep_milliseconds(20); }, nullptr, stack_of(0), &alive[0]);
         call(Call::exit, 3);
         return 4;
       }));
  int ended = 0;
  for (int round = 0; round < 20; ++round) {
    ended += in_child([] {
               for (i64 i = 0; i < 3; ++i) {
                 start_thread(
                     [](void* argument) {
                       const auto own = reinterpret_cast<i64>(argument);
                       for (;;) {
                         alive[3 + own] = 1;
                         start_thread([](void*) {}, nullptr, stack_of(static_cast<int>(3 + own)), &alive[3 + own]);
                         wait_for_thread(&alive[3 + own]);
                       }
                     },
                     reinterpret_cast<void*>(i), stack_of(static_cast<int>(i)), &alive[i]);
               }
               sleep_milliseconds(3);
               return 4;
             }) == 4 << 8;
  }
  show("exit_group while threads make threads", ended);
  show("a fault of one ends all", in_child([] {
                                    start_thread([](void*) { *reinterpret_cast<volatile int*>(8) = 1; }, nullptr,
                                                 stack_of(0), &alive[0]);
                                    for (;;) call(Call::pause);
                                    return 4;
                                  }) & 0x7F);
  show("exec leaves one", in_child([] {
         for (int i = 0; i < 3; ++i) {
           start_thread(
               [](void*) {
                 for (;;) call(Call::pause);
               },
               nullptr, stack_of(i), &alive[i]);
         }
         char path[] = "/abi/threads", word_one[] = "ended";
         char* words[] = {path, word_one, nullptr};
         return static_cast<int>(-call(Call::execve, path, words, nullptr));
       }));
}

volatile u32* beats;  // shared by processes

void beat(void*) {
  for (;;) *beats = *beats + 1;
}

/// Does it go on while nobody looks?
bool beats_on() {
  const u32 before = *beats;
  sleep_milliseconds(60);
  return *beats != before;
}

void stops() {
  begin_part("threads and stops");
  beats = reinterpret_cast<u32*>(fresh_pages(1, map::read | map::write, map::shared | map::anonymous));
  const i64 child = start_child([] {
    start_thread(beat, nullptr, stack_of(0), &alive[0]);
    for (;;) call(Call::pause);
    return 0;
  });
  sleep_milliseconds(20);
  show("runs", beats_on());
  call(Call::kill, child, signal::stop);
  show("a stop is told", wait_for(child, wait_option::untraced) == (signal::stop << 8 | 0x7F));
  show("all threads stop", !beats_on());
  call(Call::kill, child, signal::resume);
  show("and go on", beats_on());
  call(Call::kill, child, signal::stop);
  wait_for(child, wait_option::untraced);
  call(Call::kill, child, signal::kill);
  show("killed while stopped", wait_for(child));
}

void failed_exec() {
  begin_part("threads and execve");
  beats = reinterpret_cast<u32*>(fresh_pages(1, map::read | map::write, map::shared | map::anonymous));
  show("of no program leaves them all", in_child([] {
                                          start_thread(beat, nullptr, stack_of(0), &alive[0]);
                                          sleep_milliseconds(20);
                                          char path[] = "/abi/init.txt";
                                          const i64 file = call(Call::open, path, 0102, 0755);
                                          call(Call::write, file, "no program\n", 11);
                                          call(Call::close, file);
                                          char* words[] = {path, nullptr};
                                          const i64 result = call(Call::execve, path, words, nullptr);
                                          return (result == -8 ? 10 : 0) + (beats_on() ? 1 : 0);
                                        }) >>
                                            8);
  show("with a signal that is pending", in_child([] {
                                          for (int i = 0; i < 3; ++i)
                                            start_thread(beat, nullptr, stack_of(i), &alive[i]);
                                          handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext*) {});
                                          static i64 target;
                                          target = call(Call::getpid);
                                          start_child([] {
                                            for (int i = 0; i < 20; ++i) {
                                              call(Call::kill, target, signal::child);
                                              call(Call::kill, target, signal::resume);
                                              call(Call::sched_yield);
                                            }
                                            return 0;
                                          });
                                          char path[] = "/abi/threads", word_one[] = "ended";
                                          char* words[] = {path, word_one, nullptr};
                                          return static_cast<int>(-call(Call::execve, path, words, nullptr));
                                        }) >>
                                            8);
}

u32 got[2];

void signals() {
  begin_part("threads and signals");
  static i64 second_thread;
  static volatile u32 stop;
  handle(signal::user1,
         [](int, abi::SignalInformation*, abi::UserContext*) { ++got[call(Call::gettid) == second_thread ? 1 : 0]; });
  second_thread = start_thread(
      [](void*) {
        while (stop == 0) sleep_milliseconds(5);
      },
      nullptr, stack_of(0), &alive[0]);
  call(Call::tgkill, call(Call::getpid), second_thread, signal::user1);
  sleep_milliseconds(20);
  show("to that thread", got[1]);
  change_mask(How::Block, signal_bit(signal::user1));
  call(Call::kill, call(Call::getpid), signal::user1);
  sleep_milliseconds(20);
  show("to the one that does not block it", got[1]);
  show("none to this one", got[0]);
  call(Call::tgkill, call(Call::getpid), call(Call::gettid), signal::user1);
  sleep_milliseconds(20);
  show("one's own stays pending", got[0] + got[1]);
  change_mask(How::Set, 0);
  show("until unblocked", got[0]);
  stop = 1;
  wait_for_thread(&alive[0]);
}

/// A child waits for the word, up to 300 ms; it ends with 1 if it was woken.
i64 start_waiter(u32* word) {
  const i64 child = call(Call::fork);
  if (child != 0) return child;
  const Time limit{0, 300 * millisecond};
  end(call(Call::futex, word, futex::wait, 0, &limit, nullptr, 0) == 0 ? 1 : 0);
}

void futexes_of_several_processes() {
  begin_part("futex of several processes");
  auto* const shared = reinterpret_cast<u32*>(fresh_pages(1, map::read | map::write, map::shared | map::anonymous));
  auto* const own = reinterpret_cast<u32*>(fresh_pages(1));
  *own = 0;
  i64 child = start_waiter(shared + 5);
  sleep_milliseconds(50);
  show("wake at another word", call(Call::futex, shared + 6, futex::wake, 1, nullptr, nullptr, 0));
  show("wake by a private futex",
       call(Call::futex, shared + 5, futex::wake | futex::is_private, 1, nullptr, nullptr, 0));
  show("wake", call(Call::futex, shared + 5, futex::wake, 1, nullptr, nullptr, 0));
  show("the child", wait_for(child));
  child = start_waiter(own);
  sleep_milliseconds(50);
  show("wake where memory is not shared", call(Call::futex, own, futex::wake, 1, nullptr, nullptr, 0));
  show("the child", wait_for(child));
  child = start_waiter(shared + 5);
  sleep_milliseconds(50);
  show("requeue", call(Call::futex, shared + 5, futex::requeue, 0, 1, shared + 7, 0));
  show("wake at the old word", call(Call::futex, shared + 5, futex::wake, 1, nullptr, nullptr, 0));
  show("wake at the new word", call(Call::futex, shared + 7, futex::wake, 1, nullptr, nullptr, 0));
  show("the child", wait_for(child));
}

}  // namespace

int main_program(int count, char**, char**) {
  if (count > 1) return 6;
  locks();
  futexes();
  futexes_of_several_processes();
  ids();
  process_ends();
  stops();
  failed_exec();
  signals();
  return 0;
}
