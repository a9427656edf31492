// Debian's Linux and what happens to the machine from outside: the NMI button, the power button, a heat sink that is
// too small. One boot, of two CPUs; the power button's driver is a module.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/process.hpp"
#include "tests/system/linux_guest.hpp"
#include "tests/system/witness.hpp"

namespace {

using namespace vitrine::tests;
using nlohmann::json;
using testing::HasSubstr;

const std::vector<std::string> modules = {"button"};

TEST(LinuxInputs, buttons_and_heat_interrupt_and_are_counted_as_we_do) {
  if (!linux_is_there(modules)) GTEST_SKIP() << "no guests (make guests)";
  const Folder folder;
  const std::string initramfs = linux_initramfs(folder, modules);
  const std::string trace = folder.path / "trace";
  // One CPU works for a second, then the other one; then both rest, and get cool.
  const std::string script =
      "insmod /lib/modules/button.ko\n"
      "heat() { taskset $1 sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done'; }\n"
      "heat 1; heat 2; sleep 4; witness; sleep 1; exit\n";
  const Result boot = run({VITRINE_COMMAND, "run", linux_kernel, "--initrd", initramfs, "--cpus", "2", "--append",
                           "console=ttyS0", "--cooling", "ambient=60,rise=60", "--nmi", "9s", "--power-button",
                           "9500ms", "--trace", trace, "--max-time", "60s"},
                          {.input = script, .seconds_at_most = linux_patience_seconds});
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
