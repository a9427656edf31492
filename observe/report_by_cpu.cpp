#include "observe/report_by_cpu.hpp"

#include <algorithm>
#include <numeric>

namespace vitrine {

u64 CpuCountRow::total() const { return std::accumulate(counts.begin(), counts.end(), u64{0}); }

CpuCounts::Row* CpuCounts::row(InterruptOrigin origin, u32 number, const std::string& name, u8 vector) {
  constexpr std::size_t most_names = 8;
  Key key{origin, number, origin == InterruptOrigin::Message ? name : std::string()};
  if (rows_.size() == most_rows && !rows_.contains(key)) return nullptr;
  Row& row = rows_[std::move(key)];
  if (row.names.size() < most_names) row.names.insert(name);
  row.vectors.insert(vector);
  return &row;
}

std::vector<CpuCountRow> CpuCounts::rows(unsigned cpus) const {
  std::vector<CpuCountRow> rows;
  for (const auto& [key, row] : rows_) {
    CpuCountRow& made = rows.emplace_back();
    made.origin = key.origin;
    if (key.origin == InterruptOrigin::Line) made.irq = static_cast<int>(key.number);
    if (key.origin == InterruptOrigin::Message) made.message = static_cast<int>(key.number);
    for (const std::string& name : row.names) made.name += (made.name.empty() ? "" : ", ") + name;
    made.vectors.assign(row.vectors.begin(), row.vectors.end());
    made.counts = row.counts;
    made.counts.resize(std::max<std::size_t>(cpus, made.counts.size()));
  }
  return rows;
}

}  // namespace vitrine
