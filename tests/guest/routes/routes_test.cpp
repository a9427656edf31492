// {8259, I/O APIC, MSI, MSI-X} x {physical, logical, lowest priority} x {ACPI, MP tables, $PIR} x {pc, q35}: a device's
// interrupt reaches the CPU that it should, once, and is over after its EOI. An 8259's ExtINT has no lowest priority.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "tests/process.hpp"

namespace {

using namespace vitrine::tests;
using nlohmann::json;

constexpr int passed = 2 * 0x10 + 1;       // the status of a guest that wrote pass_value
constexpr unsigned patience_seconds = 60;  // of a host, for a guest that never ends

class Routes : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Routes, each_way_delivers_once_to_the_cpu_that_it_names) {
  const auto& [table, board] = GetParam();
  const Folder folder;
  const std::string report = folder.path / "report.json";
  const std::string findings = folder.path / "findings.json";
  const Result result = run({VITRINE_COMMAND, "run", std::string(GUEST_FOLDER) + "/by_" + table + ".elf", "--board",
                             board, "--cpus", "2", "--serial", "none", "--memory", "64M", "--max-time", "5s",
                             "--report=" + report, "--check", "--findings", findings},
                            {.seconds_at_most = patience_seconds});
  EXPECT_EQ(result.status, passed) << result.out << result.err;
  EXPECT_EQ(result.out.find("FAIL"), std::string::npos) << result.out;
  const json found = json::parse(contents_of(findings));
  EXPECT_EQ(found["errors"], 0) << found["findings"].dump(2);
}

INSTANTIATE_TEST_SUITE_P(Tables, Routes,
                         testing::Combine(testing::Values("acpi_32", "acpi_64", "mp_tables_32", "pir_32"),
                                          testing::Values("pc", "q35")),
                         [](const auto& each) { return std::get<0>(each.param) + "_" + std::get<1>(each.param); });

}  // namespace
