// The line of `run --live`: how far the guest is, how fast, and which interrupts it takes.
//
// It stands on a terminal of its own line, below what was printed last. When the guest prints on the same terminal, the
// line goes away first, and comes back when the guest's line has ended: not a byte of the guest's output is garbled.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

/// Where the run stands; nanoseconds of the wall since any moment.
struct LiveMoment {
  u64 wall = 0;
  u64 guest = 0;
  u64 instructions = 0;
};

/// Counts, and words them.
class LiveCounts final : public LedgerSink {
 public:
  explicit LiveCounts(std::vector<std::string> sources) : sources_(std::move(sources)), known_(4096) {}
  void consume(std::span<const Record> records) override;
  /// What happened since `before`, e.g. "guest 1.25 s, 0.98x real time, 45 MIPS, 1,012 interrupts/s: pit 1,000, com1
  /// 12". Rates of interrupts are by guest time. Starts counting anew.
  [[nodiscard]] std::string words(const LiveMoment& before, const LiveMoment& now);

 private:
  struct Known {
    u64 id = 0;
    u16 source = 0;
  };
  std::vector<std::string> sources_;
  std::vector<Known> known_;    // the last request of each id modulo the size
  std::vector<u64> delivered_;  // by source
};

/// Draws on standard error, which must be a terminal.
class LiveStatus {
 public:
  explicit LiveStatus(std::vector<std::string> sources) : counts(std::move(sources)) {}
  ~LiveStatus() { hide(); }
  LiveStatus(const LiveStatus&) = delete;
  LiveStatus& operator=(const LiveStatus&) = delete;

  /// Is it time to draw again?
  [[nodiscard]] bool is_due(u64 wall) const { return wall - last_.wall >= interval; }
  void draw(const LiveMoment& now);
  /// To be called before anything else is printed on the terminal.
  void hide();

  LiveCounts counts;

 private:
  static constexpr u64 interval = 250'000'000;
  LiveMoment last_;
  bool shown_ = false;
};

}  // namespace vitrine
