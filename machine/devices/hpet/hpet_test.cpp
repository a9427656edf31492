#include "machine/devices/hpet/hpet.hpp"

#include <ostream>
#include <sstream>
#include <string>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

struct SentMessages final : MessagePort {
  struct Sent {
    u64 address;
    u32 data;
    RequestId request;
  };
  void send(u64 address, u32 data, RequestId request, SourceId, u8) override {
    sent.push_back({address, data, request});
  }
  std::vector<Sent> sent;
};

/// The chip with PIT and clock chip in front of IRQ 0 and 8, and lines to the I/O APIC's pins 20 and 21.
struct Bench {
  TestBench bench;
  SentMessages messages;
  Hpet& hpet;
  LineDriver pit, rtc;

  static Hpet::Wiring wire(TestBench& bench, MessagePort* messages) {
    Hpet::Wiring wiring{.irq0 = bench.output("irq0", 0), .irq8 = bench.output("irq8", 8), .messages = messages};
    for (const u8 pin : {u8{20}, u8{21}}) wiring.routes[pin] = bench.output("pin", pin);
    return wiring;
  }
  explicit Bench(bool has_messages = true)
      : hpet(bench.add<Hpet>("hpet", wire(bench, has_messages ? &messages : nullptr))),
        pit(bench.input(hpet, Hpet::pit_pin, "pit-out", 0)),
        rtc(bench.input(hpet, Hpet::rtc_pin, "rtc-out", 8)) {}

  static u64 timer(u8 number, u64 offset = 0) { return Hpet::first_timer + u64{number} * Hpet::timer_stride + offset; }
  void set(u64 offset, u64 value, u8 size = 8) { hpet.write(Hpet::registers, offset, AccessSize(size), value); }
  u64 get(u64 offset, u8 size = 8) { return hpet.read(Hpet::registers, offset, AccessSize(size)); }
  /// The changes of output `number` since the last call: time in counter steps, then + or -.
  std::string seen(u8 number) {
    std::ostringstream text;
    for (const RecordingListener::Change& change : bench.listener.changes) {
      if (change.pin.value != number) continue;
      text << (text.tellp() > 0 ? " " : "") << change.time.value / Hpet::period_ns
           << (change.level == Level::High ? '+' : '-');
    }
    bench.listener.changes.clear();
    return text.str();
  }
  void steps(u64 count) { bench.advance(count * Hpet::period_ns); }
};
constexpr u64 route_20 = 20 << 9, route_21 = 21 << 9;
constexpr u64 on = Hpet::interrupt_enable_bit;

TEST(Hpet, capabilities_tell_period_width_and_number_of_timers) {
  Bench bench;
  EXPECT_EQ(bench.get(Hpet::capabilities), 0x00989680'8086A201u);
  EXPECT_EQ(bench.get(Hpet::capabilities + 4, 4), 10'000'000u) << "femtoseconds";
  EXPECT_EQ(bench.get(Bench::timer(0)), 0x00300000'00008030u) << "routes 20 and 21, FSB, 64 bits, periodic";
  Bench without(false);
  EXPECT_EQ(without.get(Bench::timer(0)) & Hpet::fsb_capable_bit, 0u);
}

TEST(Hpet, counter_counts_only_while_enabled_and_is_written_only_while_halted) {
  Bench bench;
  bench.steps(5);
  EXPECT_EQ(bench.get(Hpet::main_counter), 0u);
  bench.set(Hpet::main_counter, 1000);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(7);
  EXPECT_EQ(bench.get(Hpet::main_counter), 1007u);
  bench.set(Hpet::main_counter, 5);
  EXPECT_EQ(bench.get(Hpet::main_counter), 1007u);
  bench.set(Hpet::configuration, 0);
  bench.steps(3);
  EXPECT_EQ(bench.get(Hpet::main_counter), 1007u);
  bench.set(Hpet::main_counter + 4, 1, 4);
  EXPECT_EQ(bench.get(Hpet::main_counter), 0x1'0000'03EFu) << "a half alone";
}

TEST(Hpet, routes_that_are_not_in_the_mask_do_not_read_back) {
  Bench bench;
  bench.set(Bench::timer(0), route_21);
  bench.set(Bench::timer(0), 5 << 9);
  EXPECT_EQ(bench.get(Bench::timer(0)) & (0x1F << 9), route_21);
}

struct Row {
  const char* section;
  const char* rule;
  u64 configuration;  // of timer 0
  u64 comparator;
  const char* line;  // changes of the line at pin 20 in 1000 steps
};
void PrintTo(const Row& row, std::ostream* stream) { *stream << row.section << ": " << row.rule; }
constexpr Row rows[] = {
    {"2.3.8", "interrupts are off after reset", route_20, 100, ""},
    {"2.3.9.1", "one-shot edge: up at the match, and stays", on | route_20, 100, "100+"},
    {"2.3.9.1", "one-shot level: up at the match", on | route_20 | Hpet::level_bit, 100, "100+"},
    {"2.3.9.1", "a comparator behind the counter does not match", on | route_20, 0, ""},
    {"2.3.9.2", "periodic edge: down and up at each match",
     on | route_20 | Hpet::periodic_bit | Hpet::set_accumulator_bit, 400, "400+ 800- 800+"},
    {"2.3.9.2", "periodic level: up until the status is cleared",
     on | route_20 | Hpet::level_bit | Hpet::periodic_bit | Hpet::set_accumulator_bit, 300, "300+"},
    {"2.3.9.2", "periodic without setting the accumulator: the first match is at the old comparator",
     on | route_20 | Hpet::periodic_bit, 400, ""},
};
class HpetRules : public testing::TestWithParam<Row> {};
TEST_P(HpetRules, as_the_specification_says) {
  Bench bench;
  bench.set(Bench::timer(0), GetParam().configuration);
  bench.set(Bench::timer(0, Hpet::timer_comparator), GetParam().comparator);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(1000);
  EXPECT_EQ(bench.seen(20), GetParam().line);
}
INSTANTIATE_TEST_SUITE_P(Hpet, HpetRules, testing::ValuesIn(rows));

TEST(Hpet, a_level_stays_until_its_status_bit_is_written_with_one) {
  Bench bench;
  bench.set(Bench::timer(0), on | route_20 | Hpet::level_bit);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 10);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(20);
  EXPECT_EQ(bench.get(Hpet::interrupt_status), 1u);
  bench.set(Hpet::interrupt_status, 0xFE);
  EXPECT_EQ(bench.seen(20), "10+");
  bench.set(Hpet::interrupt_status, 1);
  EXPECT_EQ(bench.seen(20), "20-");
  EXPECT_EQ(bench.get(Hpet::interrupt_status), 0u);
}

TEST(Hpet, set_accumulator_lets_first_match_and_period_differ) {
  Bench bench;  // as Linux does it: first match at 100, then every 140
  bench.set(Bench::timer(0), on | route_20 | Hpet::periodic_bit | Hpet::set_accumulator_bit | Hpet::narrow_bit, 4);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 100, 4);
  EXPECT_EQ(bench.get(Bench::timer(0)) & Hpet::set_accumulator_bit, 0u) << "clears itself";
  bench.set(Bench::timer(0, Hpet::timer_comparator), 140, 4);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(390);
  EXPECT_EQ(bench.seen(20), "100+ 240- 240+ 380- 380+");
  EXPECT_EQ(bench.get(Bench::timer(0, Hpet::timer_comparator)) & 0xFFFFFFFF, 520u);
}

TEST(Hpet, a_periodic_timer_without_interrupt_has_no_events_and_its_comparator_moves_on) {
  Bench bench;
  bench.set(Bench::timer(0), route_20 | Hpet::periodic_bit | Hpet::set_accumulator_bit);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 5);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 3);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  EXPECT_EQ(bench.bench.events.next_due(), never);
  constexpr u64 expected[] = {5, 5, 5, 5, 5, 8, 8, 8, 11};  // it matches at 5, 8, ...
  for (u64 count = 0; count < std::size(expected); ++count, bench.steps(1)) {
    EXPECT_EQ(bench.get(Bench::timer(0, Hpet::timer_comparator)), expected[count]) << count;
  }
  bench.steps(1);  // the counter is at 10
  bench.set(Bench::timer(0), on | route_20 | Hpet::periodic_bit);
  bench.steps(5);
  EXPECT_EQ(bench.seen(20), "11+") << "and closer ones than the least period are lost";
}

// 3.2.4: a period below the least loses interrupts, so that it is no storm of events.
TEST(Hpet, matches_of_a_period_below_the_least_one_are_lost) {
  struct Period {
    u64 steps;
    const char* line;
  };
  constexpr Period periods[] = {{1, "1+ 129- 129+ 257- 257+ 385- 385+"},
                                {100, "100+ 300- 300+"},
                                {127, "127+ 381- 381+"},
                                {128, "128+ 256- 256+ 384- 384+"}};
  for (const Period& period : periods) {
    Bench bench;
    bench.set(Bench::timer(0), on | route_20 | Hpet::periodic_bit | Hpet::set_accumulator_bit);
    bench.set(Bench::timer(0, Hpet::timer_comparator), period.steps);
    bench.set(Hpet::configuration, Hpet::enable_bit);
    bench.steps(400);
    EXPECT_EQ(bench.seen(20), period.line) << period.steps;
    EXPECT_EQ(bench.get(Bench::timer(0, Hpet::timer_comparator)), (400 / period.steps + 1) * period.steps)
        << "the comparator moves on at every match";
  }
}

TEST(Hpet, a_level_whose_status_is_set_has_no_further_events_until_it_is_cleared) {
  Bench bench;
  bench.set(Bench::timer(0), on | route_20 | Hpet::level_bit | Hpet::periodic_bit | Hpet::set_accumulator_bit);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 10);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(25);
  EXPECT_EQ(bench.bench.events.next_due(), never);
  EXPECT_EQ(bench.get(Bench::timer(0, Hpet::timer_comparator)), 30u);
  bench.set(Hpet::interrupt_status, 1);
  bench.steps(10);
  EXPECT_EQ(bench.seen(20), "10+ 25- 30+");
}

TEST(Hpet, in_32_bit_mode_a_one_shot_matches_again_when_the_counter_wraps) {
  Bench bench;
  bench.set(Hpet::main_counter, 0xFFFFFF00);
  bench.set(Bench::timer(1), on | route_21 | Hpet::narrow_bit | Hpet::level_bit);
  bench.set(Bench::timer(1, Hpet::timer_comparator), 0x10);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(0x10F);
  EXPECT_EQ(bench.seen(21), "");
  bench.steps(1);
  EXPECT_EQ(bench.seen(21), "272+");
  bench.set(Hpet::interrupt_status, 2);
  bench.steps(u64{1} << 32);
  EXPECT_EQ(bench.get(Hpet::interrupt_status), 2u);
}

TEST(Hpet, halting_takes_the_lines_down_and_leaves_the_status) {
  Bench bench;
  bench.set(Bench::timer(0), on | route_20 | Hpet::level_bit);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 10);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(20);
  bench.set(Hpet::configuration, 0);
  EXPECT_EQ(bench.seen(20), "10+ 20-");
  EXPECT_EQ(bench.get(Hpet::interrupt_status), 1u);
}

TEST(HpetLegacy, what_pit_and_clock_drive_goes_on_under_its_request) {
  Bench bench;
  bench.pit.set(Level::High);
  bench.rtc.set(Level::High);
  ASSERT_EQ(bench.bench.listener.changes.size(), 2u);
  EXPECT_EQ(bench.bench.listener.changes[0], (RecordingListener::Change{Tick(0), Pin(0), Level::High, RequestId(1)}));
  EXPECT_EQ(bench.bench.listener.changes[1], (RecordingListener::Change{Tick(0), Pin(8), Level::High, RequestId(2)}));
  EXPECT_EQ(bench.bench.records(RecordKind::Raised).size(), 2u);
  bench.pit.end_pulse();
  EXPECT_EQ(bench.bench.listener.changes.back().request, RequestId(1)) << "a pulse that is over, not a cause gone";
}

TEST(HpetLegacy, replacement_cuts_pit_and_clock_off_and_says_so_once) {
  Bench bench;
  bench.bench.advance(70);
  bench.bench.ledger.context.address = 0x5150;
  bench.set(Hpet::configuration, Hpet::legacy_bit);
  bench.bench.advance(30);
  for (int i = 0; i < 3; ++i) {
    bench.pit.set(Level::High);
    bench.pit.set(Level::Low);
  }
  EXPECT_TRUE(bench.bench.listener.changes.empty());
  const std::vector<Record> blocked = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::NotConnected));
  EXPECT_EQ(blocked[0].pin, 0);
  EXPECT_EQ(blocked[0].address, 0x5150u);
  EXPECT_EQ(blocked[0].since, 70u);
  bench.pit.set(Level::High);
  bench.set(Hpet::configuration, 0);
  EXPECT_EQ(bench.seen(0), "10+") << "and gives it back";
}

TEST(HpetLegacy, timers_0_and_1_drive_irq_0_and_8_whatever_their_routes_say) {
  Bench bench;
  for (const u8 number : {u8{0}, u8{1}}) {
    bench.set(Bench::timer(number), on | route_20 | Hpet::fsb_enable_bit);
    bench.set(Bench::timer(number, Hpet::timer_comparator), 100 + number);
  }
  bench.set(Bench::timer(2), on | route_21);
  bench.set(Bench::timer(2, Hpet::timer_comparator), 102);
  bench.set(Hpet::configuration, Hpet::enable_bit | Hpet::legacy_bit);
  bench.steps(200);
  ASSERT_EQ(bench.bench.listener.changes.size(), 3u);
  EXPECT_EQ(bench.bench.listener.changes[0].pin, Pin(0));
  EXPECT_EQ(bench.bench.listener.changes[1].pin, Pin(8));
  EXPECT_EQ(bench.bench.listener.changes[2].pin, Pin(21));
  EXPECT_TRUE(bench.messages.sent.empty());
  EXPECT_EQ(bench.bench.records(RecordKind::Raised).at(0).detail, 1) << "timer 0";
}

TEST(HpetFsb, each_match_is_a_message_with_a_request_of_its_own) {
  Bench bench;
  bench.set(Bench::timer(2, Hpet::timer_fsb_route), 0xFEE01000'00000041);
  bench.set(Bench::timer(2), on | Hpet::fsb_enable_bit | Hpet::periodic_bit | Hpet::set_accumulator_bit);
  bench.set(Bench::timer(2, Hpet::timer_comparator), 150);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(320);
  ASSERT_EQ(bench.messages.sent.size(), 2u);
  EXPECT_EQ(bench.messages.sent[0].address, 0xFEE01000u);
  EXPECT_EQ(bench.messages.sent[0].data, 0x41u);
  const std::vector<Record> raised = bench.bench.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 2u);
  EXPECT_EQ(raised[0].pin, static_cast<u8>(ApicPin::Message));
  EXPECT_EQ(RequestId(raised[1].id), bench.messages.sent[1].request);
  EXPECT_TRUE(bench.bench.listener.changes.empty());
}

TEST(Hpet, a_timer_that_leads_to_no_line_says_so_once) {
  Bench bench;
  bench.bench.ledger.context.address = 0x42;
  bench.set(Bench::timer(0), on | Hpet::periodic_bit | Hpet::set_accumulator_bit);
  bench.set(Bench::timer(0, Hpet::timer_comparator), 10);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  bench.steps(100);
  const std::vector<Record> withheld = bench.bench.records(RecordKind::Withheld);
  ASSERT_EQ(withheld.size(), 1u);
  EXPECT_EQ(withheld[0].address, 0x42u);
  EXPECT_EQ(withheld[0].extra, 1u);
}

TEST(Hpet, changes_of_configuration_are_records) {
  Bench bench;
  bench.set(Bench::timer(1), on | route_20);
  bench.set(Bench::timer(1), on | route_20);
  bench.set(Hpet::configuration, Hpet::enable_bit);
  const std::vector<Record> programmed = bench.bench.records(RecordKind::ControllerProgrammed);
  ASSERT_EQ(programmed.size(), 2u);
  EXPECT_EQ(programmed[0].detail, static_cast<u8>(ControllerRegister::HpetTimer));
  EXPECT_EQ(programmed[0].pin, 1);
  EXPECT_EQ(programmed[0].extra, on | route_20);
  EXPECT_EQ(programmed[1].detail, static_cast<u8>(ControllerRegister::HpetControl));
}

TEST(Hpet, narrow_and_unaligned_writes_do_nothing) {
  Bench bench;
  bench.set(Hpet::configuration, Hpet::enable_bit, 1);
  bench.set(Hpet::configuration, Hpet::enable_bit, 2);
  bench.set(Hpet::configuration - 4, u64{Hpet::enable_bit} << 32, 8);
  EXPECT_EQ(bench.get(Hpet::configuration), 0u);
}

DeviceUnderTest hpet() {
  return {.make = [messages = std::make_shared<SentMessages>()](TestBench& bench) -> Device& {
            auto& chip = bench.add<Hpet>("hpet", Bench::wire(bench, messages.get()));
            bench.input(chip, Hpet::pit_pin, "pit-out", 0);
            bench.input(chip, Hpet::rtc_pin, "rtc-out", 8);
            const auto write = [&chip](u64 offset, u64 value) {
              chip.write(Hpet::registers, offset, AccessSize(8), value);
            };
            bench.actions.emplace_back([write] { write(Hpet::configuration, Hpet::enable_bit); });
            bench.actions.emplace_back([write] { write(Hpet::configuration, 3); });
            for (const u8 number : {u8{0}, u8{1}, u8{2}}) {
              bench.actions.emplace_back([write, &chip, number] {
                write(Bench::timer(number), on | route_20 | number << 1);
                write(Bench::timer(number, Hpet::timer_comparator), chip.counter() + 10);
              });
            }
            return chip;
          },
          .regions = {{Hpet::registers, 0x160}}};
}
VITRINE_COMMON_DEVICE_SUITE(Hpet, hpet());

}  // namespace
}  // namespace vitrine
