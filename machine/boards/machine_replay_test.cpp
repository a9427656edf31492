// Runs that are repeated, saved and restored, and observed: none of it makes a difference.
#include "machine/boards/machine_test_bench.hpp"
#include "machine/cpu/probe.hpp"

namespace vitrine {
namespace {

/// Reads bytes from COM1 by interrupt (vector 0x0C) and counts them, with the timer running too.
Code serial_reader() {
  Code code = timer_at_1_khz();
  code.store(0x0C * 4, handler_at + 0x100).store(0x0C * 4 + 2, 0).out(0x21, 0xEE);
  code({0xBA, 0xF9, 0x03, 0xB0, 0x01, 0xEE});  // mov dx, 0x3F9; mov al, 1; out dx, al: receive interrupt on
  code({0xBA, 0xFC, 0x03, 0xB0, 0x0B, 0xEE});  // mov dx, 0x3FC; mov al, 0x0B; out dx, al: DTR, RTS, OUT2
  return code({0xFB, 0xF4, 0xEB, 0xFD});
}
const std::vector<u8> serial_handler = {0x50, 0x52, 0xBA, 0xF8, 0x03, 0xEC, 0xA2,
                                        0x04, 0x05,                          // push; in al, dx; mov [0x504], al
                                        0xE6, 0xE9, 0xFF, 0x06, 0x02, 0x05,  // out 0xE9, al; inc word [0x502]
                                        0xB0, 0x20, 0xE6, 0x20, 0x5A, 0x58, 0xCF};

struct SerialGuest : Guest {
  SerialGuest() : Guest(serial_reader()) { put(handler_at + 0x100, serial_handler); }
};

TEST(MachineReplay, a_serial_byte_arrives_and_is_in_the_journal) {
  SerialGuest guest;
  (void)guest.run_for(2'000'000);
  EXPECT_TRUE(guest.machine->serial_wants_input(0));
  EXPECT_FALSE(guest.machine->serial_wants_input(1));
  guest.machine->inject({.kind = InputKind::SerialByte, .port = 0, .value = 'x'});
  (void)guest.run_for(5'000'000);
  EXPECT_EQ(guest.word(0x502), 1u);
  EXPECT_EQ(guest.word(0x504) & 0xFF, u64{'x'});
  ASSERT_EQ(guest.machine->journal().size(), 1u);
  EXPECT_EQ(guest.machine->journal()[0].time, Tick(2'000'000));
}

TEST(MachineReplay, the_same_journal_gives_the_same_records_and_the_same_machine) {
  SerialGuest live;
  // Inputs at times that nobody chose: some from outside, some from within an output.
  live.out.on_byte = [&live] {
    if (live.machine->journal().size() < 6) {
      live.machine->inject({.kind = InputKind::SerialByte, .port = 0, .value = live.machine->journal().size()});
    }
  };
  (void)live.run_for(1'234'567);
  live.machine->inject({.kind = InputKind::SerialByte, .port = 0, .value = 'a'});
  live.machine->inject({.kind = InputKind::KeyScan, .value = 0x1C});
  (void)live.run_for(30'000'000);
  ASSERT_GE(live.machine->journal().size(), 6u);

  SerialGuest again;
  for (const Input& input : live.machine->journal()) {
    (void)again.machine->run({.until = input.time});
    again.machine->inject(input);
  }
  (void)again.machine->run({.until = live.machine->clock().now()});
  EXPECT_EQ(live.save(), again.save());
  live.machine->ledger().flush();
  again.machine->ledger().flush();
  ASSERT_EQ(live.sink.records.size(), again.sink.records.size());
  EXPECT_EQ(
      0, std::memcmp(live.sink.records.data(), again.sink.records.data(), live.sink.records.size() * sizeof(Record)));
}

TEST(MachineReplay, two_machines_in_one_process_do_not_know_of_each_other) {
  Guest alone(spinning_with_timer());
  (void)alone.run_for(4'000'000);
  Guest left(spinning_with_timer());
  SerialGuest right;
  for (int i = 0; i < 400; ++i) {
    (void)left.run_for(10'000);
    (void)right.run_for(9'000);
  }
  EXPECT_EQ(left.save(), alone.save());
}

TEST(MachineReplay, a_restored_machine_goes_on_as_the_saved_one_does) {
  SerialGuest first;
  (void)first.run_for(3'333'333);
  first.machine->inject({.kind = InputKind::SerialByte, .port = 0, .value = 'q'});
  (void)first.run_for(77'777);  // in the middle of the character
  const std::vector<u8> saved = first.save();

  SerialGuest second;
  (void)second.run_for(9'999'999);  // it has a past of its own, which must vanish
  Archive loader = Archive::loader(saved);
  second.machine->exchange(loader);
  ASSERT_TRUE(loader.ok() && loader.at_end());
  EXPECT_EQ(second.save(), saved);

  first.machine->ledger().flush();
  second.machine->ledger().flush();
  first.sink.records.clear();
  second.sink.records.clear();
  (void)first.run_for(20'000'000);
  (void)second.run_for(20'000'000);
  EXPECT_EQ(first.word(0x502), 1u);
  EXPECT_EQ(second.save(), first.save());
  first.machine->ledger().flush();
  second.machine->ledger().flush();
  ASSERT_EQ(first.sink.records.size(), second.sink.records.size());
  EXPECT_EQ(0, std::memcmp(first.sink.records.data(), second.sink.records.data(),
                           first.sink.records.size() * sizeof(Record)));
}

TEST(MachineReplay, a_restored_machine_tells_of_an_obstacle_only_once) {
  const Code code = timer_at_1_khz()({0x41, 0xEB, 0xFD});  // inc cx; jmp: never with interrupts on
  Guest first(code), second(code);
  (void)first.run_for(1'500'000);
  const std::vector<Record> told = first.records(RecordKind::Blocked);
  ASSERT_FALSE(told.empty());
  ASSERT_EQ(told.back().detail, static_cast<u8>(Obstacle::InterruptFlag));
  const std::vector<u8> saved = first.save();
  Archive loader = Archive::loader(saved);
  second.machine->exchange(loader);
  ASSERT_TRUE(loader.ok());
  const std::size_t before = second.records(RecordKind::Blocked).size();
  (void)second.run_for(400'000);
  EXPECT_EQ(second.records(RecordKind::Blocked).size(), before);
}

TEST(MachineReplay, observing_changes_nothing) {
  Guest observed(spinning_with_timer()), unobserved(spinning_with_timer(), Watched::No);
  (void)observed.run_for(4'000'000);
  (void)unobserved.run_for(4'000'000);
  EXPECT_EQ(observed.save(), unobserved.save());
  EXPECT_TRUE(unobserved.sink.records.empty());
}

/// Wants all that there is, and counts it.
struct CountingProbe final : CpuProbe {
  CountingProbe() {
    wants_interrupt_flag = true;
    wants_gs_use = true;
  }
  void delivered(const Cpu&, const ProbedDelivery&) override { ++deliveries; }
  void returning(const Cpu&, const ProbedReturn&) override {}
  void returned(const Cpu&, const ProbedReturn&) override { ++returns; }
  void left_kernel(const Cpu&, u64) override {}
  void entered_kernel(const Cpu&, u64) override {}
  void table_loaded(const Cpu&, ProbedTable, u64) override {}
  void interrupts_enabled(const Cpu&, u64) override { ++enabled; }
  void halted(const Cpu&, u64, HaltShadow) override {}
  void stack_switched(const Cpu&, u64, u64, u64) override { ++stacks; }
  void gs_changed(const Cpu&, u64, GsChange) override {}
  void gs_used(const Cpu&, u64) override { ++gs_uses; }
  void code_point(const Cpu&, u64) override { ++points; }
  void looked(const Cpu& cpu) override { last_look = cpu.state.instructions; }
  u64 deliveries = 0, returns = 0, enabled = 0, stacks = 0, gs_uses = 0, points = 0, last_look = 0;
};

TEST(MachineReplay, a_probe_changes_nothing) {
  // sti; inc cx; mov ax, gs:[1234h]; mov sp, 7000h; jmp back to inc
  const Code code = timer_at_1_khz()({0xFB, 0x41, 0x65, 0xA1, 0x34, 0x12, 0xBC, 0x00, 0x70, 0xEB, 0xF6});
  const u64 increment = code.here() - 10;
  Guest probed(code), alone(code);
  CountingProbe probe;
  probed.machine->set_probe(&probe);
  probed.machine->set_code_points({increment});
  (void)probed.run_for(4'000'000);
  (void)alone.run_for(4'000'000);
  EXPECT_EQ(probed.save(), alone.save());
  const std::vector<Record> delivered = alone.records(RecordKind::Delivered);
  EXPECT_EQ(probed.records(RecordKind::Delivered).size(), delivered.size());
  EXPECT_TRUE(std::ranges::equal(probed.sink.records, alone.sink.records,
                                 [](const Record& a, const Record& b) { return std::memcmp(&a, &b, sizeof a) == 0; }));
  EXPECT_EQ(probe.deliveries, delivered.size());
  EXPECT_EQ(probe.returns, delivered.size());
  EXPECT_EQ(probe.enabled, 1 + delivered.size());
  EXPECT_GT(probe.points, 900'000u);
  EXPECT_NEAR(static_cast<double>(probe.stacks), static_cast<double>(probe.points), 1);
  EXPECT_NEAR(static_cast<double>(probe.gs_uses), static_cast<double>(probe.points), 1);
  EXPECT_EQ(probe.last_look, 4'000'000u);
}

TEST(MachineReplay, an_archive_of_another_memory_size_is_refused) {
  Guest guest(spinning_with_timer());
  const std::vector<u8> saved = guest.save();
  const std::unique_ptr<Machine> bigger = *Machine::create({.memory_bytes = u64{2} << 20});
  Archive loader = Archive::loader(saved);
  bigger->exchange(loader);
  EXPECT_FALSE(loader.ok());
}

TEST(MachineReplay, an_archive_of_another_board_or_of_more_cpus_is_refused) {
  Guest guest(spinning_with_timer());
  const std::vector<u8> saved = guest.save();
  for (const MachineOptions& options : {MachineOptions{.memory_bytes = u64{1} << 20, .board = BoardKind::Q35},
                                        MachineOptions{.memory_bytes = u64{1} << 20, .board = BoardKind::Isa},
                                        MachineOptions{.memory_bytes = u64{1} << 20, .cpus = 2}}) {
    const std::unique_ptr<Machine> other = *Machine::create(options);
    Archive loader = Archive::loader(saved);
    other->exchange(loader);
    EXPECT_EQ(loader.error(), Archive::Error::BadValue);
  }
}

// Found by fuzzing: where the last block of code began was in it.
TEST(MachineReplay, an_archive_does_not_tell_into_which_pieces_the_run_was_cut) {
  Guest whole(spinning_with_timer()), cut(spinning_with_timer());
  (void)whole.run_for(3'001);
  while (cut.machine->clock().now() < whole.machine->clock().now()) {
    (void)cut.machine->run({.until = std::min(cut.machine->clock().now() + 7, whole.machine->clock().now())});
  }
  EXPECT_EQ(cut.save(), whole.save());
}

// Found by fuzzing: an event for a chip that is not there, and a clock whose sums wrap.
TEST(MachineReplay, an_archive_with_a_time_or_an_event_that_no_run_makes_is_refused) {
  Guest guest(spinning_with_timer());
  (void)guest.run_for(100'000);
  constexpr std::size_t clock_high_byte = 35, first_events_device = 82;
  for (const std::size_t place : {clock_high_byte, first_events_device}) {
    std::vector<u8> changed = guest.save();
    changed[place] = 0xF0;
    const std::unique_ptr<Machine> machine = *Machine::create({.memory_bytes = u64{1} << 20});
    Archive loader = Archive::loader(changed);
    machine->exchange(loader);
    EXPECT_EQ(loader.error(), Archive::Error::BadValue) << place;
  }
}

}  // namespace
}  // namespace vitrine
