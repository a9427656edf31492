// The interrupt manager: which handlers a vector has, what came of each interrupt, and when to give up on a line.
//
// A line may be shared: its handlers form a chain, and all are asked. A handler says whether it was its device's, and
// whether another thread should run now. Pure bookkeeping; the controller is behind an interface, so that all of it is
// tested on the host.
#pragma once

#include <array>
#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

struct Frame;

enum class HandlerResult : u8 {
  NotMine,  ///< the device had nothing to say: ask the next in the chain
  Handled,
  Reschedule,  ///< handled, and somebody who was woken may want the CPU
};

/// One handler of one device. Owned by its driver; registered once.
struct InterruptHandler {
  std::string_view name;  ///< for /proc/interrupts
  HandlerResult (*function)(InterruptHandler& self, Frame& frame) = nullptr;
  InterruptHandler* next = nullptr;  ///< in the chain; the manager's
};

/// The chips between devices and CPU.
class InterruptController {
 public:
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The vector that the line's interrupts come with.
  [[nodiscard]] virtual u8 vector_of(u8 line) const = 0;
  virtual void mask(u8 line) = 0;
  virtual void unmask(u8 line) = 0;
  /// Tells the chips that the interrupt is over.
  virtual void end(u8 line) = 0;
  /// The line stays active until its device is quiet: ended before that, it interrupts again.
  [[nodiscard]] virtual bool is_level(u8 line) const = 0;
  /// The interrupt that was just delivered has no cause (8259 data sheet, "spurious"). Does what the chips then need.
  [[nodiscard]] virtual bool is_spurious(u8 line) = 0;

 protected:
  ~InterruptController() = default;
};

class InterruptManager {
 public:
  /// Wires first; from `first_message` on, interrupts that devices write as messages (MSI), which nothing masks here.
  static constexpr unsigned lines = 32, first_message = 24;
  static constexpr u8 no_line = 0xFF;
  /// A line whose handlers all say NotMine for so many of the last `storm_window` interrupts is masked for good: the
  /// device can't be made quiet by anybody who is here (the figures are those of Linux's spurious.c).
  static constexpr u32 storm_window = 100'000, storm_limit = 99'900;

  struct LineCounts {
    u64 delivered = 0, spurious = 0, not_mine = 0;
    bool stopped = false;  ///< masked by storm detection
  };

  void attach(InterruptController& controller);
  /// The line whose vector this is; no_line: none's.
  [[nodiscard]] u8 line_of(u64 vector) const { return lines_of_[vector]; }
  [[nodiscard]] InterruptController* controller() const { return controller_; }

  /// Adds a handler at the end of the line's chain and unmasks the line. IF may be on.
  void add(u8 line, InterruptHandler& handler);
  /// Takes it out; the last one masks the line.
  void remove(u8 line, InterruptHandler& handler);

  /// An interrupt of `line` has been delivered. True if a thread should be chosen anew.
  [[nodiscard]] bool dispatch(u8 line, Frame& frame);
  /// The same in two steps, where handlers can't run at once: ends the interrupt now; serve() comes later. False: the
  /// line must not be ended before its device is quiet, and nothing was done.
  [[nodiscard]] bool end_early(u8 line);
  [[nodiscard]] bool serve(u8 line);

  [[nodiscard]] const LineCounts& counts(u8 line) const { return lines_[line].counts; }
  [[nodiscard]] const InterruptHandler* chain(u8 line) const { return lines_[line].chain; }

 private:
  struct Line {
    InterruptHandler* chain = nullptr;
    LineCounts counts;
    u32 window = 0, unclaimed = 0;
  };
  [[nodiscard]] bool ask_handlers(u8 number, Frame& frame);
  void note_unclaimed(u8 number, Line& line, bool claimed);

  InterruptController* controller_ = nullptr;
  std::array<Line, lines> lines_{};
  std::array<u8, 256> lines_of_{};  // by vector
};

}  // namespace pulse
