// One run of a guest: made, fed, watched, ended, reported.
#include <memory>
#include <optional>

#include "apps/disks.hpp"
#include "apps/guest_output.hpp"
#include "apps/live_status.hpp"
#include "apps/register_dump.hpp"
#include "apps/run_end.hpp"
#include "apps/run_input.hpp"
#include "apps/run_observers.hpp"
#include "apps/run_options.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "host/file.hpp"
#include "host/pacer.hpp"
#include "host/stop_signal.hpp"
#include "host/terminal.hpp"
#include "machine/boards/machine.hpp"
#include "machine/cpu/cpu.hpp"
#include "observe/fault_chain.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

/// How much guest time passes between two looks at the world. Short for a person at a keyboard.
constexpr u64 interactive_slice = 4'000'000;
constexpr u64 batch_slice = 10'000'000;
/// The same in instructions of all CPUs: many CPUs, or one that is watched closely, need long for little guest time.
constexpr u64 most_instructions_of_slice = 250'000;
/// While more input waits: about one character of a fast serial line.
constexpr u64 feeding_slice = 100'000;
/// Sleeps shorter than this cost more than they save.
constexpr u64 least_sleep = 500'000;

class GuestRun {
 public:
  explicit GuestRun(const RunOptions& options)
      : options_(options), output_(options.serial, options.debug_console, options.until), input_(options) {}

  int execute() {
    if (!output_.error().empty()) return complain(status::no_input, output_.error());
    if (int problem = 0; !read_files(problem) || !disks_.open(options_.disks, options_.disk_saves, problem) ||
                         !make_machine(problem) || !boot(problem) ||
                         !observers_.attach(*machine_, description_, problem)) {
      return problem;
    }
    if (options_.live) attach_live();
    RunEnd end;
    // Until the disks are saved, too: what the guest wrote is nowhere else.
    const StopSignals signals;
    {
      // In raw mode only while the guest runs: what we print afterwards is printed on the terminal as it was.
      std::unique_ptr<RawTerminal> terminal;
      if (input_.interactive()) terminal = std::make_unique<RawTerminal>();
      end = loop(signals);
      if (live_) live_->hide();
    }
    add_where_it_stands(end, *machine_);
    return finish(end);
  }

 private:
  // --- before the run ---------------------------------------------------------------------------------------------

  bool read_guest_file(const std::string& path, const char* what, std::vector<u8>& into, int& problem) {
    auto contents = read_file(path, options_.memory_bytes);
    if (contents) {
      into = std::move(*contents);
      return true;
    }
    const FileError& error = contents.error();
    if (error.kind == FileError::Kind::TooLarge) {
      problem =
          complain(status::not_a_guest, fmt::format("the {} '{}' is larger than the guest's memory of {} MiB; give "
                                                    "it more with --memory",
                                                    what, path, options_.memory_bytes >> 20));
    } else {
      problem = complain(status::no_input, fmt::format("can't read the {} '{}': {}", what, path, error.clause));
    }
    return false;
  }

  bool read_files(int& problem) {
    if (!read_guest_file(options_.guest, "guest", image_, problem)) return false;
    if (!options_.initrd.empty() && !read_guest_file(options_.initrd, "initrd", initrd_, problem)) return false;
    if (!load_symbols(options_.symbols, symbols_, problem)) return false;
    // A guest that has symbols of its own needs no --symbols. That it has none is no mistake.
    constexpr u8 elf_magic[] = {0x7F, 'E', 'L', 'F'};
    if (options_.symbols.empty() && image_.size() >= 4 && std::equal(elf_magic, elf_magic + 4, image_.begin())) {
      [[maybe_unused]] const auto added = symbols_.add(image_, 0);
    }
    return true;
  }

  bool make_machine(int& problem) {
    MachineOptions options{.memory_bytes = options_.memory_bytes,
                           .board = options_.board,
                           .cpus = options_.cpus,
                           .x2apic = options_.x2apic,
                           .slice = options_.slice,
                           .schedule_seed = options_.schedule_seed,
                           .seed = options_.seed,
                           .rtc_unix_seconds = options_.rtc_unix_seconds,
                           .cooling = options_.cooling,
                           .disks = disks_.take_images(),
                           .outputs = &output_};
    if (options_.real_serial_speed) options.serial_crystal_hz = MachineOptions::pc_serial_crystal_hz;
    auto machine = Machine::create(options);
    if (!machine) {
      problem = complain(status::internal, describe(machine.error()));
      return false;
    }
    machine_ = std::move(*machine);
    output_.on_match = [this] { machine_->request_stop(); };
    return true;
  }

  bool boot(int& problem) {
    const auto loaded = machine_->boot({.image = image_,
                                        .image_name = options_.guest,
                                        .initrd = initrd_,
                                        .initrd_name = options_.initrd,
                                        .command_line = options_.command_line});
    if (!loaded) {
      problem = complain(status::not_a_guest, loaded.error().message);
      return false;
    }
    description_ = loaded->description;
    return true;
  }

  void attach_live() {
    if (!standard_error_is_terminal()) {
      return tell("vitrine: --live does nothing here: it needs a terminal as standard error\n");
    }
    live_.emplace(machine_->ledger().sources());
    machine_->ledger().attach(live_->counts);
    // Where the guest's output goes elsewhere, it can't meet the line.
    shares_terminal_ = standard_output_is_terminal();
    if (shares_terminal_) output_.on_print = [this] { live_->hide(); };
    observers_.on_print = [this] { live_->hide(); };
    input_.on_print = [this] { live_->hide(); };
  }

  /// Not while the guest is in the middle of a line of its own on the same terminal.
  void draw_live() {
    const u64 wall = wall_nanoseconds();
    if (!live_->is_due(wall) || (shares_terminal_ && output_.line_is_open())) return;
    machine_->ledger().flush();
    live_->draw({.wall = wall, .guest = now(), .instructions = machine_->instructions()});
  }

  // --- the run ----------------------------------------------------------------------------------------------------

  RunEnd loop(const StopSignals& signals) {
    Pacer pacer(wall_nanoseconds(), now());
    for (;;) {
      if (const int signal = signals.received(); signal != 0) return ended_by_signal(signal);
      const bool more = input_.feed(*machine_);
      if (input_.left()) return {.reason = "left", .sentence = "You left it (Ctrl-A x).", .status = status::success};

      const u64 slice = more ? feeding_slice : input_.interactive() ? interactive_slice : batch_slice;
      u64 until = std::min(now() + slice, options_.max_time);
      const std::optional<u64> next_due = input_.next_due();
      if (next_due) until = std::min(until, *next_due);
      const u64 instructions =
          std::min(machine_->instructions() + most_instructions_of_slice, options_.max_instructions);
      const Machine::RunResult result =
          machine_->run({.until = Tick(until), .instructions = instructions, .input_follows = next_due.has_value()});
      if (!output_.flush()) {
        return {.reason = "output-failed",
                .sentence = "The guest's output could not be written.",
                .status = status::internal};
      }
      if (live_) draw_live();
      if (output_.matched()) {
        return {.reason = "until",
                .sentence = fmt::format("The guest printed \"{}\".", options_.until),
                .status = status::success};
      }
      if (observers_.wants_end()) {
        return {.reason = "check",
                .sentence = "The sanitizer found a mistake in the guest, and --check-fatal ends the run.",
                .status = status::check_failed};
      }
      switch (result.reason) {
        case Machine::StopReason::TimeLimit:
          if (now() >= options_.max_time) {
            return {.reason = "time",
                    .sentence = fmt::format("The guest time of {} is used up.", duration_text(options_.max_time)),
                    .status = status::budget};
          }
          break;
        case Machine::StopReason::InstructionLimit:
          if (instructions == options_.max_instructions) return ended(result);
          break;
        case Machine::StopReason::Stopped:
          break;
        case Machine::StopReason::HaltedForever:
          if (input_.is_open() && some_cpu_is_interruptible(*machine_)) {
            // Only a person (or a pipe) can wake it.
            if (!more) input_.wait(InputStream::forever, signals.wake_descriptor());
            pacer = Pacer(wall_nanoseconds(), now());
            if (input_.is_used_up()) return ended(result);
            break;
          }
          return ended(result);
        case Machine::StopReason::Reset:
          if (options_.reboot) {
            if (int problem = 0; !reboot(problem))
              return {.reason = "reset",
                      .sentence = "The guest could not be started again.",
                      .status = static_cast<u32>(problem)};
            break;
          }
          return ended(result);
        default:
          return ended(result);
      }
      if (!input_.interactive()) continue;
      if (const u64 ahead = pacer.wait_for(wall_nanoseconds(), now()); ahead >= least_sleep) {
        input_.wait(ahead, signals.wake_descriptor());
      }
    }
  }

  [[nodiscard]] RunEnd ended(const Machine::RunResult& result) {
    return ended_by(result, *machine_, options_, symbols_);
  }

  [[nodiscard]] u64 now() const { return machine_->clock().now().value; }

  bool reboot(int& problem) {
    machine_->reset();
    return boot(problem);
  }

  // --- after the run ----------------------------------------------------------------------------------------------

  int finish(RunEnd end) {
    machine_->ledger().flush();
    observers_.wait();
    observers_.name_guest();
    observers_.judge(end);
    int exit_status = static_cast<int>(end.status);
    // Where both end in one place, what the guest printed and what we say are one text.
    if (output_.line_is_open() && outputs_meet()) tell("\n");
    if (!output_.error().empty()) {
      exit_status = complain(status::internal, output_.error());
    } else {
      tell("vitrine: {} ({} of guest time, {})\n", end.sentence, duration_text(end.time),
           counted(end.instructions, "instruction"));
    }
    if (end.reason == "triple-fault") {
      tell("\n{}", explain_triple_fault(stopped_cpu(*machine_).last_exceptions(),
                                        register_dump(stopped_cpu(*machine_), machine_->memory()), &symbols_));
    }
    if (options_.screen) {
      for (const std::string& line : machine_->text_screen()) tell("{}\n", line);
    }
    if (!observers_.finish(end)) exit_status = status::internal;
    if (!disks_.save(*machine_)) exit_status = status::internal;
    return exit_status;
  }

  const RunOptions& options_;
  GuestOutput output_;
  RunInput input_;
  std::vector<u8> image_, initrd_;
  Disks disks_;
  SymbolTable symbols_;
  std::string description_;
  RunObservers observers_{options_, symbols_};
  std::optional<LiveStatus> live_;
  bool shares_terminal_ = false;
  std::unique_ptr<Machine> machine_;  // goes first: it knows the others
};

}  // namespace

int run_guest(const RunOptions& options) { return GuestRun(options).execute(); }

}  // namespace vitrine
