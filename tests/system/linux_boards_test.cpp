// Debian's Linux on boards with APICs: it takes the way that its command line and firmware's tables leave it, starts
// all CPUs, and counts its interrupts on each of them as we do.
//
// One program, not a ctest test per case: a boot costs twenty seconds of a processor. With VITRINE_THOROUGH=1 each way
// is tried on both boards; else those that differ most.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/process.hpp"
#include "tests/system/witness.hpp"

namespace {

namespace fs = std::filesystem;
using namespace vitrine::tests;
using nlohmann::json;
using testing::HasSubstr;

const fs::path guests = VITRINE_GUESTS;
const std::string kernel = guests / "linux/vmlinuz";
constexpr unsigned patience_seconds = 600;  // of a busy host

bool guests_are_there() { return fs::exists(kernel) && fs::exists(guests / "initramfs.cpio"); }
bool is_thorough() { return std::getenv("VITRINE_THOROUGH") != nullptr; }

/// One way to boot, and what Linux says of it.
struct Way {
  std::string name, board, cpus, append;
  std::string says;  ///< of how it routes
  bool always = false;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << "--board " << way.board << " --cpus " << way.cpus << " --append \"" << way.append << '"';
}

const std::vector<Way> ways = {
    {"acpi_4_cpus", "q35", "4", "", "ACPI: Using IOAPIC for interrupt routing"},
    {"acpi_16_cpus", "q35", "16", "", "ACPI: Using IOAPIC for interrupt routing", true},
    {"mp_tables_16_cpus", "pc", "16", "acpi=off", "MPTABLE: OEM ID: VITRINE"},
    {"mp_tables_2_cpus", "q35", "2", "acpi=off", "MPTABLE: OEM ID: VITRINE"},
    {"noapic_4_cpus", "pc", "4", "noapic", "ACPI: Using PIC for interrupt routing", true},
    {"noapic_2_cpus", "q35", "2", "noapic", "ACPI: Using PIC for interrupt routing"},
    {"nolapic", "pc", "1", "nolapic", "APIC: Keep in PIC mode(8259)"},
    {"nolapic", "q35", "1", "nolapic", "APIC: Keep in PIC mode(8259)"},
    {"pir", "pc", "1", "acpi=off noapic", "PIIX/ICH IRQ router [8086:"},
    {"pir", "q35", "1", "acpi=off noapic", "PIIX/ICH IRQ router [8086:"},
    {"nomsi_2_cpus", "pc", "2", "pci=nomsi", "ACPI: Using IOAPIC for interrupt routing"},
    {"nomsi_4_cpus", "q35", "4", "pci=nomsi", "ACPI: Using IOAPIC for interrupt routing"},
    {"acpi_1_cpu", "pc", "1", "", "ACPI: Using IOAPIC for interrupt routing"},
};

// Those that are left out must not be skipped: to ctest the whole program would be.
std::vector<Way> ways_to_try() {
  std::vector<Way> chosen;
  for (const Way& way : ways) {
    if (way.always || is_thorough()) chosen.push_back(way);
  }
  return chosen;
}

class LinuxWay : public testing::TestWithParam<Way> {};

TEST_P(LinuxWay, reaches_its_shell_with_all_cpus) {
  const Way& way = GetParam();
  if (!guests_are_there()) GTEST_SKIP() << "no guests (make guests)";
  const Result result =
      run({VITRINE_COMMAND, "run", kernel, "--initrd", guests / "initramfs.cpio", "--board", way.board, "--cpus",
           way.cpus, "--append", "console=ttyS0 " + way.append, "--until", "READY", "--max-time", "60s"},
          {.seconds_at_most = patience_seconds});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr(way.says));
  EXPECT_THAT(result.out, HasSubstr("Brought up 1 node, " + way.cpus + " CPU"));
  for (const char* complaint : {"BIOS bug", "MP-BIOS bug", "nobody cared", "spurious"}) {
    EXPECT_EQ(result.out.find(complaint), std::string::npos) << result.out.substr(result.out.find(complaint), 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, LinuxWay, testing::ValuesIn(ways_to_try()),
                         [](const auto& each) { return each.param.board + "_" + each.param.name; });

// --- /proc/interrupts
// -----------------------------------------------------------------------------------------------

struct Board {
  std::string name;
  std::size_t cpus;
  bool always = false;
};
void PrintTo(const Board& board, std::ostream* out) { *out << "--board " << board.name << " --cpus " << board.cpus; }

std::vector<Board> boards_to_try() {
  std::vector<Board> chosen;
  for (const Board& board : {Board{"pc", 4, true}, Board{"q35", 4}, Board{"q35", 16}}) {
    if (board.always || is_thorough()) chosen.push_back(board);
  }
  return chosen;
}

class LinuxInterrupts : public testing::TestWithParam<Board> {};

void add(Counts& sum, const Counts& more) {
  if (sum.size() < more.size()) sum.resize(more.size());
  for (std::size_t cpu = 0; cpu < more.size(); ++cpu) sum[cpu] += more[cpu];
}

/// Linux 6.1, arch/x86/include/asm/irq_vectors.h: which row of /proc/interrupts counts a vector.
std::string row_of_vector(unsigned vector) {
  switch (vector) {
    case 0x02:
      return "NMI";
    case 0xFF:
      return "SPU";
    case 0xFD:
      return "RES";
    case 0xFC:
    case 0xFB:
      return "CAL";
    case 0xFA:
      return "TRM";
    case 0xF6:
      return "IWI";
    case 0xEC:
      return "LOC";
    default:
      return "vector " + std::to_string(vector);
  }
}

std::map<std::string, Counts> rows_of(const json& report) {
  std::map<std::string, Counts> rows;
  for (const json& row : report["by_cpu"]) {
    const std::string name = row["irq"].is_null() ? row["origin"] == "nmi" ? "NMI" : row_of_vector(row["vectors"][0])
                                                  : std::to_string(row["irq"].get<int>());
    add(rows[name], row["counts"].get<Counts>());
  }
  return rows;
}

TEST_P(LinuxInterrupts, the_report_has_exactly_the_counts_of_proc_interrupts_on_every_cpu) {
  if (!guests_are_there()) GTEST_SKIP() << "no guests (make guests)";
  const std::size_t cpus = GetParam().cpus;
  const Folder folder;
  const std::string initramfs = folder.path / "initramfs";
  const std::string trace = folder.path / "trace";
  const Result made =
      run({VITRINE_MAKE_INITRAMFS, initramfs, "--busybox", guests / "busybox", "--applets", guests / "busybox.applets",
           "--tree", VITRINE_GUEST_TREE, "--add", std::string("bin/witness=") + VITRINE_WITNESS});
  ASSERT_EQ(made.status, 0) << made.err;
  // What a program has printed may still be on its way through the serial port when Linux switches off.
  const Result boot = run({VITRINE_COMMAND, "run", kernel, "--initrd", initramfs, "--board", GetParam().name, "--cpus",
                           std::to_string(cpus), "--append", "console=ttyS0", "--trace", trace, "--max-time", "60s"},
                          {.input = "witness\nsleep 1\nexit\n", .seconds_at_most = patience_seconds});
  ASSERT_EQ(boot.status, 0) << boot.out << boot.err;
  const Witness witness = read_witness(boot.out, cpus);
  ASSERT_FALSE(witness.counts.empty()) << boot.out;

  const Result cut = run({VITRINE_COMMAND, "report", trace, "--to", witness.moment, "--json"});
  ASSERT_EQ(cut.status, 0) << cut.err;
  const json report = json::parse(cut.out);
  EXPECT_EQ(report["cpus"], cpus);
  const std::map<std::string, Counts> ours = rows_of(report);
  for (const char* busy : {"0", "4", "LOC", "RES", "CAL"}) EXPECT_TRUE(ours.contains(busy)) << busy;
  for (const auto& [name, counts] : ours) {
    const auto row = witness.counts.find(name);
    EXPECT_EQ(counts, row == witness.counts.end() ? Counts(cpus) : row->second) << name;
  }
  // These Linux counts without an interrupt of their own: TLB is a part of CAL, PMI of NMI (the watchdog's performance
  // counter); the others are sums over all CPUs.
  const std::set<std::string> no_interrupts = {"TLB", "PMI", "MCE", "MCP", "ERR", "MIS"};
  for (const auto& [name, counts] : witness.counts) {
    if (no_interrupts.contains(name) || ours.contains(name)) continue;
    EXPECT_EQ(counts, Counts(cpus)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Boards, LinuxInterrupts, testing::ValuesIn(boards_to_try()), [](const auto& each) {
  return each.param.name + "_" + std::to_string(each.param.cpus) + "_cpus";
});

}  // namespace
