// Whose turn it is, in a machine of several CPUs.
//
// Time goes in rounds. In a round every CPU that runs has one turn of `slice` instructions, and all turns lie in the
// same `slice` nanoseconds: of n CPUs each executes n instructions a nanosecond while it has its turn, one over the
// round. So the clock never goes back, every CPU keeps its pace of an instruction a nanosecond, and what happens
// follows from the options alone. A CPU that wakes joins the next round. One that runs alone has a turn without end.
#pragma once

#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/clock.hpp"
#include "machine/cpu/cpu.hpp"

namespace vitrine {

class Schedule {
 public:
  static constexpr u64 usual_slice = 1000, most_slice = 1'000'000;
  static constexpr unsigned most_cpus = 64;

  /// `slice`: instructions, 1..most_slice. `seed`: 0: the CPUs take turns in the order of their numbers, all slices are
  /// equal; else order and length of each round are drawn from it.
  Schedule(u64 slice, u64 seed) : slice_(slice), random_(seed), varies_(seed != 0) {}

  [[nodiscard]] bool open() const { return !order_.empty(); }
  /// Begins a round at `now` for the CPUs with these numbers, of which there is at least one.
  void begin(Tick now, std::span<const u8> running);
  /// Ends the round, at the clock's present time.
  void close() { order_.clear(); }

  // Of an open round:
  [[nodiscard]] u8 cpu() const { return order_[position_]; }
  /// Its CPU is the only one that runs, and has no end of its turn.
  [[nodiscard]] bool alone() const { return order_.size() == 1; }
  /// How the clock runs from here on.
  [[nodiscard]] TimeShare share() const { return {.start = start_, .phase = phase_, .share = order_.size()}; }
  /// Instructions until the end of the turn, or until the clock shows `time`: whichever is less. 0: the turn is over.
  [[nodiscard]] u64 instructions_until(Tick time) const;
  [[nodiscard]] Tick turn_end() const;
  void use(u64 instructions) { phase_ += instructions; }
  /// The CPU gives away what is left of its turn; the time passes all the same.
  void forfeit();
  /// To be called when the clock has come to turn_end(): the next CPU's turn, or the round is over.
  void end_turn();

  /// Of a machine with `cpus` CPUs whose clock shows `now`.
  void exchange(Archive& archive, unsigned cpus, Tick now);

 private:
  u64 draw();
  [[nodiscard]] bool is_round_of(unsigned cpus, Tick now) const;

  u64 slice_;
  u64 random_;
  bool varies_;
  // The round. Instructions of all its CPUs are counted one after another.
  std::vector<u8> order_;
  u32 position_ = 0;
  u64 start_ = 0;   // virtual nanoseconds
  u64 length_ = 0;  // of a turn
  u64 turn_begin_ = 0;
  u64 phase_ = 0;  // may pass the turn's end: the delivery of a fault is not cut
};

}  // namespace vitrine
