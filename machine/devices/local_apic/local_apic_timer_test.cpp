// SDM vol. 3A §10.5.4: the timer's modes, and vol. 3B §14.8: the temperature.
#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;
using enum LocalInterrupts::MsrResult;

constexpr u32 periodic = 1u << 17, deadline = 1u << 18;

TEST(LocalApicTimer, divide_register_gives_the_divisor_of_the_figure) {
  struct Row {
    u32 code, divisor;
  };
  constexpr Row rows[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {10, 128}, {11, 1}};
  for (const Row& row : rows) {
    ApicBench bench;
    bench.enable();
    bench.write(offset::lvt_timer, 0x41);
    bench.write(offset::divide, row.code);
    bench.write(offset::initial_count, 1000);
    bench.advance(u64{1000} * row.divisor - 1);
    EXPECT_FALSE(bench.wanted()) << row.code;
    EXPECT_EQ(bench.read(offset::current_count), 1u) << row.code;
    bench.advance(1);
    EXPECT_EQ(bench.take(), 0x41) << row.code;
    EXPECT_EQ(bench.read(offset::current_count), 0u) << row.code;
  }
}

TEST(LocalApicTimer, one_shot_comes_once) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, 0x41);
  bench.write(offset::initial_count, 1000);
  bench.advance(400);
  EXPECT_EQ(bench.read(offset::current_count), 600u);
  EXPECT_EQ(bench.read(offset::initial_count), 1000u);
  bench.advance(600);
  EXPECT_EQ(bench.take(), 0x41);
  bench.eoi();
  bench.advance(100'000);
  EXPECT_FALSE(bench.wanted());
}

TEST(LocalApicTimer, periodic_never_drifts) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, periodic | 0x41);
  bench.write(offset::initial_count, 1000);
  for (int i = 0; i < 10; ++i) {
    bench.advance(999);
    EXPECT_FALSE(bench.wanted()) << i;
    bench.advance(1);
    EXPECT_EQ(bench.take(), 0x41) << i;
    EXPECT_EQ(bench.read(offset::current_count), 1000u);
    bench.eoi();
  }
}

TEST(LocalApicTimer, count_zero_stops) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_timer, periodic | 0x41);
  bench.write(offset::initial_count, 1000);
  bench.write(offset::initial_count, 0);
  bench.advance(100'000);
  EXPECT_FALSE(bench.wanted());
  EXPECT_EQ(bench.bench.events.next_due(), never);
}

// One-shot and periodic share the count; to TSC-deadline and back disarms (§10.5.4.1).
TEST(LocalApicTimer, changing_between_one_shot_and_periodic_goes_on_with_the_count) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, 0x41);
  bench.write(offset::initial_count, 1000);
  bench.advance(700);
  bench.write(offset::lvt_timer, periodic | 0x41);
  EXPECT_EQ(bench.read(offset::current_count), 300u);
  bench.advance(300);
  EXPECT_EQ(bench.take(), 0x41);
  bench.eoi();
  EXPECT_EQ(bench.read(offset::current_count), 1000u);
  bench.advance(100);
  bench.write(offset::lvt_timer, 0x41);
  bench.advance(900);
  EXPECT_EQ(bench.take(), 0x41);
  bench.eoi();
  bench.write(offset::lvt_timer, periodic | 0x41);
  EXPECT_EQ(bench.read(offset::current_count), 0u) << "one that has ended stays so";
}

TEST(LocalApicTimer, new_divisor_takes_the_count_over) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, 0x41);
  bench.write(offset::initial_count, 1000);
  bench.advance(600);
  bench.write(offset::divide, 0);
  EXPECT_EQ(bench.read(offset::current_count), 400u);
  bench.advance(799);
  EXPECT_FALSE(bench.wanted());
  bench.advance(1);
  EXPECT_TRUE(bench.wanted());
}

TEST(LocalApicTimer, writing_the_divisor_does_not_stretch_the_tick_under_way) {
  for (const u32 other : {0xAu, 0xBu}) {  // by 128, the same again, and by 1
    ApicBench bench;
    bench.enable();
    bench.write(offset::divide, 0xA);
    bench.write(offset::lvt_timer, 0x41);
    bench.write(offset::initial_count, 10);
    for (int i = 0; i < 64; ++i) {
      bench.advance(20);
      bench.write(offset::divide, other);
      bench.write(offset::divide, 0xA);
    }
    EXPECT_TRUE(bench.wanted()) << other;
  }
}

TEST(LocalApicTimer, masked_timer_counts_on_and_tells_once) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, lvt_masked | periodic | 0x41);
  bench.write(offset::initial_count, 1000);
  bench.advance(10'300);
  EXPECT_FALSE(bench.wanted());
  EXPECT_EQ(bench.read(offset::current_count), 700u);
  EXPECT_EQ(bench.bench.events.next_due(), never) << "nobody would notice";
  const std::vector<Record> told = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].detail, static_cast<u8>(Obstacle::EntryMasked));
  bench.write(offset::lvt_timer, periodic | 0x41);
  bench.advance(699);
  EXPECT_FALSE(bench.wanted());
  bench.advance(1);
  EXPECT_EQ(bench.take(), 0x41) << "in phase with the count";
}

/// Starts the timer with a period of 1 ns, which would make a billion records in this second.
void expect_no_storm(ApicBench& bench, u32 vector) {
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, periodic | vector);
  bench.write(offset::initial_count, 1);
  bench.advance(1'000'000'000);
  EXPECT_LT(bench.bench.records().size(), 20u);
}

TEST(LocalApicTimer, shortest_period_makes_no_storm_of_events_while_its_request_waits) {
  ApicBench bench;
  expect_no_storm(bench, 0x41);
  EXPECT_EQ(bench.take(), 0x41);
  bench.advance(1);
  bench.eoi();
  EXPECT_EQ(bench.take(), 0x41);
}

TEST(LocalApicTimer, shortest_period_makes_no_storm_of_events_with_an_illegal_vector) {
  ApicBench bench;
  expect_no_storm(bench, 5);
  bench.write(offset::error_status, 0);
  EXPECT_EQ(bench.read(offset::error_status), error_receive_vector);
  bench.advance(1);
  bench.write(offset::error_status, 0);
  EXPECT_EQ(bench.read(offset::error_status), error_receive_vector) << "the error comes again at the next period";
}

TEST(LocalApicTimer, deadline_fires_when_the_counter_gets_there_and_reads_zero_then) {
  ApicBench bench;
  bench.enable();
  bench.advance(5000);
  bench.write_msr(msr::tsc_deadline, 5500);
  EXPECT_EQ(bench.read_msr(msr::tsc_deadline), 0u) << "not in this mode";
  bench.write(offset::lvt_timer, deadline | 0x41);
  bench.write_msr(msr::tsc_deadline, 6000);
  EXPECT_EQ(bench.read_msr(msr::tsc_deadline), 6000u);
  bench.write(offset::initial_count, 10);
  EXPECT_EQ(bench.read(offset::initial_count), 0u) << "writes do nothing in this mode";
  bench.advance(999);
  EXPECT_FALSE(bench.wanted());
  bench.advance(1);
  EXPECT_EQ(bench.take(), 0x41);
  EXPECT_EQ(bench.read_msr(msr::tsc_deadline), 0u);
  bench.eoi();
  bench.write_msr(msr::tsc_deadline, 6000);
  EXPECT_EQ(bench.take(), 0x41) << "in the past: at once";
  bench.eoi();
  bench.write_msr(msr::tsc_deadline, 9000);
  bench.write_msr(msr::tsc_deadline, 0);
  bench.advance(10'000);
  EXPECT_FALSE(bench.wanted()) << "0 disarms";
}

TEST(LocalApicTimer, deadline_follows_the_guests_counter) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_timer, deadline | 0x41);
  bench.write_msr(msr::tsc_deadline, 10'000);
  bench.apic().tsc_offset_changed(9000);
  bench.advance(999);
  EXPECT_FALSE(bench.wanted());
  bench.advance(1);
  EXPECT_EQ(bench.take(), 0x41);
  bench.eoi();
  bench.write_msr(msr::tsc_deadline, 20'000);
  bench.apic().tsc_offset_changed(50'000);
  EXPECT_EQ(bench.take(), 0x41) << "the counter jumped over it";
  bench.eoi();
  bench.write_msr(msr::tsc_deadline, ~u64{0});
  bench.advance(1'000'000);
  EXPECT_FALSE(bench.wanted());
}

TEST(LocalApicTimer, leaving_deadline_mode_disarms) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_timer, deadline | 0x41);
  bench.write_msr(msr::tsc_deadline, 10'000);
  bench.write(offset::lvt_timer, 0x41);
  bench.write(offset::lvt_timer, deadline | 0x41);
  EXPECT_EQ(bench.read_msr(msr::tsc_deadline), 0u);
  bench.advance(20'000);
  EXPECT_FALSE(bench.wanted());
}

TEST(LocalApicTimer, a_masked_periodic_timer_goes_on_with_its_count_when_it_becomes_one_shot) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::divide, 0xB);
  bench.write(offset::lvt_timer, lvt_masked | periodic | 0x41);
  bench.write(offset::initial_count, 1000);
  bench.advance(2250);
  EXPECT_EQ(bench.read(offset::current_count), 750u);
  bench.write(offset::lvt_timer, 0x41);
  EXPECT_EQ(bench.read(offset::current_count), 750u);
  bench.advance(749);
  EXPECT_FALSE(bench.wanted());
  bench.advance(1);
  EXPECT_EQ(bench.take(), 0x41);
}

// §10.4.3.
TEST(LocalApicTimer, stops_when_the_apic_is_switched_off) {
  for (const u32 mode : {u32{0}, periodic, deadline}) {
    ApicBench bench;
    bench.enable();
    bench.write(offset::divide, 0xB);
    bench.write(offset::lvt_timer, mode | 0x41);
    bench.write(offset::initial_count, 1000);
    bench.write_msr(msr::tsc_deadline, 1000);
    const u64 base = bench.read_msr(msr::apic_base);
    bench.write_msr(msr::apic_base, base & ~base_enabled);
    bench.write_msr(msr::tsc_deadline, 1500);
    bench.advance(2000);
    bench.write_msr(msr::apic_base, base);
    EXPECT_TRUE(bench.apic().requests().empty()) << mode;
    EXPECT_EQ(bench.bench.records(RecordKind::Raised).size(), 0u) << mode;
  }
}

TEST(LocalApicThermal, a_crossing_while_the_apic_is_off_is_blocked) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_thermal, 0xFA);
  bench.write_msr(msr::thermal_interrupt, 1u << 15 | 30u << 8);
  const u64 base = bench.read_msr(msr::apic_base);
  bench.bench.ledger.context.address = 0x1234;
  bench.write_msr(msr::apic_base, base & ~base_enabled);
  bench.bench.ledger.context.address = 0x5678;
  for (u64 i = 0; i < 600; ++i) {
    bench.around().instructions += 1'000'000;
    bench.advance(1'000'000);
  }
  bench.write_msr(msr::apic_base, base);
  EXPECT_FALSE(bench.wanted());
  const std::vector<Record> blocked = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::ApicDisabled));
  EXPECT_EQ(blocked[0].address, 0x1234u) << "who has switched it off";
  EXPECT_EQ(blocked[0].extra, 1u) << "in IA32_APIC_BASE";
}

/// Lets a core work (or sleep) for so many milliseconds.
void live(ApicBench& bench, u64 milliseconds, bool busy) {
  for (u64 i = 0; i < milliseconds; ++i) {
    if (busy) bench.around().instructions += 1'000'000;
    bench.advance(1'000'000);
  }
}

u32 degrees(ApicBench& bench) { return 100 - static_cast<u32>(bench.read_msr(msr::thermal_status) >> 16 & 0x7F); }

TEST(LocalApicThermal, load_heats_to_95_degrees_and_rest_cools_to_40) {
  ApicBench bench;
  EXPECT_EQ(degrees(bench), 40u);
  live(bench, 2000, true);
  EXPECT_GE(degrees(bench), 94u);
  EXPECT_LE(degrees(bench), 95u);
  live(bench, 2000, false);
  EXPECT_EQ(degrees(bench), 40u);
}

TEST(LocalApicThermal, threshold_interrupts_at_both_crossings) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_thermal, 0xFA);
  EXPECT_EQ(bench.write_msr(msr::thermal_interrupt, 1u << 15 | 30u << 8), Done);  // 70 degrees
  live(bench, 10, true);
  EXPECT_FALSE(bench.wanted());
  live(bench, 500, true);
  EXPECT_EQ(bench.take(), 0xFA);
  bench.eoi();
  EXPECT_EQ(bench.read_msr(msr::thermal_status) & 0xFFF, 0xC0u) << "reached, and logged";
  bench.write_msr(msr::thermal_status, 0);
  EXPECT_EQ(bench.read_msr(msr::thermal_status) & 0xFFF, 0x40u) << "only the log can be cleared";
  live(bench, 500, true);
  EXPECT_FALSE(bench.wanted());
  live(bench, 500, false);
  EXPECT_EQ(bench.take(), 0xFA);
  EXPECT_EQ(bench.read_msr(msr::thermal_status) & 0xFFF, 0x80u);
  const std::vector<Record> raised = bench.bench.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 2u);
  EXPECT_EQ(raised[0].pin, static_cast<u8>(ApicPin::Thermal));
}

TEST(LocalApicThermal, blocked_heat_sink_trips_the_thermal_monitor) {
  ApicBench bench(1, {.ambient = 40'000, .rise_at_full_load = 80'000});
  bench.enable();
  bench.write(offset::lvt_thermal, 0xFA);
  bench.write_msr(msr::thermal_interrupt, 1 | 2 | 1u << 4);
  live(bench, 2000, true);
  EXPECT_EQ(bench.read_msr(msr::thermal_status) & 0x3F, 0x3Fu);
  EXPECT_EQ(bench.take(), 0xFA);
}

TEST(LocalApicThermal, sleeping_cold_core_needs_no_events) {
  ApicBench bench;
  bench.enable();
  bench.write(offset::lvt_thermal, 0xFA);
  bench.write_msr(msr::thermal_interrupt, 1u << 15 | 30u << 8);
  live(bench, 1000, true);
  live(bench, 5000, false);
  EXPECT_EQ(bench.bench.events.next_due(), never);
  bench.take();
  bench.eoi();
  bench.interrupt(0x41);
  bench.take();
  EXPECT_NE(bench.bench.events.next_due(), never) << "awake, it may get warm";
}

TEST(LocalApicThermal, reserved_bits_are_refused) {
  ApicBench bench;
  EXPECT_EQ(bench.write_msr(msr::thermal_interrupt, 1u << 5), Refused);
  EXPECT_EQ(bench.write_msr(msr::thermal_interrupt, 1u << 3), Done) << "FORCEPR#";
  EXPECT_EQ(bench.write_msr(msr::clock_modulation, 1), Refused);
  EXPECT_EQ(bench.write_msr(msr::clock_modulation, 0x18), Done);
  EXPECT_EQ(bench.read_msr(msr::clock_modulation), 0x18u);
  EXPECT_EQ(bench.read_msr(msr::temperature_target) >> 16, 100u);
}

}  // namespace
}  // namespace vitrine
