// vitrine run [GUEST]: the command line. guest_run.cpp does the running.
#include <filesystem>
#include <set>
#include <tuple>

#include "apps/commands.hpp"
#include "apps/default_guest.hpp"
#include "apps/run_options.hpp"
#include "apps/status.hpp"
#include "apps/values.hpp"
#include "host/file.hpp"
#include "host/pacer.hpp"
#include "machine/boards/machine.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

/// The first path that leads where one before it leads; null if all differ.
const std::string* named_twice(const std::vector<std::string>& paths) {
  std::set<std::filesystem::path> seen;
  for (const std::string& path : paths) {
    std::error_code problem;
    const auto real = std::filesystem::weakly_canonical(path, problem);
    if (!seen.insert(problem ? std::filesystem::path(path) : real).second) return &path;
  }
  return nullptr;
}

constexpr const char* run_footer = R"(
Status: 0 --until was printed, or the guest switched itself off or asked for a reset; 2v+1 it wrote v to port 0xF4;
  64 usage; 65 GUEST can't be run here; 66 a file can't be read; 70 our own fault; 80 the time or instructions are used
  up; 81 triple fault; 82 --check-fatal found something; 83 halted for good; 128+n ended by signal n (the report still comes).

Examples:
  vitrine run
  vitrine run vmlinuz --initrd initramfs --append "console=ttyS0" --report
  vitrine run kernel.elf --serial none --max-time 2s --report=report.json
  vitrine run kernel.elf --until "READY" --trace run.trace --symbols kernel.debug
  vitrine run kernel.elf --max-time 10s --check --check-fatal --sarif findings.sarif
)";

/// What stands on the command line, before it is checked.
struct Words {
  RunOptions options;
  std::string memory = "256M";
  std::string rtc = "2026-01-01";
  std::string board = "pc";
  std::string engine = "interpreter";
  std::string threads = "on";
  std::string report;
  std::string max_time, keys, max_instructions;
  std::vector<std::string> hardware_errors, nmis, power_buttons;
  std::string cooling = "ambient=40,rise=55";
  std::string cpus = "1";
  std::string slice = fmt::format("{}", Schedule::usual_slice);
  std::string schedule_seed = "0", seed = "0";
};

int wrong(const char* name, const std::string& value, const std::string& clause) {
  return complain(status::usage, fmt::format("{} {}: {}", name, value.empty() ? "\"\"" : value, clause));
}

/// Turns a word into a number of that range. Anything but success: it has complained.
template <class T>
int take_number(const char* name, const std::string& word, u64 least, u64 most, T& into) {
  const Parsed<u64> value = word.starts_with('-') ? Parsed<u64>(std::unexpected("")) : parse_number(word);
  if (!value || *value < least || *value > most) {
    return wrong(name, word, fmt::format("it is a number from {} to {}", least, most));
  }
  into = static_cast<T>(*value);
  return status::success;
}

/// A board without local APICs has nothing that these are about.
void tell_what_does_nothing(const Words& words, const RunOptions& options, const BoardTraits& board) {
  if (board.has_apics) return;
  for (const auto& [name, is_given] :
       {std::pair{"--cooling", words.cooling != Words{}.cooling}, {"--no-x2apic", !options.x2apic}}) {
    if (is_given) tell("vitrine: {} does nothing here: board {} has no local APIC\n", name, board.name);
  }
}

bool is_output_word(const std::string& word) {
  return word == "stdio" || word == "none" || (word.starts_with("file:") && word.size() > 5);
}

/// Report and findings as JSON have standard output for themselves, unless they go into files.
bool prints_json(const RunOptions& options) {
  const bool findings = options.check.wanted() && options.check.findings_file.empty();
  return options.json && (findings || (options.report && options.report_file.empty()));
}

int choose_outputs(RunOptions& options) {
  const bool is_taken = prints_json(options);
  for (const auto& [name, word] : {std::pair{"--serial", &options.serial}, {"--debugcon", &options.debug_console}}) {
    if (word->empty()) *word = is_taken ? "none" : "stdio";
    if (!is_output_word(*word)) return wrong(name, *word, "it is one of stdio, none, file:PATH");
    if (is_taken && *word == "stdio") {
      return wrong(name, *word, "standard output has the JSON; say none or file:PATH, or write the JSON to a file");
    }
  }
  return status::success;
}

/// Turns the words into options. Anything but success: it has complained.
int check(const Words& words, RunOptions& options) {
  options = words.options;
  const auto memory = parse_size(words.memory);
  if (!memory) return wrong("--memory", words.memory, memory.error());
  if (*memory < PhysicalMemory::least || *memory > PhysicalMemory::most) {
    return wrong("--memory", words.memory,
                 fmt::format("a machine has at least {}M and at most {}G", PhysicalMemory::least >> 20,
                             PhysicalMemory::most >> 30));
  }
  options.memory_bytes = *memory;

  if (const int bad = take_number("--cpus", words.cpus, 1, Schedule::most_cpus, options.cpus)) return bad;
  if (const int bad = take_number("--slice", words.slice, 1, Schedule::most_slice, options.slice)) return bad;
  for (const auto& [name, word, into] : {std::tuple{"--schedule-seed", &words.schedule_seed, &options.schedule_seed},
                                         {"--seed", &words.seed, &options.seed}}) {
    if (const int bad = take_number(name, *word, 0, ~u64{0}, *into)) return bad;
  }
  const BoardTraits* board = board_named(words.board);
  if (board == nullptr) return wrong("--board", words.board, "the boards are isa, pc and q35");
  if (options.cpus > board->most_cpus) {
    return wrong("--cpus", words.cpus,
                 fmt::format("board {} takes {}; pc and q35 take more", board->name, board->most_cpus));
  }
  options.board = board->kind;
  tell_what_does_nothing(words, options, *board);
  if (words.engine == "jit") return wrong("--engine", words.engine, "it is not there yet; use interpreter");
  if (words.engine != "interpreter") return wrong("--engine", words.engine, "the engines are interpreter and jit");
  if (words.rtc == "now") {
    options.rtc_unix_seconds = wall_unix_seconds();
  } else {
    const auto date = parse_date(words.rtc);
    if (!date) return wrong("--rtc", words.rtc, date.error());
    options.rtc_unix_seconds = *date;
  }
  if (!words.max_time.empty()) {
    const auto time = parse_duration(words.max_time);
    if (!time) return wrong("--max-time", words.max_time, time.error());
    options.max_time = *time;
  }
  if (!words.max_instructions.empty()) {
    const auto count = parse_number(words.max_instructions);
    if (!count || words.max_instructions.starts_with('-')) {
      return wrong("--max-instructions", words.max_instructions, "it is not a number of instructions");
    }
    options.max_instructions = *count;
  }
  auto keys = parse_keys(words.keys);
  if (!keys) return wrong("--keys", words.keys, keys.error());
  options.keys = std::move(*keys);
  for (const std::string& text : words.hardware_errors) {
    const auto error = parse_hardware_error(text);
    if (!error) return wrong("--hardware-error", text, error.error());
    if (error->port >= options.cpus) {
      return wrong("--hardware-error", text, fmt::format("the machine has {}", counted(options.cpus, "CPU")));
    }
    options.timed_inputs.push_back(*error);
  }
  for (const std::string& text : words.nmis) {
    const auto nmi = parse_nmi(text);
    if (!nmi) return wrong("--nmi", text, nmi.error());
    options.timed_inputs.push_back(*nmi);
  }
  for (const std::string& text : words.power_buttons) {
    const auto time = parse_duration(text);
    if (!time) return wrong("--power-button", text, time.error());
    options.timed_inputs.push_back({.time = Tick(*time), .kind = InputKind::PowerButton});
  }
  std::ranges::sort(options.timed_inputs, {},
                    [](const Input& each) { return std::tuple(each.time, each.kind, each.port); });
  const auto cooling = parse_cooling(words.cooling);
  if (!cooling) return wrong("--cooling", words.cooling, cooling.error());
  options.cooling = *cooling;

  if (words.threads != "on" && words.threads != "off") return wrong("--threads", words.threads, "it is on or off");
  options.threads = words.threads == "on";

  const std::size_t disks = options.disks.size(), saves = options.disk_saves.size();
  if (disks > Ide::disks) return wrong("--disk", options.disks[Ide::disks], "a machine has at most four disks");
  if (saves > disks) {
    return wrong("--disk-save", options.disk_saves[disks],
                 disks == 0 ? "there is no disk to save; give one with --disk" : "there are fewer disks than that");
  }

  if (const std::string* twice = named_twice(options.disk_saves)) {
    return wrong("--disk-save", *twice, "two disks can't be saved in one file");
  }

  const bool runs_pulse = options.guest.empty();
  if (runs_pulse) {
    const auto pulse = find_default_guest(program_folder());
    if (!pulse) return complain(status::no_input, pulse.error());
    options.guest = pulse->kernel;
    if (options.initrd.empty()) options.initrd = pulse->initrd;
  }

  // Who names no guest wants to look around: the report is part of that.
  const bool asks_for_output = !options.trace_file.empty() || options.check.wanted() || options.json;
  options.report = !words.report.empty() || (runs_pulse && !asks_for_output);
  if (words.report != "-") options.report_file = words.report;
  if (options.json && options.report_file.empty() && !options.check.wanted()) options.report = true;
  return choose_outputs(options);
}

}  // namespace

Command add_run_command(CLI::App& parent) {
  auto words = std::make_shared<Words>();
  RunOptions& options = words->options;
  CLI::App* app = parent.add_subcommand("run", "Run a guest; its serial port is your terminal (Ctrl-A x leaves)");
  app->add_option("GUEST", options.guest,
                  "A kernel: Linux bzImage, Multiboot 1 or 2, PVH; told by its content. None: Pulse, with a shell");

  app->add_option("--initrd", options.initrd, "Initial RAM disk, or the first module")
      ->type_name("FILE")
      ->group("Guest");
  app->add_option("--append", options.command_line, "The kernel's command line")->type_name("TEXT")->group("Guest");
  app->add_option("--memory", words->memory, "Size of the RAM: 1M to 64G (256M)")->type_name("SIZE")->group("Machine");
  app->add_option("--cpus", words->cpus, "Number of CPUs: 1 to 64 (1)")->type_name("N")->group("Machine");
  app->add_option("--slice", words->slice, "Instructions of a CPU's turn where several run: 1 to 1000000 (1000)")
      ->type_name("N")
      ->group("Machine");
  app->add_option("--schedule-seed", words->schedule_seed,
                  "Draw order and length of the CPUs' turns from N (0: equal, in order)")
      ->type_name("N")
      ->group("Machine");
  app->add_flag_callback(
         "--no-x2apic", [&options] { options.x2apic = false; },
         "Hide x2APIC: CPUID does not show it, and it can't be switched on")
      ->group("Machine");
  app->add_option("--board", words->board, "isa, pc or q35; `vitrine show --board NAME` prints its wiring (pc)")
      ->type_name("NAME")
      ->group("Machine");
  app->add_option("--cooling", words->cooling,
                  "The air, and how much warmer a core gets that never halts, in degrees; it is too hot at 100 "
                  "(ambient=40,rise=55)")
      ->type_name("ambient=A,rise=R")
      ->group("Machine");
  app->add_option("--engine", words->engine, "What executes: interpreter, or jit (not there yet)")
      ->type_name("NAME")
      ->group("Machine");
  app->add_option("--disk", options.disks,
                  "Image of a disk; may be given again, up to four. What the guest writes leaves FILE as it is")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group("Machine");
  app->add_option(
         "--disk-save", options.disk_saves,
         "Where the first disk's content goes when the run ends; given again: the next disk's. May be the image")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group("Machine");
  app->add_option("--rtc", words->rtc, "What the clock shows at power-on: a date in UTC, or now (2026-01-01)")
      ->type_name("DATE")
      ->group("Machine");
  app->add_flag("--real-serial-speed", options.real_serial_speed,
                "Characters take their time at the set baud rate; without, a 256th of it")
      ->group("Machine");
  app->add_option("--seed", words->seed, "Where RDRAND and RDSEED start (0)")->type_name("N")->group("Machine");
  app->add_flag("--reboot", options.reboot, "A reset starts the guest again instead of ending the run")
      ->group("Machine");

  app->add_option("--serial", options.serial, "COM1: stdio, none, or file:PATH (stdio; none where --json prints)")
      ->type_name("WHERE")
      ->group("Input and output");
  app->add_option("--debugcon", options.debug_console, "Port 0xE9: stdio, none, or file:PATH (as --serial)")
      ->type_name("WHERE")
      ->group("Input and output");
  app->add_option(
         "--keys", words->keys,
         R"(Type this on the keyboard once the guest listens; \n or <enter>, <f2>, <ctrl-c>, <wait 2s>, <mouse 5 -3 1>)")
      ->type_name("TEXT")
      ->group("Input and output");
  app->add_option("--hardware-error", words->hardware_errors,
                  "At this guest time CPU N (0) reports an error that the hardware has corrected, or could not correct")
      ->type_name("TIME[,cpu=N][,uncorrected]")
      ->allow_extra_args(false)
      ->group("Input and output");
  app->add_option("--nmi", words->nmis,
                  "At this guest time the NMI button is pressed, or an adapter (IOCHK#) or the bus (SERR#) reports an "
                  "error; also Ctrl-A n")
      ->type_name("TIME[,io-check|,system-error]")
      ->allow_extra_args(false)
      ->group("Input and output");
  app->add_option("--power-button", words->power_buttons,
                  "At this guest time the power button is pressed; also Ctrl-A p")
      ->type_name("TIME")
      ->allow_extra_args(false)
      ->group("Input and output");
  app->add_flag("--screen", options.screen, "Print the text screen when the run ends")->group("Input and output");

  app->add_option("--until", options.until, "Stop when COM1 or port 0xE9 prints this")
      ->type_name("TEXT")
      ->check([](const std::string& text) { return std::string(text.empty() ? "it is empty; give a text" : ""); })
      ->group("End of the run");
  app->add_option("--max-time", words->max_time, "Stop at this guest time, e.g. 10s, 500ms")
      ->type_name("TIME")
      ->group("End of the run");
  app->add_option("--max-instructions", words->max_instructions, "Stop after so many instructions")
      ->type_name("N")
      ->group("End of the run");

  app->add_option("--report", words->report,
                  "The interrupt report when the run ends; a FILE that ends in .json gets JSON")
      ->type_name("[=FILE]")
      ->group("What happened");
  app->add_flag("--json", options.json, "Report and findings as JSON, alone on standard output")
      ->group("What happened");
  app->add_option("--trace", options.trace_file,
                  "Write every interrupt's life, for `vitrine report` and `vitrine show`")
      ->type_name("FILE")
      ->group("What happened");
  app->add_flag("--live", options.live, "A line that follows the run: guest time, speed, interrupts (on a terminal)")
      ->group("What happened");
  app->add_option("--symbols", options.symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false)
      ->group("What happened");
  app->add_option("--threads", words->threads, "off: leave the threads of a Linux guest out of the trace and the check")
      ->type_name("on|off")
      ->group("What happened");
  app->add_option("--check", options.check.rules,
                  "The interrupt sanitizer: all rules, or these, e.g. missing-eoi,bad-idt or -timer-rate")
      ->type_name("[=RULES]")
      ->group("What happened");
  add_check_options(*app, options.check, "What happened");
  app->footer(run_footer);
  return {app, [words] {
            RunOptions checked;
            const int result = check(*words, checked);
            return result == status::success ? run_guest(checked) : result;
          }};
}

}  // namespace vitrine
