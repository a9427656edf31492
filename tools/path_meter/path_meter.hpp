// Counts the instructions of paths that a guest's program marks (abi/path_mark.hpp), and says in which stage of the
// kernel they were spent. The program runs undisturbed: a probe of the CPU watches.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "abi/path_mark.hpp"
#include "machine/boards/machine.hpp"
#include "machine/cpu/probe.hpp"

namespace vitrine::paths {

/// A stage lasts from the first instruction of one of its functions to that of another stage's.
enum class Stage : u8 { Program, Entry, Work, BottomHalf, WakeUp, Switch, Return };
inline constexpr std::size_t stages = 7;
[[nodiscard]] std::string_view name_of(Stage stage);

struct Sample {
  u64 total = 0;
  u64 by_stage[stages] = {};
};

/// The paths by name, each in the order in which it was gone.
using Samples = std::map<std::string, std::vector<Sample>>;

struct StagePoint {
  u64 address = 0;
  Stage stage{};
};

class PathMeter final : public CpuProbe, private LedgerSink {
 public:
  /// `mark`: the address of path_mark() in the program. The meter is the machine's probe from now on.
  PathMeter(Machine& machine, u64 mark);

  /// Asked once, when the program marks its first path: the kernel is there by then.
  std::function<std::vector<StagePoint>(const Cpu&)> find_stages;
  /// If it is set, called before every instruction of this path's sample number `traced_sample` (above 0). Slow.
  std::function<void(u64 address)> trace;
  std::string traced_path;
  std::size_t traced_sample = 1;

  /// Runs until the program says that it is done; false: until the machine ended, or `until`.
  bool run(Tick until);
  [[nodiscard]] const Samples& samples() const { return samples_; }

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu&, const ProbedReturn&) override {}
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void left_kernel(const Cpu& cpu, u64 instruction) override;
  void entered_kernel(const Cpu& cpu, u64 instruction) override;
  void table_loaded(const Cpu&, ProbedTable, u64) override {}
  void interrupts_enabled(const Cpu&, u64) override {}
  void halted(const Cpu&, u64, HaltShadow) override { spoilt_ = true; }
  void stack_switched(const Cpu&, u64, u64, u64) override {}
  void gs_changed(const Cpu&, u64, GsChange) override {}
  void gs_used(const Cpu&, u64) override {}
  void code_point(const Cpu& cpu, u64 address) override;
  void looked(const Cpu&) override {}

 private:
  void consume(std::span<const Record> records) override;
  void marked(const Cpu& cpu);
  void begin(const Cpu& cpu, Stage stage);
  void end(const Cpu& cpu);
  void enter_stage(const Cpu& cpu, Stage stage);
  void press_key_if_due();

  Machine* machine_;
  u64 mark_;
  std::map<u64, Stage> points_;
  Samples samples_;

  std::string name_;  ///< of the path that began last
  abi::Mark kind_{};
  bool open_ = false;    ///< its instructions are counted
  bool spoilt_ = false;  ///< an interrupt or a halt is in it
  bool done_ = false;
  Sample sample_;
  Stage stage_{};
  u64 began_ = 0, stage_began_ = 0;
  u64 address_space_ = 0;
  u64 marks_cost_ = 0;

  RequestId key_request_{};
  bool key_wanted_ = false, key_pressed_ = false, releases_key_ = false;
  Tick key_due_{};
  u64 tick_request_ = 0;
};

}  // namespace vitrine::paths
