#include "tools/path_meter/kernel_stages.hpp"

#include <algorithm>
#include <span>
#include <string_view>

namespace vitrine::paths {

namespace {

struct Beginning {
  std::string_view function;  ///< with '*' at its end: all that begin so
  Stage stage;
};

constexpr Beginning pulse_beginnings[] = {
    {"pulse::sys_*", Stage::Work},
    {"pulse::quick_*", Stage::Work},
    {"pulse::InterruptManager::dispatch", Stage::Work},
    {"pulse::handle_exception", Stage::Work},
    {"pulse::deliver_signal", Stage::Work},
    {"pulse::run_bottom_halves", Stage::BottomHalf},
    {"pulse::WaitQueue::wake", Stage::WakeUp},
    {"pulse::wake", Stage::WakeUp},
    {"pulse::schedule", Stage::Switch},
    {"switch_stacks", Stage::Return},
    {"pulse::return_to_program", Stage::Return},
};

constexpr Beginning linux_beginnings[] = {
    {"__x64_sys_*", Stage::Work},
    {"__ia32_sys_*", Stage::Work},
    {"handle_edge_irq", Stage::Work},
    {"handle_level_irq", Stage::Work},
    {"handle_fasteoi_irq", Stage::Work},
    {"hrtimer_interrupt", Stage::Work},
    {"exc_page_fault", Stage::Work},
    {"arch_do_signal_or_restart", Stage::Work},
    {"__do_softirq", Stage::BottomHalf},
    {"process_one_work", Stage::BottomHalf},
    {"__wake_up_common_lock", Stage::WakeUp},
    {"__wake_up_common", Stage::WakeUp},
    {"__wake_up_locked_key", Stage::WakeUp},
    {"try_to_wake_up", Stage::WakeUp},
    {"__schedule", Stage::Switch},
    {"finish_task_switch", Stage::Return},
    {"syscall_exit_to_user_mode", Stage::Return},
    {"irqentry_exit_to_user_mode", Stage::Return},
    {"irqentry_exit", Stage::Return},
};

/// A name without what is not the author's: parameters, ".isra.0", "(anonymous namespace)::".
std::string bare(std::string name) {
  static constexpr std::string_view unnamed = "(anonymous namespace)::";
  if (const std::size_t at = name.find(unnamed); at != std::string::npos) name.erase(at, unnamed.size());
  return name.substr(0, name.find_first_of("(."));
}

bool matches(std::string_view function, std::string_view name) {
  if (function.ends_with('*')) return name.starts_with(function.substr(0, function.size() - 1));
  return function == name;
}

std::vector<StagePoint> points_of(const std::vector<NamedAddress>& functions, std::span<const Beginning> beginnings) {
  std::vector<StagePoint> points;
  for (const NamedAddress& function : functions) {
    const auto found = std::ranges::find_if(
        beginnings, [name = bare(function.name)](const Beginning& each) { return matches(each.function, name); });
    if (found != beginnings.end()) points.push_back({function.address, found->stage});
  }
  return points;
}

}  // namespace

std::vector<StagePoint> stages_of_pulse(const std::vector<NamedAddress>& functions) {
  return points_of(functions, pulse_beginnings);
}
std::vector<StagePoint> stages_of_linux(const std::vector<NamedAddress>& functions) {
  return points_of(functions, linux_beginnings);
}

}  // namespace vitrine::paths
