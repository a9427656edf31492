// The rules of the 8254 data sheet, as rows: section, what happens at ports and pins, what is seen at each clock pulse.
#include "machine/devices/pit8254/pit8254.hpp"

#include <ostream>
#include <sstream>
#include <string>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr AccessSize byte(1);

struct Timer {
  TestBench bench;
  Pit8254& pit = bench.add<Pit8254>("pit", bench.output("irq0", 0));

  void write(u64 offset, u8 value) { pit.write(Pit8254::registers, offset, byte, value); }
  u8 read(u64 offset) { return static_cast<u8>(pit.read(Pit8254::registers, offset, byte)); }
  u64 pulse() const { return Pit8254::clk.counts_at(bench.clock.now()); }
  void pulses(u64 count) { bench.advance_to(Pit8254::clk.tick_of(pulse() + count)); }

  /// Runs words on counter 2 (its gate starts high) and returns what those that ask have seen.
  ///   cw:XX       control word       w:XX w0:XX    writes a byte to counter 2, to counter 0
  ///   clk:N       N pulses           gate+ gate-
  ///   trace:N     after each of N pulses: the count (hex), and H or L for OUT. Reads through the latch: any access
  ///   out out0    level of OUT 2, OUT 0
  ///   r r0 r1     reads a byte
  ///   cr          reads the control word's port
  std::string run(const std::string& script) {
    std::istringstream words(script);
    std::ostringstream seen;
    seen << std::hex << std::uppercase;
    const auto say = [&seen](auto value) { seen << (seen.tellp() > 0 ? " " : "") << value; };
    const auto level = [](Level value) { return value == Level::High ? "H" : "L"; };
    for (std::string word; words >> word;) {
      const std::size_t colon = word.find(':');
      const std::string name = word.substr(0, colon);
      const std::string argument = colon == std::string::npos ? "0" : word.substr(colon + 1);
      const auto hex = [&argument] { return static_cast<u8>(std::stoul(argument, nullptr, 16)); };
      if (name == "cw") {
        write(3, hex());
      } else if (name == "w") {
        write(2, hex());
      } else if (name == "w0") {
        write(0, hex());
      } else if (name == "clk") {
        pulses(std::stoul(argument));
      } else if (name == "gate+") {
        pit.pins(2).set_gate(Level::High);
      } else if (name == "gate-") {
        pit.pins(2).set_gate(Level::Low);
      } else if (name == "trace") {
        for (u64 left = std::stoul(argument); left > 0; --left) {
          pulses(1);
          say(trace_count());
          seen << level(pit.output(2));
        }
      } else if (name == "out") {
        say(level(pit.output(2)));
      } else if (name == "out0") {
        say(level(bench.lines.front().level()));
      } else if (name == "cr") {
        say(unsigned{read(3)});
      } else if (name == "r" || name == "r0" || name == "r1") {
        say(unsigned{read(name == "r" ? 2 : name == "r0" ? 0 : 1)});
      } else {
        ADD_FAILURE() << "unknown word " << word;
      }
    }
    return seen.str();
  }

  /// The count without an effect: two-byte access reads low and high by peeking at both halves of a latch.
  unsigned trace_count() {
    write(3, 0x80);
    const unsigned first = read(2);
    write(3, 0xE8);
    const unsigned access = read(2) >> 4 & 3;
    if (access == 1) return first;
    if (access == 2) return first << 8;
    return read(2) << 8 | first;
  }
};

struct Row {
  const char* section;
  const char* rule;
  const char* script;
  const char* seen;
};
void PrintTo(const Row& row, std::ostream* stream) { *stream << row.section << ": " << row.rule; }

class Pit8254Rule : public testing::TestWithParam<Row> {};

TEST_P(Pit8254Rule, holds) {
  Timer timer;
  timer.pulses(1000);
  timer.pit.pins(2).set_gate(Level::High);
  EXPECT_EQ(timer.run(GetParam().script), GetParam().seen) << GetParam().script;
}

// clang-format off: rows
const Row rows[] = {
  // Mode 0, figure 15.
  {"Mode 0", "OUT is low from the control word, high N + 1 pulses after the count", "cw:90 out w:04 out trace:7", "L L 4L 3L 2L 1L 0H FFH FEH"},
  {"Mode 0", "a low gate stops the count, OUT stays", "cw:90 w:03 trace:2 gate- trace:2 gate+ trace:3", "3L 2L 2L 2L 1L 0H FFH"},
  {"Mode 0", "a count is loaded with the gate low too", "cw:90 gate- w:04 trace:2 gate+ trace:2", "4L 4L 3L 2L"},
  {"Mode 0", "a new count is loaded at the next pulse", "cw:90 w:03 trace:3 w:02 out trace:4", "3L 2L 1L L 2L 1L 0H FFH"},
  {"Mode 0", "after the terminal count a new one sets OUT low at once", "cw:90 w:01 trace:3 w:02 out trace:3", "1L 0H FFH L 2L 1L 0H"},
  {"Mode 0", "the first of two bytes stops the count and sets OUT low", "cw:B0 w:02 w:00 trace:3 w:03 out clk:5 out w:00 trace:4", "2L 1L 0H L L 3L 2L 1L 0H"},
  {"Mode 0", "goes on from 0 to the highest count", "cw:B0 w:01 w:00 trace:4", "1L 0H FFFFH FFFEH"},
  {"Mode 0", "decimal goes on to 9999", "cw:B1 w:01 w:00 trace:4", "1L 0H 9999H 9998H"},
  {"Mode 0", "the gate stops the count after the end as well", "cw:90 w:01 trace:3 gate- trace:2", "1L 0H FFH FFH FFH"},

  // Mode 1, figure 16.
  {"Mode 1", "OUT is high until the trigger, low for N pulses after it", "cw:92 w:03 gate- clk:5 out gate+ out trace:5", "H H 3L 2L 1L 0H FFH"},
  {"Mode 1", "a low gate does not end it", "cw:92 w:03 gate- gate+ trace:2 gate- trace:2", "3L 2L 1L 0H"},
  {"Mode 1", "can be triggered again", "cw:92 w:03 gate- gate+ trace:2 gate- gate+ trace:4", "3L 2L 3L 2L 1L 0H"},
  {"Mode 1", "a new count waits for the next trigger", "cw:92 w:02 gate- gate+ trace:1 w:04 trace:3 gate- gate+ trace:5", "2L 1L 0H FFH 4L 3L 2L 1L 0H"},
  {"Mode 1", "a trigger without a count does nothing", "cw:92 gate- gate+ clk:3 out", "H"},
  {"Mode 1", "writing a count does not start it", "cw:92 w:02 clk:5 out", "H"},

  // Mode 2, figure 17.
  {"Mode 2", "low for the last pulse of N", "cw:94 out w:03 trace:8", "H 3H 2H 1L 3H 2H 1L 3H 2H"},
  {"Mode 2", "count 2", "cw:94 w:02 trace:5", "2H 1L 2H 1L 2H"},
  {"Mode 2", "a low gate stops the count", "cw:94 w:04 trace:2 gate- trace:2", "4H 3H 3H 3H"},
  {"Mode 2", "a low gate sets OUT high at once", "cw:94 w:03 trace:3 out gate- out", "3H 2H 1L L H"},
  {"Mode 2", "the gate's rise loads the count at the next pulse", "cw:94 w:03 trace:3 gate- gate+ out trace:4", "3H 2H 1L H 3H 2H 1L 3H"},
  {"Mode 2", "a new count waits for the end of the period", "cw:94 w:04 trace:2 w:05 trace:8", "4H 3H 2H 1L 5H 4H 3H 2H 1L 5H"},
  {"Mode 2", "a trigger takes a new count", "cw:94 w:04 trace:2 w:05 gate- gate+ trace:3", "4H 3H 5H 4H 3H"},
  {"Mode 2", "mode bits 110 are mode 2", "cw:9C w:02 trace:4", "2H 1L 2H 1L"},
  {"Mode 2", "unverified: the illegal count 1 leaves OUT high", "cw:94 w:01 trace:3 w:02 trace:3", "1H 1H 1H 2H 1L 2H"},
  {"Mode 2", "decimal", "cw:95 w:10 trace:3", "10H 9H 8H"},

  // Mode 3, figure 18.
  {"Mode 3", "even: halves of the same length, by twos", "cw:96 out w:04 trace:9", "H 4H 2H 4L 2L 4H 2H 4L 2L 4H"},
  {"Mode 3", "odd: loaded minus one, high one pulse longer", "cw:96 w:05 trace:11", "4H 2H 0H 4L 2L 4H 2H 0H 4L 2L 4H"},
  {"Mode 3", "count 3", "cw:96 w:03 trace:7", "2H 0H 2L 2H 0H 2L 2H"},
  {"Mode 3", "count 2", "cw:96 w:02 trace:4", "2H 2L 2H 2L"},
  {"Mode 3", "a low gate sets OUT high at once and stops the count", "cw:96 w:04 trace:3 gate- out trace:2", "4H 2H 4L H 4H 4H"},
  {"Mode 3", "the gate's rise loads the count at the next pulse", "cw:96 w:04 trace:4 gate- clk:3 gate+ trace:4", "4H 2H 4L 2L 4H 2H 4L 2L"},
  {"Mode 3", "a new count waits for the end of the half", "cw:96 w:08 trace:2 w:04 trace:7", "8H 6H 4H 2H 4L 2L 4H 2H 4L"},
  {"Mode 3", "a trigger takes a new count", "cw:96 w:08 trace:2 w:04 gate- gate+ trace:3", "8H 6H 4H 2H 4L"},
  {"Mode 3", "mode bits 111 are mode 3", "cw:9E w:04 trace:3", "4H 2H 4L"},
  {"Mode 3", "unverified: the illegal count 1 leaves OUT high", "cw:96 w:01 clk:9 out clk:1 out", "H H"},
  {"Mode 3", "an even count after an odd one", "cw:96 w:05 trace:2 w:04 trace:6", "4H 2H 0H 4L 2L 4H 2H 4L"},

  // Mode 4, figure 19.
  {"Mode 4", "OUT is low for one pulse, N + 1 after the count", "cw:98 out w:03 trace:6", "H 3H 2H 1H 0L FFH FEH"},
  {"Mode 4", "a low gate stops the count", "cw:98 w:03 trace:1 gate- trace:2 gate+ trace:4", "3H 3H 3H 2H 1H 0L FFH"},
  {"Mode 4", "a low gate does not lengthen the strobe", "cw:98 w:02 trace:3 gate- out trace:2", "2H 1H 0L L 0H 0H"},
  {"Mode 4", "a new count is loaded at the next pulse", "cw:98 w:03 trace:2 w:02 trace:4", "3H 2H 2H 1H 0L FFH"},
  {"Mode 4", "the first of two bytes has no effect on the count", "cw:B8 w:05 w:00 trace:1 w:02 trace:2 w:00 trace:3", "5H 4H 3H 2H 1H 0L"},
  {"Mode 4", "strobes once for each count", "cw:98 w:02 clk:3 out clk:256 out clk:65280 out clk:1 out", "L H H H"},

  // Mode 5, figure 20.
  {"Mode 5", "OUT is low for one pulse, N + 1 after the trigger", "cw:9A w:03 gate- clk:4 out gate+ trace:6", "H 3H 2H 1H 0L FFH FEH"},
  {"Mode 5", "the gate's level does not matter", "cw:9A w:03 gate- gate+ trace:1 gate- trace:4", "3H 2H 1H 0L FFH"},
  {"Mode 5", "can be triggered again", "cw:9A w:03 gate- gate+ trace:2 gate- gate+ trace:5", "3H 2H 3H 2H 1H 0L FFH"},
  {"Mode 5", "a new count waits for the next trigger", "cw:9A w:02 gate- gate+ trace:1 w:04 trace:3 gate- gate+ trace:5", "2H 1H 0L FFH 4H 3H 2H 1H 0L"},

  // Counts.
  {"Counts", "0 is 65536", "cw:B4 w:00 w:00 trace:2 clk:65533 out clk:1 out clk:1 out", "0H FFFFH H L H"},
  {"Counts", "0 is 10000 in decimal", "cw:B5 w:00 w:00 trace:2 clk:9997 out clk:1 out clk:1 out", "0H 9999H H L H"},
  {"Counts", "decimal borrows across digits", "cw:B1 w:00 w:10 trace:2", "1000L 999L"},
  {"Counts", "decimal square wave", "cw:97 w:12 trace:3 clk:3 out", "12H 10H 8H H"},

  // Programming and reading.
  {"Access", "low byte only: the high one is 0", "cw:90 w:10 trace:1 r r", "10L 10 10"},
  {"Access", "high byte only: the low one is 0", "cw:A0 w:10 clk:1 r r", "10 10"},
  {"Access", "two bytes, low first", "cw:B0 w:34 w:12 clk:1 r r r", "34 12 34"},
  {"Access", "reads and writes of two bytes may be interleaved", "cw:B0 w:34 w:12 clk:1 r w:78 r w:56 clk:1 r r", "34 12 78 56"},
  {"Access", "a control word starts with the low byte again", "cw:B4 w:11 cw:B4 w:22 w:33 clk:1 r r", "22 33"},
  {"Access", "the control word's port reads as nothing", "cr", "FF"},
  {"Access", "a count of two bytes counts when the second is written", "cw:B4 w:05 clk:9 w:00 trace:2", "5H 4H"},
  {"Latch", "holds the count until both bytes are read", "cw:B4 w:00 w:10 clk:1 cw:80 clk:5 r clk:5 r r r", "0 10 F6 F"},
  {"Latch", "a second one before the read is ignored", "cw:B4 w:00 w:10 clk:1 cw:80 clk:5 cw:80 r r", "0 10"},
  {"Latch", "a control word undoes it", "cw:94 w:10 clk:1 cw:80 cw:94 w:20 clk:1 r", "20"},
  {"Latch", "does not disturb the count", "cw:94 w:05 clk:1 cw:80 clk:1 r r", "5 4"},
  {"Latch", "of another counter is no matter", "cw:94 w:05 clk:1 cw:40 clk:1 r", "4"},
  {"Read-back", "count and status: status first", "cw:94 w:10 clk:1 cw:C8 clk:4 r r r", "94 10 C"},
  {"Read-back", "status: OUT, null count, the control word", "cw:B4 cw:E8 r w:02 w:00 cw:E8 r clk:1 cw:E8 r clk:1 cw:E8 r", "F4 F4 B4 34"},
  {"Read-back", "null count: of two bytes the second sets it", "cw:B4 w:05 w:00 clk:1 w:09 cw:E8 r w:00 cw:E8 r", "B4 F4"},
  {"Read-back", "null count: until the new count is used", "cw:94 w:03 clk:1 w:04 cw:E8 r clk:2 cw:E8 r clk:1 cw:E8 r", "D4 54 94"},
  {"Read-back", "null count: in mode 3 until the half ends", "cw:96 w:08 clk:1 w:04 cw:E8 r clk:3 cw:E8 r clk:1 cw:E8 r", "D6 D6 16"},
  {"Read-back", "null count: in mode 1 until the trigger", "cw:92 w:03 clk:2 cw:E8 r gate- gate+ clk:1 cw:E8 r", "D2 12"},
  {"Read-back", "status shows the mode as written", "cw:BF cw:E8 r", "FF"},
  {"Read-back", "a second status before the read is ignored", "cw:90 w:02 clk:1 cw:E8 clk:5 cw:E8 r cw:E8 r", "10 90"},
  {"Read-back", "several counters at once", "cw:94 w:20 cw:14 w0:30 clk:1 cw:DA clk:3 r0 r", "30 20"},
  {"Read-back", "a counter that is not named keeps counting in view", "cw:94 w:20 clk:1 cw:D2 clk:3 r", "1D"},
  {"Read-back", "neither count nor status latches nothing", "cw:94 w:20 clk:1 cw:F8 clk:3 r", "1D"},

  // OUT 0 is a wire.
  {"OUT 0", "mode 0: high at the terminal count", "cw:10 w0:03 out0 clk:3 out0 clk:1 out0 clk:9 out0", "L L H H"},
  {"OUT 0", "mode 2: low for one pulse", "cw:14 out0 w0:03 clk:2 out0 clk:1 out0 clk:1 out0", "H H L H"},
  {"OUT 0", "mode 3: square", "cw:16 w0:04 clk:2 out0 clk:1 out0 clk:1 out0 clk:1 out0", "H L L H"},
  {"OUT 0", "mode 4: a strobe", "cw:18 w0:02 clk:2 out0 clk:1 out0 clk:1 out0", "H L H"},
  {"OUT 0", "a control word for mode 0 drops it at once", "cw:14 out0 cw:10 out0", "H L"},
  {"OUT 0", "unverified: low before the first control word", "out0 out", "L L"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(DataSheet, Pit8254Rule, testing::ValuesIn(rows));

void write_count(Timer& timer, u8 control, u16 count) {
  timer.write(3, control);
  timer.write(0, static_cast<u8>(count));
  timer.write(0, static_cast<u8>(count >> 8));
}

TEST(Pit8254Out0, mode_two_falls_and_rises_at_exact_clock_counts) {
  Timer timer;
  timer.pulses(77);
  write_count(timer, 0x34, 1000);
  timer.bench.listener.changes.clear();
  timer.bench.advance(1'000'000'000);
  const auto& changes = timer.bench.listener.changes;
  // Loaded at pulse 78, 1 at pulse 1077, loaded again at pulse 1078.
  ASSERT_EQ(changes.size(), 2u * ((Pit8254::clk.counts_at(timer.bench.clock.now()) - 78) / 1000));
  for (u64 i = 0; i < changes.size() / 2; ++i) {
    ASSERT_EQ(changes[2 * i].time, Pit8254::clk.tick_of(1077 + 1000 * i));
    ASSERT_EQ(changes[2 * i].level, Level::Low);
    ASSERT_EQ(changes[2 * i + 1].time, Pit8254::clk.tick_of(1078 + 1000 * i));
    ASSERT_EQ(changes[2 * i + 1].level, Level::High);
  }
}

TEST(Pit8254Out0, ten_minutes_of_linux_ticks_do_not_drift) {
  Timer timer;
  write_count(timer, 0x34, 4772);  // 250 Hz
  timer.bench.forget_records();
  u64 rises = 0;
  Tick last{};
  for (u64 second = 1; second <= 600; ++second) {
    timer.bench.advance_to(Tick(second * 1'000'000'000));
    for (const auto& change : timer.bench.listener.changes) {
      if (change.level != Level::High) continue;
      ++rises;
      last = change.time;
    }
    timer.bench.forget_records();
  }
  EXPECT_EQ(rises, (u64{600} * 1'193'182 - 1) / 4772);
  EXPECT_EQ(last, Pit8254::clk.tick_of(1 + rises * 4772));
}

TEST(Pit8254Out0, a_late_event_loses_no_edge) {
  Timer timer;
  write_count(timer, 0x34, 100);
  timer.bench.listener.changes.clear();
  timer.bench.clock.advance_to(Pit8254::clk.tick_of(1001));  // past ten periods without dispatching
  timer.bench.advance(0);
  EXPECT_EQ(timer.bench.listener.changes.size(), 20u);
}

// Found by fuzzing: restoring it took as long as all the edges of centuries.
TEST(Pit8254Out0, an_archive_whose_events_are_seconds_late_is_refused) {
  Timer timer;
  write_count(timer, 0x34, 100);
  const std::vector<u8> saved = device_suite::save(timer.pit);
  const auto error_at = [&](Tick now) {
    Timer restored;
    restored.bench.clock.advance_to(now);
    Archive loader = Archive::loader(saved);
    restored.pit.exchange(loader);
    return loader.error();
  };
  EXPECT_EQ(error_at(Tick(1'000'000'000)), Archive::Error::None);
  EXPECT_EQ(error_at(Tick(u64{1} << 61)), Archive::Error::BadValue);
}

TEST(Pit8254Out0, one_shot_ticks_as_linux_programs_them) {
  Timer timer;
  for (int shot = 0; shot < 5; ++shot) {
    timer.bench.listener.changes.clear();
    write_count(timer, 0x38, 500);  // mode 4, as i8253 one-shot has it
    const u64 written = timer.pulse();
    timer.pulses(2000);
    const auto& changes = timer.bench.listener.changes;
    ASSERT_EQ(changes.size(), shot == 0 ? 3u : 2u);  // the first control word lifts OUT
    EXPECT_EQ(changes.back().time, Pit8254::clk.tick_of(written + 502));
    EXPECT_EQ(changes[changes.size() - 2].time, Pit8254::clk.tick_of(written + 501));
  }
}

TEST(Pit8254Out0, says_whether_it_counted_or_was_programmed_to_rise) {
  Timer timer;
  write_count(timer, 0x34, 100);
  timer.pulses(150);
  const std::vector<Record> raised = timer.bench.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 2u);
  EXPECT_EQ(raised[0].detail, static_cast<u8>(Pit8254::Cause::Programmed));
  EXPECT_EQ(raised[1].detail, static_cast<u8>(Pit8254::Cause::Counted));
}

TEST(Pit8254Out0, only_counter_zero_makes_events_and_at_most_one) {
  Timer timer;
  timer.write(3, 0x12);  // mode 1 waits for its gate
  timer.write(0, 1);
  timer.pit.pins(2).set_gate(Level::High);
  for (u8 control = 0x70; control < 0xC0; control = static_cast<u8>(control + 2)) {
    timer.write(3, control);
    for (const u64 counter : {1, 2}) {
      timer.write(counter, 9);
      timer.write(counter, 9);
    }
  }
  EXPECT_EQ(timer.bench.events.next_due(), never);
  write_count(timer, 0x34, 100);
  (void)timer.bench.events.pop_due(Tick(never.value - 1));
  EXPECT_EQ(timer.bench.events.next_due(), never);
}

TEST(Pit8254Out0, illegal_counts_make_no_storm_of_events) {
  for (const u8 control : std::array<u8, 2>{0x14, 0x16}) {
    Timer timer;
    timer.write(3, control);
    timer.write(0, 1);
    timer.pulses(2);
    EXPECT_EQ(timer.bench.events.next_due(), never);
  }
}

TEST(Pit8254Ports, a_word_access_reaches_two_counters) {
  Timer timer;
  timer.write(3, 0x14);
  timer.write(3, 0x54);
  timer.pit.write(Pit8254::registers, 0, AccessSize(2), 0x2010);
  timer.pulses(1);
  EXPECT_EQ(timer.pit.read(Pit8254::registers, 0, AccessSize(2)), 0x2010u);
}

/// Every mode, count and gate history: the answer does not depend on how often one looks.
TEST(Pit8254Counter, a_long_step_equals_many_short_ones) {
  device_suite::Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    Pit8254Counter often(Level::High);
    Pit8254Counter seldom(Level::High);
    u64 pulse = random.below(1000);
    const u8 control = static_cast<u8>(0x10 | random.below(16));
    for (Pit8254Counter* counter : {&often, &seldom}) counter->write_control(control, pulse);
    for (int change = 0; change < 4; ++change) {
      const u64 what = random.below(3);
      const u8 count = static_cast<u8>(random.below(12));
      for (Pit8254Counter* counter : {&often, &seldom}) {
        if (what == 0) counter->set_gate(counter->gate() == Level::High ? Level::Low : Level::High, pulse);
        if (what != 0) counter->write(count, pulse);
      }
      const u64 end = pulse + random.below(40);
      const std::optional<u64> next = seldom.next_change();
      const Level before = often.output();
      while (pulse < end) {
        often.advance(++pulse);
        if (!next || pulse < *next) ASSERT_EQ(often.output(), before) << "changed before next_change() said";
      }
      seldom.advance(end);
      ASSERT_EQ(often.output(), seldom.output()) << "control " << int{control} << " round " << round;
      ASSERT_EQ(often.count(), seldom.count()) << "control " << int{control} << " round " << round;
      ASSERT_EQ(often.next_change(), seldom.next_change()) << "control " << int{control} << " round " << round;
    }
  }
}

DeviceUnderTest pit() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& device = bench.add<Pit8254>("pit", bench.output("irq0", 0));
            bench.actions.emplace_back(
                [&device, &bench] { device.set_gate(2, bench.clock.now().value % 2 == 0 ? Level::Low : Level::High); });
            return device;
          },
          .regions = {{Pit8254::registers, 4}},
          .invariant =
              [](const Device& device) {
                for (u8 index = 0; index < Pit8254::counters; ++index) {
                  const auto& chip = dynamic_cast<const Pit8254&>(device);
                  EXPECT_LE(chip.output(index), Level::High);
                }
              }};
}

VITRINE_COMMON_DEVICE_SUITE(Pit8254, pit());

}  // namespace
}  // namespace vitrine
