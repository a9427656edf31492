// The machine with its APICs: what ends a HLT, INIT, and what an acknowledge sets going.
#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <vector>

#include "machine/boards/machine.hpp"
#include "machine/boards/machine_records.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {
namespace {

using namespace apic;

constexpr u16 program = 0x1000, handler = 0x2000;
constexpr u64 io_apic = 0xFEC00000, hpet = 0xFED00000, counter = 0x500;

/// A guest in real mode whose data segment has 4 GiB; interrupts count at `counter`, and go on waiting.
struct Guest {
  MachineRecords sink;
  std::unique_ptr<Machine> machine;

  Guest(std::initializer_list<u8> code, unsigned cpus = 1) {
    machine = *Machine::create({.memory_bytes = u64{8} << 20, .cpus = cpus});
    machine->initialise_as_firmware();
    put(program, code);
    put(handler, {0xFF, 0x06, 0x00, 0x05, 0xEB, 0xFA});  // inc word [500h]; jmp handler
    for (u16 vector = 0; vector < 256; ++vector) {
      put(static_cast<u16>(4 * vector), {handler & 0xFF, handler >> 8, 0, 0});
    }
    for (unsigned number = 0; number < cpus; ++number) {
      machine->cpu(number).start_up(0, RequestId(0));
      CpuState& state = machine->cpu(number).state;
      for (Segment& segment : state.segments) segment.selector = 0, segment.base = 0;
      state.segments[ds].limit = ~u32{0};
      state.rip = program;
      state.gpr[rsp] = 0x7000;
      machine->cpu(number).state_changed();
    }
    machine->ledger().attach(sink);
  }
  void put(u16 at, std::initializer_list<u8> bytes) {
    EXPECT_TRUE(machine->memory().write_block(PhysicalAddress(at), std::vector<u8>(bytes)));
  }
  void out(u16 port, u8 value) { machine->ports().write(Port(port), AccessSize(1), value); }
  void local(u32 offset, u32 value) { machine->board().apics->local(0).write_register(offset, 4, value); }
  void io_apic_entry(u8 pin, u32 low) {
    machine->memory().write(PhysicalAddress(io_apic), AccessSize(4), 0x10u + 2 * pin);
    machine->memory().write(PhysicalAddress(io_apic + 0x10), AccessSize(4), low);
  }
  void hpet_register(u64 offset, u64 value) {
    machine->memory().write(PhysicalAddress(hpet + offset), AccessSize(8), value);
  }
  /// The interrupt tester's MSI, with this data; unmasked.
  void msi(u16 data) {
    PciConfig& config = machine->board().interrupt_tester->config();
    const auto write = [&](unsigned at, u8 size, u32 value) {
      config.write(static_cast<u8>(at), AccessSize(size), value);
      machine->board().interrupt_tester->config_written(static_cast<u8>(at), AccessSize(size));
    };
    auto capability = static_cast<u8>(config.read(PciConfig::capabilities_register, AccessSize(1)));
    while (config.read(capability, AccessSize(1)) != 0x05) {
      capability = static_cast<u8>(config.read(static_cast<u8>(capability + 1), AccessSize(1)));
    }
    write(PciConfig::command_register, 2, PciConfig::bus_master_bit);
    write(capability + 4u, 4, 0xFEE00000);
    write(capability + 12u, 2, data);
    write(capability + 2u, 2, 1);
  }
  u64 counted() { return machine->memory().peek(PhysicalAddress(counter), AccessSize(2)); }
  std::vector<Record> records(RecordKind kind) { return sink.of(*machine, kind); }
};

constexpr u8 cli = 0xFA, sti = 0xFB, hlt = 0xF4, nop = 0x90;

// --- what can end a HLT

struct HaltRow {
  const char* what;
  u8 flag;
  std::function<void(Guest&)> prepare;
  Machine::StopReason expected;
};

void raise_priority_class_to_15(Guest& guest) { guest.local(offset::task_priority, 0xF0); }

TEST(MachineHalt, is_for_good_only_if_nothing_passes_to_the_cpu) {
  using enum Machine::StopReason;
  constexpr u32 nmi = 4 << 8, external = 7 << 8, masked = 1 << 16;
  const auto all_masked = [](Guest&) {};
  const auto pic_mode = [](Guest& guest) {
    guest.local(offset::spurious_vector, 0xFF);
    guest.out(0x22, 0x70);
    guest.out(0x23, 0x00);
    guest.out(0x21, 0xFE);
  };
  const HaltRow rows[] = {
      {"all masked", sti, all_masked, HaltedForever},
      {"PIC mode past a local APIC that is off", sti, pic_mode, TimeLimit},
      {"PIC mode, IF clear", cli, pic_mode, HaltedForever},
      {"PIC mode at priority class 15", sti,
       [&](Guest& guest) {
         guest.out(0x22, 0x70);
         guest.out(0x23, 0x00);
         guest.out(0x21, 0xFE);
         raise_priority_class_to_15(guest);
       },
       TimeLimit},
      {"I/O APIC, NMI", cli, [](Guest& guest) { guest.io_apic_entry(2, nmi); }, TimeLimit},
      {"I/O APIC, NMI, masked", cli, [](Guest& guest) { guest.io_apic_entry(2, nmi | masked); }, HaltedForever},
      {"I/O APIC, fixed, IF clear", cli, [](Guest& guest) { guest.io_apic_entry(2, 0x40); }, HaltedForever},
      {"I/O APIC, fixed", sti, [](Guest& guest) { guest.io_apic_entry(2, 0x40); }, TimeLimit},
      {"I/O APIC, fixed, at priority class 15", sti,
       [](Guest& guest) {
         raise_priority_class_to_15(guest);
         guest.local(offset::lvt_lint0, 0x10700);
         guest.io_apic_entry(2, 0x40);
       },
       HaltedForever},
      {"I/O APIC, ExtINT, at priority class 15", sti,
       [](Guest& guest) {
         raise_priority_class_to_15(guest);
         guest.local(offset::lvt_lint0, 0x10700);
         guest.io_apic_entry(0, external);
       },
       TimeLimit},
      {"MSI, NMI", cli, [](Guest& guest) { guest.msi(nmi); }, TimeLimit},
      {"MSI, fixed, IF clear", cli, [](Guest& guest) { guest.msi(0x40); }, HaltedForever},
      {"MSI, fixed", sti, [](Guest& guest) { guest.msi(0x40); }, TimeLimit},
      {"HPET by message, NMI", cli,
       [](Guest& guest) {
         guest.hpet_register(Hpet::first_timer + Hpet::timer_fsb_route, u64{0xFEE00000} << 32 | nmi);
         guest.hpet_register(Hpet::first_timer, Hpet::fsb_enable_bit | Hpet::interrupt_enable_bit);
         guest.hpet_register(Hpet::configuration, Hpet::enable_bit);
       },
       TimeLimit},
  };
  for (const HaltRow& row : rows) {
    Guest guest({row.flag, hlt});
    guest.out(0x21, 0xFF);
    guest.out(0xA1, 0xFF);
    row.prepare(guest);
    EXPECT_EQ(guest.machine->run({.until = Tick(10'000)}).reason, row.expected) << row.what;
  }
}

// --- what an acknowledge sets going

TEST(MachineApic, an_expiry_that_the_acknowledge_arms_comes_at_its_time) {
  // With IF clear the timer's second period merges, and the timer rests until the first one is taken.
  Guest guest({cli, nop, 0xB9, 0x00, 0x10, 0xE2, 0xFE, sti, 0xEB, 0xFE});  // mov cx, 1000h; loop $; sti; jmp $
  guest.local(offset::divide, 0xB);
  guest.local(offset::lvt_timer, 1 << 17 | 0x40);
  guest.local(offset::initial_count, 100);
  (void)guest.machine->run({.until = Tick(100'000)});
  const std::vector<Record> acknowledged = guest.records(RecordKind::Acknowledged);
  ASSERT_EQ(acknowledged.size(), 1u);
  const u64 at = acknowledged[0].time;
  u64 next = 0;
  for (const Record& raised : guest.records(RecordKind::Raised)) {
    if (raised.pin == static_cast<u8>(ApicPin::Timer) && raised.time > at && next == 0) next = raised.time;
  }
  EXPECT_GT(next, at);
  EXPECT_LE(next, at + 100);
}

// --- INIT

// mov dword [FEE00300h], 4500h: INIT to the CPU with the id in the high half; inc word [500h]; jmp $
constexpr std::initializer_list<u8> send_init = {0x66, 0x67, 0xC7, 0x05, 0x00, 0x03, 0xE0, 0xFE, 0x00,
                                                 0x45, 0x00, 0x00, 0xFF, 0x06, 0x00, 0x05, 0xEB, 0xFE};

TEST(MachineInit, a_cpu_that_resets_itself_goes_on_at_the_reset_vector) {
  Guest guest(send_init);
  (void)guest.machine->run({.instructions = 1});
  const CpuState& state = guest.machine->cpu().state;
  EXPECT_EQ(state.segments[cs].base, 0xFFFF0000u);
  EXPECT_EQ(state.rip, 0xFFF0u);
  EXPECT_EQ(state.instructions, 1u);
  (void)guest.machine->run({.until = Tick(10'000)});
  EXPECT_EQ(guest.counted(), 0u);
}

TEST(MachineInit, another_cpu_that_resets_itself_waits_for_a_start_up_message) {
  Guest guest({0xEB, 0xFE}, 2);
  constexpr u16 other = 0x3000;
  guest.put(other, send_init);
  guest.machine->board().apics->local(1).write_register(offset::command_high, 4, 1u << 24);
  guest.machine->cpu(1).state.rip = other;
  (void)guest.machine->run({.until = Tick(10'000)});
  EXPECT_TRUE(guest.machine->cpu(1).state.waits_for_startup);
  EXPECT_FALSE(guest.machine->cpu(0).state.waits_for_startup);
  EXPECT_EQ(guest.counted(), 0u);
}

// SDM vol. 3A §8.4.2.
TEST(MachineInit, asks_the_bsp_flag_of_the_apic_base_register_which_cpu_waits) {
  Guest guest({0xEB, 0xFE}, 2);
  const auto apic = [&](unsigned cpu) -> LocalApic& { return guest.machine->board().apics->local(cpu); };
  using enum LocalInterrupts::MsrResult;
  ASSERT_EQ(apic(0).write_msr(msr::apic_base, 0xFEE00000 | base_enabled), Done);
  ASSERT_EQ(apic(1).write_msr(msr::apic_base, 0xFEE00000 | base_enabled | base_bsp), Done);
  for (unsigned cpu = 0; cpu < 2; ++cpu) guest.machine->cpu(cpu).init(RequestId(cpu + 1));
  EXPECT_TRUE(guest.machine->cpu(0).state.waits_for_startup);
  EXPECT_FALSE(guest.machine->cpu(1).state.waits_for_startup);
  const std::vector<Record> resets = guest.records(RecordKind::CpuReset);
  ASSERT_EQ(resets.size(), 2u);
  EXPECT_EQ(resets[0].detail, 1u);
  EXPECT_EQ(resets[1].detail, 0u);
  guest.machine->reset();
  EXPECT_FALSE(guest.machine->cpu(0).state.waits_for_startup) << "RESET gives the flag to the first CPU again";
  EXPECT_TRUE(guest.machine->cpu(1).state.waits_for_startup);
}

// --- IA32_APIC_BASE

TEST(MachineApic, a_page_that_was_read_as_ram_becomes_the_apics_at_once) {
  // mov esi, [400030h]; wrmsr; mov edi, [400030h]; jmp $
  Guest guest({0x66, 0x67, 0x8B, 0x35, 0x30, 0x00, 0x40, 0x00, 0x0F, 0x30,
               0x66, 0x67, 0x8B, 0x3D, 0x30, 0x00, 0x40, 0x00, 0xEB, 0xFE});
  CpuState& state = guest.machine->cpu().state;
  state.gpr[rcx] = msr::apic_base;
  state.gpr[rax] = 0x400000 | base_enabled | base_bsp;
  state.gpr[rdx] = 0;
  (void)guest.machine->run({.instructions = 4});
  EXPECT_EQ(static_cast<u32>(state.gpr[rsi]), 0u);
  EXPECT_EQ(state.rip, program + 18u);
  EXPECT_EQ(static_cast<u32>(state.gpr[rdi]), version);
}

// --- reset

TEST(MachineReset, leaves_a_board_that_equals_a_new_one) {
  const auto board_of = [](Machine& machine) {
    Archive archive = Archive::saver();
    machine.board().apics->exchange(archive);
    return archive.bytes();
  };
  Guest guest({0xEB, 0xFE}, 2);
  const std::vector<u8> fresh = board_of(**Machine::create({.memory_bytes = u64{8} << 20, .cpus = 2}));
  for (unsigned cpu = 0; cpu < 2; ++cpu) {
    guest.machine->board().apics->local(cpu).write_register(offset::spurious_vector, 4, 0x1FF);
  }
  guest.io_apic_entry(2, 1 << 8 | 0x40);  // lowest priority: the bus remembers who had it last
  guest.machine->board().pit.write(Region(0), 3, AccessSize(1), 0x30);
  guest.machine->board().pit.write(Region(0), 0, AccessSize(1), 10);
  guest.machine->board().pit.write(Region(0), 0, AccessSize(1), 0);
  (void)guest.machine->run({.until = Tick(1'000'000)});
  ASSERT_NE(board_of(*guest.machine), fresh);
  guest.machine->reset();
  EXPECT_EQ(board_of(*guest.machine), fresh);
}

// --- the performance counter's entry

TEST(MachineLedger, an_entry_that_its_own_interrupt_masked_is_told_as_masked_then) {
  Guest guest({cli, nop, nop, nop, nop, hlt});
  guest.local(offset::lvt_performance, 0x71);
  (void)guest.machine->run({.until = Tick(3)});
  LocalApic& apic = guest.machine->board().apics->local(0);
  apic.raise_local(LocalInterrupts::Source::PerformanceCounter);
  const std::vector<Record> programmed = guest.records(RecordKind::ControllerProgrammed);
  ASSERT_FALSE(programmed.empty());
  EXPECT_EQ(programmed.back().pin, static_cast<u8>(ApicPin::Performance));
  EXPECT_EQ(programmed.back().extra, 0x10071u);
  apic.raise_local(LocalInterrupts::Source::PerformanceCounter);
  const std::vector<Record> blocked = guest.records(RecordKind::Blocked);
  ASSERT_FALSE(blocked.empty());
  EXPECT_EQ(blocked.back().since, 3u) << "not since it was opened";
}

}  // namespace
}  // namespace vitrine
