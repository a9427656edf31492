// A machine's archive with changed bytes: it is refused, or the machine that comes of it is as harmless as any other.
//
// The input: which archive (of one or two CPUs, or in the middle of transfers of disks) and how many changes, then
// those, of five bytes each: place (three), kind, value. What is left over is a list of accesses to the machine that
// was made.

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "abi/ata.hpp"
#include "base/assert.hpp"
#include "machine/boards/machine.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/cpu/cpu.hpp"
#include "machine/devices/local_apic/registers.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

constexpr u64 memory_bytes = 1u << 20;

struct Original {
  unsigned cpus;
  std::vector<u8> bytes;
  std::size_t first, size;      // where it is changed
  std::vector<u16> ports = {};  // where it is used; empty: everywhere
};

std::vector<u8> saved(Machine& machine) {
  Archive archive = Archive::saver();
  machine.exchange(archive);
  return archive.bytes();
}

std::unique_ptr<Machine> make_machine(unsigned cpus) {
  constexpr std::size_t disk_bytes = 20 * DiskImage::sector_bytes;
  const DiskImage disk(std::make_shared<const DiskImage::Bytes>(disk_bytes, u8{0x5A}));
  return *Machine::create({.memory_bytes = memory_bytes, .cpus = cpus, .disks = {disk, {}, disk, {}}});
}

/// The APICs, with requests on their way, and a CPU that its timer will wake.
void set_up_apics(Machine& machine) {
  namespace offset = apic::offset;
  for (unsigned cpu = 0; cpu < machine.processors(); ++cpu) {
    LocalApic& apic = machine.board().apics->local(cpu);
    const std::array<std::array<u32, 2>, 6> registers = {{{offset::spurious_vector, 0x1FF},
                                                          {offset::divide, 0xB},
                                                          {offset::lvt_timer, 0x20040 + cpu},
                                                          {offset::initial_count, 700},
                                                          {offset::lvt_thermal, 0x50},
                                                          {offset::task_priority, 0x30}}};
    for (const auto& [at, value] : registers) apic.write_register(at, 4, value);
    (void)apic.write_msr(apic::msr::thermal_interrupt, 1u << 15 | 60u << 8);
  }
  static constexpr std::array<std::array<u64, 2>, 9> memory = {{{0xFEC00000, 0x14},
                                                                {0xFEC00010, 0x141},
                                                                {0xFEC00000, 0x10},
                                                                {0xFEC00010, 0x700},
                                                                {0xFED00100, 0x1404C},
                                                                {0xFED00108, 20},
                                                                {0xFED00120, 0x48},
                                                                {0xFED00128, 3},
                                                                {0xFED00010, 1}}};
  for (const auto& [at, value] : memory) machine.memory().write(PhysicalAddress(at), AccessSize(4), value);
}

/// A loop that counts in memory, with interrupts on.
void start_loops(Machine& machine) {
  static constexpr std::array<u8, 6> loop = {0xFB, 0xFF, 0x06, 0x00, 0x05, 0xEB};
  VITRINE_ASSERT(machine.memory().write_block(PhysicalAddress(0x1000), loop));
  machine.memory().write(PhysicalAddress(0x1006), AccessSize(1), 0xF9);
  for (unsigned cpu = 0; cpu < machine.processors(); ++cpu) {
    machine.cpu(cpu).start_up(0, RequestId(0));
    CpuState& state = machine.cpu(cpu).state;
    for (Segment& segment : state.segments) segment.selector = 0, segment.base = 0;
    state.rip = 0x1000;
    state.gpr[rsp] = 0x9000 - 0x800 * cpu;
    machine.cpu(cpu).state_changed();
  }
}

/// A machine with something going on in every chip. With two CPUs, it is in the midst of a round.
Original busy_machine(unsigned cpus) {
  const std::unique_ptr<Machine> machine = make_machine(cpus);
  machine->initialise_as_firmware();
  if (cpus > 1) set_up_apics(*machine);
  static constexpr std::array<std::array<u16, 2>, 25> ports = {
      {{0x21, 0x00}, {0xA1, 0x00},  {0x43, 0x34},  {0x40, 0x10},  {0x40, 0x00},  {0x43, 0xB6},  {0x42, 0x20},
       {0x42, 0x01}, {0x61, 0x03},  {0x70, 0x0B},  {0x71, 0x72},  {0x3F9, 0x0F}, {0x3FA, 0xC7}, {0x3FC, 0x1B},
       {0x3F8, 'a'}, {0x3F8, 'b'},  {0x378, 0x41}, {0x37A, 0x1D}, {0x60, 0xF4},  {0x602, 0x01}, {0x604, 0x01},
       {0x0B, 0x58}, {0x1F2, 0x03}, {0x1F6, 0xE0}, {0x1F7, 0x20}}};
  for (const auto& [port, value] : ports) machine->ports().write(Port(port), AccessSize(1), value);
  for (u64 i = 0; i < 3; ++i) {
    machine->inject({.kind = InputKind::SerialByte, .port = 1, .value = 'x' + i});
    machine->inject({.kind = InputKind::KeyScan, .value = 0x1C});
    machine->inject({.kind = InputKind::MouseMotion, .value = 0x00010001});
  }
  start_loops(*machine);
  machine->board().ide->disk(0).write(3, std::array<u8, DiskImage::sector_bytes>{});
  (void)machine->run({.instructions = 30'300});
  const std::vector<u8> bytes = saved(*machine);
  return {cpus, bytes, 0, bytes.size()};
}

/// One channel's disk in the middle of a transfer by DMA, the other's by the data register. Only the controller is
/// changed, and used.
Original machine_that_transfers(ata::Command by_dma, ata::Command by_port) {
  namespace bm = ata::bus_master;
  constexpr u16 primary = 0x1F0, secondary = 0x170;
  constexpr u8 sectors = 6;
  const std::unique_ptr<Machine> machine = make_machine(1);
  machine->initialise_as_firmware();
  start_loops(*machine);
  Ide& ide = *machine->board().ide;
  ide.config().write(PciConfig::command_register, AccessSize(2), PciConfig::io_space_bit | PciConfig::bus_master_bit);
  ide.config_written(PciConfig::command_register, AccessSize(2));
  const auto engine = static_cast<u16>(
      ide.config().read(PciConfig::first_bar_register + 4 * Ide::bus_master_bar, AccessSize(4)) & 0xFFFC);
  const auto out = [&](unsigned port, u32 value, u8 size = 1) {
    machine->ports().write(Port(static_cast<u16>(port)), AccessSize(size), value);
  };
  const auto run = [&](u64 nanoseconds) { (void)machine->run({.until = machine->clock().now() + nanoseconds}); };
  const auto begin = [&](u16 channel, ata::Command command) {
    out(channel + ata::reg::device, ata::device::lba | ata::device::obsolete);
    out(channel + ata::reg::lba_low, 0);
    out(channel + ata::reg::count, sectors);
    out(channel + ata::reg::command, static_cast<u8>(command));
  };
  for (u32 i = 0; i < 2 * sectors; ++i) {
    machine->memory().write(PhysicalAddress(0x2000 + 8 * i), AccessSize(4), 0x4000 + 0x180 * i);
    machine->memory().write(PhysicalAddress(0x2004 + 8 * i), AccessSize(4), 0x180);
  }
  out(engine + bm::table, 0x2000, 4);
  const bool reads = by_dma == ata::Command::ReadDma;
  out(engine + bm::command, (reads ? bm::to_memory : 0) | bm::start);
  begin(primary, by_dma);
  begin(secondary, by_port);
  run(2 * IdeChannel::command_time + 2 * IdeChannel::sector_time);
  for (unsigned i = 0; i < 100; ++i) {
    if (by_port == ata::Command::WriteSectors) {
      out(secondary, 0x1122, 2);
    } else {
      (void)machine->ports().read(Port(secondary), AccessSize(2));
    }
  }
  const auto in = [&](unsigned port) { return machine->ports().peek(Port(static_cast<u16>(port)), AccessSize(1)); };
  VITRINE_ASSERT(in(engine + bm::status) == bm::active && in(primary + ata::reg::status) == ata::status::busy);
  VITRINE_ASSERT((in(secondary + ata::reg::status) & ata::status::data_request) != 0);
  Archive part = Archive::saver();
  ide.exchange(part);
  const std::vector<u8> bytes = saved(*machine);
  const auto found = std::ranges::search(bytes, part.bytes());
  VITRINE_ASSERT(!found.empty());
  Original original = {1, bytes, static_cast<std::size_t>(found.begin() - bytes.begin()), found.size()};
  for (const u16 channel : {primary, secondary}) {
    for (u16 i = 0; i < Ide::command_ports; ++i) original.ports.push_back(channel + i);
    original.ports.push_back(channel + 0x206);
  }
  for (u16 i = 0; i < Ide::bus_master_ports; ++i) original.ports.push_back(engine + i);
  return original;
}

void change(std::vector<u8>& archive, const Original& original, InputBytes& bytes) {
  const u64 place = std::min<u64>(original.first + bytes.take(3) % original.size, archive.size() - 1);
  const u64 kind = bytes.take(1);
  const auto value = static_cast<u8>(bytes.take(1));
  // The places of a number's high bytes, and of counts, matter as much as single bits.
  switch (kind % 6) {
    case 0:
      archive[place] = value;
      break;
    case 1:
      archive[place] ^= static_cast<u8>(1u << value % 8);
      break;
    case 2:
      archive[place] = static_cast<u8>(archive[place] + 1);
      break;
    case 3:
      for (u64 i = place; i < std::min<u64>(archive.size(), place + value % 9); ++i) archive[i] = 0xFF;
      break;
    case 4:
      archive.insert(archive.begin() + static_cast<std::ptrdiff_t>(place), value % 40, u8{0});
      break;
    default:
      if (value == 0) archive.resize(place + 1);
      break;
  }
}

/// What a driver would do that waits for either direction.
void move_data(Machine& machine) {
  for (const Port data : {Ide::primary_port, Ide::secondary_port}) {
    for (u64 i = 0; i < DiskImage::sector_bytes / 2; ++i) {
      (void)machine.ports().read(data, AccessSize(2));
      machine.ports().write(data, AccessSize(2), 0x3344);
    }
  }
}

void use(Machine& machine, const Original& original, InputBytes& bytes) {
  machine.inject({.kind = static_cast<InputKind>(1 + bytes.take(1) % 4), .port = 1, .value = 'q'});
  for (int i = 0; i < 8; ++i) {
    const bool transfers = !original.ports.empty();
    if (transfers) move_data(machine);
    const u64 most = transfers ? 2 * IdeChannel::sector_time : 2'000;  // ns, and instructions
    (void)machine.run({.until = machine.clock().now() + most + 3'000, .instructions = machine.instructions() + most});
    const u64 drawn = bytes.take(2);
    const Port port(transfers ? original.ports[drawn % original.ports.size()] : static_cast<u16>(drawn));
    (void)machine.ports().peek(port, AccessSize(1));
    (void)machine.ports().read(port, AccessSize(1));
    machine.ports().write(port, AccessSize(1), static_cast<u32>(bytes.take(1)));
  }
  for (u16 port = 0; port < 0x700; ++port) (void)machine.ports().peek(Port(port), AccessSize(4));
  (void)machine.text_screen();
  (void)machine.serial_wants_input(0);
  (void)machine.keyboard_wants_input();
}

}  // namespace
}  // namespace vitrine

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vitrine;
  static const std::array<Original, 4> originals = {
      busy_machine(1), busy_machine(2), machine_that_transfers(ata::Command::ReadDma, ata::Command::WriteSectors),
      machine_that_transfers(ata::Command::WriteDma, ata::Command::ReadSectors)};
  static const std::array<std::unique_ptr<Machine>, 2> machines = {make_machine(1), make_machine(2)};
  InputBytes bytes({data, size});
  const u64 first = bytes.take(1);
  const Original& original = originals[first >> 6];
  const std::unique_ptr<Machine>& machine = machines[original.cpus - 1];
  std::vector<u8> archive = original.bytes;
  for (u64 count = 1 + first % 8; count > 0; --count) change(archive, original, bytes);
  Archive loader = Archive::loader(archive);
  machine->exchange(loader);
  if (!loader.ok() || !loader.at_end()) return 0;
  // What was accepted is a machine like any other: it can be saved and restored, and used.
  const std::vector<u8> again = saved(*machine);
  Archive second = Archive::loader(again);
  machine->exchange(second);
  VITRINE_ASSERT(second.ok() && second.at_end());
  VITRINE_ASSERT(saved(*machine) == again);
  use(*machine, original, bytes);
  return 0;
}
