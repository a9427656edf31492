#include "machine/boards/schedule.hpp"

#include <algorithm>

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr u64 endless = u64{1} << 62;
}

u64 Schedule::draw() {
  // SplitMix64 (Steele, Lea, Flood 2014).
  random_ += 0x9E3779B97F4A7C15;
  u64 value = random_;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

void Schedule::begin(Tick now, std::span<const u8> running) {
  order_.assign(running.begin(), running.end());
  position_ = 0;
  start_ = now.value;
  turn_begin_ = phase_ = 0;
  length_ = alone() ? endless : slice_;
  if (!varies_ || alone()) return;
  length_ = 1 + draw() % (2 * slice_);
  for (std::size_t left = order_.size(); left > 1; --left) std::swap(order_[left - 1], order_[draw() % left]);
}

u64 Schedule::instructions_until(Tick time) const {
  const u64 turn = turn_begin_ + length_ > phase_ ? turn_begin_ + length_ - phase_ : 0;
  const u64 nanoseconds = time.value - start_;
  if (nanoseconds > endless / order_.size()) return turn;
  const u64 position = nanoseconds * order_.size();
  return std::min(turn, position > phase_ ? position - phase_ : 0);
}

Tick Schedule::turn_end() const { return Tick(start_ + std::max(turn_begin_ + length_, phase_) / order_.size()); }

void Schedule::forfeit() { phase_ = std::max(turn_begin_ + length_, phase_); }

void Schedule::end_turn() {
  forfeit();
  turn_begin_ = phase_;
  if (++position_ == order_.size()) close();
}

/// Can an open round have come about, of so many CPUs and at that time?
bool Schedule::is_round_of(unsigned cpus, Tick now) const {
  u64 seen = 0;
  for (const u8 cpu : order_) {
    if (cpu >= cpus || bit(seen, cpu)) return false;
    seen |= u64{1} << cpu;
  }
  const u64 longest = alone() ? endless : 2 * most_slice;
  if (position_ >= order_.size() || length_ == 0 || length_ > longest) return false;
  if (phase_ > endless || turn_begin_ > phase_ || start_ > now.value || start_ > endless) return false;
  // The clock has not got past the instruction that comes next. Where the CPU has given its turn away it may lag
  // behind.
  const u64 next = share().at(0);
  return alone() ? next == now.value : next >= now.value && phase_ - turn_begin_ <= length_ + most_slice;
}

void Schedule::exchange(Archive& archive, unsigned cpus, Tick now) {
  u32 count = static_cast<u32>(order_.size());
  archive(slice_, random_, varies_, count);
  if (count > most_cpus) {
    archive.refuse(Archive::Error::BadValue);
    return;
  }
  order_.resize(count);
  for (u8& cpu : order_) archive(cpu);
  archive(position_, start_, length_, turn_begin_, phase_);
  if (!archive.loading()) return;
  const bool makes_sense = slice_ >= 1 && slice_ <= most_slice && (order_.empty() || is_round_of(cpus, now));
  if (makes_sense) return;
  order_.clear();
  slice_ = usual_slice;
  archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
