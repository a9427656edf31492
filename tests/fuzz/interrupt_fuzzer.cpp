// Any writes to all that interrupts on a whole board with two CPUs: local APICs, I/O APIC, 8259s and IMCR, HPET, PCI
// configuration, the interrupt tester with its MSI and MSI-X, NMI and power buttons. Both CPUs execute meanwhile:
// loops, HLT, handlers that return. Nothing may crash or hang, and what is saved is what is loaded.
//
// The input is a byte that chooses the board, then a list of steps: an action, then what it takes.

#include <array>
#include <cstdlib>
#include <memory>

#include "machine/boards/machine.hpp"
#include "machine/boards/pc_board.hpp"
#include "machine/boot/acpi_tables.hpp"
#include "machine/cpu/cpu.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

constexpr unsigned cpus = 2;
constexpr u64 code = 0x1000;
// sti; pause; hlt; jmp to pause: whoever wakes it, it waits again.
constexpr std::array<u8, 6> waiting = {0xFB, 0xF3, 0x90, 0xF4, 0xEB, 0xFB};
// sti; inc ax; jmp to inc
constexpr std::array<u8, 4> busy = {0xFB, 0x40, 0xEB, 0xFD};

constexpr std::array<u16, 16> apic_registers = {0x020, 0x080, 0x0B0, 0x0D0, 0x0E0, 0x0F0, 0x280, 0x2F0,
                                                0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x380, 0x3E0};
constexpr std::array<u16, 14> hpet_registers = {0x010, 0x010, 0x020, 0x0F0, 0x0F4, 0x100, 0x108,
                                                0x10C, 0x110, 0x114, 0x120, 0x128, 0x130, 0x140};
constexpr std::array<u16, 12> ports = {0x20, 0x21, 0x22, 0x23, 0x40, 0x43, 0x61, 0x70, 0x71, 0xA0, 0xA1, 0x4D0};
constexpr std::array<u32, 5> functions = {interrupt_tester_slot << 3, 1 << 3, 1 << 3 | 1, 31 << 3, 0};

void require(bool condition) {
  if (!condition) std::abort();
}

class Rig {
 public:
  explicit Rig(BoardKind board)
      : machine_(*Machine::create({.memory_bytes = u64{2} << 20, .board = board, .cpus = cpus})) {
    machine_->initialise_as_firmware();
    require(machine_->memory().write_block(PhysicalAddress(code), waiting));
    require(machine_->memory().write_block(PhysicalAddress(code + 0x1000), busy));
    start(machine_->cpu(0), code);
    // INIT, SIPI.
    local(0).write_register(0x310, 4, 1u << 24);
    local(0).write_register(0x300, 4, 0x4500);
    local(0).write_register(0x310, 4, 1u << 24);
    local(0).write_register(0x300, 4, 0x4600 | (code + 0x1000) >> 12);
    run(1'000);
    for (unsigned i = 0; i < cpus; ++i) local(i).write_register(0x0F0, 4, 0x1FF);
    config(interrupt_tester_slot << 3, 4, 6);
  }

  void step(InputBytes& bytes) {
    const u64 head = bytes.take(1);
    const auto cpu = static_cast<unsigned>(head >> 7);
    switch (head & 15) {
      case 0:
      case 1:
        local(cpu).write_register(apic_registers[bytes.take(1) % apic_registers.size()], 4,
                                  static_cast<u32>(bytes.take(4)));
        break;
      case 2:
        (void)local(cpu).write_msr(0x800 + static_cast<u32>(bytes.take(1)), bytes.take(8));
        break;
      case 3:
        // IA32_APIC_BASE without a move of the page.
        (void)local(cpu).write_msr(0x1B, 0xFEE00000 | bytes.take(2) % 0x1000);
        break;
      case 4:
        memory(io_apic_address, bytes.take(1) % 0x40);
        memory(io_apic_address + 0x10, bytes.take(4));
        break;
      case 5:
        memory(io_apic_address + 0x40, bytes.take(1));
        break;
      case 6:
        memory(hpet_address + hpet_registers[bytes.take(1) % hpet_registers.size()], bytes.take(4));
        break;
      case 7:
        config(functions[bytes.take(1) % functions.size()], static_cast<u8>(bytes.take(1) & 0xFC),
               static_cast<u32>(bytes.take(4)));
        break;
      case 8:
        message(bytes);
        break;
      case 9:
        tester_register(static_cast<u32>(bytes.take(1) % 12 * 4), static_cast<u32>(bytes.take(2)));
        break;
      case 10:
        machine_->ports().write(Port(ports[bytes.take(1) % ports.size()]), AccessSize(1),
                                static_cast<u32>(bytes.take(1)));
        break;
      case 11:
        machine_->inject(
            {.kind = (head & 16) != 0 ? InputKind::Nmi : InputKind::PowerButton, .value = bytes.take(1) % 5});
        break;
      case 12:
        local(cpu).write_register(0x0B0, 4, 0);
        break;
      case 13:
        restore();
        break;
      default:
        run(bytes.take(2) % 20'000);
        break;
    }
  }

 private:
  LocalApic& local(unsigned cpu) { return machine_->board().apics->local(cpu); }

  static void start(Cpu& cpu, u64 address) {
    for (Segment& segment : cpu.state.segments) segment.selector = 0, segment.base = 0;
    cpu.state.rip = address;
    cpu.state.gpr[rsp] = 0x9000;
    cpu.state_changed();
  }
  void run(u64 nanoseconds) {
    (void)machine_->run(
        {.until = machine_->clock().now() + nanoseconds, .instructions = machine_->instructions() + 2 * nanoseconds});
  }
  void memory(u64 address, u64 value) { machine_->memory().write(PhysicalAddress(address), AccessSize(4), value); }
  void config(u32 function, u8 offset, u32 value) {
    machine_->ports().write(Port(0xCF8), AccessSize(4), 0x80000000 | function << 8 | offset);
    machine_->ports().write(Port(0xCFC), AccessSize(4), value);
  }
  u32 tester_address(u8 bar) {
    return static_cast<u32>(machine_->board().interrupt_tester->config().read(0x10 + 4 * bar, AccessSize(4))) & ~0xFu;
  }
  void tester_register(u32 offset, u32 value) { memory(tester_address(0) + offset, value); }

  /// Puts an entry into MSI-X's table or the MSI capability, and enables it.
  void message(InputBytes& bytes) {
    const u64 head = bytes.take(1);
    const u32 address = 0xFEE00000 | static_cast<u32>(bytes.take(2)) << 4;
    const auto data = static_cast<u32>(bytes.take(2));
    const PciConfig& space = machine_->board().interrupt_tester->config();
    auto at = static_cast<u8>(space.read(PciConfig::capabilities_register, AccessSize(1)));
    const u8 wanted = bit(head, 0) ? 0x11 : 0x05;
    while (at != 0 && space.read(at, AccessSize(1)) != wanted) {
      at = static_cast<u8>(space.read(static_cast<u8>(at + 1), AccessSize(1)));
    }
    require(at != 0);
    constexpr u32 function = interrupt_tester_slot << 3;
    if (wanted == 0x11) {
      const u32 entry = tester_address(1) + static_cast<u32>(head >> 4) * 16;
      memory(entry, address);
      memory(entry + 8, data);
      memory(entry + 12, bits(head, 1, 1));
    } else {
      config(function, at + 4, address);
      config(function, at + 12, data);
      config(function, at + 16, static_cast<u32>(bits(head, 7, 4)));
    }
    config(function, at, bit(head, 2) ? ~0u : 0);
  }

  void restore() {
    Archive saver = Archive::saver();
    machine_->exchange(saver);
    Archive loader = Archive::loader(saver.bytes());
    machine_->exchange(loader);
    require(loader.ok() && loader.at_end());
    Archive again = Archive::saver();
    machine_->exchange(again);
    require(again.bytes() == saver.bytes());
  }

  std::unique_ptr<Machine> machine_;
};

}  // namespace
}  // namespace vitrine

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vitrine;
  InputBytes bytes({data, size});
  Rig rig((bytes.take(1) & 1) != 0 ? BoardKind::Q35 : BoardKind::Pc);
  for (unsigned steps = 0; !bytes.empty() && steps < 200; ++steps) rig.step(bytes);
  return 0;
}
