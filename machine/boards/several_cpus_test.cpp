// Several CPUs in one machine: turns, time, and code that one CPU writes and another runs.
#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>
#include <vector>

#include "machine/boards/machine.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/boards/schedule.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {
namespace {

TEST(Schedule, turns_of_a_round_lie_one_after_another_in_one_slice_of_time) {
  Schedule schedule(1000, 0);
  const u8 running[] = {0, 2, 5};
  schedule.begin(Tick(7), running);
  u64 expected_end = 7;
  for (const u8 cpu : running) {
    ASSERT_TRUE(schedule.open());
    EXPECT_EQ(schedule.cpu(), cpu);
    EXPECT_EQ(schedule.instructions_until(never), 1000u);
    schedule.use(1000);
    expected_end = 7 + (schedule.share().phase) / 3;
    EXPECT_EQ(schedule.turn_end(), Tick(expected_end));
    schedule.end_turn();
  }
  EXPECT_FALSE(schedule.open());
  EXPECT_EQ(expected_end, 1007u);
}

TEST(Schedule, a_deadline_within_a_turn_is_met_by_the_instruction_that_reaches_it) {
  Schedule schedule(1000, 0);
  const u8 running[] = {0, 1};
  schedule.begin(Tick(100), running);
  EXPECT_EQ(schedule.instructions_until(Tick(103)), 6u);  // two instructions a nanosecond
  schedule.use(5);
  EXPECT_EQ(schedule.instructions_until(Tick(103)), 1u);
  EXPECT_EQ(schedule.share().at(0), 102u);
  EXPECT_EQ(schedule.share().at(1), 103u);
}

TEST(Schedule, a_cpu_that_runs_alone_has_no_end_of_its_turn) {
  Schedule schedule(1000, 0);
  const u8 running[] = {3};
  schedule.begin(Tick(5), running);
  EXPECT_TRUE(schedule.alone());
  EXPECT_EQ(schedule.instructions_until(Tick(1'000'005)), 1'000'000u);
}

TEST(Schedule, what_a_turn_ran_over_is_taken_from_the_time_of_the_round) {
  Schedule schedule(10, 0);
  const u8 running[] = {0, 1};
  schedule.begin(Tick(0), running);
  schedule.use(14);  // a delivery at its end
  EXPECT_EQ(schedule.instructions_until(never), 0u);
  schedule.end_turn();
  EXPECT_EQ(schedule.share().phase, 14u);
  EXPECT_EQ(schedule.instructions_until(never), 10u);
}

TEST(Schedule, a_seed_changes_order_and_length_and_repeats_them) {
  const u8 running[] = {0, 1, 2, 3};
  const auto turns = [&](u64 seed) {
    Schedule schedule(1000, seed);
    std::vector<std::pair<u8, u64>> made;
    for (unsigned round = 0; round < 8; ++round) {
      schedule.begin(Tick(0), running);
      while (schedule.open()) {
        made.emplace_back(schedule.cpu(), schedule.instructions_until(never));
        schedule.end_turn();
      }
    }
    return made;
  };
  EXPECT_EQ(turns(1), turns(1));
  EXPECT_NE(turns(1), turns(2));
  EXPECT_NE(turns(1), turns(0));
}

/// What an archive says of a schedule (of three CPUs, at 10,000 ns).
struct SavedSchedule {
  const char* what;
  std::vector<u8> order = {0, 2};
  u32 position = 0;
  u64 start = 9'500, length = 1000, turn_begin = 0, phase = 1000;
  u64 slice = 1000;
};

std::optional<Archive::Error> restored(const SavedSchedule& saved) {
  Archive saver = Archive::saver();
  SavedSchedule copy = saved;
  u64 random = 0;
  bool varies = false;
  u32 count = static_cast<u32>(copy.order.size());
  saver(copy.slice, random, varies, count);
  for (u8& cpu : copy.order) saver(cpu);
  saver(copy.position, copy.start, copy.length, copy.turn_begin, copy.phase);
  Archive loader = Archive::loader(saver.bytes());
  Schedule schedule(1000, 0);
  schedule.exchange(loader, 3, Tick(10'000));
  if (!loader.ok()) return loader.error();
  return std::nullopt;
}

TEST(Schedule, an_archive_is_taken_only_if_a_run_can_have_made_it) {
  const SavedSchedule good[] = {
      {.what = "in a round"},
      {.what = "between two", .order = {}},
      {.what = "alone", .order = {1}, .start = 9'000, .length = u64{1} << 62},
      {.what = "the turn was given away", .start = 10'000, .phase = 1000},
  };
  for (const SavedSchedule& saved : good) EXPECT_EQ(restored(saved), std::nullopt) << saved.what;
  const SavedSchedule bad[] = {
      {.what = "a CPU that is not there", .order = {0, 3}},
      {.what = "a CPU twice", .order = {0, 0}},
      {.what = "more than all", .order = {0, 1, 2, 0}},
      {.what = "behind the last", .position = 2},
      {.what = "turns of no length", .length = 0},
      {.what = "turns without end", .length = u64{1} << 62},
      {.what = "it begins in the future", .start = 10'001},
      {.what = "the clock has got past it", .start = 9'000, .phase = 1000},
      {.what = "far ahead of the clock", .phase = u64{1} << 60},
      {.what = "a turn that begins after its instructions", .turn_begin = 1001},
      {.what = "alone, and not at its place", .order = {1}, .start = 9'000, .length = u64{1} << 62, .phase = 999},
      {.what = "no slice", .slice = 0},
  };
  for (const SavedSchedule& saved : bad) EXPECT_EQ(restored(saved), Archive::Error::BadValue) << saved.what;
}

constexpr u16 program = 0x1000, counters = 0x500;

/// A machine whose CPUs all run the same 16-bit code at `program`, with DS:BX at a counter of their own.
std::unique_ptr<Machine> started(unsigned cpus, std::initializer_list<u8> code, u64 seed = 0) {
  auto machine = *Machine::create({.memory_bytes = u64{1} << 20, .cpus = cpus, .schedule_seed = seed});
  machine->initialise_as_firmware();
  EXPECT_TRUE(machine->memory().write_block(PhysicalAddress(program), std::vector<u8>(code)));
  for (unsigned number = 0; number < cpus; ++number) {
    Cpu& cpu = machine->cpu(number);
    cpu.start_up(0, RequestId(0));
    for (Segment& segment : cpu.state.segments) segment.selector = 0, segment.base = 0;
    cpu.state.rip = program;
    cpu.state.gpr[rbx] = counters + 4 * number;
    cpu.state_changed();
  }
  return machine;
}

u64 counted(Machine& machine, unsigned cpu) {
  return machine.memory().peek(PhysicalAddress(counters + 4 * cpu), AccessSize(4));
}

constexpr std::initializer_list<u8> count_forever = {0x66, 0xFF, 0x07, 0xEB, 0xFB};  // inc dword [bx]; jmp

TEST(SeveralCpus, each_executes_an_instruction_a_nanosecond) {
  const auto machine = started(3, count_forever);
  (void)machine->run({.until = Tick(3'000'000)});
  EXPECT_EQ(machine->clock().now(), Tick(3'000'000));
  for (unsigned cpu = 0; cpu < 3; ++cpu) {
    EXPECT_EQ(machine->cpu(cpu).state.instructions, 3'000'000u) << cpu;
    EXPECT_EQ(counted(*machine, cpu), 1'500'000u) << cpu;
  }
  EXPECT_EQ(machine->instructions(), 9'000'000u);
}

TEST(SeveralCpus, a_cpu_that_was_not_started_does_nothing) {
  auto machine = *Machine::create({.memory_bytes = u64{1} << 20, .cpus = 2});
  EXPECT_TRUE(machine->cpu(1).state.waits_for_startup);
  EXPECT_FALSE(machine->cpu(1).runs());
  EXPECT_TRUE(machine->cpu(0).runs());
}

TEST(SeveralCpus, a_run_in_many_pieces_equals_one_run) {
  for (const u64 seed : {0, 9}) {
    const auto whole = started(3, {0x66, 0xFF, 0x07, 0xF3, 0x90, 0xEB, 0xF9}, seed);  // ... pause ...
    const auto cut = started(3, {0x66, 0xFF, 0x07, 0xF3, 0x90, 0xEB, 0xF9}, seed);
    (void)whole->run({.until = Tick(100'000)});
    for (u64 until = 0; until < 100'000; until += 77) (void)cut->run({.until = Tick(until)});
    (void)cut->run({.until = Tick(100'000)});
    for (unsigned cpu = 0; cpu < 3; ++cpu) EXPECT_EQ(counted(*whole, cpu), counted(*cut, cpu)) << cpu;
    EXPECT_EQ(whole->instructions(), cut->instructions());
  }
}

/// CPU 0 counts; CPU 1 sleeps until its local timer comes at 100 us, and then counts too.
std::unique_ptr<Machine> with_a_sleeper() {
  auto machine = started(2, count_forever);
  constexpr u16 sleeper = 0x3000, handler = 0x3100;
  const auto put = [&](u16 at, std::initializer_list<u8> bytes) {
    EXPECT_TRUE(machine->memory().write_block(PhysicalAddress(at), std::vector<u8>(bytes)));
  };
  put(sleeper, {0xFB, 0xF4, 0x66, 0xFF, 0x07, 0xEB, 0xFB});  // sti; hlt; inc dword [bx]; jmp $-3
  put(handler, {0xCF});
  put(0x40 * 4, {handler & 0xFF, handler >> 8, 0, 0});
  machine->cpu(1).state.rip = sleeper;
  machine->cpu(1).state.gpr[rsp] = 0x7000;
  LocalApic& apic = machine->board().apics->local(1);
  apic.write_register(apic::offset::spurious_vector, 4, 0x1FF);
  apic.write_register(apic::offset::divide, 4, 0xB);
  apic.write_register(apic::offset::lvt_timer, 4, 0x40);
  apic.write_register(apic::offset::initial_count, 4, 100'000);
  return machine;
}

TEST(SeveralCpus, a_cpu_that_an_event_wakes_runs_at_once_beside_one_that_ran_alone) {
  const auto machine = with_a_sleeper();
  (void)machine->run({.until = Tick(102'000)});
  EXPECT_GT(counted(*machine, 1), 400u);
}

TEST(SeveralCpus, a_run_in_many_pieces_equals_one_run_though_a_cpu_wakes) {
  const auto whole = with_a_sleeper(), cut = with_a_sleeper();
  (void)whole->run({.until = Tick(200'000)});
  for (u64 until = 0; until <= 200'000; until += 77) (void)cut->run({.until = Tick(until)});
  (void)cut->run({.until = Tick(200'000)});
  for (unsigned cpu = 0; cpu < 2; ++cpu) EXPECT_EQ(counted(*whole, cpu), counted(*cut, cpu)) << cpu;
}

TEST(SeveralCpus, a_saved_machine_goes_on_as_the_other_does) {
  const auto first = started(3, count_forever, 5), second = started(3, count_forever, 6);
  (void)first->run({.until = Tick(12'345)});
  Archive saved = Archive::saver();
  first->exchange(saved);
  Archive loader = Archive::loader(saved.bytes());
  second->exchange(loader);
  ASSERT_TRUE(loader.ok());
  (void)first->run({.until = Tick(54'321)});
  (void)second->run({.until = Tick(54'321)});
  for (unsigned cpu = 0; cpu < 3; ++cpu) EXPECT_EQ(counted(*first, cpu), counted(*second, cpu)) << cpu;
}

TEST(SeveralCpus, an_archive_of_another_number_of_cpus_is_refused) {
  const auto two = started(2, count_forever), three = started(3, count_forever);
  Archive saved = Archive::saver();
  two->exchange(saved);
  Archive loader = Archive::loader(saved.bytes());
  three->exchange(loader);
  EXPECT_EQ(loader.error(), Archive::Error::BadValue);
}

TEST(SeveralCpus, pause_gives_the_turn_away_and_takes_its_time) {
  const auto machine = started(2, {0x66, 0xFF, 0x07, 0xF3, 0x90, 0xEB, 0xF9});  // inc; pause; jmp
  (void)machine->run({.until = Tick(1'000'000)});
  for (unsigned cpu = 0; cpu < 2; ++cpu) EXPECT_EQ(counted(*machine, cpu), 1000u) << cpu;  // once a slice
}

TEST(SeveralCpus, code_that_one_cpu_writes_the_other_runs) {
  // CPU 1 counts in a loop; CPU 0 waits, then turns the loop's INC into DEC (66 FF 07 -> 66 FF 0F).
  auto machine = started(2, count_forever);
  constexpr u16 writer = 0x2000;
  // mov cx, 10000; loop $; mov byte [1002h], 0Fh; jmp $
  EXPECT_TRUE(machine->memory().write_block(
      PhysicalAddress(writer),
      std::vector<u8>{0xB9, 0x10, 0x27, 0xE2, 0xFE, 0xC6, 0x06, 0x02, 0x10, 0x0F, 0xEB, 0xFE}));
  machine->cpu(0).state.rip = writer;
  (void)machine->run({.until = Tick(10'000)});
  const u64 before = counted(*machine, 1);
  EXPECT_GT(before, 4'000u);
  (void)machine->run({.until = Tick(1'000'000)});
  EXPECT_LT(static_cast<i32>(counted(*machine, 1)), 0);
}

TEST(SeveralCpus, init_leaves_intr_high_where_the_8259s_drive_it_past_the_local_apic) {
  const auto machine = started(2, {0xEB, 0xFE});  // jmp to itself, with interrupts off
  machine->ports().write(Port(0x22), AccessSize(1), 0x70);
  machine->ports().write(Port(0x23), AccessSize(1), 0);
  machine->inject({.kind = InputKind::KeyScan, .value = 0x1C});
  (void)machine->run({.until = Tick(10'000'000)});
  ASSERT_TRUE(machine->cpu(0).state.intr);
  machine->cpu(0).init(RequestId(1));
  EXPECT_TRUE(machine->cpu(0).state.intr);
}

}  // namespace
}  // namespace vitrine
