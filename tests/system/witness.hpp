// What Linux's /proc/interrupts said when tests/system/guest's witness printed it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace vitrine::tests {

using Counts = std::vector<std::uint64_t>;  // by CPU

/// What /proc/interrupts said, by the first word of its rows ("0", "LOC"), and the moment of which it was true.
struct Witness {
  std::string moment;
  std::map<std::string, Counts> counts;
};

inline Witness read_witness(const std::string& output, std::size_t cpus) {
  Witness witness;
  const std::string begin = "witness at ";
  std::istringstream lines(output.substr(std::min(output.find(begin), output.size())));
  std::string line;
  std::getline(lines, line);
  if (line.size() > begin.size()) witness.moment = line.substr(begin.size(), line.find('\r') - begin.size()) + "ns";
  while (std::getline(lines, line) && !line.starts_with("witness ends")) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || !name.ends_with(':')) continue;
    Counts& counts = witness.counts[name.substr(0, name.size() - 1)];
    for (std::uint64_t count = 0; counts.size() < cpus && words >> count;) counts.push_back(count);
    counts.resize(cpus);
  }
  return witness;
}

}  // namespace vitrine::tests
