// Debian's Linux, unmodified, as people run it: boots, answers, counts its interrupts as we do, ends well.
//
// One program, not a ctest test per case: the cases look at the same boot. A boot costs ten seconds of a processor.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/system/witness.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const fs::path guests = VITRINE_GUESTS;
const std::string kernel = guests / "linux/vmlinuz";

std::string contents_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void become(std::vector<std::string> words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(pointers[0], pointers.data());
  ::_exit(98);
}

/// The status of an ended process; -1: a signal ended it.
int status_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Result {
  int status = -1;
  std::string out, err;
};

/// Runs a program whose standard input is the file `in`.
Result run(const std::vector<std::string>& words, const fs::path& folder, const fs::path& in = "/dev/null") {
  const fs::path out = folder / "out";
  const fs::path err = folder / "err";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(in.c_str(), O_RDONLY), 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
    become(words);
  }
  const int status = status_of(child);
  return {status, contents_of(out), contents_of(err)};
}

/// The command in a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& words) {
    ::openpty(&ours_, &theirs_, nullptr, nullptr, nullptr);
    ::tcgetattr(theirs_, &before_);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ours_);
      ::login_tty(theirs_);
      become(words);
    }
  }
  ~Terminal() {
    ::close(ours_);
    ::close(theirs_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Reads until `text` has come, counted from where the last wait ended. False: the command ended without.
  bool wait_for(const std::string& text) {
    for (;;) {
      if (const auto at = seen_.find(text, looked_); at != std::string::npos) {
        looked_ = at + text.size();
        return true;
      }
      if (ended_) return false;
      take();
    }
  }
  void type(std::string_view text) const { EXPECT_EQ(::write(ours_, text.data(), text.size()), ssize_t(text.size())); }
  void signal(int number) const { ::kill(child_, number); }
  int wait_for_end() {
    while (!ended_) take();
    return status_;
  }
  [[nodiscard]] const std::string& seen() const { return seen_; }

  [[nodiscard]] bool is_as_before() const {
    termios now{};
    ::tcgetattr(theirs_, &now);
    return now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag && now.c_cflag == before_.c_cflag &&
           now.c_lflag == before_.c_lflag && std::memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) == 0;
  }
  [[nodiscard]] bool is_raw() const {
    termios now{};
    ::tcgetattr(theirs_, &now);
    return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
  }

 private:
  void take() {
    pollfd ready = {.fd = ours_, .events = POLLIN, .revents = 0};
    char bytes[4096];
    if (::poll(&ready, 1, 100) > 0) {
      if (const ssize_t got = ::read(ours_, bytes, sizeof bytes); got > 0) seen_.append(bytes, std::size_t(got));
      return;
    }
    int status = 0;
    if (::waitpid(child_, &status, WNOHANG) != child_) return;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    // What it wrote last may have come after the poll.
    while (::poll(&ready, 1, 0) > 0) {
      const ssize_t got = ::read(ours_, bytes, sizeof bytes);
      if (got <= 0) break;
      seen_.append(bytes, std::size_t(got));
    }
    ended_ = true;
  }

  int ours_ = -1, theirs_ = -1;
  termios before_{};
  pid_t child_ = -1;
  std::string seen_;
  std::size_t looked_ = 0;
  bool ended_ = false;
  int status_ = -1;
};

// What is typed into the first boot's shell. The quotes and the sum make sure that the answer is not the echo.
constexpr const char* script =
    "echo hel''lo $((40 + 2))\n"
    "witness\n"
    "head -n 1 /dev/tty1\n"
    "exit\n";

class Linux : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(kernel) || !fs::exists(guests / "busybox")) return;
    std::string name = fs::temp_directory_path() / "vitrine-linux-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    const Result made = run({VITRINE_MAKE_INITRAMFS, folder_ / "initramfs", "--busybox", guests / "busybox",
                             "--applets", guests / "busybox.applets", "--tree", VITRINE_GUEST_TREE, "--add",
                             std::string("bin/witness=") + VITRINE_WITNESS},
                            folder_);
    ASSERT_EQ(made.status, 0) << made.err;
    std::ofstream(folder_ / "script") << script;
    boot_ = boot_with_script("first", {"--check", "--findings", folder_ / "findings.json"});
  }
  static void TearDownTestSuite() {
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  void SetUp() override {
    if (folder_.empty()) GTEST_SKIP() << "no guests (make guests)";
  }

  static std::vector<std::string> command(std::vector<std::string> options) {
    // With two 8259s and nothing else, every count has one meaning.
    std::vector<std::string> words = {VITRINE_COMMAND,       "run",      kernel,         "--board", "isa", "--initrd",
                                      folder_ / "initramfs", "--append", "console=ttyS0"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
  /// A guest that prints at once and keeps interrupts off: our own keys and signals must not need its help.
  static std::vector<std::string> deaf_command() {
    return {VITRINE_COMMAND, "run", guests / "memtest86+x64.bin", "--append", "console=ttyS0,115200", "--report"};
  }
  static Result boot_with_script(const std::string& name, const std::vector<std::string>& more = {}) {
    // The keys come when somebody reads /dev/tty1: Linux forgets those that come before.
    std::vector<std::string> options = {"--trace",
                                        folder_ / (name + ".trace"),
                                        "--keys",
                                        "<wait 8s>From the keyboard\\n",
                                        "--max-time",
                                        "60s",
                                        "--report=" + std::string(folder_ / (name + ".json"))};
    options.insert(options.end(), more.begin(), more.end());
    return run(command(options), folder_, folder_ / "script");
  }
  static json report() { return json::parse(contents_of(folder_ / "first.json")); }
  static std::string trace() { return folder_ / "first.trace"; }
  static Result vitrine(std::vector<std::string> words) {
    words.insert(words.begin(), VITRINE_COMMAND);
    return run(words, folder_);
  }

  static inline fs::path folder_;
  static inline Result boot_;
};

TEST_F(Linux, the_shell_answers_what_is_typed) { EXPECT_THAT(boot_.out, HasSubstr("hello 42\r\n")); }

TEST_F(Linux, leaving_the_shell_switches_the_machine_off_with_status_0) {
  EXPECT_EQ(boot_.status, 0);
  EXPECT_THAT(boot_.err, HasSubstr("The guest switched the machine off."));
  EXPECT_EQ(report()["end"]["reason"], "power-off");
}

TEST_F(Linux, keys_reach_who_reads_the_screen_s_terminal) {
  EXPECT_THAT(boot_.out, HasSubstr("From the keyboard\r\n"));
}

// witness.cpp says how its figures come to be true at one moment; the report is of the trace up to that moment.
TEST_F(Linux, the_report_has_exactly_the_counts_of_proc_interrupts) {
  const vitrine::tests::Witness witness = vitrine::tests::read_witness(boot_.out, 1);
  ASSERT_FALSE(witness.counts.empty()) << boot_.out;
  const Result cut = vitrine({"report", trace(), "--to", witness.moment, "--json"});
  ASSERT_EQ(cut.status, 0) << cut.err;

  std::map<std::string, std::uint64_t> ours;
  std::uint64_t spurious = 0;
  for (const json& line : json::parse(cut.out)["lines"]) {
    spurious += line["spurious"].get<std::uint64_t>();
    if (!line["irq"].is_null()) ours[std::to_string(line["irq"].get<int>())] += line["delivered"].get<std::uint64_t>();
  }
  EXPECT_GT(ours["0"], 100u);
  EXPECT_GT(ours["1"], 0u);
  EXPECT_GT(ours["4"], 10u);
  for (const auto& [irq, count] : ours) {
    const auto row = witness.counts.find(irq);
    EXPECT_EQ(count, row == witness.counts.end() ? 0 : row->second[0]) << "IRQ " << irq;
  }
  for (const auto& [name, counts] : witness.counts) {
    if (name.find_first_not_of("0123456789") == std::string::npos) EXPECT_EQ(counts[0], ours[name]) << "IRQ " << name;
  }
  EXPECT_EQ(witness.counts.at("ERR")[0], spurious);
}

TEST_F(Linux, every_request_is_accounted_for) {
  const json lines = report()["lines"];
  ASSERT_FALSE(lines.empty());
  for (const json& line : lines) {
    const auto count = [&](const char* name) { return line[name].get<std::uint64_t>(); };
    // No line of this boot is level-triggered: there, one request may be delivered twice.
    EXPECT_EQ(count("raised"), count("delivered") + count("merged") + count("withdrawn") + count("lost") +
                                   count("polled") + count("failed") + (line["pending"].is_null() ? 0 : 1))
        << line.dump(2);
  }
}

TEST_F(Linux, the_sanitizer_finds_no_error_and_no_warning) {
  const json live = json::parse(contents_of(folder_ / "findings.json"));
  EXPECT_GE(live["checked"].size(), 20u);
  EXPECT_EQ(live["errors"], 0) << live["findings"].dump(2);
  EXPECT_EQ(live["warnings"], 0) << live["findings"].dump(2);

  const Result from_trace = vitrine({"check", trace(), "--json"});
  EXPECT_EQ(from_trace.status, 0) << from_trace.err;
  const json later = json::parse(from_trace.out);
  EXPECT_EQ(later["errors"], 0) << later["findings"].dump(2);
  EXPECT_EQ(later["warnings"], 0) << later["findings"].dump(2);
}

// The first boot ran under the sanitizer, the second does not: being watched changes nothing.
TEST_F(Linux, a_second_boot_writes_the_same_trace_and_report_byte_for_byte) {
  const Result second = boot_with_script("second");
  EXPECT_EQ(second.status, 0);
  EXPECT_TRUE(second.out == boot_.out);
  EXPECT_TRUE(contents_of(folder_ / "second.trace") == contents_of(trace()));
  EXPECT_EQ(contents_of(folder_ / "second.json"), contents_of(folder_ / "first.json"));
}

TEST_F(Linux, the_report_of_the_trace_is_the_report_of_the_run) {
  const Result from_trace = vitrine({"report", trace(), "--json"});
  EXPECT_EQ(from_trace.status, 0);
  EXPECT_EQ(from_trace.out, contents_of(folder_ / "first.json"));
}

TEST_F(Linux, show_selects_by_line_vector_and_time) {
  const auto count_delivered = [](const std::string& lines) {
    std::istringstream in(lines);
    std::uint64_t count = 0;
    for (std::string line; std::getline(in, line);) count += line.find(R"("kind":"delivered")") != std::string::npos;
    return count;
  };
  const json timer = report()["lines"][0];
  ASSERT_EQ(timer["irq"], 0);
  EXPECT_EQ(count_delivered(vitrine({"show", trace(), "--json", "--line", "0"}).out), timer["delivered"]);
  EXPECT_EQ(count_delivered(vitrine({"show", trace(), "--json", "--vector", "0x30"}).out), timer["delivered"]);
  const auto early = count_delivered(vitrine({"show", trace(), "--json", "--line", "0", "--to", "6s"}).out);
  const auto late = count_delivered(vitrine({"show", trace(), "--json", "--line", "0", "--from", "6000000001ns"}).out);
  EXPECT_GT(early, 0u);
  EXPECT_GT(late, 0u);
  EXPECT_EQ(early + late, timer["delivered"].get<std::uint64_t>());
}

TEST_F(Linux, until_ready_ends_with_status_0) {
  const Result result = run(command({"--until", "READY", "--report"}), folder_);
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.out.ends_with("READY"));
  EXPECT_THAT(result.err, AllOf(HasSubstr("The guest printed \"READY\"."), HasSubstr("Interrupt report")));
}

TEST_F(Linux, in_a_terminal_control_keys_go_to_the_guest_and_poweroff_ends_with_status_0) {
  Terminal terminal(command({}));
  ASSERT_TRUE(terminal.wait_for("READY")) << terminal.seen();
  EXPECT_TRUE(terminal.is_raw());
  ASSERT_TRUE(terminal.wait_for("~# "));
  // A Ctrl-C that comes before the shell has started the command is the shell's.
  terminal.type("(echo $((6 * 7)) runs; sleep 1000)\r");
  ASSERT_TRUE(terminal.wait_for("42 runs"));
  terminal.type("\x03");
  ASSERT_TRUE(terminal.wait_for("~# "));
  terminal.type("echo wrohg\b\bng $((3 * 5))\r");  // line editing: backspace
  EXPECT_TRUE(terminal.wait_for("\nwrong 15"));
  terminal.type("poweroff\r");
  EXPECT_EQ(terminal.wait_for_end(), 0) << terminal.seen();
  EXPECT_TRUE(terminal.is_as_before());
}

TEST_F(Linux, ctrl_a_x_leaves_the_terminal_as_it_was_and_the_report_comes) {
  Terminal terminal(deaf_command());
  ASSERT_TRUE(terminal.wait_for("Memtest86+"));
  terminal.type("\x01x");
  EXPECT_EQ(terminal.wait_for_end(), 0);
  EXPECT_TRUE(terminal.is_as_before());
  EXPECT_THAT(terminal.seen(), AllOf(HasSubstr("You left it"), HasSubstr("Interrupt report")));
}

TEST_F(Linux, signals_leave_the_terminal_as_it_was_and_the_report_comes) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    Terminal terminal(deaf_command());
    ASSERT_TRUE(terminal.wait_for("Memtest86+"));
    terminal.signal(number);
    EXPECT_EQ(terminal.wait_for_end(), 128 + number);
    EXPECT_TRUE(terminal.is_as_before());
    EXPECT_THAT(terminal.seen(), HasSubstr("Interrupt report"));
  }
}

TEST_F(Linux, an_initrd_that_does_not_fit_into_memory_is_status_65) {
  const fs::path initrd = folder_ / "large";
  std::ofstream(initrd).close();
  fs::resize_file(initrd, std::uintmax_t{120} << 20);
  const Result result = run({VITRINE_COMMAND, "run", kernel, "--initrd", initrd, "--memory", "128M"}, folder_);
  EXPECT_EQ(result.status, 65);
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
}

}  // namespace
