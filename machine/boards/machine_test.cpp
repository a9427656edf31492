// The whole machine: time, interrupts, how it ends, what its firmware leaves.
#include "machine/boards/machine.hpp"

#include <algorithm>
#include <cstring>

#include "machine/boards/machine_test_bench.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/boot/acpi_tables.hpp"

namespace vitrine {
namespace {

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
