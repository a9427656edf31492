// lost-wakeup-before-hlt and dead-halt: what goes wrong at a HLT.
//
// A wake-up is lost when the guest reads a word, decides to halt, and the interrupt that changes the word comes between
// the two. A halt is dead when IF is clear: nothing on this board drives NMI.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "observe/check/rule.hpp"
#include "observe/check/rules/idle_loop.hpp"

namespace vitrine {

class HaltRules final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void halted(const Cpu& cpu, u64 instruction, CpuProbe::HaltShadow shadow) override;
  void finish(const RunEnd& end) override;

 private:
  /// What is known of one word of one loop.
  struct Watched {
    u64 halt = 0;
    IdleWord word;
    u64 changes = 0;          ///< by handlers
    bool only_counts = true;  ///< each change added one to the last
    u64 last_value = 0;
    u8 changed_by = 0;   ///< vector
    u64 changed_in = 0;  ///< that handler's first instruction
    bool told = false;
  };
  /// A handler that runs, and what the watched words were before it.
  struct Running {
    u64 request = 0;
    u64 frame = 0;
    u8 vector = 0;
    u64 handler = 0;
    u64 interrupted = 0;
    u64 time = 0;
    std::vector<u64> values;
  };
  /// An interrupt came in the gap and changed the word.
  struct Missed {
    std::size_t watched = 0;
    Running by;
    u64 instructions = 0;  ///< when its handler returned
    u64 old_value = 0, new_value = 0;
  };

  void watch(const Cpu& cpu, u64 halt);
  void note_changes(const Cpu& cpu, const Running& handler);
  void judge_gap(const Cpu& cpu, u64 halt);
  void judge_dead(const Cpu& cpu, u64 halt);
  void tell_lost(u64 woken);
  [[nodiscard]] static bool stack_leads_to(const Cpu& cpu, u64 frame);
  [[nodiscard]] bool belongs_to_callers(const Cpu& cpu, u64 cli, u64 halt) const;

  std::vector<Watched> watched_;
  std::vector<u64> halts_;  ///< whose loops have been read
  std::vector<Running> running_;
  std::optional<Missed> missed_;
  std::optional<Finding> lost_;  ///< complete but for the time until the next wake-up
};

}  // namespace vitrine
