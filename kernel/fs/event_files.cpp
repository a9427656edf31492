#include "kernel/fs/event_files.hpp"

#include <cstring>
#include <utility>

#include "kernel/core/critical.hpp"

namespace pulse {

namespace {

Result<std::size_t> put_number(IoBuffer& into, u64 number) {
  u8 bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  const auto done = into.put(bytes);
  return done ? Result<std::size_t>(sizeof number) : fail(done.error());
}

}  // namespace

Result<std::size_t> EventCounter::read(IoBuffer& into) {
  if (into.remaining() < sizeof(u64)) return fail(Errno::Invalid);
  if (count_ == 0) return fail(Errno::TryAgain);
  // Taken before it is told, as by Linux: telling may wait for a disk, and another reader must not be told the same.
  const u64 taken = reads_ == Reads::One ? 1 : count_;
  {
    const Critical critical;
    count_ -= taken;
    changed_.wake(pulse::ready::out);
  }
  return put_number(into, taken);
}

Result<std::size_t> EventCounter::write(IoBuffer& from) {
  if (from.remaining() < sizeof(u64)) return fail(Errno::Invalid);
  u8 bytes[sizeof(u64)];
  if (const auto done = from.get(bytes); !done) return fail(done.error());
  u64 number;
  std::memcpy(&number, bytes, sizeof number);
  if (number > most || number > most - count_) {
    from.go_back(sizeof number);
    return fail(number > most ? Errno::Invalid : Errno::TryAgain);
  }
  const Critical critical;
  count_ += number;
  changed_.wake(pulse::ready::in);
  return sizeof number;
}

u32 EventCounter::ready() const {
  return (count_ > 0 ? pulse::ready::in : 0) | (count_ < most ? pulse::ready::out : 0);
}

TimerFile::~TimerFile() {
  const Critical critical;
  queue_->remove(timer_);
}

void TimerFile::set(u64 due, u64 period) {
  const Critical critical;
  queue_->remove(timer_);
  period_ = period;
  expirations_ = 0;
  if (due == 0) return;
  timer_.expired = [](Timer& self, u64 now) {
    TimerFile& file = *static_cast<Own&>(self).file;
    const u64 times = 1 + (file.period_ != 0 ? (now - self.due) / file.period_ : 0);
    file.expirations_ += times;
    if (file.period_ != 0) file.queue_->add(self, self.due + times * file.period_);
    file.changed_.wake(pulse::ready::in);
  };
  queue_->add(timer_, due);
}

Result<std::size_t> TimerFile::read(IoBuffer& into) {
  if (into.remaining() < sizeof(u64)) return fail(Errno::Invalid);
  if (expirations_ == 0) return fail(Errno::TryAgain);
  u64 told;
  {
    const Critical critical;
    told = std::exchange(expirations_, 0);
  }
  return put_number(into, told);
}

Result<std::size_t> SignalFile::read(IoBuffer& into) {
  constexpr std::size_t record_bytes = 128;  // struct signalfd_siginfo
  if (into.remaining() < record_bytes) return fail(Errno::Invalid);
  std::size_t moved = 0;
  while (into.remaining() >= record_bytes) {
    // struct signalfd_siginfo: number, errno, code, sender.
    constexpr std::size_t code_at = 8, sender_at = 12;
    const SignalSource::Signal taken = source_->take(mask_);
    if (taken.number == 0) break;
    u8 record[record_bytes] = {};
    std::memcpy(record, &taken.number, sizeof taken.number);
    std::memcpy(record + code_at, &taken.code, sizeof taken.code);
    std::memcpy(record + sender_at, &taken.sender, sizeof taken.sender);
    if (const auto done = into.put(record); !done) return moved_or(moved, done.error());
    moved += record_bytes;
  }
  return moved > 0 ? Result<std::size_t>(moved) : fail(Errno::TryAgain);
}

}  // namespace pulse
