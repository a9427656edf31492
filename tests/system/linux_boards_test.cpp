// Debian's Linux on boards with APICs: it takes the way that its command line and firmware's tables leave it, starts
// all CPUs, lets a PCI function interrupt by MSI-X, MSI and INTx where it can, and counts its interrupts on each CPU as
// we do.
//
// One program, not a ctest test per case: a boot costs twenty seconds of a processor. With VITRINE_THOROUGH=1 each way
// is tried on both boards; else those that differ most.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ostream>
#include <string>
#include <vector>

#include "tests/process.hpp"
#include "tests/system/linux_guest.hpp"
#include "tests/system/witness.hpp"

namespace {

namespace fs = std::filesystem;
using namespace vitrine::tests;
using nlohmann::json;
using testing::HasSubstr;

const std::vector<std::string> modules = {"intel_th", "intel_th_pci", "i2c-ismt", "uio", "uio_pci_generic"};
bool is_thorough() { return std::getenv("VITRINE_THOROUGH") != nullptr; }

enum class Messages : bool { No, Yes };

/// One way to boot, and what Linux says of it.
struct Way {
  std::string name, board, cpus, append;
  std::string says;  ///< of how it routes
  Messages messages;
  std::string pin;  ///< the row of the function's INTA#
  bool always = false;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << "--board " << way.board << " --cpus " << way.cpus << " --append \"" << way.append << '"';
}

using enum Messages;
const std::vector<Way> ways = {
    {"acpi_4_cpus", "pc", "4", "", "ACPI: Using IOAPIC for interrupt routing", Yes, "18"},
    {"acpi_4_cpus", "q35", "4", "", "ACPI: Using IOAPIC for interrupt routing", Yes, "23", true},
    {"acpi_16_cpus", "q35", "16", "", "ACPI: Using IOAPIC for interrupt routing", Yes, "23"},
    {"mp_tables_16_cpus", "pc", "16", "acpi=off", "MPTABLE: OEM ID: VITRINE", Yes, "18"},
    {"mp_tables_2_cpus", "q35", "2", "acpi=off", "MPTABLE: OEM ID: VITRINE", Yes, "23"},
    {"noapic_4_cpus", "pc", "4", "noapic", "ACPI: Using PIC for interrupt routing", Yes, "10", true},
    {"noapic_2_cpus", "q35", "2", "noapic", "ACPI: Using PIC for interrupt routing", Yes, "11"},
    {"nolapic", "pc", "1", "nolapic", "APIC: Keep in PIC mode(8259)", No, "10", true},
    {"nolapic", "q35", "1", "nolapic", "APIC: Keep in PIC mode(8259)", No, "11"},
    {"pir", "pc", "1", "acpi=off noapic", "PIIX/ICH IRQ router [8086:", Yes, "10"},
    {"pir", "q35", "1", "acpi=off noapic", "PIIX/ICH IRQ router [8086:", Yes, "11"},
    {"nomsi_2_cpus", "pc", "2", "pci=nomsi", "ACPI: Using IOAPIC for interrupt routing", No, "18", true},
    {"nomsi_4_cpus", "q35", "4", "pci=nomsi", "ACPI: Using IOAPIC for interrupt routing", No, "23"},
    {"acpi_1_cpu", "pc", "1", "", "ACPI: Using IOAPIC for interrupt routing", Yes, "18"},
};

// Those that are left out must not be skipped: to ctest the whole program would be.
std::vector<Way> ways_to_try() {
  std::vector<Way> chosen;
  for (const Way& way : ways) {
    if (way.always || is_thorough()) chosen.push_back(way);
  }
  return chosen;
}

class LinuxWay : public testing::TestWithParam<Way> {
 protected:
  /// Boots it into a shell and types `script`.
  static Result boot(const Way& way, const Folder& folder, const std::string& script) {
    const std::string initramfs =
        linux_initramfs(folder, modules, {std::string("bin/pci_function=") + VITRINE_PCI_FUNCTION});
    // iomem=relaxed: /dev/mem leads to a function that a driver has.
    return run({VITRINE_COMMAND, "run", linux_kernel, "--initrd", initramfs, "--board", way.board, "--cpus", way.cpus,
                "--append", "console=ttyS0 iomem=relaxed " + way.append, "--trace", folder.path / "trace", "--max-time",
                "60s"},
               {.input = script, .seconds_at_most = linux_patience_seconds});
  }
  static json report_to(const std::string& moment, const Folder& folder) {
    const Result cut = run({VITRINE_COMMAND, "report", folder.path / "trace", "--to", moment, "--json"});
    EXPECT_EQ(cut.status, 0) << cut.err;
    return json::parse(cut.out);
  }
};

std::uint64_t sum(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

/// Since `before`, each message was taken as often, and by the CPUs, as Linux says.
void expect_the_same_messages(const std::vector<Counts>& before, const std::vector<Counts>& now,
                              const Witness& witness) {
  for (std::size_t number = 0; number < std::max(now.size(), witness.messages.size()); ++number) {
    Counts taken = number < now.size() ? now[number] : Counts();
    for (std::size_t cpu = 0; cpu < taken.size(); ++cpu) taken[cpu] -= number < before.size() ? before[number][cpu] : 0;
    if (number < witness.messages.size()) {
      EXPECT_EQ(taken, witness.messages[number]) << "message " << number;
    } else {
      EXPECT_EQ(sum(taken), 0u) << "message " << number;
    }
  }
}

TEST_P(LinuxWay, reaches_its_shell_with_all_cpus_and_counts_its_interrupts_as_we_do) {
  const Way& way = GetParam();
  if (!linux_is_there(modules)) GTEST_SKIP() << "no guests (make guests)";
  const Folder folder;
  // What a program has printed may still be on its way through the serial port when Linux switches off.
  const Result boot = this->boot(way, folder, "sh /bin/pci_function\nsleep 1\nexit\n");
  // Without ACPI, Linux cannot switch the machine off, and halts it for good.
  ASSERT_EQ(boot.status, way.append.contains("acpi=off") ? 83 : 0) << boot.out << boot.err;
  EXPECT_THAT(boot.out, HasSubstr(way.says));
  EXPECT_THAT(boot.out, HasSubstr("Brought up 1 node, " + way.cpus + " CPU"));
  const std::string said = boot.out.substr(0, boot.out.find("witness at "));
  for (const char* complaint : {"BIOS bug", "MP-BIOS bug", "nobody cared", "spurious"}) {
    EXPECT_EQ(said.find(complaint), std::string::npos) << said.substr(said.find(complaint), 200);
  }

  // tests/system/guest/pci_function: after 8 messages of MSI-X, one of MSI, three times INTx.
  const std::size_t cpus = std::stoul(way.cpus);
  const std::vector<Witness> witnesses = read_witnesses(boot.out, cpus);
  std::vector<std::size_t> message_counts;
  for (const Witness& witness : witnesses) message_counts.push_back(witness.messages.size());
  const bool has_messages = way.messages == Messages::Yes;
  ASSERT_EQ(message_counts, has_messages ? std::vector<std::size_t>({8, 1, 0}) : std::vector<std::size_t>({0}))
      << boot.out;
  const std::string refusal = "Unable to use MSI interrupts, falling back to legacy";
  EXPECT_EQ(boot.out.find(refusal) == std::string::npos, has_messages) << boot.out;

  std::vector<Counts> before;
  for (const Witness& witness : witnesses) {
    const json report = report_to(witness.moment, folder);
    EXPECT_EQ(report["cpus"], cpus);
    std::map<std::string, Counts> ours = rows_of(report);
    expect_the_same_counts(ours, witness, cpus);
    const std::vector<Counts> messages = messages_of(report);
    expect_the_same_messages(before, messages, witness);
    before = messages;
    std::vector<std::string> busy = {"4"};
    if (cpus > 1) busy.insert(busy.end(), {"LOC", "RES", "CAL"});
    for (const std::string& name : busy) EXPECT_TRUE(ours.contains(name)) << name;
    std::size_t moved = 0;
    for (std::size_t number = 0; number < witness.messages.size(); ++number) {
      EXPECT_EQ(sum(witness.messages[number]), number + 2) << "message " << number;
      moved += std::ranges::count_if(witness.messages[number], [](std::uint64_t count) { return count != 0; }) > 1;
    }
    if (cpus > 1 && witness.messages.size() > 1) EXPECT_GT(moved, 0u) << boot.out;
    EXPECT_EQ(sum(ours[way.pin]), &witness == &witnesses.back() ? 3u : 0u) << way.pin << boot.out;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, LinuxWay, testing::ValuesIn(ways_to_try()),
                         [](const auto& each) { return each.param.board + "_" + each.param.name; });

}  // namespace
