#include "apps/live_status.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

void deliver(LiveCounts& counts, u64 id, u16 source) {
  const Record records[] = {{.id = id, .kind = RecordKind::Raised, .source = source},
                            {.id = id, .kind = RecordKind::Delivered, .source = 0}};
  counts.consume(records);
}

TEST(LiveCounts, rates_are_by_guest_time_and_the_busiest_source_comes_first) {
  LiveCounts counts({"cpu0", "pit", "com1"});
  for (u64 id = 1; id <= 100; ++id) deliver(counts, id, id % 10 == 0 ? 2 : 1);
  EXPECT_EQ(counts.words({.wall = 1'000'000'000, .guest = 0, .instructions = 0},
                         {.wall = 1'200'000'000, .guest = 100'000'000, .instructions = 10'000'000}),
            "guest 0.10 s, 0.50x real time, 50 MIPS, 1,000 interrupts/s: pit 900, com1 100");
}

TEST(LiveCounts, each_line_counts_anew_and_exceptions_are_not_interrupts) {
  LiveCounts counts({"cpu0", "pit"});
  deliver(counts, 1, 1);
  (void)counts.words({}, {.wall = 1, .guest = 1, .instructions = 1});
  const Record fault = {.id = 2, .kind = RecordKind::Delivered, .vector = 14};
  counts.consume({&fault, 1});
  EXPECT_EQ(counts.words({.wall = 1, .guest = 1, .instructions = 1},
                         {.wall = 1'000'000'001, .guest = 2'000'000'001, .instructions = 1}),
            "guest 2.00 s, 2.00x real time, 0 MIPS, 0 interrupts/s");
}

}  // namespace
}  // namespace vitrine
