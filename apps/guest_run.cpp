// One run of a guest: made, fed, watched, ended, reported.
#include <csignal>
#include <deque>
#include <memory>
#include <optional>

#include "apps/disks.hpp"
#include "apps/guest_output.hpp"
#include "apps/live_status.hpp"
#include "apps/register_dump.hpp"
#include "apps/run_observers.hpp"
#include "apps/run_options.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "host/file.hpp"
#include "host/input.hpp"
#include "host/pacer.hpp"
#include "host/stop_signal.hpp"
#include "host/terminal.hpp"
#include "machine/boards/machine.hpp"
#include "machine/cpu/cpu.hpp"
#include "machine/devices/system_control/system_control_b.hpp"
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
/// From one key event of --keys to the next: nobody types faster, and some guests poll.
constexpr u64 key_interval = 10'000'000;
/// Sleeps shorter than this cost more than they save.
constexpr u64 least_sleep = 500'000;

class GuestRun {
 public:
  explicit GuestRun(const RunOptions& options)
      : options_(options), output_(options.serial, options.debug_console, options.until) {}

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
      const bool uses_input = options_.serial == "stdio";
      // In raw mode only while the guest runs: what we print afterwards is printed on the terminal as it was.
      std::unique_ptr<RawTerminal> terminal;
      interactive_ = uses_input && standard_input_is_terminal();
      if (interactive_) terminal = std::make_unique<RawTerminal>();
      end = loop(signals, uses_input);
      if (live_) live_->hide();
    }
    end.time = machine_->clock().now().value;
    end.instructions = machine_->instructions();
    end.address = stopped_cpu().linear_rip();
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
  }

  /// Not while the guest is in the middle of a line of its own on the same terminal.
  void draw_live() {
    const u64 wall = wall_nanoseconds();
    if (!live_->is_due(wall) || (shares_terminal_ && output_.line_is_open())) return;
    machine_->ledger().flush();
    live_->draw({.wall = wall, .guest = now(), .instructions = machine_->instructions()});
  }

  // --- the run ----------------------------------------------------------------------------------------------------

  RunEnd loop(const StopSignals& signals, bool uses_input) {
    Pacer pacer(wall_nanoseconds(), now());
    for (;;) {
      if (const int signal = signals.received(); signal != 0) return interrupted(signal);
      if (uses_input) input_.poll();
      const bool more = feed_serial();
      feed_keys();
      inject_what_is_due();
      if (left_) return {.reason = "left", .sentence = "You left it (Ctrl-A x).", .status = status::success};

      const u64 slice = more ? feeding_slice : interactive_ ? interactive_slice : batch_slice;
      u64 until = std::min(now() + slice, options_.max_time);
      const bool input_follows = next_input_ < options_.timed_inputs.size();
      if (input_follows) until = std::min(until, options_.timed_inputs[next_input_].time.value);
      const u64 instructions =
          std::min(machine_->instructions() + most_instructions_of_slice, options_.max_instructions);
      const Machine::RunResult result =
          machine_->run({.until = Tick(until), .instructions = instructions, .input_follows = input_follows});
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
          if (uses_input && !input_.at_end() && some_cpu_is_interruptible()) {
            // Only a person (or a pipe) can wake it.
            if (!more) input_.wait(InputStream::forever, signals.wake_descriptor());
            pacer = Pacer(wall_nanoseconds(), now());
            if (input_.at_end() && input_.empty()) return ended(result);
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
      if (!interactive_) continue;
      if (const u64 ahead = pacer.wait_for(wall_nanoseconds(), now()); ahead >= least_sleep) {
        input_.wait(ahead, signals.wake_descriptor());
      }
    }
  }

  [[nodiscard]] u64 now() const { return machine_->clock().now().value; }

  bool reboot(int& problem) {
    machine_->reset();
    return boot(problem);
  }

  /// Obeys what a person says to us, whether or not the guest listens. What is left is the guest's.
  void read_terminal() {
    while (const auto byte = input_.next()) {
      const EscapeKeys::Result result = escape_keys_.feed(*byte);
      if (result.command == EscapeKeys::Command::Leave) left_ = true;
      if (result.command == EscapeKeys::Command::Help) print_help();
      if (result.command == EscapeKeys::Command::PowerButton) machine_->inject({.kind = InputKind::PowerButton});
      if (result.command == EscapeKeys::Command::NmiButton) {
        machine_->inject({.kind = InputKind::Nmi, .value = static_cast<u64>(SystemControlB::NmiSource::Button)});
      }
      if (result.command == EscapeKeys::Command::Send) typed_.push_back(result.byte);
    }
  }

  /// Gives the guest the next byte if it wants one. True if it wants more, and there is more.
  bool feed_serial() {
    if (interactive_) read_terminal();
    const auto waiting = [&] { return interactive_ ? !typed_.empty() : !input_.empty(); };
    if (!waiting() || !machine_->serial_wants_input(0)) return false;
    u8 byte = 0;
    if (interactive_) {
      byte = typed_.front();
      typed_.pop_front();
    } else {
      byte = *input_.next();
    }
    machine_->inject({.kind = InputKind::SerialByte, .port = 0, .value = byte});
    return waiting() && machine_->serial_wants_input(0);
  }

  void feed_keys() {
    if (next_key_ >= options_.keys.size() || now() < key_due_ || !machine_->keyboard_wants_input()) return;
    const KeyStroke& stroke = options_.keys[next_key_++];
    if (stroke.scan_codes != 0) machine_->inject({.kind = InputKind::KeyScan, .value = stroke.scan_codes});
    if (stroke.motion) machine_->inject({.kind = InputKind::MouseMotion, .value = *stroke.motion});
    key_due_ = now() + key_interval + stroke.pause;
  }

  void inject_what_is_due() {
    for (; next_input_ < options_.timed_inputs.size(); ++next_input_) {
      const Input& input = options_.timed_inputs[next_input_];
      if (input.time.value > now()) return;
      machine_->inject(input);
    }
  }

  void print_help() {
    if (live_) live_->hide();
    tell(
        "\n[vitrine] Ctrl-A x  leave    Ctrl-A Ctrl-A  send Ctrl-A    Ctrl-A p  power button\n"
        "          Ctrl-A n  NMI button    Ctrl-A h  this help\n");
  }

  static RunEnd interrupted(int signal) {
    const char* name = signal == SIGINT ? "Ctrl-C" : signal == SIGTERM ? "SIGTERM" : "SIGHUP";
    return {.reason = "interrupted",
            .sentence = fmt::format("Stopped by {}.", name),
            .status = static_cast<u32>(status::signal_base + signal)};
  }

  /// The CPU that a triple fault shut down; the first one otherwise.
  const Cpu& stopped_cpu() const {
    for (unsigned number = 0; number < machine_->processors(); ++number) {
      if (machine_->cpu(number).state.shutdown) return machine_->cpu(number);
    }
    return machine_->cpu();
  }

  bool some_cpu_is_interruptible() const {
    for (unsigned number = 0; number < machine_->processors(); ++number) {
      const Cpu& cpu = machine_->cpu(number);
      if (!cpu.state.waits_for_startup && cpu.interruptible()) return true;
    }
    return false;
  }

  std::string halted_sentence() const {
    std::vector<const Cpu*> halted;
    for (unsigned number = 0; number < machine_->processors(); ++number) {
      if (!machine_->cpu(number).state.waits_for_startup) halted.push_back(&machine_->cpu(number));
    }
    const auto place = [this](const Cpu& cpu) { return describe_address(cpu.linear_rip(), &symbols_); };
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

  RunEnd ended(const Machine::RunResult& result) {
    switch (result.reason) {
      case Machine::StopReason::InstructionLimit:
        return {
            .reason = "instructions",
            .sentence = fmt::format("The budget of {} is used up.", counted(options_.max_instructions, "instruction")),
            .status = status::budget};
      case Machine::StopReason::HaltedForever:
        return {.reason = "halted", .sentence = halted_sentence(), .status = status::halted};
      case Machine::StopReason::TripleFault:
        return {.reason = "triple-fault",
                .sentence = machine_->processors() == 1
                                ? "The guest's CPU shut down: triple fault."
                                : fmt::format("CPU {} shut down: triple fault.", stopped_cpu().number),
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
      tell("\n{}", explain_triple_fault(stopped_cpu().last_exceptions(),
                                        register_dump(stopped_cpu(), machine_->memory()), &symbols_));
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
  std::vector<u8> image_, initrd_;
  Disks disks_;
  SymbolTable symbols_;
  std::string description_;
  RunObservers observers_{options_, symbols_};
  std::optional<LiveStatus> live_;
  bool shares_terminal_ = false;
  std::unique_ptr<Machine> machine_;  // goes first: it knows the others

  InputStream input_;
  EscapeKeys escape_keys_;
  std::deque<u8> typed_;  // on the terminal, for the guest
  std::size_t next_key_ = 0, next_input_ = 0;
  u64 key_due_ = 0;
  bool interactive_ = false;
  bool left_ = false;
};

}  // namespace

int run_guest(const RunOptions& options) { return GuestRun(options).execute(); }

}  // namespace vitrine
