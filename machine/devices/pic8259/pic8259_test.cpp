// The rules of the 8259A data sheet, as rows: section, what happens at ports and pins, what is seen.
#include "machine/devices/pic8259/pic8259.hpp"

#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr AccessSize byte(1);

/// Two chips as a PC wires them: inputs 0-15 (2 is the secondary's), INT is line 100.
struct Pair {
  TestBench bench;
  Pic8259& primary = bench.add<Pic8259>("pic0", pc_primary_pic, bench.output("intr", InterruptLine::no_number));
  InterruptLine& cascade = bench.lines.emplace_back(bench.ledger, "cascade", InterruptLine::no_number);
  Pic8259& secondary = bench.add<Pic8259>("pic1", pc_secondary_pic, cascade.add_driver(SourceId(1)));
  LineDriver cascade_noise = cascade.add_driver(SourceId(1));  // lifts the primary's pin 2 behind the secondary's back
  std::array<LineDriver, 16> irq{};

  Pair() {
    cascade.connect(primary, Pin(2));
    primary.connect_secondary(Pin(2), secondary);
    for (u8 number = 0; number < 16; ++number) {
      if (number == 2) continue;
      Pic8259& chip = number < 8 ? primary : secondary;
      irq[number] = bench.input(chip, Pin(number % 8), "irq", number);
    }
  }

  Pic8259& chip(char which) { return which == '2' ? secondary : primary; }
  void write(Pic8259& chip, u64 a0, u8 value) { chip.write(Pic8259::registers, a0, byte, value); }
  u8 read(Pic8259& chip, u64 a0) { return static_cast<u8>(chip.read(Pic8259::registers, a0, byte)); }
  u8 read_as(Pic8259& chip, u8 ocw3) {
    write(chip, 0, ocw3);
    return read(chip, 0);
  }

  /// Runs words and returns what those that ask have seen. `which` chip: 1 the primary, 2 the secondary.
  ///   1:XX 2:XX     writes XX with A0 low          1=XX 2=XX   writes XX with A0 high
  ///   pc            both as Linux has them: 20 and 28, edge, EOI by command, nothing masked
  ///   alone:ICW4    the primary in single mode, base 20, edge     alone_level:ICW4   ... LTIM
  ///   elcr1:XX elcr2:XX
  ///   +N -N         lifts and drops input N, ++N: drops and lifts
  ///   noise         lifts the primary's pin 2 by itself
  ///   ack           the CPU's INTA cycle: the vector, with "?" if spurious
  ///   int           level of INT
  ///   irr1 isr1 imr1 poll1 read1 data1 elcr1 (and 2): what is read: poll writes the command first, read and data do
  ///   not
  std::string run(const std::string& script) {
    std::istringstream words(script);
    std::ostringstream seen;
    const auto hex = [&seen](u64 value) {
      static constexpr char digits[] = "0123456789ABCDEF";
      seen << (seen.tellp() > 0 ? " " : "") << digits[value >> 4 & 15] << digits[value & 15];
    };
    for (std::string word; words >> word;) {
      const auto number = [&word](std::size_t from, int base) {
        return static_cast<u8>(std::stoul(word.substr(from), nullptr, base));
      };
      const std::string name = word.substr(0, word.find(':'));
      if (word == "pc") {
        run("1:11 1=20 1=04 1=01 2:11 2=28 2=02 2=01");
      } else if (name == "alone" || name == "alone_level") {
        write(primary, 0, name == "alone" ? 0x13 : 0x1B);
        write(primary, 1, 0x20);
        write(primary, 1, number(name.size() + 1, 16));
      } else if (word == "ack") {
        const Acknowledged answer = primary.acknowledge();
        hex(answer.vector.value);
        if (answer.spurious) seen << '?';
      } else if (word == "noise") {
        cascade_noise.set(Level::High);
      } else if (word == "int") {
        seen << (seen.tellp() > 0 ? " " : "") << (bench.lines.front().level() == Level::High ? "high" : "low");
      } else if (word.starts_with("elcr") && word.size() > 5) {
        chip(word[4]).write(Pic8259::elcr, 0, byte, number(6, 16));
      } else if (word.starts_with("elcr")) {
        hex(chip(word[4]).read(Pic8259::elcr, 0, byte));
      } else if (word.starts_with("++")) {
        irq[number(2, 10)].set(Level::Low);
        irq[number(2, 10)].set(Level::High);
      } else if (word[0] == '+') {
        irq[number(1, 10)].set(Level::High);
      } else if (word[0] == '-') {
        irq[number(1, 10)].set(Level::Low);
      } else if (word[1] == ':') {
        write(chip(word[0]), 0, number(2, 16));
      } else if (word[1] == '=') {
        write(chip(word[0]), 1, number(2, 16));
      } else if (word.starts_with("irr")) {
        hex(read_as(chip(word.back()), 0x0A));
      } else if (word.starts_with("isr")) {
        hex(read_as(chip(word.back()), 0x0B));
      } else if (word.starts_with("poll")) {
        hex(read_as(chip(word.back()), 0x0C));
      } else if (word.starts_with("imr") || word.starts_with("data")) {
        hex(read(chip(word.back()), 1));
      } else if (word.starts_with("read")) {
        hex(read(chip(word.back()), 0));
      } else {
        ADD_FAILURE() << "unknown word " << word;
      }
    }
    return seen.str();
  }
};

struct Row {
  const char* section;
  const char* rule;
  const char* script;
  const char* seen;
};
void PrintTo(const Row& row, std::ostream* stream) { *stream << row.section << ": " << row.rule; }

class Pic8259Rule : public testing::TestWithParam<Row> {};

TEST_P(Pic8259Rule, holds) {
  Pair pair;
  EXPECT_EQ(pair.run(GetParam().script), GetParam().seen) << GetParam().script;
}

// clang-format off: rows
const Row rows[] = {
  // Before and during initialisation.
  {"ICW", "a chip without ICWs does not interrupt", "+1 int", "low"},
  {"ICW", "the mask can be written and read before ICWs", "1=FB imr1 2=FF imr2", "FB FF"},
  {"ICW", "no INT between ICW1 and the last word", "1:11 +1 int 1=20 int 1=04 int 1=01 int", "low low low high"},
  {"ICW", "without IC4 the sequence ends at ICW3", "1:10 1=20 1=04 1=FA imr1", "FA"},
  {"ICW", "in single mode there is no ICW3", "1:13 1=20 1=01 1=FA imr1", "FA"},
  {"ICW", "single without IC4: ICW2 is the last", "1:12 1=20 1=FA imr1", "FA"},
  {"ICW", "a new ICW1 restarts the sequence", "1:11 1=20 1:11 1=40 1=04 1=01 +1 ack", "41"},
  {"ICW1", "a: a line that is high needs a new edge", "pc +1 1:11 1=20 1=04 1=01 int irr1 ++1 int irr1", "low 00 high 02"},
  {"ICW1", "b: clears the mask", "pc 1=FF 1:11 imr1", "00"},
  {"ICW1", "clears the in-service register", "pc +1 ack isr1 1:11 1=20 1=04 1=01 isr1", "21 02 00"},
  {"ICW1", "c: pin 7 is lowest again", "pc 1:C3 1:11 1=20 1=04 1=01 +3 +4 ack", "23"},
  {"ICW3", "only ID2-ID0 of a secondary count", "1:11 1=20 1=04 1=01 2:11 2=28 2=FA 2=01 +8 ack", "28"},
  {"ICW1", "e: special mask mode ends", "pc 1:68 1:11 1=20 1=04 1=01 +3 ack 1=08 +4 int", "23 low"},
  {"ICW1", "e: reads give the IRR", "pc 1:0B 1:11 1=20 1=04 1=01 +5 read1", "20"},
  {"ICW1", "LTIM: the input's level requests", "alone_level:01 +4 ack 1:20 int ack -4 1:20 int", "24 high 24 low"},
  {"ICW1", "LTIM: a line that is already high requests", "+4 alone_level:01 int ack", "high 24"},
  {"ICW1", "IC4 = 0 clears what ICW4 had set", "alone:03 1:12 1=20 +1 ack isr1", "08 02"},
  {"ICW2", "only T7-T3 count in 8086 mode", "1:13 1=2F 1=01 +1 ack", "29"},
  {"ICW2", "MCS-80, interval 4: A7-A5 and the level", "1:F6 1=12 +3 ack", "EC"},
  {"ICW2", "MCS-80, interval 8: A7-A6 and the level", "1:F2 1=12 +3 ack", "D8"},
  {"ICW4", "buffered, M/S = 0: not a primary, pin 2 has no secondary", "1:11 1=20 1=04 1=09 noise ack", "22"},
  {"ICW4", "buffered, M/S = 1: a primary", "pc 1:11 1=20 1=04 1=0D +9 ack", "29"},

  // Edge and level triggered modes.
  {"Edge", "a rising edge requests once", "pc +1 ack 1:20 int ++1 int", "21 low high"},
  {"Edge", "falls before the acknowledge: dropped, spurious 7", "pc +1 irr1 -1 irr1 int ack isr1", "02 00 low 27? 00"},
  {"Edge", "spurious 7 whichever pin it was", "pc +0 -0 ack +5 -5 ack", "27? 27?"},
  {"Edge", "an acknowledge clears the request bit", "pc +1 ack irr1", "21 00"},
  {"Edge", "an edge while in service waits for the EOI", "pc +1 ack ++1 irr1 int 1:20 int ack", "21 02 low high 21"},
  {"Edge", "an edge that falls while in service is dropped", "pc +1 ack ++1 -1 1:20 int", "21 low"},
  {"Edge", "a masked edge is remembered while the input is high", "pc 1=02 +1 int irr1 1=00 int ack", "low 02 high 21"},
  {"Edge", "a masked edge that fell is not", "pc 1=02 +1 -1 1=00 int", "low"},
  {"ELCR", "bits of IRQ 0, 1, 2, 8 and 13 stay 0", "elcr1:FF elcr2:FF elcr1 elcr2", "F8 DE"},
  {"ELCR", "a level input requests until it falls", "pc elcr1:20 +5 ack 1:20 int ack -5 1:20 int", "25 high 25 low"},
  {"ELCR", "its IRR bit is the input", "pc elcr1:20 +5 irr1 ack irr1 -5 irr1", "20 25 20 00"},
  {"ELCR", "other pins stay edge-triggered", "pc elcr1:20 +4 ack 1:20 int", "24 low"},
  {"ELCR", "level on the secondary", "pc elcr2:08 +11 ack 2:20 1:20 int -11 int", "2B high low"},
  {"ELCR", "setting it makes a high line request", "pc +5 ack 1:20 int elcr1:20 int", "25 low high"},
  {"ELCR", "stays over ICW1", "elcr1:20 pc elcr1", "20"},

  // Fully nested mode.
  {"Nesting", "pin 0 is the highest", "pc +7 +0 +3 ack", "20"},
  {"Nesting", "a higher one interrupts one in service", "pc +3 ack +1 int ack isr1", "23 high 21 0A"},
  {"Nesting", "a lower one waits", "pc +3 ack +4 int 1:20 int ack", "23 low high 24"},
  {"Nesting", "masking one does not hold the lower ones", "pc 1=01 +0 +1 ack", "21"},
  {"Nesting", "masked in service still holds the lower ones", "pc +3 ack 1=08 +4 int", "23 low"},

  // End of interrupt.
  {"EOI", "non-specific ends the highest in service", "pc +3 ack +1 ack isr1 1:20 isr1 1:20 isr1", "23 21 0A 08 00"},
  {"EOI", "specific ends the one that it names", "pc +3 ack +1 ack 1:63 isr1", "23 21 02"},
  {"EOI", "specific for one that is not in service does nothing", "pc +3 ack 1:64 isr1", "23 08"},
  {"EOI", "with none in service does nothing", "pc 1:20 1:60 isr1 +1 ack", "00 21"},
  {"EOI", "no operation does nothing", "pc +3 ack 1:40 1:43 isr1", "23 08"},
  {"AEOI", "no in-service bit remains", "alone:03 +3 ack isr1 +4 ack isr1", "23 00 24 00"},
  {"AEOI", "a high level line requests again at once", "alone_level:03 +3 ack int ack", "23 high 23"},
  {"AEOI", "on both chips", "1:11 1=20 1=04 1=03 2:11 2=28 2=02 2=03 +9 ack isr1 isr2", "29 00 00"},

  // Rotation.
  {"Rotation", "non-specific: the served one becomes the lowest", "pc +4 ack 1:A0 +6 ++4 ack 1:A0 ack", "24 26 24"},
  {"Rotation", "sets from the served pin, not by one step", "pc +5 ack 1:A0 +6 +0 +7 ack", "25 26"},
  {"Rotation", "in the data sheet's example 4 and 6 in service, EOI ends 4", "pc +6 ack +4 ack 1:A0 isr1 ++4 int +5 int", "26 24 40 low high"},
  {"Rotation", "with none in service nothing rotates", "pc 1:A0 +0 +7 ack", "20"},
  {"Rotation", "specific: ends the one it names and makes it the lowest", "pc +5 ack +2 +3 ack 1:E3 isr1 1:65 +4 ++3 ack", "25 23 20 24"},
  {"Rotation", "set priority: no EOI", "pc +5 ack 1:C5 isr1", "25 20"},
  {"Rotation", "set priority: the next one is the highest", "pc 1:C5 +0 +6 +5 ack 1:66 ack 1:60 ack", "26 20 25"},
  {"Rotation", "non-specific EOI follows the rotated order", "pc 1:C3 +1 ack +5 ack isr1 1:20 isr1", "21 25 22 02"},
  {"Rotation", "on AEOI", "alone:03 1:80 +3 ack ++3 +4 ack ack", "23 24 23"},
  {"Rotation", "on AEOI, cleared", "alone:03 1:80 1:00 +3 ack ++3 +4 ack ack", "23 23 24"},
  {"Rotation", "unverified: ICW1 stops rotating on AEOI", "alone:03 1:80 alone:03 +3 ack ++3 +4 ack", "23 23"},
  {"Rotation", "on AEOI only in AEOI mode", "alone:01 1:80 +3 ack 1:20 ++3 +4 ack", "23 23"},

  // Special mask mode.
  {"Special mask", "a masked one in service holds nobody", "pc 1:68 +3 ack 1=08 +4 int ack +1 ack isr1", "23 high 24 21 1A"},
  {"Special mask", "one in service that is not masked still holds", "pc 1:68 +3 ack +4 int", "23 low"},
  {"Special mask", "ended by ESMM with SMM = 0", "pc 1:68 +3 ack 1=08 +4 int 1:48 int", "23 high low"},
  {"Special mask", "SMM without ESMM changes nothing", "pc 1:28 +3 ack 1=08 +4 int", "23 low"},
  {"Special mask", "non-specific EOI spares masked bits", "pc 1:68 +3 ack 1=08 +4 ack 1:20 isr1 1:20 isr1 1:63 isr1", "23 24 08 08 00"},

  // Poll.
  {"Poll", "top bit and level of the request, which enters service", "pc +4 poll1 isr1 irr1", "84 10 00"},
  {"Poll", "the highest one", "pc +6 +4 poll1", "84"},
  {"Poll", "no request: no top bit, nothing enters service", "pc poll1 isr1", "07 00"},
  {"Poll", "one read is the acknowledge, the next reads the register", "pc +4 poll1 read1", "84 00"},
  {"Poll", "a read with A0 high too", "pc 1=01 1:0C +0 data1 data1", "07 01"},
  {"Poll", "INT falls", "pc +4 int poll1 int", "high 84 low"},
  {"Poll", "frozen from the command to the read", "pc +4 1:0C +1 read1 int ack", "84 high 21"},
  {"Poll", "frozen: a request that falls is still there", "pc +4 1:0C -4 read1 irr1", "84 00"},
  {"Poll", "a frozen fall and rise is a new request after it", "pc 1=10 +4 1:0C ++4 read1 1=00 int ack", "07 high 24"},
  {"Poll", "blocked ones do not answer", "pc +3 ack +4 poll1", "23 07"},
  {"Poll", "AEOI ends it at once", "alone:03 +4 poll1 isr1", "84 00"},
  {"Poll", "primary first, then its secondary", "pc +12 poll1 poll2 isr1 isr2", "82 84 04 10"},
  {"Poll", "poll wins over read register", "pc +4 1:0F read1 read1", "84 10"},

  // Reading status.
  {"Status", "IRR shows masked requests", "pc 1=FF +3 +5 irr1", "28"},
  {"Status", "the selection stays", "pc +3 ack 1:0B read1 read1 1:0A +4 read1 read1", "23 08 08 10 10"},
  {"Status", "RR = 0 keeps the selection", "pc +3 ack 1:0B 1:08 read1 1:09 read1", "23 08 08"},
  {"Status", "the mask needs no OCW3", "pc 1=5A 1:0B imr1 imr1", "5A 5A"},

  // Cascade.
  {"Cascade", "the secondary gives the vector, both are in service", "pc +12 ack isr1 isr2", "2C 04 10"},
  {"Cascade", "the secondary comes before the primary's pin 3", "pc +3 +15 ack", "2F"},
  {"Cascade", "the primary's 0 and 1 come before the secondary", "pc +8 +1 ack", "21"},
  {"Cascade", "EOI goes to both", "pc +12 ack 2:20 isr2 isr1 1:62 isr1", "2C 00 04 00"},
  {"Cascade", "without EOI at the primary the secondary stays locked out", "pc +12 ack 2:20 ++12 int 1:20 int ack", "2C low high 2C"},
  {"Cascade", "two at the secondary: the second follows after EOIs", "pc +12 +9 ack 2:20 1:20 int ack", "29 high 2C"},
  {"Cascade", "masked at the primary", "pc 1=04 +12 int 1=00 int ack", "low high 2C"},
  {"Cascade", "masked at the secondary", "pc 2=10 +12 int 2=00 int ack", "low high 2C"},
  {"Cascade", "spurious 15: the secondary has none, the primary's pin 2 is in service", "pc noise ack isr1 isr2", "2F? 04 00"},
  {"Cascade", "a request that falls at the secondary falls at the primary", "pc +12 -12 int irr1 irr2", "low 00 00"},
  {"Cascade", "a secondary of another number stays silent: the bus floats", "1:11 1=20 1=04 1=01 2:11 2=28 2=03 2=01 +12 ack isr1 isr2", "FF 04 00"},
  {"Cascade", "no secondary on the pin: the bus floats", "1:11 1=20 1=08 1=01 +3 ack isr1", "FF 08"},
  {"Cascade", "ICW3 without the pin: the primary answers itself", "1:11 1=20 1=00 1=01 2:11 2=28 2=02 2=01 +12 ack isr2", "22 00"},
  {"Cascade", "INT falls in each acknowledge: the next request is a new edge for the primary",
   "1:11 1=20 1=04 1=03 2:11 2=28 2=02 2=03 +12 +9 ack int ack int", "29 high 2C low"},
  {"Nested specially", "a higher one of the same secondary interrupts", "pc 1:11 1=20 1=04 1=11 +12 ack +9 int ack isr1 isr2", "2C high 29 04 12"},
  {"Nested specially", "a lower one of the same secondary waits", "pc 1:11 1=20 1=04 1=11 +9 ack +12 int", "29 low"},
  {"Nested specially", "lower pins of the primary wait", "pc 1:11 1=20 1=04 1=11 +12 ack +3 int", "2C low"},
  {"Nested specially", "without it the secondary is locked out", "pc +12 ack +9 int", "2C low"},

  // As Linux uses it.
  {"Linux", "probe: writes the mask and reads it back", "2=FF 1=FB imr1", "FB"},
  {"Linux", "mask, acknowledge with a specific EOI, unmask", "pc 1=FA +0 ack 1=FB imr1 1:60 isr1 1=FA ++0 ack", "20 FB 00 20"},
  {"Linux", "spurious check: OCW3 0B, read, OCW3 0A", "pc +7 -7 ack 1:0B read1 1:0A +7 ack 1:0B read1", "27? 00 27 80"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(DataSheet, Pic8259Rule, testing::ValuesIn(rows));

// The ledger.

std::vector<Record> of(std::vector<Record> records, u64 id) {
  std::erase_if(records, [id](const Record& record) { return record.id != id; });
  return records;
}

std::vector<RecordKind> kinds(const std::vector<Record>& records) {
  std::vector<RecordKind> result;
  std::ranges::transform(records, std::back_inserter(result), &Record::kind);
  return result;
}

Record only(const std::vector<Record>& records) {
  EXPECT_EQ(records.size(), 1u);
  return records.empty() ? Record{} : records.front();
}

TEST(Pic8259Ledger, follows_a_request_through_one_chip) {
  Pair pair;
  pair.run("pc +3 ack 1:20");
  using enum RecordKind;
  EXPECT_EQ(kinds(of(pair.bench.records(), 1)),
            (std::vector{Raised, Latched, Acknowledged, InService, EndOfInterrupt}));
  const Record end = only(pair.bench.records(EndOfInterrupt));
  EXPECT_EQ(end.pin, 3);
  EXPECT_EQ(end.detail, static_cast<u8>(EndKind::NonSpecific));
  EXPECT_EQ(only(pair.bench.records(Acknowledged)).vector, 0x23);
}

TEST(Pic8259Ledger, follows_a_request_through_the_cascade_by_one_id) {
  Pair pair;
  pair.run("pc +12 ack 2:64 1:62");
  const std::vector<Record> life = of(pair.bench.records(), 1);
  using enum RecordKind;
  EXPECT_EQ(kinds(life), (std::vector{Raised, Latched, Latched, Acknowledged, InService, InService, EndOfInterrupt,
                                      EndOfInterrupt}));
  std::vector<int> pins;
  std::ranges::transform(life, std::back_inserter(pins), &Record::pin);
  EXPECT_EQ(pins, (std::vector{12, 12, 2, 12, 12, 2, 12, 2}));
}

TEST(Pic8259Ledger, masked_tells_who_set_the_bit_and_when_and_only_once) {
  Pair pair;
  pair.run("pc");
  pair.bench.advance(100);
  pair.bench.ledger.context.address = 0xABC;
  pair.run("1=08");
  pair.bench.advance(100);
  pair.bench.ledger.context.address = 0xDEF;
  pair.run("1=18 +3 1=08 1=38");
  const Record blocked = only(pair.bench.records(RecordKind::Blocked));
  EXPECT_EQ(blocked.id, 1u);
  EXPECT_EQ(blocked.pin, 3);
  EXPECT_EQ(blocked.detail, static_cast<u8>(Obstacle::Masked));
  EXPECT_EQ(blocked.address, 0xABCu);
  EXPECT_EQ(blocked.since, 100u);
  const Pic8259::PinView view = pair.primary.view(Pin(3));
  EXPECT_EQ(view.pending, RequestId(1));
  EXPECT_EQ(view.masked_by, 0xABCu);
  EXPECT_EQ(view.masked_since, Tick(100));
  EXPECT_EQ(view.obstruction.obstacle, Obstacle::Masked);
}

TEST(Pic8259Ledger, masking_again_is_a_new_obstacle) {
  Pair pair;
  pair.run("pc 1=08 +3 1=00");
  pair.bench.advance(1);
  pair.run("1=08");
  EXPECT_EQ(pair.bench.records(RecordKind::Blocked).size(), 2u);
}

TEST(Pic8259Ledger, each_new_request_tells_its_obstacle) {
  Pair pair;
  pair.run("pc 1=08 +3 ++3");
  const std::vector<Record> blocked = pair.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 2u);
  EXPECT_EQ(blocked[0].id, 1u);
  EXPECT_EQ(blocked[1].id, 2u);
}

TEST(Pic8259Ledger, in_service_tells_which_request_stands_in_the_way) {
  Pair pair;
  pair.run("pc +1");
  pair.bench.advance(50);
  pair.bench.ledger.context.address = 0x77;
  pair.run("ack +4 1=80 1=00");
  const Record blocked = only(pair.bench.records(RecordKind::Blocked));
  EXPECT_EQ(blocked.id, 2u);
  EXPECT_EQ(blocked.detail, static_cast<u8>(Obstacle::InServiceHigher));
  EXPECT_EQ(blocked.other, 1u);
  EXPECT_EQ(blocked.since, 50u);
  EXPECT_EQ(blocked.address, 0x77u);
  EXPECT_EQ(pair.primary.view(Pin(1)).serving, RequestId(1));
}

TEST(Pic8259Ledger, a_request_behind_a_higher_one_says_so) {
  Pair pair;
  pair.bench.advance(5);
  pair.run("pc +1");
  pair.bench.advance(5);
  pair.run("+4");
  const Record blocked = only(pair.bench.records(RecordKind::Blocked));
  EXPECT_EQ(blocked.id, 2u);
  EXPECT_EQ(blocked.detail, static_cast<u8>(Obstacle::HigherPending));
  EXPECT_EQ(blocked.other, 1u);
  EXPECT_EQ(blocked.since, 5u);
  EXPECT_EQ(pair.primary.view(Pin(4)).pending_since, Tick(10));
}

TEST(Pic8259Ledger, a_fall_and_rise_in_a_frozen_poll_merges_into_the_request_that_stayed_latched) {
  Pair pair;
  pair.run("pc 1=10 +4 1:0C ++4 read1");
  EXPECT_EQ(pair.primary.view(Pin(4)).pending, RequestId(1));
  const Record merged = only(pair.bench.records(RecordKind::Merged));
  EXPECT_EQ(merged.id, 2u);
  EXPECT_EQ(merged.other, 1u);
  EXPECT_TRUE(pair.bench.records(RecordKind::Withdrawn).empty());
}

TEST(Pic8259Ledger, an_unmasked_pin_names_nobody) {
  Pair pair;
  pair.bench.advance(5);
  pair.bench.ledger.context.address = 0x55;
  pair.run("pc 1=10 1=00");
  EXPECT_FALSE(pair.primary.view(Pin(4)).masked);
  EXPECT_EQ(pair.primary.view(Pin(4)).masked_by, 0u);
  EXPECT_EQ(pair.primary.view(Pin(4)).masked_since, Tick(0));
}

TEST(Pic8259Ledger, the_primary_says_that_it_masks_the_secondary) {
  Pair pair;
  pair.bench.ledger.context.address = 0x55;
  pair.run("pc 1=04 +12");
  const Record blocked = only(pair.bench.records(RecordKind::Blocked));
  EXPECT_EQ(blocked.id, 1u);
  EXPECT_EQ(blocked.pin, 2);
  EXPECT_EQ(blocked.detail, static_cast<u8>(Obstacle::CascadeMasked));
  EXPECT_EQ(blocked.address, 0x55u);
}

TEST(Pic8259Ledger, before_its_words_a_chip_is_not_initialised) {
  Pair pair;
  pair.run("+3 +4 1=00");
  const std::vector<Record> blocked = pair.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 2u);
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::NotInitialised));
  pair.run("pc");
  EXPECT_EQ(pair.bench.records(RecordKind::Withdrawn).size(), 2u);
}

TEST(Pic8259Ledger, a_spurious_one_tells_which_request_fell_and_by_whom) {
  Pair pair;
  pair.run("pc +3");
  pair.bench.advance(9);
  pair.bench.ledger.context.address = 0x99;
  pair.run("-3");
  pair.bench.advance(9);
  pair.bench.ledger.context.address = 0;
  pair.run("ack");
  EXPECT_EQ(only(pair.bench.records(RecordKind::Withdrawn)).id, 1u);
  const Record spurious = only(pair.bench.records(RecordKind::Spurious));
  EXPECT_EQ(spurious.id, 0u);
  EXPECT_EQ(spurious.pin, 7);
  EXPECT_EQ(spurious.vector, 0x27);
  EXPECT_EQ(spurious.detail, static_cast<u8>(SpuriousCause::InputFell));
  EXPECT_EQ(spurious.other, 1u);
  EXPECT_EQ(spurious.address, 0x99u);
  EXPECT_EQ(spurious.since, 9u);
}

TEST(Pic8259Ledger, a_spurious_one_after_masking_or_after_nothing_or_initialisation) {
  const auto cause = [](const char* script) {
    Pair pair;
    pair.run(script);
    return static_cast<SpuriousCause>(only(pair.bench.records(RecordKind::Spurious)).detail);
  };
  EXPECT_EQ(cause("pc +3 1=08 ack"), SpuriousCause::Masked);
  EXPECT_EQ(cause("pc ack"), SpuriousCause::NothingRequested);
  EXPECT_EQ(cause("pc +3 1=08 1=00 ack ack"), SpuriousCause::NothingRequested);
  EXPECT_EQ(cause("ack"), SpuriousCause::NotInitialised);
  EXPECT_EQ(cause("pc +3 1:11 1=20 1=04 1=01 ack"), SpuriousCause::NotInitialised);
  EXPECT_EQ(cause("pc +3 ack 1:68 1=08 +5 1:48 ack"), SpuriousCause::Outranked);
  EXPECT_EQ(cause("pc noise ack"), SpuriousCause::NothingRequested);
}

TEST(Pic8259Ledger, spurious_fifteen_is_the_secondarys_and_the_primary_serves_no_request) {
  Pair pair;
  pair.run("pc noise ack 1:20");
  EXPECT_EQ(only(pair.bench.records(RecordKind::Spurious)).pin, 15);
  EXPECT_EQ(only(pair.bench.records(RecordKind::InService)).id, 0u);
  EXPECT_EQ(only(pair.bench.records(RecordKind::EndOfInterrupt)).pin, 2);
}

TEST(Pic8259Ledger, an_eoi_that_ends_nothing_has_no_id) {
  Pair pair;
  pair.run("pc 1:20 1:63");
  const std::vector<Record> ends = pair.bench.records(RecordKind::EndOfInterrupt);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].id, 0u);
  EXPECT_EQ(ends[0].pin, 0xFF);
  EXPECT_EQ(ends[1].id, 0u);
  EXPECT_EQ(ends[1].pin, 3);
}

TEST(Pic8259Ledger, a_level_that_stays_high_is_latched_again_by_the_eoi) {
  Pair pair;
  pair.run("pc elcr1:20 +5 ack");
  EXPECT_EQ(pair.primary.view(Pin(5)).pending, RequestId(0));
  EXPECT_EQ(pair.bench.records(RecordKind::Latched).size(), 1u);
  pair.run("1:20");
  EXPECT_EQ(pair.bench.records(RecordKind::Latched).size(), 2u);
  EXPECT_EQ(pair.primary.view(Pin(5)).pending, RequestId(1));
  EXPECT_TRUE(pair.bench.records(RecordKind::Blocked).empty());
}

TEST(Pic8259Ledger, a_level_that_its_handler_lowers_is_not_withdrawn) {
  Pair pair;
  pair.run("pc elcr1:20 +5 ack -5 1:20");
  EXPECT_TRUE(pair.bench.records(RecordKind::Withdrawn).empty());
  EXPECT_EQ(pair.bench.records(RecordKind::Latched).size(), 1u);
}

TEST(Pic8259Ledger, mask_changes_are_recorded_when_they_change_something) {
  Pair pair;
  pair.bench.ledger.context.address = 0x31;
  pair.run("pc 1=FB 1=FB");
  const Record change = only(pair.bench.records(RecordKind::MaskChanged));
  EXPECT_EQ(change.extra, 0xFBu);
  EXPECT_EQ(change.other, 0u);
  EXPECT_EQ(change.address, 0x31u);
}

TEST(Pic8259Ledger, automatic_and_initialising_ends_are_told_apart) {
  Pair pair;
  pair.run("alone:03 +3 ack");
  EXPECT_EQ(only(pair.bench.records(RecordKind::EndOfInterrupt)).detail, static_cast<u8>(EndKind::Automatic));
  pair.bench.forget_records();
  pair.run("pc +4 ack 1:11");
  const Record end = only(pair.bench.records(RecordKind::EndOfInterrupt));
  EXPECT_EQ(end.detail, static_cast<u8>(EndKind::Initialised));
  EXPECT_EQ(end.id, 2u);
}

TEST(Pic8259Ledger, the_interrupt_line_carries_the_request) {
  Pair pair;
  pair.run("pc +12");
  ASSERT_EQ(pair.bench.listener.changes.size(), 1u);
  EXPECT_EQ(pair.bench.listener.changes[0].request, RequestId(1));
}

TEST(Pic8259Ports, a_word_access_reaches_both_addresses) {
  Pair pair;
  pair.run("pc");
  pair.primary.write(Pic8259::registers, 0, AccessSize(2), 0x5A0B);
  pair.run("+3");
  EXPECT_EQ(pair.primary.read(Pic8259::registers, 0, AccessSize(2)), 0x5A00u);
}

// The common suite: alone with a secondary that always answers, and as the secondary of a pair.

struct AlwaysAnswers final : Device, CascadeListener {
  explicit AlwaysAnswers(DeviceContext) {}
  [[nodiscard]] std::string_view name() const override { return "always_answers"; }
  void reset() override {}
  void exchange(Archive&) override {}
  std::optional<Acknowledged> cascade_acknowledge(Pin number) override {
    return Acknowledged{Vector(number.value), RequestId(number.value), false};
  }
};

void expect_output_follows_state(const Pic8259& chip, const InterruptLine& output) {
  EXPECT_EQ(output.level() == Level::High, chip.interrupt_wanted());
  for (u8 pin = 0; pin < Pic8259::pins; ++pin) {
    const Pic8259::PinView view = chip.view(Pin(pin));
    EXPECT_FALSE(view.requested && view.input == Level::Low && !chip.is_frozen());
    EXPECT_FALSE(!view.in_service && view.serving != RequestId{});
    EXPECT_FALSE(!view.requested && view.pending != RequestId{});
    EXPECT_FALSE(view.requested && view.masked && view.pending != RequestId{} &&
                 view.obstruction.obstacle == Obstacle::None);
  }
}

DeviceUnderTest lone_pic() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& pic = bench.add<Pic8259>("pic0", pc_primary_pic, bench.output("intr", InterruptLine::no_number));
            pic.connect_secondary(Pin(2), bench.add<AlwaysAnswers>("always_answers"));
            for (u8 pin = 0; pin < 8; ++pin) bench.input(pic, Pin(pin), "irq", pin);
            bench.actions.emplace_back([&pic] { (void)pic.acknowledge(); });
            return pic;
          },
          .regions = {{Pic8259::registers, 2}, {Pic8259::registers, 2}, {Pic8259::elcr, 1}}};
}

DeviceUnderTest paired_pic() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& primary = bench.add<Pic8259>("pic0", pc_primary_pic, bench.output("intr", InterruptLine::no_number));
            InterruptLine& cascade = bench.lines.emplace_back(bench.ledger, "cascade", InterruptLine::no_number);
            auto& secondary = bench.add<Pic8259>("pic1", pc_secondary_pic, cascade.add_driver(SourceId(1)));
            cascade.connect(primary, Pin(2));
            primary.connect_secondary(Pin(2), secondary);
            for (u8 pin = 0; pin < 8; ++pin) bench.input(secondary, Pin(pin), "irq", static_cast<u8>(8 + pin));
            for (const u8 word : std::array<u8, 4>{0x11, 0x20, 0x04, 0x03}) {
              primary.write(Pic8259::registers, word == 0x11 ? 0 : 1, byte, word);
            }
            bench.actions.emplace_back([&primary] { (void)primary.acknowledge(); });
            bench.forget_records();
            return secondary;
          },
          .regions = {{Pic8259::registers, 2}, {Pic8259::elcr, 1}}};
}

VITRINE_COMMON_DEVICE_SUITE(Pic8259, lone_pic());
VITRINE_COMMON_DEVICE_SUITE(Pic8259Pair, paired_pic());

TEST(Pic8259Invariant, the_output_follows_the_state_under_random_traffic) {
  DeviceUnderTest subject = lone_pic();
  TestBench bench;
  Device& device = subject.make(bench);
  subject.invariant = [&bench](const Device& chip) {
    expect_output_follows_state(dynamic_cast<const Pic8259&>(chip), bench.lines.front());
  };
  device_suite::traffic(bench, device, subject, 42, 100'000);
}

}  // namespace
}  // namespace vitrine
