// Any sequence of port and memory accesses, inputs and passing time against a whole machine: by hand from the outside,
// and by a guest that runs the same bytes as code. Nothing may crash, hang, or read the host's memory.
//
// The input is a list of steps of up to ten bytes: an action, a port or address, a value. Whatever is left over at the
// end is the guest's code.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>

#include "machine/boards/machine.hpp"
#include "machine/boards/pci_firmware.hpp"
#include "machine/cpu/cpu.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

enum class Action : u8 {
  PortRead,
  PortWrite,
  KnownPortRead,
  KnownPortWrite,
  MemoryRead,
  MemoryWrite,
  Wait,
  Inject,
  Restore,
  Reset,
  Run
};
constexpr u8 actions = 11;
constexpr u8 end_of_steps = 0xFF;

// Where something answers: random ports alone would mostly meet nothing.
constexpr std::array<u16, 22> known_ports = {0x00,  0x20,  0x40,  0x60,  0x70,  0x80,           0x90,  0xA0,
                                             0xC0,  0xE8,  0x278, 0x2E8, 0x2F8, 0x378,          0x3C0, 0x3F0,
                                             0x600, 0xCF8, 0x1F0, 0x170, 0x370, pci_ports_begin};

DiskImage small_disk() {
  constexpr std::size_t bytes = 20 * DiskImage::sector_bytes;
  return DiskImage(std::make_shared<const DiskImage::Bytes>(bytes, u8{0x5A}));
}

void restore_in_place(Machine& machine) {
  Archive saver = Archive::saver();
  machine.exchange(saver);
  Archive loader = Archive::loader(saver.bytes());
  machine.exchange(loader);
  if (!loader.ok() || !loader.at_end()) std::abort();
}

void step(Machine& machine, InputBytes& bytes, Action action) {
  const AccessSize size(static_cast<u8>(1 << bytes.take(1) % 3));
  switch (action) {
    case Action::PortRead:
      (void)machine.ports().peek(Port(static_cast<u16>(bytes.rest().empty() ? 0 : bytes.rest()[0])), size);
      (void)machine.ports().read(Port(static_cast<u16>(bytes.take(2))), size);
      break;
    case Action::PortWrite: {
      const Port port(static_cast<u16>(bytes.take(2)));
      machine.ports().write(port, size, static_cast<u32>(bytes.take(size.value)));
      break;
    }
    case Action::KnownPortRead:
    case Action::KnownPortWrite: {
      const u64 which = bytes.take(1);
      const Port port = Port(known_ports[which % known_ports.size()]) + static_cast<u16>(bytes.take(1) % 16);
      if (action == Action::KnownPortRead) {
        (void)machine.ports().read(port, size);
      } else {
        machine.ports().write(port, size, static_cast<u32>(bytes.take(size.value)));
      }
      break;
    }
    case Action::MemoryRead:
      (void)machine.memory().read(PhysicalAddress(bytes.take(5)), size);
      break;
    case Action::MemoryWrite: {
      const PhysicalAddress address(bytes.take(5));
      machine.memory().write(address, size, bytes.take(size.value));
      break;
    }
    case Action::Wait: {
      const Tick until = machine.clock().now() + bytes.take(3) % 1'000'000;
      if (machine.cpu().runs()) {  // whatever it has found to execute
        (void)machine.run({.until = until, .instructions = machine.instructions() + 4'000});
        break;
      }
      // It stands at HLT with IF=0: time passes by events alone.
      while (machine.events().next_due() <= until) {
        machine.clock().advance_to(std::max(machine.events().next_due(), machine.clock().now()));
        (void)machine.run({.until = machine.clock().now()});
      }
      machine.clock().advance_to(until);
      break;
    }
    case Action::Inject:
      machine.inject({.kind = static_cast<InputKind>(1 + bytes.take(1) % 8),
                      .port = static_cast<u8>(bytes.take(1) % 5),
                      .value = bytes.take(4)});
      break;
    case Action::Restore:
      restore_in_place(machine);
      break;
    case Action::Reset:
      machine.reset();
      break;
    case Action::Run:
      (void)machine.run({.until = machine.clock().now() + bytes.take(2)});
      break;
  }
}

void run_as_guest(Machine& machine, std::span<const u8> code) {
  static constexpr u64 origin = 0x1000, room = 0x8000;
  if (!machine.memory().write_block(PhysicalAddress(origin), code.first(std::min<std::size_t>(code.size(), room)))) {
    std::abort();
  }
  machine.reset();
  CpuState& state = machine.cpu().state;
  for (Segment& segment : state.segments) segment.selector = 0, segment.base = 0;
  state.rip = origin;
  state.gpr[rsp] = 0x9000;
  machine.cpu().state_changed();
  const Tick start = machine.clock().now();
  (void)machine.run({.until = start + 200'000, .instructions = state.instructions + 4'000});
}

}  // namespace
}  // namespace vitrine

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vitrine;
  InputBytes bytes({data, size});
  const std::unique_ptr<Machine> machine =
      *Machine::create({.memory_bytes = u64{1} << 20, .disks = {small_disk(), small_disk()}});
  machine->initialise_as_firmware();
  for (unsigned steps = 0; !bytes.empty() && steps < 500; ++steps) {
    const u64 action = bytes.take(1);
    if (action == end_of_steps) break;
    step(*machine, bytes, static_cast<Action>(action % actions));
  }
  if (!bytes.empty()) run_as_guest(*machine, bytes.rest());
  return 0;
}
