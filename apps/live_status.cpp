#include "apps/live_status.hpp"

#include <algorithm>

#include "apps/status.hpp"
#include "host/terminal.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr std::size_t most_sources = 4;

double ratio(u64 part, u64 whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

u64 a_second(u64 count, u64 nanoseconds) { return static_cast<u64>(ratio(count, nanoseconds) * 1e9 + 0.5); }

}  // namespace

void LiveCounts::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    Known& known = known_[record.id % known_.size()];
    if (record.kind == RecordKind::Raised) known = {record.id, record.source};
    if (record.kind != RecordKind::Delivered || record.id == 0 || known.id != record.id) continue;
    if (known.source >= delivered_.size()) delivered_.resize(known.source + std::size_t{1});
    ++delivered_[known.source];
  }
}

std::string LiveCounts::words(const LiveMoment& before, const LiveMoment& now) {
  const u64 wall = now.wall - before.wall;
  const u64 guest = now.guest - before.guest;
  std::vector<std::pair<u64, std::size_t>> busiest;
  u64 total = 0;
  for (std::size_t source = 0; source < delivered_.size(); ++source) {
    total += delivered_[source];
    if (delivered_[source] != 0) busiest.emplace_back(delivered_[source], source);
  }
  delivered_.clear();
  std::ranges::sort(busiest, [](const auto& one, const auto& other) {
    return one.first != other.first ? one.first > other.first : one.second < other.second;
  });
  std::string text =
      fmt::format("guest {:.2f} s, {:.2f}x real time, {:.0f} MIPS, {} interrupts/s",
                  static_cast<double>(now.guest) / 1e9, ratio(guest, wall),
                  ratio(now.instructions - before.instructions, wall) * 1e3, count_text(a_second(total, guest)));
  for (std::size_t i = 0; i < std::min(busiest.size(), most_sources); ++i) {
    const auto& [count, source] = busiest[i];
    text += fmt::format("{} {} {}", i == 0 ? ":" : ",", source < sources_.size() ? sources_[source] : "unknown",
                        count_text(a_second(count, guest)));
  }
  return text;
}

void LiveStatus::draw(const LiveMoment& now) {
  const bool is_first = last_.wall == 0;
  std::string text = counts.words(last_, now);
  last_ = now;
  if (is_first) return;  // nothing to compare with yet
  hide();
  // A line that wraps could not be taken back.
  const std::size_t width = standard_error_width();
  if (text.size() >= width) text.resize(width - 1);
  tell("\x1B[7m{}\x1B[m", text);
  shown_ = true;
}

void LiveStatus::hide() {
  if (!shown_) return;
  tell("\r\x1B[K");
  shown_ = false;
}

}  // namespace vitrine
