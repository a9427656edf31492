// handler-lock: a handler spins, interrupts off, on a word that only the code it has interrupted could change.
//
// Proved rather than guessed: while the CPU is in one short loop of the handler, with no device touched, the same
// registers, flags and words come again at the same instruction. With one CPU nothing can then ever change.
#pragma once

#include <optional>
#include <vector>

#include "observe/check/rule.hpp"
#include "observe/check/rules/code_path.hpp"

namespace vitrine {

class HandlerLockRule final : public Rule {
 public:
  explicit HandlerLockRule(const RuleContext& context);
  static RuleMaker maker();

  void looked(const Cpu& cpu) override;

 private:
  struct Word {
    u64 linear = 0;
    unsigned size = 0;
  };
  /// The loop that the CPU was seen in.
  struct Wait {
    std::vector<u64> addresses;  ///< of its instructions
    u64 polling = 0;             ///< the instruction that reads the word
    Word polled;
    std::vector<Word> written;  ///< other words that the loop writes
    u64 since = 0;              ///< the first look
  };
  /// All that could change from one round to the next.
  struct Sight {
    u64 rip = 0;
    u64 registers[16]{};
    u32 flags = 0;
    std::vector<u64> words;
    bool operator==(const Sight&) const = default;
  };

  [[nodiscard]] const LiveFrame* handler(const Cpu& cpu) const;
  static std::optional<Wait> find_wait(const Cpu& cpu, u64 rip, u64 now);
  static std::optional<Sight> sight_of(const Cpu& cpu, const Wait& wait, u64 rip);
  void report(const Wait& wait, u64 value, const LiveFrame& frame, u64 now);

  std::optional<Wait> wait_;
  std::vector<Sight> sights_;
  unsigned looks_ = 0;
  u64 next_decoding_ = 0;  ///< not before
  bool one_cpu_ = true;
  bool told_ = false;  ///< of this wait
};

}  // namespace vitrine
