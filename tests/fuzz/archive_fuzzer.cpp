// A machine's archive with changed bytes: it is refused, or the machine that comes of it is as harmless as any other.
//
// The input: which archive, then changes of five bytes each: place (three), kind, value. What is left over when a kind
// says so is a list of accesses to the machine that was made.

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/assert.hpp"
#include "machine/boards/machine.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/cpu/cpu.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

constexpr u64 memory_bytes = 1u << 20;

std::vector<u8> saved(Machine& machine) {
  Archive archive = Archive::saver();
  machine.exchange(archive);
  return archive.bytes();
}

std::unique_ptr<Machine> make_machine() {
  constexpr std::size_t disk_bytes = 20 * DiskImage::sector_bytes;
  return *Machine::create({.memory_bytes = memory_bytes,
                           .disks = {DiskImage(std::make_shared<const DiskImage::Bytes>(disk_bytes, u8{0x5A}))}});
}

/// A machine with something going on in every chip.
std::vector<u8> busy_archive() {
  const std::unique_ptr<Machine> machine = make_machine();
  machine->initialise_as_firmware();
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
  // A loop that counts in memory, with interrupts on.
  static constexpr std::array<u8, 6> loop = {0xFB, 0xFF, 0x06, 0x00, 0x05, 0xEB};
  VITRINE_ASSERT(machine->memory().write_block(PhysicalAddress(0x1000), loop));
  machine->memory().write(PhysicalAddress(0x1006), AccessSize(1), 0xF9);
  CpuState& state = machine->cpu().state;
  for (Segment& segment : state.segments) segment.selector = 0, segment.base = 0;
  state.rip = 0x1000;
  state.gpr[rsp] = 0x9000;
  machine->cpu().state_changed();
  machine->board().ide->disk(0).write(3, std::array<u8, DiskImage::sector_bytes>{});
  (void)machine->run({.instructions = 30'000});
  return saved(*machine);
}

void change(std::vector<u8>& archive, InputBytes& bytes) {
  const u64 place = bytes.take(3) % archive.size();
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

void use(Machine& machine, InputBytes& bytes) {
  machine.inject({.kind = static_cast<InputKind>(1 + bytes.take(1) % 4), .port = 1, .value = 'q'});
  for (int i = 0; i < 8; ++i) {
    const Tick now = machine.clock().now();
    (void)machine.run({.until = now + 5'000, .instructions = machine.cpu().state.instructions + 2'000});
    const Port port(static_cast<u16>(bytes.take(2)));
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
  static const std::vector<u8> original = busy_archive();
  static const std::unique_ptr<Machine> machine = make_machine();
  InputBytes bytes({data, size});
  std::vector<u8> archive = original;
  for (u64 count = 1 + bytes.take(1) % 8; count > 0; --count) change(archive, bytes);
  Archive loader = Archive::loader(archive);
  machine->exchange(loader);
  if (!loader.ok() || !loader.at_end()) return 0;
  // What was accepted is a machine like any other: it can be saved and restored, and used.
  const std::vector<u8> again = saved(*machine);
  Archive second = Archive::loader(again);
  machine->exchange(second);
  VITRINE_ASSERT(second.ok() && second.at_end());
  VITRINE_ASSERT(saved(*machine) == again);
  use(*machine, bytes);
  return 0;
}
