// Why an interrupt did not arrive: reads the ledger's records in order, and answers in plain sentences, the cause
// first.
//
// Bounded memory. What is asked about is the moment of the last record that was read.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/core/ledger.hpp"
#include "observe/life/life.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"
#include "observe/why/interrupt_state.hpp"

namespace vitrine {

/// Something that supports the sentence.
struct WhyEvidence {
  std::optional<u64> time;  ///< virtual nanoseconds; none: it is so all the time
  std::string text;
  u64 address = 0;  ///< the instruction that it speaks of; 0: none
};

/// One answer about one line of one device, or one vector.
struct WhyAnswer {
  std::string subject;   ///< "IRQ 1 (keyboard)", "vector 14 (page fault)"
  std::string cause;     ///< one word with hyphens for programs, e.g. "missing-eoi"; "arrived" if nothing is wrong
  std::string sentence;  ///< the cause
  std::vector<WhyEvidence> evidence;
  std::vector<std::string> advice;  ///< what to try
  std::optional<Life> life;         ///< the request that it is about, else the last one
  std::string now;  ///< below its steps: how the controller stands that has taken none. Empty: the steps say it
  int line = -1, vector = -1;
  u64 id = 0;          ///< the request that waits; 0: none does
  u64 since = 0;       ///< when it was raised
  bool stuck = false;  ///< nothing that runs by itself will change it
  std::string reason;  ///< what it waits for, the same text for all that wait for the same
};

class WhyBuilder final : public LedgerSink {
 public:
  explicit WhyBuilder(const TraceHeader& header) : state_(header) {}
  void consume(std::span<const Record> records) override { state_.consume(records); }
  [[nodiscard]] const InterruptState& state() const { return state_; }

  /// One answer for each device on the line that has something to tell. `symbols` may be null.
  [[nodiscard]] std::vector<WhyAnswer> about_line(u8 line, const RunEnd& end, const Symboliser* symbols) const;
  [[nodiscard]] std::vector<WhyAnswer> about_vector(u8 vector, const RunEnd& end, const Symboliser* symbols) const;
  /// A name of the trace ("i8042") or what people say ("keyboard", "COM1"), in any case of letters. On failure: the
  /// names that would do, with commas.
  [[nodiscard]] std::expected<std::vector<WhyAnswer>, std::string> about_source(std::string_view name,
                                                                                const RunEnd& end,
                                                                                const Symboliser* symbols) const;
  /// What waits and will go on waiting, and the devices that would interrupt if something of their own did not keep
  /// them from it. Empty if all is well.
  [[nodiscard]] std::vector<WhyAnswer> about_what_is_stuck(const RunEnd& end, const Symboliser* symbols) const;

 private:
  [[nodiscard]] bool is_wanted(u8 line, u16 source) const;

  InterruptState state_;
};

/// A request that waits longer than this is not merely on its way (virtual nanoseconds).
inline constexpr u64 why_patience = 1'000'000;

/// An answer as lines for people. Full: with evidence, the life, and what to try.
enum class WhyDetail : u8 { Short, Full };
[[nodiscard]] std::string why_text(const std::vector<WhyAnswer>& answers, const TraceHeader& header,
                                   const Symboliser* symbols, WhyDetail detail);
/// The same as one JSON document.
/// Is there more to know than what the answers were made from?
enum class Evidence : u8 { Whole, CutShort };
[[nodiscard]] std::string why_json(const std::vector<WhyAnswer>& answers, const TraceHeader& header,
                                   const Symboliser* symbols, Evidence evidence = Evidence::Whole);

}  // namespace vitrine
