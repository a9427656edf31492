// Signals: handlers, masks, what interrupts a call and what begins again.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

volatile int handled = 0;
volatile int last_number = 0;
volatile u64 seen_mask = 0;

void count(int number, abi::SignalInformation*, abi::UserContext*) {
  handled = handled + 1;
  last_number = number;
}

void look_at_mask(int, abi::SignalInformation*, abi::UserContext* context) {
  u64 mask = 0;
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  seen_mask = mask;
  handled = handled + 1;
  last_number = static_cast<int>(context->mask);
}

i64 self() { return call(Call::getpid); }
i64 send(u32 number) { return call(Call::kill, self(), number); }

void actions() {
  begin_part("action");
  show("signal 0", handle(0, count));
  show("signal 65", handle(65, count));
  show("KILL", handle(signal::kill, count));
  show("STOP", set_action(signal::stop, abi::ignore_handler));
  abi::SignalAction action;
  show("ask about KILL", call(Call::rt_sigaction, signal::kill, nullptr, &action, sizeof(u64)));
  show("mask of 4 bytes", call(Call::rt_sigaction, signal::user1, nullptr, &action, 4));
  handle(signal::user1, count, abi::signal_flag::restart, signal_bit(signal::user2) | signal_bit(signal::kill));
  call(Call::rt_sigaction, signal::user1, nullptr, &action, sizeof(u64));
  show("flags come back", static_cast<i64>(action.flags & ~abi::signal_flag::restorer));
  show("the mask too, without KILL", static_cast<i64>(action.mask));
  show("send to self", send(signal::user1));
  show("handled at once", handled);
  show("number", last_number);
  show("kill 0 asks", send(0));
  show("kill 65", send(65));
  show("kill -1", call(Call::kill, self(), -1));
  show("kill of nobody", call(Call::kill, 99999, 0));
  show("kill of no group", call(Call::kill, -99999, signal::user1));
  show("tgkill", call(Call::tgkill, self(), call(Call::gettid), signal::user1));
  show("tgkill of another process", call(Call::tgkill, 1, call(Call::gettid), signal::user1));
  show("tgkill of 0", call(Call::tgkill, self(), 0, signal::user1));
  show("tkill of 0", call(Call::tkill, 0, signal::user1));
  handle(signal::user1, count, abi::signal_flag::reset_handler);
  send(signal::user1);
  call(Call::rt_sigaction, signal::user1, nullptr, &action, sizeof(u64));
  show("reset after one", static_cast<i64>(action.handler));
}

void masks() {
  begin_part("mask");
  handled = 0;
  handle(signal::user1, look_at_mask, 0, signal_bit(signal::user2));
  show("how 7", call(Call::rt_sigprocmask, 7, &handled, nullptr, sizeof(u64)));
  show("how 7, no mask", call(Call::rt_sigprocmask, 7, nullptr, nullptr, sizeof(u64)));
  change_mask(How::Set, signal_bit(signal::user1) | signal_bit(signal::kill) | signal_bit(signal::stop));
  u64 mask = 0;
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  show("KILL and STOP can't be blocked", static_cast<i64>(mask));
  send(signal::user1);
  send(signal::user1);
  show("blocked", handled);
  u64 pending = 0;
  call(Call::rt_sigpending, &pending, sizeof pending);
  show("pending", static_cast<i64>(pending));
  show("pending in a child", in_child([] {
         u64 own = 0;
         call(Call::rt_sigpending, &own, sizeof own);
         return own == 0 ? 0 : 1;
       }));
  change_mask(How::Unblock, signal_bit(signal::user1));
  show("unblocked: once", handled);
  show("mask in the handler", static_cast<i64>(seen_mask));
  show("mask in its context", last_number);
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  show("mask after it", static_cast<i64>(mask));
  handle(signal::user1, look_at_mask, abi::signal_flag::no_defer);
  send(signal::user1);
  show("no defer: mask in the handler", static_cast<i64>(seen_mask));
  change_mask(How::Block, signal_bit(signal::user1));
  send(signal::user1);
  set_action(signal::user1, abi::ignore_handler);
  call(Call::rt_sigpending, &pending, sizeof pending);
  show("ignoring drops what is pending", static_cast<i64>(pending));
  change_mask(How::Set, 0);
}

volatile int order[4];
volatile int order_count = 0;
constexpr u64 three_signals = signal_bit(signal::hang_up) | signal_bit(signal::user1) | signal_bit(signal::terminate);

/// Three signals that are pending at once. `blocked`: while a handler runs.
void three_at_once(u64 blocked) {
  order_count = 0;
  const Handler note = [](int number, abi::SignalInformation*, abi::UserContext*) {
    order[order_count] = number;
    order_count = order_count + 1;
  };
  for (const u32 number : {signal::hang_up, signal::user1, signal::terminate}) handle(number, note, 0, blocked);
  change_mask(How::Block, three_signals);
  send(signal::terminate);
  send(signal::user1);
  send(signal::hang_up);
  change_mask(How::Unblock, three_signals);
  show("handlers run", order_count);
  for (int i = 0; i < order_count; ++i) show("  ", order[i]);
}

void order_of_numbers() {
  begin_part("order");
  three_at_once(three_signals);
  // Linux makes the frames of all that are pending before the first handler runs: the last one made runs first.
  begin_part("nested order");
  three_at_once(0);
}

i64 target;
/// A child that sends `number` to its parent after a while.
i64 send_later(u32 number, i64 milliseconds = 30) {
  target = self();
  const i64 child = call(Call::fork);
  if (child != 0) return child;
  sleep_milliseconds(milliseconds);
  call(Call::kill, target, number);
  end(0);
}

void interrupted_calls() {
  begin_part("interrupted");
  int ends[2];
  char byte = 0;
  call(Call::pipe2, ends, 0);
  handle(signal::user1, count);
  i64 child = send_later(signal::user1);
  show("read", call(Call::read, ends[0], &byte, 1));
  wait_for(child);
  handle(signal::user1, [](int, abi::SignalInformation*, abi::UserContext*) {}, abi::signal_flag::restart);
  child = start_child([] { return 0; });
  wait_for(child);
  static int pipe_end;
  pipe_end = ends[1];
  target = self();
  child = start_child([] {
    sleep_milliseconds(30);
    call(Call::kill, target, signal::user1);
    sleep_milliseconds(30);
    call(Call::write, pipe_end, "z", 1);
    return 0;
  });
  show("read, restarted", call(Call::read, ends[0], &byte, 1));
  show("it got", byte);
  wait_for(child);
  child = send_later(signal::user1);
  show("pause, even with restart", call(Call::pause));
  wait_for(child);
  child = send_later(signal::user1);
  PollEntry entry{ends[0], ready::in, 0};
  show("poll, even with restart", call(Call::poll, &entry, 1, -1));
  wait_for(child);
  child = send_later(signal::user1);
  show("select, even with restart", call(Call::select, 0, nullptr, nullptr, nullptr, nullptr));
  wait_for(child);
  child = send_later(signal::user1);
  Time time{10, 0};
  Time left{0, 0};
  show("nanosleep", call(Call::nanosleep, &time, &left));
  show("seconds left", left.seconds);
  wait_for(child);
  const i64 queue = call(Call::epoll_create1, 0);
  EpollEvent event{};
  child = send_later(signal::user1);
  show("epoll_wait, even with restart", call(Call::epoll_wait, queue, &event, 1, -1));
  wait_for(child);
  child = send_later(signal::user1);
  u32 value = 0;
  time = {10, 0};
  show("futex with a timeout", call(Call::futex, &value, futex::wait, 0, &time, nullptr, 0));
  wait_for(child);
  set_action(signal::user1, abi::ignore_handler);
  child = send_later(signal::user1);
  entry.found = 0;
  show("poll is not interrupted by an ignored signal", call(Call::poll, &entry, 1, 80));
  wait_for(child);
  const i64 sleeper = start_child([] {
    Time while_{0, 100 * millisecond};
    return static_cast<int>(-call(Call::nanosleep, &while_, nullptr));
  });
  sleep_milliseconds(20);
  call(Call::kill, sleeper, signal::stop);
  sleep_milliseconds(20);
  call(Call::kill, sleeper, signal::resume);
  show("a sleep that was stopped goes on", wait_for(sleeper));
  for (const i64 file : {i64{ends[0]}, i64{ends[1]}, queue}) call(Call::close, file);
}

void suspending() {
  begin_part("suspend");
  handle(signal::user1, look_at_mask);
  change_mask(How::Block, signal_bit(signal::user1));
  handled = 0;
  const i64 child = send_later(signal::user1);
  u64 mask = signal_bit(signal::alarm);
  show("sigsuspend", call(Call::rt_sigsuspend, &mask, sizeof mask));
  show("handled", handled);
  show("mask in the handler", static_cast<i64>(seen_mask));
  show("mask of before in its context", last_number);
  wait_for(child);
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  show("mask after it", static_cast<i64>(mask));
  show("size 4", call(Call::rt_sigsuspend, &mask, 4));
  send(signal::user1);
  mask = 0;
  Time time{1, 0};
  handled = 0;
  show("ppoll lets a pending one in", call(Call::ppoll, nullptr, 0, &time, &mask, sizeof mask));
  show("handled", handled);
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  show("mask after ppoll", static_cast<i64>(mask));
  change_mask(How::Set, 0);
}

/// A child that waits in `body` with USER1 let in, is stopped and resumed, then gets USER1: its mask afterwards.
i64 mask_after_stop(int (*body)()) {
  const i64 child = start_child(body);
  sleep_milliseconds(20);
  call(Call::kill, child, signal::stop);
  sleep_milliseconds(20);
  call(Call::kill, child, signal::resume);
  sleep_milliseconds(20);
  call(Call::kill, child, signal::user1);
  return wait_for(child) >> 8;
}

int own_mask() {
  u64 mask = 0;
  call(Call::rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
  return static_cast<int>(mask >> (signal::user1 - 1)) & 0xFF;
}

void stopped_while_suspended() {
  begin_part("stopped with another mask");
  handle(signal::user1, count);
  change_mask(How::Set, signal_bit(signal::user1) | signal_bit(signal::user2));
  show("rt_sigsuspend", mask_after_stop([] {
         const u64 none = 0;
         call(Call::rt_sigsuspend, &none, sizeof none);
         return own_mask();
       }));
  show("ppoll", mask_after_stop([] {
         const u64 none = 0;
         call(Call::ppoll, nullptr, 0, nullptr, &none, sizeof none);
         return own_mask();
       }));
  show("epoll_pwait", mask_after_stop([] {
         const u64 none = 0;
         EpollEvent event{};
         const i64 queue = call(Call::epoll_create1, 0);
         handled = 0;  // a stop ends it too (signal(7))
         while (handled == 0) call(Call::epoll_pwait, queue, &event, 1, -1, &none, sizeof none);
         return own_mask();
       }));
  show("a stop within an absolute sleep leaves the next one alone",
       in_child([] {
         const i64 sleeper = start_child([] {
           Time time{};
           call(Call::clock_gettime, 1, &time);
           time.seconds += 2;
           handle(signal::user1, count);
           change_mask(How::Set, 0);
           call(Call::clock_nanosleep, 1, 1, &time, nullptr);
           const i64 begin = now();
           time = {0, 20 * millisecond};
           call(Call::nanosleep, &time, nullptr);
           const i64 slept = now() - begin;
           return slept >= 15 * millisecond && slept < second ? 1 : 0;
         });
         sleep_milliseconds(20);
         call(Call::kill, sleeper, signal::stop);
         sleep_milliseconds(20);
         call(Call::kill, sleeper, signal::resume);
         return static_cast<int>(wait_for(sleeper) >> 8);
       }) >>
           8);
  change_mask(How::Set, 0);
}

}  // namespace

int main_program(int, char**, char**) {
  actions();
  masks();
  order_of_numbers();
  interrupted_calls();
  suspending();
  stopped_while_suspended();
  return 0;
}
