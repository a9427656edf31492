// Each image of tests/guest/images on Vitrine: it passes, two runs write the same trace, one of them watched by the
// sanitizer. Then on QEMU, where it is installed: same lines (but for those that start with "~", see
// runtime/guest.hpp), same end.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/process.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using namespace vitrine::tests;

constexpr unsigned patience_seconds = 60;  // of a host, for a guest that never ends

/// How a guest ends: by its own word, or as its name says.
struct End {
  int vitrine = 2 * 0x10 + 1;
  int qemu = 2 * 0x10 + 1;
};
End expected_end(const std::string& name) {
  // A triple fault resets a PC; QEMU ends with -no-reboot, status 0.
  if (name.starts_with("triple_fault")) return {.vitrine = 81, .qemu = 0};
  if (name.starts_with("halt_for_good")) return {.vitrine = 83, .qemu = -1};
  if (name.starts_with("reset_by")) return {.vitrine = 0, .qemu = 0};
  if (name.starts_with("power_off")) return {.vitrine = 0, .qemu = 0};
  return {};
}

/// Guests that QEMU 7.2 can't judge, and why.
struct Exempt {
  std::string_view name, reason;
};
constexpr Exempt not_on_qemu[] = {
    {"segment_limits", "QEMU's TCG checks no segment limits and no rights of data segments (SDM vol. 3, 5.3 to 5.5)"},
    {"fpu_error_irq13", "QEMU 7.2 ends by an assertion when FERR# is raised"},
    {"apic_switched_on", "QEMU's I/O APIC forgets a level that nobody accepts"},
    {"eoi_directed_q35", "QEMU's TCG has no EOI suppression"},
    {"eoi_suppressed", "QEMU's TCG has no EOI suppression"},
    {"smp_x2apic", "QEMU 7.2's TCG has no x2APIC"},
    {"hpet_ways", "QEMU's HPET sends no messages unless told to, and follows the host's clock"},
    {"imcr", "QEMU has none"},
    {"machine_check", "an error reaches QEMU's guest by its monitor only"},
    {"nmi_after_bad_iret", "QEMU's TCG unblocks NMIs only where an IRET succeeds"},
    {"nmi_sources", "QEMU's NMI button is in its monitor, and it has no IOCHK# and SERR#"},
    {"power_off_by_button", "QEMU's power button is in its monitor"},
    {"thermal_too_hot", "QEMU's TCG has no thermal sensor"},
    {"pit_counts", "QEMU's counters follow the host's clock, so a busy host makes them jump"},
    {"reserved_control_bits", "QEMU's TCG takes reserved bits of control registers (SDM vol. 3, 2.5)"},
};

/// Images that do wrong on purpose, and what the sanitizer may say of them. All others get no error and no warning.
struct Deliberate {
  std::string_view name, rule, reason;
};
constexpr Deliberate deliberate[] = {
    {"double_fault", "bad-idt", "its gates are broken, so that faults of delivery can be seen"},
    {"exceptions", "bad-idt", "some of its gates are broken, for #NP and #GP"},
    {"triple_fault", "bad-idt", "its IDT is empty"},
    {"apic_switched_on", "ioapic-mismatch", "it takes an ISA line as a level, which stands"},
    {"apic_switched_on", "lost-message", "its local APIC is off when the line rises"},
    {"apic_registers", "bad-ipi", "it sends a vector below 16, for the error register"},
    {"hpet_ways", "ioapic-mismatch", "it takes an edge of the HPET at a pin that PCI may have"},
    {"smp_x2apic", "bad-ipi", "it sends to addresses that nobody has"},
    {"nmi_sources", "dead-halt", "the NMI button ends its HLT, which the sanitizer can't know"},
    {"smp_ipi", "bad-ipi", "it sends to addresses that nobody has, and to a local APIC that is off"},
};

/// How many CPUs an image wants.
const char* processors(const std::string& name) { return name.starts_with("smp_") ? "2" : "1"; }

/// The board that an image is for.
const char* board(const std::string& name) { return name.find("q35") != std::string::npos ? "q35" : "pc"; }

/// What is to be said on the command line, and what comes from outside.
std::vector<std::string> inputs(const std::string& name) {
  struct Inputs {
    std::string_view name;
    std::vector<std::string> words;
  };
  static const Inputs all[] = {
      {"machine_check",
       {"--hardware-error", "5ms", "--hardware-error", "6ms", "--hardware-error", "7ms", "--hardware-error",
        "40ms,uncorrected"}},
      {"nmi_sources",
       {"--nmi", "15ms", "--nmi", "25ms,io-check", "--nmi", "35ms,io-check", "--nmi", "45ms,system-error", "--nmi",
        "55ms,io-check", "--nmi", "65ms", "--nmi", "75ms,button"}},
      {"x2apic_hidden", {"--no-x2apic"}},
      {"power_off_by_button", {"--power-button", "5ms", "--power-button", "15ms"}},
      {"thermal_too_hot", {"--cooling", "ambient=60,rise=60"}},
  };
  for (const Inputs& each : all) {
    if (name.starts_with(each.name)) return each.words;
  }
  return {};
}

std::string image(const std::string& name) { return std::string(GUEST_FOLDER) + "/" + name + ".elf"; }

/// For images that want a disk: sector n is full of the byte n modulo 256.
bool wants_disk(const std::string& name) { return name.starts_with("disk_"); }
std::string numbered_disk() {
  constexpr std::size_t sectors = 2048, sector_bytes = 512;
  std::string bytes;
  for (std::size_t sector = 0; sector < sectors; ++sector) bytes.append(sector_bytes, static_cast<char>(sector));
  return bytes;
}

Result on_vitrine(const std::string& name, const std::vector<std::string>& more = {}) {
  const Folder folder;
  std::vector<std::string> words = {VITRINE_COMMAND, "run",    image(name),      "--serial", "none",
                                    "--debugcon",    "stdio",  "--max-time",     "60s",      "--memory",
                                    "64M",           "--cpus", processors(name), "--board",  board(name)};
  for (const auto& added : {inputs(name), more}) words.insert(words.end(), added.begin(), added.end());
  if (wants_disk(name)) words.insert(words.end(), {"--disk", folder.file("disk", numbered_disk())});
  return run(words, {.seconds_at_most = patience_seconds});
}

std::string compared_lines(const std::string& text) {
  std::istringstream lines(text);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("~")) kept += line + "\n";
  }
  return kept;
}

class Guest : public testing::TestWithParam<std::string> {};

std::vector<std::string> guest_names() {
  std::istringstream list(GUEST_NAMES);
  std::vector<std::string> names;
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

TEST_P(Guest, passes_on_vitrine) {
  const Result result = on_vitrine(GetParam());
  EXPECT_EQ(result.status, expected_end(GetParam()).vitrine) << result.out << result.err;
  EXPECT_EQ(result.out.find("FAIL"), std::string::npos) << result.out << result.err;
}

TEST_P(Guest, writes_the_same_trace_each_time) {
  const Folder folder;
  const fs::path first = folder.path / "first";
  const fs::path second = folder.path / "second";
  const Result one = on_vitrine(GetParam(), {"--trace", first});
  const Result two = on_vitrine(GetParam(), {"--trace", second, "--report", "--check"});
  EXPECT_EQ(one.out, two.out);
  EXPECT_EQ(one.status, two.status);
  EXPECT_FALSE(contents_of(first).empty());
  EXPECT_TRUE(contents_of(first) == contents_of(second));
}

TEST_P(Guest, is_healthy_to_the_sanitizer_but_for_what_it_does_on_purpose) {
  const std::string& name = GetParam();
  const Folder folder;
  const std::string file = folder.path / "findings.json";
  on_vitrine(name, {"--check", "--findings", file});
  for (const json& finding : json::parse(contents_of(file))["findings"]) {
    const bool expected = std::ranges::any_of(deliberate, [&](const Deliberate& each) {
      return name.starts_with(each.name) && finding["rule"] == each.rule;
    });
    EXPECT_TRUE(expected || finding["severity"] == "note") << finding.dump(2);
  }
}

TEST_P(Guest, prints_the_same_on_qemu) {
  const std::string& name = GetParam();
  if (expected_end(name).qemu < 0) GTEST_SKIP() << "this guest never ends on QEMU";
  for (const Exempt& each : not_on_qemu) {
    if (name.starts_with(each.name)) GTEST_SKIP() << each.reason;
  }
  const std::string qemu = name.ends_with("_64") ? "qemu-system-x86_64" : "qemu-system-i386";
  const Folder folder;
  std::vector<std::string> words = {qemu,         "-accel",      "tcg",
                                    "-cpu",       "max",         "-m",
                                    "64",         "-nodefaults", "-display",
                                    "none",       "-serial",     "null",
                                    "-serial",    "null",        "-debugcon",
                                    "stdio",      "-device",     "isa-debug-exit,iobase=0xf4,iosize=0x04",
                                    "-no-reboot", "-smp",        processors(name),
                                    "-kernel",    image(name)};
  if (wants_disk(name)) {
    const std::string disk = folder.file("disk", numbered_disk());
    words.insert(words.end(), {"-drive", "file=" + disk + ",format=raw,if=ide,index=0"});
  }
  const Result result = run(words, {.seconds_at_most = patience_seconds});
  if (result.status == status_no_program) GTEST_SKIP() << qemu << " is not installed (Debian: qemu-system-x86)";
  EXPECT_EQ(result.status, expected_end(name).qemu) << result.out << result.err;
  EXPECT_EQ(compared_lines(on_vitrine(name).out), compared_lines(result.out));
}

INSTANTIATE_TEST_SUITE_P(Images, Guest, testing::ValuesIn(guest_names()), [](const auto& each) { return each.param; });

/// smp_ipi on two CPUs that take turns in this order.
struct Turns {
  std::string slice, seed;
};
class Schedules : public testing::TestWithParam<Turns> {};

TEST_P(Schedules, another_order_of_turns_is_another_legal_run_and_the_same_each_time) {
  const std::string name = "smp_ipi_32";
  const Folder folder;
  const fs::path first = folder.path / "first";
  const fs::path second = folder.path / "second";
  const std::vector<std::string> turns = {"--slice", GetParam().slice, "--schedule-seed", GetParam().seed, "--trace"};
  const auto go = [&](const fs::path& trace) {
    std::vector<std::string> words = turns;
    words.push_back(trace);
    return on_vitrine(name, words);
  };
  const Result one = go(first);
  const Result two = go(second);
  EXPECT_EQ(one.status, expected_end(name).vitrine) << one.out << one.err;
  EXPECT_EQ(one.out.find("FAIL"), std::string::npos) << one.out;
  EXPECT_EQ(one.out, two.out);
  EXPECT_FALSE(contents_of(first).empty());
  EXPECT_TRUE(contents_of(first) == contents_of(second));
  EXPECT_NE(one.err, on_vitrine(name).err) << "as many instructions as in the usual order";
}

INSTANTIATE_TEST_SUITE_P(, Schedules,
                         testing::Values(Turns{"10", "0"}, Turns{"1000", "7"}, Turns{"1000", "8"}, Turns{"50", "9"}),
                         [](const auto& each) { return "slice_" + each.param.slice + "_seed_" + each.param.seed; });

}  // namespace
