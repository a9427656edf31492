// make bench: the same programs on Vitrine, QEMU, Bochs and the host itself, in one run, as ratios.
//
// What is measured is the time of a whole process, from outside; the time of the workload `empty` is taken off, so that
// starting costs nothing. Machines take turns within each workload, and medians are compared, so that a host whose
// speed drifts hurts all alike. Each guest prints a number that proves its work; machines that disagree are reported.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience(60);

struct Outcome {
  double seconds = 0;
  std::string output;
  bool found = false;  ///< the text that was waited for
};

/// The CPU's time is steadier on a busy host, but leaves out what a machine sleeps.
enum class Measure : unsigned char { Wall, Cpu };

/// Runs a program; with `until`, it is ended as soon as it has printed that.
Outcome run(const Words& words, Measure measure, const std::string& until = {}, const std::string& input = {}) {
  int out[2];
  int in[2];
  if (::pipe(out) != 0 || ::pipe(in) != 0) return {};
  const auto start = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(::open("/dev/null", O_WRONLY), 2);
    for (const int each : {out[0], out[1], in[0], in[1]}) ::close(each);
    ::setpgid(0, 0);  // Debian's bochs is a script: what it starts must end with it
    std::vector<char*> arguments;
    for (const std::string& each : words) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(in[0]);
  if (!input.empty() && ::write(in[1], input.data(), input.size()) < 0) return {};
  Outcome outcome;
  bool ended = false;
  char buffer[4096];
  while (!ended && !outcome.found) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(start + patience - Clock::now());
    pollfd ready{.fd = out[0], .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) {
      fmt::print(stderr, "bench: {} did not end within {} s\n", words[0], patience.count());
      outcome.output.clear();
      break;
    }
    const ssize_t count = ::read(out[0], buffer, sizeof buffer);
    ended = count <= 0;
    if (!ended) outcome.output.append(buffer, static_cast<std::size_t>(count));
    outcome.found = !until.empty() && outcome.output.find(until) != std::string::npos;
  }
  const auto until_found = Clock::now();
  ::close(out[0]);
  if (!ended) ::kill(-child, SIGKILL);
  rusage usage{};
  ::wait4(child, nullptr, 0, &usage);
  ::close(in[1]);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  outcome.seconds = measure == Measure::Cpu
                        ? seconds(usage.ru_utime) + seconds(usage.ru_stime)
                        : std::chrono::duration<double>((ended ? Clock::now() : until_found) - start).count();
  return outcome;
}

bool installed(const std::string& program) {
  std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');) {
    if (::access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

struct Options {
  std::string vitrine, guests, native, kernel, initrd, markdown, json;
  std::vector<std::string> workloads, only;
  unsigned repeat = 3;
  double bochs_divisor = 1;
  bool cpu_time = false;
  bool linux_too = true;
};

enum class Peer : unsigned char { Native, Vitrine, VitrineLedger, Qemu, QemuIcount, Bochs };
struct Machine {
  Peer peer;
  std::string name;
};

class Comparison {
 public:
  explicit Comparison(const Options& options) : options_(options) {
    machines_ = {{Peer::Native, "native"}, {Peer::Vitrine, "Vitrine"}, {Peer::VitrineLedger, "Vitrine, ledger"}};
    if (installed("qemu-system-x86_64")) {
      machines_.push_back({Peer::Qemu, "QEMU"});
      machines_.push_back({Peer::QemuIcount, "QEMU icount"});
    }
    if (installed("bochs")) machines_.push_back({Peer::Bochs, "Bochs"});
  }

  void measure_all() {
    for (const std::string& workload : options_.workloads) {
      for (unsigned round = 0; round < options_.repeat; ++round) {
        for (const Machine& machine : machines_) measure_one(workload, machine);
      }
      fmt::print(stderr, "{:<20}", workload);
      for (const Machine& machine : machines_) {
        const auto time = median(workload, machine.name);
        fmt::print(stderr, " {:>10}", time ? fmt::format("{:.3f}", *time) : "-");
      }
      fmt::print(stderr, "\n");
    }
    if (options_.linux_too) measure_linux();
  }

  [[nodiscard]] std::string markdown() const {
    std::string text = "| Workload |";
    for (const Machine& machine : machines_) text += fmt::format(" {} |", machine.name);
    text += " ledger : icount | ledger : QEMU | ledger : native |\n|---|";
    for (std::size_t i = 0; i < machines_.size() + 3; ++i) text += "---|";
    text += "\n";
    for (const auto& row : rows_) {
      if (row.first == empty_name) continue;
      text += fmt::format("| {} |", row.first);
      for (const Machine& machine : machines_) {
        const auto time = net(row.first, machine.name);
        text += time ? fmt::format(" {:.3f} |", *time) : " - |";
      }
      for (const char* other : {"QEMU icount", "QEMU", "native"}) {
        const auto speed = ratio(row.first, other);
        text += speed ? fmt::format(" {:.2f} |", *speed) : " - |";
      }
      text += "\n";
    }
    return text;
  }

  [[nodiscard]] nlohmann::ordered_json json() const {
    nlohmann::ordered_json all;
    all["unit"] = "s";
    all["measure"] = options_.cpu_time ? "CPU time" : "wall-clock time";
    all["repeat"] = options_.repeat;
    for (const auto& row : rows_) {
      for (const auto& [machine, times] : row.second) {
        auto& entry = all["workloads"][row.first][machine];
        entry["all"] = times;
        if (const auto time = net(row.first, machine)) entry["median"] = *time;
      }
    }
    return all;
  }

  [[nodiscard]] bool agreed() const { return agreed_; }

 private:
  [[nodiscard]] Measure measure() const { return options_.cpu_time ? Measure::Cpu : Measure::Wall; }

  static constexpr const char* empty_name = "empty";
  static constexpr const char* linux_name = "Linux to READY";
  static constexpr const char* two_cpus_name = "ipi_ping_pong";
  static constexpr const char* msi_name = "msi_storm";

  [[nodiscard]] Words words(const std::string& workload, Peer peer) const {
    const std::string image = options_.guests + "/bench_" + workload + ".elf";
    Words qemu = {"qemu-system-x86_64",
                  "-accel",
                  "tcg",
                  "-cpu",
                  "max",
                  "-m",
                  "256",
                  "-nodefaults",
                  "-display",
                  "none",
                  "-debugcon",
                  "stdio",
                  "-device",
                  "isa-debug-exit,iobase=0xf4,iosize=0x04",
                  "-no-reboot",
                  "-kernel",
                  image};
    Words vitrine = {options_.vitrine, "run", image, "--serial", "none"};
    if (workload == two_cpus_name) {
      qemu.insert(qemu.end(), {"-smp", "2"});
      vitrine.insert(vitrine.end(), {"--cpus", "2"});
    }
    if (workload == msi_name) qemu.insert(qemu.end(), {"-device", "edu"});
    switch (peer) {
      case Peer::Native:
        return {options_.native, workload};
      case Peer::Vitrine:
        return vitrine;
      case Peer::VitrineLedger:
        vitrine.emplace_back("--report");
        return vitrine;
      case Peer::Qemu:
        return qemu;
      case Peer::QemuIcount:
        qemu.insert(qemu.end(), {"-icount", "shift=0"});
        return qemu;
      case Peer::Bochs:
        return {"bochs", "-q", "-f", bochs_configuration(image)};
    }
    return {};
  }

  /// Bochs takes files only. The guest is the machine's ROM; the VGA ROM that it insists on is one of zeroes.
  [[nodiscard]] std::string bochs_configuration(const std::string& image) const {
    const std::string vga = options_.guests + "/empty_vga.rom";
    std::ofstream(vga) << std::string(512, '\0');
    const std::string path = image + ".bochsrc";
    std::ofstream(path) << "display_library: rfb, options=\"timeout=0\"\n"
                        << "megs: 256\n"
                        << "cpu: ips=1000000000, reset_on_triple_fault=0\n"
                        << "romimage: file=" << fs::path(image).replace_extension("rom").string()
                        << ", address=0xfffe0000\n"
                        << "vgaromimage: file=" << vga << "\n"
                        << "port_e9_hack: enabled=1\n"
                        << "sound: driver=dummy\n"  // Debian's dies in its mixer with any other
                        << "clock: sync=none\n"
                        << "log: /dev/null\n"
                        << "panic: action=fatal\n";
    return path;
  }

  void measure_one(const std::string& workload, const Machine& machine) {
    // Debian's Bochs loses a tick of the one and never ends; it has one CPU, and no function that sends MSIs.
    const bool not_for_bochs = workload == "timer_interrupts" || workload == two_cpus_name || workload == msi_name;
    if (machine.peer == Peer::Bochs && not_for_bochs) return;
    // Debian's Bochs stands at its debugger's prompt until it is told to continue.
    const Outcome outcome = run(words(workload, machine.peer), measure(), {}, machine.peer == Peer::Bochs ? "c\n" : "");
    const std::size_t at = outcome.output.find(workload + " 0x");
    const std::size_t plain = outcome.output.find(workload + " ");
    if (at == std::string::npos && plain == std::string::npos) return;  // has no such workload, or did not finish
    std::string result = outcome.output.substr((at != std::string::npos ? at + 2 : plain) + workload.size() + 1);
    result = result.substr(0, result.find_first_of("\r\n"));
    if (machine.peer == Peer::Bochs) {  // did less, so it has another result
      times_of(workload)[machine.name].push_back(outcome.seconds);
      return;
    }
    auto [known, is_new] = results_.try_emplace(workload, result);
    if (!is_new && known->second != result) {
      agreed_ = false;
      fmt::print(stderr, "bench: {} says {} for {}, others said {}\n", machine.name, result, workload, known->second);
    }
    times_of(workload)[machine.name].push_back(outcome.seconds);
  }

  /// Debian's own kernel with our initramfs, until its first process prints READY.
  void measure_linux() {
    if (!fs::exists(options_.kernel) || !fs::exists(options_.initrd)) {
      fmt::print(stderr, "bench: no Linux: {} or {} is missing\n", options_.kernel, options_.initrd);
      return;
    }
    const std::string append = "console=ttyS0";
    for (unsigned round = 0; round < options_.repeat; ++round) {
      for (const Machine& machine : machines_) {
        Words command;
        if (machine.peer == Peer::Vitrine || machine.peer == Peer::VitrineLedger) {
          command = {options_.vitrine, "run",  options_.kernel, "--initrd", options_.initrd,
                     "--append",       append, "--until",       "READY"};
          if (machine.peer == Peer::VitrineLedger) command.emplace_back("--report");
        } else if (machine.peer == Peer::Qemu || machine.peer == Peer::QemuIcount) {
          command = {"qemu-system-x86_64", "-accel",   "tcg",           "-cpu",    "max",   "-m",         "256",
                     "-nodefaults",        "-display", "none",          "-serial", "stdio", "-no-reboot", "-kernel",
                     options_.kernel,      "-initrd",  options_.initrd, "-append", append};
          if (machine.peer == Peer::QemuIcount) command.insert(command.end(), {"-icount", "shift=0"});
        } else {
          continue;
        }
        const Outcome outcome = run(command, measure(), "READY");
        if (outcome.found) times_of(linux_name)[machine.name].push_back(outcome.seconds);
      }
    }
  }

  using Times = std::map<std::string, std::vector<double>>;
  Times& times_of(const std::string& workload) {
    for (auto& row : rows_) {
      if (row.first == workload) return row.second;
    }
    return rows_.emplace_back(workload, Times()).second;
  }

  [[nodiscard]] std::optional<double> median(const std::string& workload, const std::string& machine) const {
    for (const auto& row : rows_) {
      const auto times = row.second.find(machine);
      if (row.first != workload || times == row.second.end()) continue;
      std::vector<double> sorted = times->second;
      std::ranges::sort(sorted);
      return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
    }
    return std::nullopt;
  }

  /// Without the start of the machine. Linux is measured with it: that is what its user waits for.
  [[nodiscard]] std::optional<double> net(const std::string& workload, const std::string& machine) const {
    const auto time = median(workload, machine);
    const auto start = median(empty_name, machine);
    if (!time || workload == linux_name) return time;
    if (!start) return std::nullopt;
    return std::max(*time - *start, 1e-4) * (machine == "Bochs" ? options_.bochs_divisor : 1);
  }

  /// How many times as fast as `other` Vitrine is, with the ledger read.
  [[nodiscard]] std::optional<double> ratio(const std::string& workload, const std::string& other) const {
    const auto ours = net(workload, "Vitrine, ledger");
    const auto theirs = net(workload, other);
    if (!ours || !theirs) return std::nullopt;
    return *theirs / *ours;
  }

  const Options& options_;
  std::vector<Machine> machines_;
  std::vector<std::pair<std::string, Times>> rows_;
  std::map<std::string, std::string> results_;
  bool agreed_ = true;
};

}  // namespace

int main(int count, char** words) {
  Options options;
  CLI::App app("Compares Vitrine with QEMU, Bochs and the host on the guests of bench/guests", "compare-guests");
  app.add_option("--vitrine", options.vitrine, "The command")->required();
  app.add_option("--guests", options.guests, "The folder of the guests")->required();
  app.add_option("--native", options.native, "The workloads as a program")->required();
  app.add_option("--workloads", options.workloads, "All their names")->required()->delimiter(',');
  app.add_option("--kernel", options.kernel, "Debian's kernel");
  app.add_option("--initrd", options.initrd, "An initramfs that prints READY");
  app.add_option("--only", options.only, "Of the workloads only these (Linux: the boot)")
      ->delimiter(',')
      ->envname("BENCH_ONLY");
  app.add_option("--repeat", options.repeat, "How often each is run")
      ->check(CLI::Range(1, 99))
      ->envname("BENCH_REPEAT");
  app.add_option("--markdown", options.markdown, "Write the table to this file, between its two bench markers")
      ->envname("BENCH_MARKDOWN");
  app.add_flag("--cpu-time", options.cpu_time, "Compare CPU time instead of wall-clock time: for a busy host")
      ->envname("BENCH_CPU_TIME");
  app.add_option("--bochs-divisor", options.bochs_divisor, "How much less its guests do");
  app.add_option("--json", options.json, "Write all figures to this file");
  CLI11_PARSE(app, count, words);

  if (!options.only.empty()) {
    const auto wanted = [&](const std::string& name) { return std::ranges::count(options.only, name) != 0; };
    options.linux_too = wanted("Linux");
    std::erase_if(options.workloads, [&](const std::string& name) { return name != "empty" && !wanted(name); });
  }
  Comparison comparison(options);
  comparison.measure_all();
  const std::string table = comparison.markdown();
  fmt::print("{}", table);
  if (!options.json.empty()) std::ofstream(options.json) << comparison.json().dump(2) << "\n";
  if (!options.markdown.empty()) {
    const std::string begin = "<!-- bench: begin -->\n";
    const std::string end = "<!-- bench: end -->\n";
    std::ifstream file(options.markdown);
    const std::string old((std::istreambuf_iterator<char>(file)), {});
    const std::size_t from = old.find(begin);
    const std::size_t to = old.find(end);
    if (from == std::string::npos || to == std::string::npos || to < from) {
      fmt::print(stderr, "compare-guests: {} has no lines '{}' and '{}'\n", options.markdown,
                 begin.substr(0, begin.size() - 1), end.substr(0, end.size() - 1));
      return 65;
    }
    std::ofstream(options.markdown) << old.substr(0, from + begin.size()) << "\n" << table << "\n" << old.substr(to);
  }
  return comparison.agreed() ? 0 : 1;
}
