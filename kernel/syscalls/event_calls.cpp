// epoll, eventfd, timerfd, signalfd: way C of waiting, and the events that come as files.
#include <algorithm>

#include "kernel/core/scheduler.hpp"
#include "kernel/core/short_list.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/event_files.hpp"
#include "kernel/fs/event_queue.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/other_mask.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

constexpr u64 file_flags = open_flag::close_on_exec | open_flag::non_blocking;

CallResult open_event_file(Call& call, Ref<File> file, u64 flags) {
  file->flags = open_flag::read_write | (static_cast<u32>(flags) & open_flag::non_blocking);
  const bool closes = (flags & open_flag::close_on_exec) != 0;
  const auto number = call.process().files->add(file, closes ? FileTable::OnExec::Close : FileTable::OnExec::Keep);
  if (!number) return fail(number.error());
  return *number;
}

CallResult sys_epoll_create(Call& call) {
  if (static_cast<i32>(call.a) <= 0) return fail(Errno::Invalid);
  return open_event_file(call, Ref<File>(new EventQueue), 0);
}
CallResult sys_epoll_create1(Call& call) {
  if ((call.a & ~u64{open_flag::close_on_exec}) != 0) return fail(Errno::Invalid);
  return open_event_file(call, Ref<File>(new EventQueue), call.a);
}

Result<Ref<File>> queue_file(Call& call, u64 descriptor) {
  const auto file = call.process().files->get(descriptor);
  if (!file) return file;
  return (*file)->as_event_queue() != nullptr ? file : fail(Errno::Invalid);
}

CallResult sys_epoll_ctl(Call& call) {
  enum Operation : u64 { add = 1, remove = 2, change = 3 };
  WatchEvent event;
  if (call.b != remove) {
    const auto given = read_user<WatchEvent>(call.d);
    if (!given) return fail(given.error());
    event = *given;
  }
  const auto watched = call.process().files->get(call.c);
  if (!watched) return fail(watched.error());
  const auto file = queue_file(call, call.a);
  if (!file) return fail(file.error());
  EventQueue& queue = *(*file)->as_event_queue();
  const auto descriptor = static_cast<u32>(call.c);
  switch (call.b) {
    case add:
      return done(queue.add(descriptor, **watched, event));
    case remove:
      return done(queue.remove(descriptor, **watched));
    case change:
      return done(queue.change(descriptor, **watched, event));
    default:
      return fail(Errno::Invalid);
  }
}

/// Takes what is ready, at most `most`, and writes it to `address`; the number.
CallResult tell_events(EventQueue& queue, u64 address, u64 most) {
  most = std::min<u64>(most, queue.size());
  ShortList<WatchEvent, 8> events(most);
  if (!events.has_room()) return fail(Errno::NoMemory);
  while (events.size() < most) events.add();
  const std::size_t count = queue.take(events.all());
  if (count == 0) return 0;
  if (const auto told = copy_to_user(address, events.all().data(), count * sizeof(WatchEvent)); !told)
    return fail(told.error());
  return count;
}

CallResult wait_for_events(Call& call, u64 deadline) {
  constexpr u64 most = 0x7FFF'FFFF / sizeof(WatchEvent);
  if (call.c == 0 || call.c > most) return fail(Errno::Invalid);
  const auto file = queue_file(call, call.a);
  if (!file) return fail(file.error());
  EventQueue& queue = *(*file)->as_event_queue();
  for (;;) {
    const auto count = tell_events(queue, call.b, call.c);
    if (!count || *count > 0) return count;
    if (deadline == 0) return 0;
    const auto waited = wait_until(*queue.wait_queue(), [&] { return queue.has_events(); }, deadline);
    if (waited == WaitResult::TimedOut) return 0;
    if (waited == WaitResult::Interrupted) return fail(Errno::Interrupted);
  }
}

u64 deadline_after(u64 milliseconds) {
  const auto timeout = static_cast<i32>(milliseconds);
  if (timeout < 0) return TimerQueue::never;
  return timeout == 0 ? 0 : nanoseconds_since_boot() + static_cast<u64>(timeout) * millisecond;
}

template <class Wait>
CallResult with_mask(u64 mask_at, u64 mask_size, Wait wait) {
  if (mask_at == 0) return wait();
  const auto mask = read_mask(mask_at, mask_size);
  if (!mask) return fail(mask.error());
  const OtherMask other(*mask);
  return wait();
}

CallResult sys_epoll_wait(Call& call) { return wait_for_events(call, deadline_after(call.d)); }
CallResult sys_epoll_pwait(Call& call) {
  return with_mask(call.e, call.f, [&] { return wait_for_events(call, deadline_after(call.d)); });
}

CallResult sys_epoll_pwait2(Call& call) {
  u64 deadline = TimerQueue::never;
  if (call.d != 0) {
    const auto wait = read_time(call.d);
    if (!wait) return fail(wait.error());
    deadline = *wait == 0 ? 0 : nanoseconds_since_boot() + *wait;
  }
  return with_mask(call.e, call.f, [&] { return wait_for_events(call, deadline); });
}

CallResult make_counter(Call& call, u64 flags) {
  constexpr u64 semaphore = 1;
  if ((flags & ~(semaphore | file_flags)) != 0) return fail(Errno::Invalid);
  const auto reads = (flags & semaphore) != 0 ? EventCounter::Reads::One : EventCounter::Reads::All;
  return open_event_file(call, Ref<File>(new EventCounter(static_cast<u32>(call.a), reads)), flags);
}
CallResult sys_eventfd(Call& call) { return make_counter(call, 0); }
CallResult sys_eventfd2(Call& call) { return make_counter(call, call.b); }

CallResult sys_timerfd_create(Call& call) {
  constexpr u64 realtime = 0, monotonic = 1, boot_time = 7;
  if (call.a != realtime && call.a != monotonic && call.a != boot_time) return fail(Errno::Invalid);
  if ((call.b & ~file_flags) != 0) return fail(Errno::Invalid);
  const u64 offset = call.a == realtime ? boot_wall_nanoseconds() : 0;
  return open_event_file(call, Ref<File>(new TimerFile(timers(), offset)), call.b);
}

struct TimerSetting {
  TimeSpecification period, value;
};

Result<TimerFile*> timer_of(const Result<Ref<File>>& file) {
  if (!file) return fail(file.error());
  TimerFile* const timer = (*file)->as_timer();
  if (timer == nullptr) return fail(Errno::Invalid);
  return timer;
}

TimerSetting setting_of(const TimerFile& timer) {
  const u64 now = nanoseconds_since_boot();
  const u64 left = timer.due() == 0 ? 0 : timer.due() > now ? timer.due() - now : 1;
  return {specification_of(timer.period()), specification_of(left)};
}

CallResult sys_timerfd_settime(Call& call) {
  constexpr u64 absolute = 1, cancel_on_set = 2;
  if ((call.b & ~(absolute | cancel_on_set)) != 0) return fail(Errno::Invalid);
  const auto file = call.process().files->get(call.a);
  const auto timer = timer_of(file);
  if (!timer) return fail(timer.error());
  const auto wanted = read_user<TimerSetting>(call.c);
  if (!wanted) return fail(wanted.error());
  const auto value = nanoseconds_of(wanted->value);
  const auto period = nanoseconds_of(wanted->period);
  if (!value || !period) return fail(Errno::Invalid);
  const TimerSetting before = setting_of(**timer);
  u64 due = 0;
  if (*value != 0) {
    const u64 base = (call.b & absolute) != 0 ? 0 : nanoseconds_since_boot() + (*timer)->offset();
    const u64 at = base + *value;
    due = at > (*timer)->offset() ? std::max<u64>(at - (*timer)->offset(), 1) : 1;
  }
  (*timer)->set(due, *period);
  if (call.d != 0) return done(write_user(call.d, before));
  return 0;
}

CallResult sys_timerfd_gettime(Call& call) {
  const auto file = call.process().files->get(call.a);
  const auto timer = timer_of(file);
  if (!timer) return fail(timer.error());
  return done(write_user(call.b, setting_of(**timer)));
}

/// The running process, seen as where signals come from. Whoever reads takes their own.
class OwnSignals final : public SignalSource {
 public:
  Signal take(u64 mask) override {
    const u32 number = take_pending(current_thread(), mask);
    const SignalCause& cause = current_process().causes[number];
    return {number, cause.code, cause.process};
  }
  [[nodiscard]] bool pending(u64 mask) const override {
    const Thread& thread = current_thread();
    return thread.process != nullptr && pending_of(thread, mask) != 0;
  }
  [[nodiscard]] WaitQueue& arrived() override { return current_process().signal_arrived; }
};
OwnSignals own_signals;

CallResult make_signal_file(Call& call, u64 flags) {
  if (call.c != sizeof(u64) || (flags & ~file_flags) != 0) return fail(Errno::Invalid);
  const auto mask = read_user<u64>(call.b);
  if (!mask) return fail(mask.error());
  const u64 watched = *mask & ~unblockable_signals;
  if (static_cast<i32>(call.a) == -1)
    return open_event_file(call, Ref<File>(new SignalFile(own_signals, watched)), flags);
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  SignalFile* const signals = (*file)->as_signals();
  if (signals == nullptr) return fail(Errno::Invalid);
  signals->set_mask(watched);
  return call.a;
}
CallResult sys_signalfd(Call& call) { return make_signal_file(call, 0); }
CallResult sys_signalfd4(Call& call) { return make_signal_file(call, call.d); }

constexpr CallEntry entries[] = {
    {213, "epoll_create", sys_epoll_create},
    {232, "epoll_wait", sys_epoll_wait},
    {233, "epoll_ctl", sys_epoll_ctl},
    {281, "epoll_pwait", sys_epoll_pwait},
    {282, "signalfd", sys_signalfd},
    {283, "timerfd_create", sys_timerfd_create},
    {284, "eventfd", sys_eventfd},
    {286, "timerfd_settime", sys_timerfd_settime},
    {287, "timerfd_gettime", sys_timerfd_gettime},
    {289, "signalfd4", sys_signalfd4},
    {290, "eventfd2", sys_eventfd2},
    {291, "epoll_create1", sys_epoll_create1},
    {441, "epoll_pwait2", sys_epoll_pwait2},
};

}  // namespace

std::span<const CallEntry> event_calls() { return entries; }

}  // namespace pulse
