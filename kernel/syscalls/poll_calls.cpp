// poll and select: way B of waiting. Asks every file; if none is ready, stands in all their wait queues at once.
#include <algorithm>
#include <bit>

#include "kernel/core/scheduler.hpp"
#include "kernel/core/short_list.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/other_mask.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

struct Asked {
  Ref<File> file;  ///< null: no such descriptor
  u32 wanted = 0;
  u32 place = 0;  ///< whatever the caller knows it by
  u32 found = 0;
  ThreadWaiter waiter{current_thread()};
};
using AskedFiles = ShortList<Asked, 4>;

u32 look(const Asked& asked) {
  if (!asked.file) return ready::invalid;
  return asked.file->ready() & (asked.wanted | ready::error | ready::hang_up);
}

std::size_t look_at_all(AskedFiles& files) {
  std::size_t count = 0;
  for (Asked& asked : files.all()) {
    asked.found = look(asked);
    if (asked.found != 0) ++count;
  }
  return count;
}

/// How many files are ready; 0: `deadline` came first.
CallResult wait_for_any(AskedFiles& files, u64 deadline) {
  deadline = kept_deadline_or(deadline);
  if (const std::size_t count = look_at_all(files); count > 0 || deadline == 0) return count;
  // One entry in each queue; each wakes this thread.
  for (Asked& asked : files.all()) {
    if (!asked.file || asked.file->wait_queue() == nullptr) continue;
    const InterruptsOff off;
    asked.file->wait_queue()->add(asked.waiter);
  }
  WaitQueue own;
  const auto result = wait_until(
      own, [&] { return std::ranges::any_of(files.all(), [](const Asked& asked) { return look(asked) != 0; }); },
      deadline);
  for (Asked& asked : files.all()) {
    const InterruptsOff off;
    if (asked.waiter.queued) asked.file->wait_queue()->remove(asked.waiter);
  }
  if (result == WaitResult::Interrupted) {
    keep_deadline(deadline);
    return fail(Errno::RestartNoHandler);
  }
  return look_at_all(files);
}

struct PollEntry {
  i32 descriptor;
  u16 wanted, found;
};

CallResult poll_files(Call& call, u64 deadline) {
  if (call.b > call.process().limits.now(Limited::OpenFiles)) return fail(Errno::Invalid);
  ShortList<PollEntry, 4> entries(call.b);
  AskedFiles files(call.b);
  if (!entries.has_room() || !files.has_room()) return fail(Errno::NoMemory);
  const std::size_t bytes = call.b * sizeof(PollEntry);
  while (entries.size() < call.b) entries.add();
  if (bytes != 0) {
    if (const auto read = copy_from_user(entries.all().data(), call.a, bytes); !read) return fail(read.error());
  }
  for (PollEntry& entry : entries.all()) {
    entry.found = 0;
    if (entry.descriptor < 0) continue;  // passed over
    const auto file = call.process().files->get(static_cast<u64>(entry.descriptor));
    files.add(file ? *file : Ref<File>(), entry.wanted, static_cast<u32>(&entry - entries.all().data()));
  }
  const auto count = wait_for_any(files, deadline);
  if (!count) return count;
  for (const Asked& asked : files.all()) entries.all()[asked.place].found = static_cast<u16>(asked.found);
  if (bytes != 0) {
    if (const auto told = copy_to_user(call.a, entries.all().data(), bytes); !told) return fail(told.error());
  }
  return count;
}

/// The moment that a relative time means; never for a null pointer; 0: don't wait.
Result<u64> deadline_in(u64 address, TimeParts parts) {
  if (address == 0) return TimerQueue::never;
  const auto time = read_time(address, parts);
  if (!time || *time == 0) return time;
  return nanoseconds_since_boot() + *time;
}

/// Tells the program at the end of the call how much of its time is left (select(2): Linux does, others do not).
class TimeLeft {
 public:
  TimeLeft(u64 address, u64 deadline, TimeParts parts) : address_(address), deadline_(deadline), parts_(parts) {}
  ~TimeLeft() {
    if (address_ == 0 || deadline_ == 0) return;
    const u64 now = nanoseconds_since_boot();
    const u64 left = deadline_ > now ? deadline_ - now : 0;
    // Where that can't be written, the call has its result all the same.
    (void)write_user(address_, specification_of(left, parts_));
  }
  TimeLeft(const TimeLeft&) = delete;
  TimeLeft& operator=(const TimeLeft&) = delete;

 private:
  u64 address_, deadline_;
  TimeParts parts_;
};

CallResult sys_poll(Call& call) {
  const auto timeout = static_cast<i32>(call.c);
  const u64 deadline = timeout < 0    ? TimerQueue::never
                       : timeout == 0 ? 0
                                      : nanoseconds_since_boot() + static_cast<u64>(timeout) * millisecond;
  return poll_files(call, deadline);
}

CallResult sys_ppoll(Call& call) {
  const auto deadline = deadline_in(call.c, TimeParts::Nanoseconds);
  if (!deadline) return fail(deadline.error());
  const TimeLeft left(call.c, *deadline, TimeParts::Nanoseconds);
  if (call.d == 0) return poll_files(call, *deadline);
  const auto mask = read_mask(call.d, call.e);
  if (!mask) return fail(mask.error());
  const OtherMask other(*mask);
  return poll_files(call, *deadline);
}

constexpr std::size_t set_words = FileTable::most_files / 64;
struct Set {
  u64 words[set_words] = {};
  [[nodiscard]] bool has(u64 number) const { return bit(words[number / 64], number % 64); }
  void add(u64 number) { words[number / 64] |= u64{1} << number % 64; }
  [[nodiscard]] std::size_t size() const {
    std::size_t count = 0;
    for (const u64 word : words) count += static_cast<std::size_t>(std::popcount(word));
    return count;
  }
};

CallResult select_files(Call& call, u64 deadline) {
  constexpr u32 kinds[3] = {ready::in | ready::hang_up | ready::error, ready::out | ready::error, ready::priority};
  if (static_cast<i32>(call.a) < 0) return fail(Errno::Invalid);
  const u64 count = std::min<u64>(static_cast<u32>(call.a), FileTable::most_files);
  const std::size_t bytes = (count + 63) / 64 * 8;
  const u64 addresses[3] = {call.b, call.c, call.d};
  Set sets[3], found[3];
  for (int i = 0; i < 3; ++i) {
    if (addresses[i] == 0) continue;
    if (const auto read = copy_from_user(sets[i].words, addresses[i], bytes); !read) return fail(read.error());
  }
  AskedFiles files(sets[0].size() + sets[1].size() + sets[2].size());
  if (!files.has_room()) return fail(Errno::NoMemory);
  for (u64 number = 0; number < count; ++number) {
    u32 wanted = 0;
    for (int i = 0; i < 3; ++i) wanted |= sets[i].has(number) ? kinds[i] : 0;
    if (wanted == 0) continue;
    const auto file = call.process().files->get(number);
    if (!file) return fail(Errno::BadFile);
    files.add(*file, wanted, static_cast<u32>(number));
  }
  if (const auto waited = wait_for_any(files, deadline); !waited) return waited;
  u64 total = 0;
  for (const Asked& asked : files.all()) {
    for (int i = 0; i < 3; ++i) {
      if (!sets[i].has(asked.place) || (asked.found & kinds[i]) == 0) continue;
      found[i].add(asked.place);
      ++total;
    }
  }
  for (int i = 0; i < 3; ++i) {
    if (addresses[i] == 0) continue;
    if (const auto told = copy_to_user(addresses[i], found[i].words, bytes); !told) return fail(told.error());
  }
  return total;
}

CallResult sys_select(Call& call) {
  const auto deadline = deadline_in(call.e, TimeParts::Microseconds);
  if (!deadline) return fail(deadline.error());
  const TimeLeft left(call.e, *deadline, TimeParts::Microseconds);
  return select_files(call, *deadline);
}

CallResult sys_pselect6(Call& call) {
  const auto deadline = deadline_in(call.e, TimeParts::Nanoseconds);
  if (!deadline) return fail(deadline.error());
  const TimeLeft left(call.e, *deadline, TimeParts::Nanoseconds);
  struct MaskPlace {
    u64 address = 0, size = 0;
  } place;
  if (call.f != 0) {
    const auto given = read_user<MaskPlace>(call.f);
    if (!given) return fail(given.error());
    place = *given;
  }
  if (place.address == 0) return select_files(call, *deadline);
  const auto mask = read_mask(place.address, place.size);
  if (!mask) return fail(mask.error());
  const OtherMask other(*mask);
  return select_files(call, *deadline);
}

constexpr CallEntry entries[] = {
    {7, "poll", sys_poll}, {23, "select", sys_select}, {270, "pselect6", sys_pselect6}, {271, "ppoll", sys_ppoll}};

}  // namespace

std::span<const CallEntry> poll_calls() { return entries; }

}  // namespace pulse
