// kvm-unit-tests on Vitrine, and on QEMU's TCG beside it. Each test is a Multiboot kernel that reports lines of PASS,
// FAIL and SKIP on COM1 and leaves through port F4h.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>

#include "tests/conformance/suites.hpp"
#include "tests/process.hpp"

namespace vitrine::conformance {

namespace {

namespace fs = std::filesystem;

enum class Width : unsigned { Only64 = 1, Only32 = 2, Both = 3 };

struct Test {
  std::string_view name;
  std::string_view file;  ///< without .flat
  Width width = Width::Both;
  unsigned cpus = 1;
  std::string_view arguments = "";
  std::string_view qemu_cpu = "max";
  std::string_view environment = "";  ///< what the suite's own settings call the environment
  /// What it asks for, if it skips itself here.
  std::string_view lacks = "";
  std::string_view option = "";  ///< of `vitrine run`
};
/// For tests of what our CPU does not have, and QEMU's TCG neither or only at length.
constexpr std::string_view not_on_qemu = "";

// As x86/unittests.cfg has them; what is left out of it stands below.
constexpr Test tests[] = {
    // With the suite's test device it asks for a hypervisor's call.
    {"x2apic", "apic", Width::Only64, 2, "", "qemu64,+x2apic,+tsc-deadline", "TEST_DEVICE=0"},
    {"xapic", "apic", Width::Only64, 2, "", "qemu64,-x2apic,+tsc-deadline", "TEST_DEVICE=0", "", "--no-x2apic"},
    {"ioapic", "ioapic", Width::Only64, 4, "", "qemu64,+x2apic"},
    {"cmpxchg8b", "cmpxchg8b", Width::Only32},
    {"smptest", "smptest", Width::Both, 2},
    {"smptest3", "smptest", Width::Both, 3},
    {"vmexit_cpuid", "vmexit", Width::Both, 1, "cpuid"},
    {"vmexit_mov_from_cr8", "vmexit", Width::Both, 1, "mov_from_cr8"},
    {"vmexit_mov_to_cr8", "vmexit", Width::Both, 1, "mov_to_cr8"},
    {"vmexit_inl_pmtimer", "vmexit", Width::Both, 1, "inl_from_pmtimer"},
    {"vmexit_ipi", "vmexit", Width::Both, 2, "ipi"},
    {"vmexit_ipi_halt", "vmexit", Width::Both, 2, "ipi_halt"},
    {"vmexit_ple_round_robin", "vmexit", Width::Both, 1, "ple_round_robin"},
    {"vmexit_tscdeadline", "vmexit", Width::Both, 1, "tscdeadline", "qemu64,+x2apic,+tsc-deadline"},
    {"vmexit_tscdeadline_immed", "vmexit", Width::Both, 1, "tscdeadline_immed", "qemu64,+x2apic,+tsc-deadline"},
    {"vmexit_cr0_wp", "vmexit", Width::Both, 2, "toggle_cr0_wp"},
    {"vmexit_cr4_pge", "vmexit", Width::Both, 2, "toggle_cr4_pge"},
    {"access", "access_test", Width::Only64},
    {"smap", "smap"},
    {"pku", "pku", Width::Only64, 1, "", "max", "", "PKU is not in our CPUID"},
    {"pks", "pks", Width::Only64, 1, "", "max", "", "PKS is not in our CPUID"},
    {"emulator", "emulator"},
    {"eventinj", "eventinj"},
    {"idt_test", "idt_test", Width::Only64},
    {"memory", "memory", Width::Only64},
    {"msr", "msr", Width::Both, 1, "", "max,vendor=GenuineIntel"},
    {"realmode", "realmode"},
    {"setjmp", "setjmp"},
    {"sieve", "sieve"},
    // SYSCALL of 32-bit code is AMD's; without the test device the suite asks for nothing that real Intel CPUs refuse.
    {"syscall", "syscall", Width::Only64, 1, "", "Opteron_G1,vendor=AuthenticAMD", "TEST_DEVICE=0"},
    {"tsc", "tsc"},
    {"tsc_adjust", "tsc_adjust"},
    {"xsave", "xsave", Width::Only64},
    {"rmap_chain", "rmap_chain", Width::Only64},
    {"taskswitch", "taskswitch", Width::Only32},
    {"taskswitch2", "taskswitch2", Width::Only32},
    {"pcid-disabled", "pcid", Width::Only64, 1, "", "qemu64,-pcid,-invpcid"},
    {"rdpru", "rdpru", Width::Only64},
    {"umip", "umip", Width::Both, 1, "", "qemu64,+umip"},
    {"la57", "la57"},
    {"debug", "debug", Width::Only64},
    {"hpet_read_test", "hpet_read_test", Width::Both, 2},
    {"tsx-ctrl", "tsx-ctrl", Width::Both, 1, "", "max", "", "TSX is not in our CPUID"},
    {"cet", "cet", Width::Only64, 2, "", "max", "", "CET is not in our CPUID"},
    {"lam", "lam", Width::Only64},
    {"pmu", "pmu", Width::Both, 1, "", "max"},
    {"pmu_lbr", "pmu_lbr", Width::Only64, 1, "", not_on_qemu, "", "LBR is not in our CPUID"},
    {"pmu_pebs", "pmu_pebs", Width::Only64, 1, "", not_on_qemu, "", "PEBS is not in our CPUID"},
    {"asyncpf", "asyncpf", Width::Both, 1, "", not_on_qemu, "", "no KVM is below us"},
    {"kvmclock_test", "kvmclock_test", Width::Both, 2, "1000", not_on_qemu, "", "no KVM is below us"},
    {"hyperv_synic", "hyperv_synic", Width::Both, 2, "", not_on_qemu, "", "no Hyper-V is below us"},
    {"hyperv_connections", "hyperv_connections", Width::Both, 2, "", not_on_qemu, "", "no Hyper-V is below us"},
    {"hyperv_stimer", "hyperv_stimer", Width::Both, 2, "", not_on_qemu, "", "no Hyper-V is below us"},
    {"hyperv_clock", "hyperv_clock", Width::Only64, 2, "", not_on_qemu, "", "no Hyper-V is below us"},
    {"svm", "svm", Width::Only64, 2, "", not_on_qemu, "", "SVM is not in our CPUID"},
    {"svm_npt", "svm_npt", Width::Only64, 2, "", not_on_qemu, "", "SVM is not in our CPUID"},
    {"vmx", "vmx", Width::Only64, 1, "", not_on_qemu, "", "VMX is not in our CPUID"},
};

/// Those that are left out, with the reason.
struct LeftOut {
  std::string_view names, reason;
};
constexpr LeftOut left_out[] = {
    {"hypercall, vmexit_vmcall, vmware_backdoors", "call a hypervisor below them, and none is there"},
    {"pcid-enabled, pcid-asymmetric",
     "the program of pcid-disabled on CPUs with PCID or INVPCID, and ours has neither"},
    {"msr64", "the program of msr on a CPU with fewer MSRs, and we have one CPU"},
    {"access-reduced-maxphyaddr", "the program of access on a CPU with 36 physical address bits, and we have one CPU"},
    {"access_fep", "not in the suite's default groups: its prefix asks KVM to emulate each instruction"},
    {"hyperv_stimer_direct", "the program of hyperv_stimer; no Hyper-V is below us"},
    {"svm_*, vmx_*, ept, ept-mbec", "parts of svm and vmx, and SVM and VMX are not in our CPUID"},
    {"intel_iommu", "there is no IOMMU"},
    {"s3", "there is no sleep state but S5"},
    {"init", "not in the suite's own list: a CPU sends INIT to itself by a shorthand (SDM vol. 3A, table 10-3)"},
    {"tscdeadline_latency", "not in the suite's own list: it never ends"},
};

/// Of a busy host: vmexit_* run some two seconds of guest time whatever that takes.
constexpr unsigned patience_seconds = 900, patience_seconds_with_qemu = 90;

/// What the checkout was built for.
enum class Built { For64, For32 };
std::optional<Built> built_for(const fs::path& checkout) {
  std::ifstream file(checkout / "config.mak");
  for (std::string line; std::getline(file, line);) {
    if (line == "ARCH=x86_64") return Built::For64;
    if (line == "ARCH=i386") return Built::For32;
  }
  return std::nullopt;
}

struct Ending {
  bool good = false;  ///< passed or skipped
  std::string text;
};

unsigned lines_with(const std::string& text, std::string_view start) {
  unsigned count = text.starts_with(start) ? 1 : 0;
  const std::string behind_newline = "\n" + std::string(start);
  for (std::size_t at = 0; (at = text.find(behind_newline, at)) != std::string::npos; ++at) ++count;
  return count;
}

constexpr int exit_passed = 1;      // (0 << 1) | 1
constexpr int exit_skipped = 77;    // (38 << 1) | 1
constexpr int exit_cpu_died = 127;  // (63 << 1) | 1: an exception that the test does not expect

Ending ending(const tests::Result& result, std::string_view lacks = "") {
  const unsigned passed = lines_with(result.out, "PASS");
  const unsigned failed = lines_with(result.out, "FAIL");
  const unsigned skipped = lines_with(result.out, "SKIP");
  std::string counts = fmt::format("{} passed", passed);
  if (failed != 0) counts += fmt::format(", {} failed", failed);
  if (skipped != 0) counts += fmt::format(", {} skipped", skipped);
  if (result.status == exit_passed) {
    return {true, passed + failed + skipped == 0 ? "pass" : "pass (" + counts + ")"};
  }
  if (result.status == exit_skipped) {
    return {true, lacks.empty() ? "skipped" : fmt::format("skipped: {}", lacks)};
  }
  const char* how = result.status == exit_cpu_died ? "fail, unexpected exception"
                    : result.status == -1          ? "fail, does not end"
                                                   : "fail";
  return {false, fmt::format("{} ({})", how, counts)};
}

std::vector<std::string> split(std::string_view words) {
  std::vector<std::string> result;
  if (!words.empty()) result.emplace_back(words);
  return result;
}

std::string command_line(const fs::path& image, const Test& test) {
  std::string line = image.string();
  for (const std::string& word : split(test.arguments)) line += " " + word;
  return line;
}

Ending on_vitrine(const Request& request, const fs::path& image, const Test& test) {
  const tests::Folder folder;
  std::vector<std::string> words = {request.vitrine.string(),
                                    "run",
                                    image.string(),
                                    "--serial",
                                    "stdio",
                                    "--cpus",
                                    fmt::format("{}", test.cpus),
                                    "--memory",
                                    "256M",
                                    "--max-time",
                                    "60s",
                                    "--board",
                                    request.board,
                                    "--append",
                                    command_line(image, test)};
  const std::string environment = fmt::format("NR_CPUS={}\nMEMSIZE=256\n{}\n", test.cpus, test.environment);
  if (!test.option.empty()) words.emplace_back(test.option);
  words.insert(words.end(), {"--initrd", folder.file("environment", environment)});
  return ending(tests::run(words, {.seconds_at_most = patience_seconds}), test.lacks);
}

constexpr const char* qemu_program = "qemu-system-x86_64";

Ending on_qemu(const fs::path& image, const Test& test) {
  const tests::Result result = tests::run({qemu_program,
                                           "-accel",
                                           "tcg",
                                           "-nodefaults",
                                           "-no-reboot",
                                           "-display",
                                           "none",
                                           "-device",
                                           "pc-testdev",
                                           "-device",
                                           "isa-debug-exit,iobase=0xf4,iosize=0x4",
                                           "-serial",
                                           "stdio",
                                           "-m",
                                           "256M",
                                           "-kernel",
                                           image.string(),
                                           "-smp",
                                           fmt::format("{}", test.cpus),
                                           "-cpu",
                                           std::string(test.qemu_cpu),
                                           "-append",
                                           std::string(test.arguments)},
                                          {.seconds_at_most = patience_seconds_with_qemu});
  return ending(result);
}

bool chosen(const Request& request, const Test& test, Built built) {
  const unsigned bit = built == Built::For64 ? 1 : 2;
  if ((static_cast<unsigned>(test.width) & bit) == 0) return false;
  return request.only.empty() || std::ranges::count(request.only, test.name) != 0;
}

}  // namespace

Verdict run_kvm_unit_tests(const Request& request) {
  const std::optional<Built> built = built_for(request.path);
  if (!built) {
    fmt::print(stderr, "{} is no checkout of kvm-unit-tests that was configured for x86_64 or i386.\n",
               request.path.string());
    return Verdict::CannotRun;
  }
  // Not by the status of a test: 127 is also what a test has whose CPU died.
  if (request.qemu && tests::run({qemu_program, "--version"}).status == tests::status_no_program) {
    fmt::print(stderr, "{} is not there (Debian: qemu-system-x86).\n", qemu_program);
    return Verdict::CannotRun;
  }
  bool all_good = true;
  fmt::print("| {} | Vitrine |{}\n|---|---|{}\n", *built == Built::For64 ? "x86_64" : "i386",
             request.qemu ? " QEMU TCG |" : "", request.qemu ? "---|" : "");
  for (const Test& test : tests) {
    if (!chosen(request, test, *built)) continue;
    const fs::path image = request.path / "x86" / (std::string(test.file) + ".flat");
    if (!fs::exists(image)) continue;  // the suite builds some for one width only
    const Ending ours = on_vitrine(request, image, test);
    std::string row = fmt::format("| {} | {} |", test.name, ours.text);
    if (request.qemu) row += fmt::format(" {} |", test.qemu_cpu == not_on_qemu ? "" : on_qemu(image, test).text);
    fmt::print("{}\n", row);
    std::fflush(stdout);
    all_good &= ours.good;
  }
  for (const LeftOut& each : left_out) {
    if (request.only.empty()) fmt::print("| {} | not run: {} |{}\n", each.names, each.reason, request.qemu ? " |" : "");
  }
  return all_good ? Verdict::Passed : Verdict::Failed;
}

}  // namespace vitrine::conformance
