#include "apps/run_end.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "apps/status.hpp"
#include "machine/cpu/cpu.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

std::string halted_sentence(Machine& machine, const Symboliser& symbols) {
  std::vector<const Cpu*> halted;
  for (unsigned number = 0; number < machine.processors(); ++number) {
    if (!machine.cpu(number).state.waits_for_startup) halted.push_back(&machine.cpu(number));
  }
  const auto place = [&](const Cpu& cpu) { return describe_address(cpu.linear_rip(), &symbols); };
  const auto flag = [](const Cpu& cpu) { return cpu.interruptible() ? "on" : "off"; };
  if (halted.size() == 1) {
    return fmt::format("The guest halted for good at {}: HLT with interrupts {}, and nothing can wake it.",
                       place(*halted[0]), flag(*halted[0]));
  }
  static constexpr std::size_t most_told = 4;
  std::string text = "All CPUs halted for good, and nothing can wake them:";
  for (std::size_t i = 0; i < std::min(halted.size(), most_told); ++i) {
    text += fmt::format("{} CPU {} at {} with interrupts {}", i == 0 ? "" : ",", halted[i]->number, place(*halted[i]),
                        flag(*halted[i]));
  }
  if (halted.size() > most_told) text += fmt::format(", and {} more", halted.size() - most_told);
  return text + ".";
}

}  // namespace

const Cpu& stopped_cpu(Machine& machine) {
  for (unsigned number = 0; number < machine.processors(); ++number) {
    if (machine.cpu(number).state.shutdown) return machine.cpu(number);
  }
  return machine.cpu();
}

bool some_cpu_is_interruptible(Machine& machine) {
  for (unsigned number = 0; number < machine.processors(); ++number) {
    const Cpu& cpu = machine.cpu(number);
    if (!cpu.state.waits_for_startup && cpu.interruptible()) return true;
  }
  return false;
}

RunEnd ended_by(const Machine::RunResult& result, Machine& machine, const RunOptions& options,
                const Symboliser& symbols) {
  switch (result.reason) {
    case Machine::StopReason::InstructionLimit:
      return {.reason = "instructions",
              .sentence = fmt::format("The budget of {} is used up.", counted(options.max_instructions, "instruction")),
              .status = status::budget};
    case Machine::StopReason::HaltedForever:
      return {.reason = "halted", .sentence = halted_sentence(machine, symbols), .status = status::halted};
    case Machine::StopReason::TripleFault:
      return {.reason = "triple-fault",
              .sentence = machine.processors() == 1
                              ? "The guest's CPU shut down: triple fault."
                              : fmt::format("CPU {} shut down: triple fault.", stopped_cpu(machine).number),
              .status = status::triple_fault};
    case Machine::StopReason::GuestExit:
      return {.reason = "exit",
              .sentence = fmt::format("The guest wrote {:#x} to port 0xF4.", result.value),
              .status = (result.value << 1 | 1) & 0xFF};
    case Machine::StopReason::PowerOff:
      return {.reason = "power-off", .sentence = "The guest switched the machine off.", .status = status::success};
    default:
      return {.reason = "reset", .sentence = "The guest asked for a reset.", .status = status::success};
  }
}

RunEnd ended_by_signal(int signal) {
  const char* name = signal == SIGINT ? "Ctrl-C" : signal == SIGTERM ? "SIGTERM" : "SIGHUP";
  return {.reason = "interrupted",
          .sentence = fmt::format("Stopped by {}.", name),
          .status = static_cast<u32>(status::signal_base + signal)};
}

void add_where_it_stands(RunEnd& end, Machine& machine) {
  end.time = machine.clock().now().value;
  end.instructions = machine.instructions();
  end.address = stopped_cpu(machine).linear_rip();
  if (machine.processors() == 1) return;
  for (unsigned number = 0; number < machine.processors(); ++number) {
    const Cpu& cpu = machine.cpu(number);
    end.cpus.push_back(cpu.state.waits_for_startup ? 0 : cpu.linear_rip());
  }
}

}  // namespace vitrine
