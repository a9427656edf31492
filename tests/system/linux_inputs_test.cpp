// Debian's Linux and what happens to the machine from outside: the NMI button, the power button, a heat sink that is
// too small. One boot, of two CPUs; the power button's driver is a module.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

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

bool guests_are_there() { return fs::exists(kernel) && fs::exists(guests / "linux/modules/button.ko"); }

TEST(LinuxInputs, buttons_and_heat_interrupt_and_are_counted_as_we_do) {
  if (!guests_are_there()) GTEST_SKIP() << "no guests (make guests)";
  const Folder folder;
  const std::string initramfs = folder.path / "initramfs";
  const std::string trace = folder.path / "trace";
  std::vector<std::string> make = {
      VITRINE_MAKE_INITRAMFS,     initramfs, "--busybox",       guests / "busybox", "--applets",
      guests / "busybox.applets", "--tree",  VITRINE_GUEST_TREE};
  make.insert(make.end(), {"--add", std::string("bin/witness=") + VITRINE_WITNESS});
  make.insert(make.end(), {"--add", "root/button.ko=" + std::string(guests / "linux/modules/button.ko")});
  const Result made = run(make);
  ASSERT_EQ(made.status, 0) << made.err;
  // One CPU works for a second, then the other one; then both rest, and get cool.
  const std::string script =
      "insmod /root/button.ko\n"
      "heat() { taskset $1 sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done'; }\n"
      "heat 1; heat 2; sleep 4; witness; sleep 1; exit\n";
  const Result boot = run(
      {VITRINE_COMMAND, "run", kernel, "--initrd", initramfs, "--cpus", "2", "--append", "console=ttyS0", "--cooling",
       "ambient=60,rise=60", "--nmi", "9s", "--power-button", "9500ms", "--trace", trace, "--max-time", "60s"},
      {.input = script, .seconds_at_most = patience_seconds});
  ASSERT_EQ(boot.status, 0) << boot.out << boot.err;
  EXPECT_THAT(boot.out, HasSubstr("NMI received for unknown reason"));
  constexpr std::size_t cpus = 2;
  const Witness witness = read_witness(boot.out, cpus);
  ASSERT_FALSE(witness.counts.empty()) << boot.out;
  const auto counted = [&](const char* row) {
    const auto found = witness.counts.find(row);
    return found == witness.counts.end() ? Counts(cpus) : found->second;
  };
  EXPECT_EQ(counted("9")[0] + counted("9")[1], 1u) << "the power button, by SCI\n" << boot.out;
  EXPECT_EQ(counted("NMI"), Counts({1, 0})) << "LINT1 is open on the first CPU";
  for (const std::uint64_t count : counted("TRM")) EXPECT_GE(count, 2u) << "too hot, and cool again\n" << boot.out;

  const Result cut = run({VITRINE_COMMAND, "report", trace, "--to", witness.moment, "--json"});
  ASSERT_EQ(cut.status, 0) << cut.err;
  expect_the_same_counts(rows_of(json::parse(cut.out)), witness, cpus);
}

}  // namespace
