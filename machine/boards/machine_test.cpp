// The whole machine, with guests of a few instructions that are placed in memory by hand.
#include "machine/boards/machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <utility>

#include "machine/boards/pc_board.hpp"
#include "machine/boot/acpi_tables.hpp"
#include "machine/cpu/probe.hpp"

namespace vitrine {
namespace {

struct Sink final : LedgerSink {
  void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
  std::vector<Record> records;
};

struct Out final : Outputs {
  void byte_out(Channel channel, u8 byte) override {
    bytes.emplace_back(channel, byte);
    if (on_byte) on_byte();
  }
  std::vector<std::pair<Channel, u8>> bytes;
  std::function<void()> on_byte;
};

/// 16-bit code that is put together byte by byte.
class Code {
 public:
  static constexpr u16 origin = 0x1000;
  Code& operator()(std::initializer_list<int> bytes) {
    for (const int byte : bytes) bytes_.push_back(static_cast<u8>(byte));
    return *this;
  }
  /// mov al, value; out port, al
  Code& out(u8 port, u8 value) { return (*this)({0xB0, value, 0xE6, port}); }
  /// mov word [address], value
  Code& store(u16 address, u16 value) {
    return (*this)({0xC7, 0x06, address & 0xFF, address >> 8, value & 0xFF, value >> 8});
  }
  [[nodiscard]] u16 here() const { return static_cast<u16>(origin + bytes_.size()); }
  [[nodiscard]] const std::vector<u8>& bytes() const { return bytes_; }

 private:
  std::vector<u8> bytes_;
};

constexpr u16 counter = 0x500;      // where the handlers count
constexpr u16 handler_at = 0x2000;  // where they stand

enum class Watched : u8 { No, Yes };

/// A machine with a guest in real mode: all segments 0, stack below 0x7000.
struct Guest {
  Out out;
  Sink sink;
  std::unique_ptr<Machine> machine;

  explicit Guest(const Code& code, Watched watched = Watched::Yes) {
    machine = *Machine::create({.memory_bytes = u64{1} << 20, .outputs = &out});
    if (watched == Watched::Yes) machine->ledger().attach(sink);
    machine->initialise_as_firmware();
    put(Code::origin, code.bytes());
    // push ax; inc word [counter]; mov al, 0x20; out 0x20, al; pop ax; iret
    put(handler_at, {0x50, 0xFF, 0x06, counter & 0xFF, counter >> 8, 0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF});
    CpuState& state = machine->cpu().state;
    for (Segment& segment : state.segments) {
      segment.selector = 0;
      segment.base = 0;
    }
    state.rip = Code::origin;
    state.gpr[rsp] = 0x7000;
    machine->cpu().state_changed();
  }
  void put(u16 address, const std::vector<u8>& bytes) const {
    ASSERT_TRUE(machine->memory().write_block(PhysicalAddress(address), bytes));
  }
  [[nodiscard]] u64 word(u16 address) const { return machine->memory().peek(PhysicalAddress(address), AccessSize(2)); }
  Machine::RunResult run_for(u64 nanoseconds) const {
    return machine->run({.until = machine->clock().now() + nanoseconds});
  }
  std::vector<Record> records(RecordKind kind) {
    machine->ledger().flush();
    std::vector<Record> found;
    for (const Record& record : sink.records) {
      if (record.kind == kind) found.push_back(record);
    }
    return found;
  }
  [[nodiscard]] std::vector<u8> save() const {
    Archive archive = Archive::saver();
    machine->exchange(archive);
    return archive.bytes();
  }
};

/// PIT channel 0 in mode 2 with 1193 counts (about 1 kHz), only IRQ 0 open, handler on vector 8.
Code timer_at_1_khz() {
  Code code;
  code({0xFA}).store(8 * 4, handler_at).store(8 * 4 + 2, 0);
  code.out(0x43, 0x34).out(0x40, 0xA9).out(0x40, 0x04).out(0x21, 0xFE).out(0xA1, 0xFF);
  return code;
}
/// ... and then spins with interrupts on: sti; inc cx; jmp.
Code spinning_with_timer() { return timer_at_1_khz()({0xFB, 0x41, 0xEB, 0xFD}); }
/// ... or sleeps: sti; hlt; jmp.
Code sleeping_with_timer() { return timer_at_1_khz()({0xFB, 0xF4, 0xEB, 0xFD}); }

// --- the clock and the limits
// -----------------------------------------------------------------------------------------

TEST(Machine, one_instruction_takes_one_nanosecond_and_limits_are_exact) {
  Guest guest(Code()({0x41, 0xEB, 0xFD}));  // inc cx; jmp
  EXPECT_EQ(guest.machine->run({.instructions = 1001}).reason, Machine::StopReason::InstructionLimit);
  EXPECT_EQ(guest.machine->cpu().state.instructions, 1001u);
  EXPECT_EQ(guest.machine->clock().now(), Tick(1001));
  EXPECT_EQ(guest.machine->run({.until = Tick(4321)}).reason, Machine::StopReason::TimeLimit);
  EXPECT_EQ(guest.machine->cpu().state.instructions, 4321u);
  EXPECT_EQ(guest.machine->cpu().state.gpr[rcx], 2161u);
}

TEST(Machine, a_limit_that_is_reached_already_runs_nothing) {
  Guest guest(Code()({0x41, 0xEB, 0xFD}));
  EXPECT_EQ(guest.machine->run({.until = Tick(0)}).reason, Machine::StopReason::TimeLimit);
  EXPECT_EQ(guest.machine->run({.instructions = 0}).reason, Machine::StopReason::InstructionLimit);
  EXPECT_EQ(guest.machine->cpu().state.instructions, 0u);
}

TEST(Machine, a_run_in_many_slices_equals_one_run) {
  Guest whole(spinning_with_timer()), sliced(spinning_with_timer());
  (void)whole.run_for(3'000'000);
  for (u64 until = 0; until < 3'000'000; until += 777) (void)sliced.machine->run({.until = Tick(until)});
  (void)sliced.machine->run({.until = Tick(3'000'000)});
  EXPECT_EQ(whole.word(counter), sliced.word(counter));
  EXPECT_EQ(whole.save(), sliced.save());
}

// --- interrupts
// -------------------------------------------------------------------------------------------------------

TEST(Machine, timer_interrupt_is_delivered_before_the_very_next_instruction) {
  Guest guest(spinning_with_timer());
  (void)guest.run_for(5'500'000);
  const std::vector<Record> delivered = guest.records(RecordKind::Delivered);
  ASSERT_EQ(delivered.size(), 5u);
  std::vector<Record> raised = guest.records(RecordKind::Raised);
  for (const Record& arrival : delivered) {
    const auto cause = std::ranges::find(raised, arrival.id, &Record::id);
    ASSERT_NE(cause, raised.end());
    EXPECT_EQ(cause->pin, 0);
    EXPECT_EQ(arrival.time, cause->time) << "the loop has an instruction boundary at every nanosecond";
    EXPECT_EQ(arrival.vector, 8);
    EXPECT_EQ(arrival.address, handler_at);
  }
  EXPECT_EQ(guest.word(counter), 5u);
}

TEST(Machine, timer_interrupts_come_on_edges_of_the_timers_own_clock) {
  Guest guest(spinning_with_timer());
  (void)guest.run_for(10'500'000);
  const std::vector<Record> delivered = guest.records(RecordKind::Delivered);
  ASSERT_EQ(delivered.size(), 10u);
  static constexpr ClockRatio pit{1'193'182};
  for (std::size_t i = 0; i < delivered.size(); ++i) {
    const u64 count = pit.counts_at(Tick(delivered[i].time));
    EXPECT_EQ(pit.tick_of(count), Tick(delivered[i].time));
    if (i > 0) EXPECT_EQ(count - pit.counts_at(Tick(delivered[i - 1].time)), 1193u);
  }
}

TEST(Machine, every_request_of_the_timer_ends_with_eoi_and_return) {
  Guest guest(sleeping_with_timer());
  (void)guest.run_for(10'500'000);
  EXPECT_EQ(guest.records(RecordKind::Acknowledged).size(), 10u);
  EXPECT_EQ(guest.records(RecordKind::EndOfInterrupt).size(), 10u);
  EXPECT_EQ(guest.records(RecordKind::Returned).size(), 10u);
  EXPECT_EQ(guest.records(RecordKind::Woken).size(), 10u);
  EXPECT_EQ(guest.word(counter), 10u);
}

TEST(Machine, request_that_outranks_a_blocked_one_is_blocked_by_the_interrupt_flag_too) {
  // cli; COM1 (IRQ 4) asks for "transmitter empty" first, the timer (IRQ 0) later; both open at the controller.
  Code code;
  code({0xFA}).out(0x21, 0xEE).out(0x43, 0x34).out(0x40, 0xA9).out(0x40, 0x04);
  code({0xBA, 0xFC, 0x03, 0xB0, 0x08, 0xEE, 0xBA, 0xF9, 0x03, 0xB0, 0x02, 0xEE, 0xEB, 0xFE});
  // mov dx, 3FCh; mov al, 8; out dx, al; mov dx, 3F9h; mov al, 2; out dx, al; jmp $
  Guest guest(code);
  (void)guest.run_for(3'000'000);
  std::vector<int> pins;
  for (const Record& record : guest.records(RecordKind::Blocked)) {
    if (static_cast<Obstacle>(record.detail) != Obstacle::InterruptFlag) continue;
    for (const Record& raised : guest.records(RecordKind::Raised)) {
      if (raised.id == record.id) pins.push_back(raised.pin);
    }
  }
  ASSERT_GE(pins.size(), 2u);
  EXPECT_EQ(pins[0], 4);
  EXPECT_EQ(pins[1], 0);
}

TEST(Machine, unmasked_floating_point_error_raises_irq_13_when_cr0_ne_is_clear) {
  Code code;
  code({0xFA}).store(0x75 * 4, handler_at).store(0x75 * 4 + 2, 0).out(0x21, 0xFB).out(0xA1, 0xDF);
  code({0xDB, 0xE3});                                   // fninit
  code.store(0x600, 0x037B)({0xD9, 0x2E, 0x00, 0x06});  // fldcw [0x600]: zero divide unmasked
  code({0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9});           // fld1; fldz; fdivp
  code({0xFB, 0xD9, 0xE8, 0xF4});                       // sti; fld1 (waits); hlt
  Guest guest(code);
  // out 0xF0, al; inc word [counter]; fnclex; EOI to both; iret
  guest.put(handler_at, {0xE6, 0xF0, 0xFF, 0x06, counter & 0xFF, counter >> 8, 0xDB, 0xE2, 0xB0, 0x20, 0xE6, 0xA0, 0xE6,
                         0x20, 0xCF});
  (void)guest.run_for(1'000'000);
  EXPECT_EQ(guest.word(counter), 1u);
}

// --- ends
// -------------------------------------------------------------------------------------------------------------

TEST(MachineEnd, hlt_with_interrupts_off_is_for_good_though_the_timer_ticks) {
  Guest guest(timer_at_1_khz()({0xFA, 0xF4}));
  EXPECT_EQ(guest.run_for(1'000'000'000).reason, Machine::StopReason::HaltedForever);
  EXPECT_LT(guest.machine->clock().now(), Tick(1000));
}

TEST(MachineEnd, hlt_with_all_requests_masked_is_for_good) {
  Guest guest(timer_at_1_khz().out(0x21, 0xFF)({0xFB, 0xF4}));
  EXPECT_EQ(guest.run_for(1'000'000'000).reason, Machine::StopReason::HaltedForever);
}

TEST(MachineEnd, hlt_with_interrupts_on_sleeps_until_the_timer_and_goes_on) {
  Guest guest(sleeping_with_timer());
  EXPECT_EQ(guest.run_for(1'000'000'000).reason, Machine::StopReason::TimeLimit);
  EXPECT_EQ(guest.word(counter), 1000u);
  EXPECT_LT(guest.machine->cpu().state.instructions, 20'000u) << "time asleep takes no instructions";
}

TEST(MachineEnd, a_guest_that_halted_with_interrupts_on_goes_on_when_an_input_comes) {
  Code code;
  code({0xFA}).store(9 * 4, handler_at).store(9 * 4 + 2, 0).out(0x21, 0xFD).out(0xA1, 0xFF)({0xFB, 0xF4, 0xEB, 0xFD});
  Guest guest(code);
  (void)guest.run_for(1'000'000);
  EXPECT_EQ(guest.word(counter), 0u);
  guest.machine->inject({.kind = InputKind::KeyScan, .value = 0x1C});
  (void)guest.run_for(100'000'000);
  EXPECT_EQ(guest.word(counter), 1u);
}

TEST(MachineEnd, a_write_to_port_f4_ends_with_its_value_and_stays_the_end) {
  Guest guest(Code().out(0xF4, 0x2A)({0xEB, 0xFE}));
  for (int i = 0; i < 2; ++i) {
    const Machine::RunResult result = guest.run_for(1000);
    EXPECT_EQ(result.reason, Machine::StopReason::GuestExit);
    EXPECT_EQ(result.value, 0x2Au);
    EXPECT_EQ(guest.machine->cpu().state.instructions, 2u);
  }
}

TEST(MachineEnd, acpi_s5_powers_off) {
  // mov dx, 0x604; mov ax, SLP_EN and the type of S5; out dx, ax
  Guest guest(Code()({0xBA, 0x04, 0x06, 0xB8, 0x00, 0x20 | acpi_power_off_sleep_type << 2, 0xEF, 0xEB, 0xFE}));
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::PowerOff);
}

TEST(MachineEnd, port_cf9_resets_and_the_machine_can_go_on_from_its_reset_vector) {
  Guest guest(Code()({0xBA, 0xF9, 0x0C, 0xB0, 0x06, 0xEE, 0xEB, 0xFE}));  // mov dx, 0xCF9; mov al, 6; out dx, al
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::Reset);
  guest.machine->reset();
  EXPECT_EQ(guest.machine->cpu().state.segments[cs].base, 0xFFFF0000u);
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::Reset) << "the ROM has nothing to start, and tries again";
}

TEST(MachineEnd, a_fault_without_an_idt_is_a_triple_fault) {
  Code code;
  code({0x0F, 0x01, 0x1E, 0x00, 0x06, 0xCC});  // lidt [0x600], all zero; int3
  Guest guest(code);
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::TripleFault);
  EXPECT_GT(guest.machine->cpu().last_exceptions().count, 0);
  EXPECT_EQ(guest.records(RecordKind::TripleFault).size(), 1u);
}

TEST(MachineEnd, a_stop_asked_for_by_an_output_comes_after_that_very_instruction) {
  Guest guest(Code().out(0xE9, 'A').out(0xE9, 'B')({0xEB, 0xFE}));
  guest.out.on_byte = [&guest] { guest.machine->request_stop(); };
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::Stopped);
  EXPECT_EQ(guest.machine->cpu().state.instructions, 2u);
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::Stopped);
  EXPECT_EQ(guest.machine->cpu().state.instructions, 4u);
  EXPECT_EQ(guest.run_for(1000).reason, Machine::StopReason::TimeLimit);
}

TEST(MachineEnd, a_new_machine_without_a_guest_resets_itself_from_its_rom) {
  const std::unique_ptr<Machine> machine = *Machine::create({.memory_bytes = u64{1} << 20});
  EXPECT_EQ(machine->run({}).reason, Machine::StopReason::Reset);
}

// --- repeating
// --------------------------------------------------------------------------------------------------------

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

// --- the board
// --------------------------------------------------------------------------------------------------------

TEST(Machine, firmware_leaves_the_bios_data_area_and_the_controllers_as_every_pc_does) {
  Guest guest(Code()({0xF4}));
  EXPECT_EQ(guest.word(0x40E), 0x9FC0u);
  EXPECT_EQ(guest.word(0x413), 639u);
  EXPECT_EQ(guest.word(0x400), 0x3F8u);
  EXPECT_EQ(guest.machine->board().pic0.vector_of(Pin(0)), Vector(0x08));
  EXPECT_EQ(guest.machine->board().pic1.vector_of(Pin(0)), Vector(0x70));
}

TEST(Machine, the_text_screen_shows_what_the_guest_writes_to_b8000) {
  // mov ax, 0xB800; mov ds, ax; mov word [0], 'A' on grey; hlt
  Guest guest(Code()({0xB8, 0x00, 0xB8, 0x8E, 0xD8}).store(0, 0x0741)({0xFA, 0xF4}));
  (void)guest.run_for(1000);
  EXPECT_EQ(guest.machine->text_screen()[0], "A");
}

TEST(Machine, the_a20_gate_wraps_addresses_at_one_mebibyte) {
  // mov ax, 0xFFFF; mov ds, ax; in al, 0x92; and al, ~2; out 0x92, al; mov byte [0x0610], 0x55: wraps to 0x600; hlt
  Guest guest(Code()({0xB8, 0xFF, 0xFF, 0x8E, 0xD8, 0xE4, 0x92, 0x24, 0xFD, 0xE6, 0x92})(
      {0xC6, 0x06, 0x10, 0x06, 0x55, 0xFA, 0xF4}));
  (void)guest.run_for(1000);
  EXPECT_EQ(guest.word(0x600) & 0xFF, 0x55u);
}

TEST(Machine, the_bus_reports_the_chips_of_its_southbridge) {
  Guest guest(Code()({0xF4}));
  PortBus& ports = guest.machine->ports();
  const auto config = [&ports](u32 device, u32 function, u32 offset) {
    ports.write(Port(0xCF8), AccessSize(4), 0x80000000 | device << 11 | function << 8 | offset);
    return ports.read(Port(0xCFC), AccessSize(4));
  };
  EXPECT_EQ(config(0, 0, 0), 0x12378086u);
  EXPECT_EQ(config(1, 0, 0), 0x70008086u);
  EXPECT_EQ(config(1, 1, 0), 0x70108086u);
  EXPECT_EQ(config(1, 2, 0), 0xFFFFFFFFu);
  EXPECT_EQ(config(1, 3, 0), 0x71138086u);
  EXPECT_EQ(config(1, 3, 0x40), 0x601u);
}

}  // namespace
}  // namespace vitrine
