// poll and select: way B of waiting. Asks every file; if none is ready, stands in all their wait queues at once.
#include <algorithm>
#include <memory>
#include <vector>

#include "kernel/core/scheduler.hpp"
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
  u32 found = 0;
};

u32 look(const Asked& asked) {
  if (!asked.file) return ready::invalid;
  return asked.file->ready() & (asked.wanted | ready::error | ready::hang_up);
}

std::size_t look_at_all(std::vector<Asked>& files) {
  std::size_t count = 0;
  for (Asked& asked : files) {
    asked.found = look(asked);
    if (asked.found != 0) ++count;
  }
  return count;
}

/// How many files are ready; 0: `deadline` came first.
CallResult wait_for_any(std::vector<Asked>& files, u64 deadline) {
  deadline = kept_deadline_or(deadline);
  if (const std::size_t count = look_at_all(files); count > 0 || deadline == 0) return count;
  // One entry in each queue; each wakes this thread.
  std::vector<std::unique_ptr<ThreadWaiter>> waiters;
  const auto leave = [&] {
    std::size_t i = 0;
    for (Asked& asked : files) {
      if (asked.file && asked.file->wait_queue() != nullptr) asked.file->wait_queue()->remove(*waiters[i++]);
    }
  };
  for (Asked& asked : files) {
    if (!asked.file || asked.file->wait_queue() == nullptr) continue;
    waiters.push_back(std::make_unique<ThreadWaiter>(current_thread()));
    const InterruptsOff off;
    asked.file->wait_queue()->add(*waiters.back());
  }
  WaitQueue own;
  const auto result = wait_until(
      own, [&] { return std::ranges::any_of(files, [](const Asked& asked) { return look(asked) != 0; }); }, deadline);
  {
    const InterruptsOff off;
    leave();
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
  if (call.b > FileTable::most_files) return fail(Errno::Invalid);
  std::vector<PollEntry> entries(call.b);
  if (!entries.empty()) {
    if (const auto read = copy_from_user(entries.data(), call.a, entries.size() * sizeof(PollEntry)); !read)
      return fail(read.error());
  }
  std::vector<Asked> files;
  std::vector<std::size_t> places;  // negative descriptors are passed over
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].found = 0;
    if (entries[i].descriptor < 0) continue;
    const auto file = call.process().files->get(static_cast<u64>(entries[i].descriptor));
    files.push_back({file ? *file : Ref<File>(), entries[i].wanted});
    places.push_back(i);
  }
  const auto count = wait_for_any(files, deadline);
  if (!count) return count;
  for (std::size_t i = 0; i < files.size(); ++i) entries[places[i]].found = static_cast<u16>(files[i].found);
  if (!entries.empty()) {
    if (const auto told = copy_to_user(call.a, entries.data(), entries.size() * sizeof(PollEntry)); !told)
      return fail(told.error());
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
  std::vector<Asked> files;
  std::vector<u64> numbers;
  for (u64 number = 0; number < count; ++number) {
    u32 wanted = 0;
    for (int i = 0; i < 3; ++i) wanted |= sets[i].has(number) ? kinds[i] : 0;
    if (wanted == 0) continue;
    const auto file = call.process().files->get(number);
    if (!file) return fail(Errno::BadFile);
    files.push_back({*file, wanted});
    numbers.push_back(number);
  }
  if (const auto waited = wait_for_any(files, deadline); !waited) return waited;
  u64 total = 0;
  for (std::size_t f = 0; f < files.size(); ++f) {
    for (int i = 0; i < 3; ++i) {
      if (!sets[i].has(numbers[f]) || (files[f].found & kinds[i]) == 0) continue;
      found[i].add(numbers[f]);
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
