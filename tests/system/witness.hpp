// What Linux's /proc/interrupts said when tests/system/guest's witness printed it, and what our report says then.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace vitrine::tests {

using Counts = std::vector<std::uint64_t>;  // by CPU

/// What /proc/interrupts said, and the moment of which it was true.
struct Witness {
  std::string moment;
  std::map<std::string, Counts> counts;  ///< by the first word of the row ("0", "LOC"), but for
  std::vector<Counts> messages;          ///< those of MSI and MSI-X, in Linux's order, which is that of the device
};

/// `from`: where in the output to look for it. No counts: there is none.
inline Witness read_witness(const std::string& output, std::size_t cpus, std::size_t from = 0) {
  Witness witness;
  const std::string begin = "witness at ";
  std::istringstream lines(output.substr(std::min(output.find(begin, from), output.size())));
  std::string line;
  std::getline(lines, line);
  if (line.size() > begin.size()) witness.moment = line.substr(begin.size(), line.find('\r') - begin.size()) + "ns";
  while (std::getline(lines, line) && !line.starts_with("witness ends")) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || !name.ends_with(':')) continue;
    const bool is_message = line.find(" PCI-MSI ") != std::string::npos;
    Counts& counts = is_message ? witness.messages.emplace_back() : witness.counts[name.substr(0, name.size() - 1)];
    for (std::uint64_t count = 0; counts.size() < cpus && words >> count;) counts.push_back(count);
    counts.resize(cpus);
  }
  return witness;
}

/// All that it said, one after another.
inline std::vector<Witness> read_witnesses(const std::string& output, std::size_t cpus) {
  std::vector<Witness> witnesses;
  for (std::size_t at = 0; (at = output.find("witness at ", at)) != std::string::npos; ++at) {
    witnesses.push_back(read_witness(output, cpus, at));
  }
  return witnesses;
}

/// Linux 6.1, arch/x86/include/asm/irq_vectors.h: which row of /proc/interrupts counts a vector.
inline std::string row_of_vector(unsigned vector) {
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

/// The report's counts of handlers entered, by Linux's rows; without those of messages.
inline std::map<std::string, Counts> rows_of(const nlohmann::json& report) {
  // A CPU that has lost an interrupt to another one is told so by this IPI, which Linux does not count.
  constexpr unsigned move_cleanup = 0x20;
  std::map<std::string, Counts> rows;
  for (const nlohmann::json& row : report["by_cpu"]) {
    if (!row["message"].is_null() || (row["origin"] == "ipi" && row["vectors"][0] == move_cleanup)) continue;
    const std::string name = row["irq"].is_null() ? row["origin"] == "nmi" ? "NMI" : row_of_vector(row["vectors"][0])
                                                  : std::to_string(row["irq"].get<int>());
    const auto counts = row["counts"].get<Counts>();
    Counts& sum = rows[name];
    sum.resize(std::max(sum.size(), counts.size()));
    for (std::size_t cpu = 0; cpu < counts.size(); ++cpu) sum[cpu] += counts[cpu];
  }
  return rows;
}

/// The report's counts of messages, by their numbers.
inline std::vector<Counts> messages_of(const nlohmann::json& report) {
  std::vector<Counts> messages;
  for (const nlohmann::json& row : report["by_cpu"]) {
    if (row["message"].is_null()) continue;
    const auto number = row["message"].get<std::size_t>();
    auto counts = row["counts"].get<Counts>();
    if (messages.size() <= number) messages.resize(number + 1, Counts(counts.size()));
    messages[number] = std::move(counts);
  }
  return messages;
}

/// Every counter of the report, on every CPU, is Linux's, and Linux counts nothing else.
inline void expect_the_same_counts(const std::map<std::string, Counts>& ours, const Witness& witness,
                                   std::size_t cpus) {
  for (const auto& [name, counts] : ours) {
    const auto row = witness.counts.find(name);
    EXPECT_EQ(counts, row == witness.counts.end() ? Counts(cpus) : row->second) << name;
  }
  // These Linux counts without an interrupt of their own: TLB is a part of CAL, PMI of NMI (the watchdog's performance
  // counter); the others are sums over all CPUs.
  static const std::set<std::string> no_interrupts = {"TLB", "PMI", "MCE", "MCP", "ERR", "MIS"};
  for (const auto& [name, counts] : witness.counts) {
    if (no_interrupts.contains(name) || ours.contains(name)) continue;
    EXPECT_EQ(counts, Counts(cpus)) << name;
  }
}

}  // namespace vitrine::tests
