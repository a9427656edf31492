// Any sequence of configuration cycles, accesses to whatever the BARs map, and passing time against a PCI bus with two
// functions that interrupt, disks with a bus master, an HPET, a router and an I/O APIC. Nothing may crash or hang, no
// message may be without a request, and a restored machine has the windows and lines of the one that was saved.
//
// The input is a list of steps: an action, then what the action takes.

#include <array>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "machine/core/message_port.hpp"
#include "machine/devices/hpet/hpet.hpp"
#include "machine/devices/ide/ide.hpp"
#include "machine/devices/interrupt_tester/interrupt_tester.hpp"
#include "machine/devices/io_apic/io_apic.hpp"
#include "machine/devices/isa_bridge/isa_bridge.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// A local APIC that takes everything, and answers some of it at once.
struct Receiver final : ApicBusAgent {
  [[nodiscard]] bool addressed_by(const InterruptMessage& message) const override {
    return message.broadcast() || message.destination % 2 == 0;
  }
  [[nodiscard]] u8 arbitration_priority() const override { return 0; }
  [[nodiscard]] bool focus(u8) const override { return false; }
  [[nodiscard]] bool takes(const InterruptMessage&) const override { return true; }
  void accept(const InterruptMessage& message) override {
    require(message.request != RequestId{});
    last_vector = message.vector;
  }
  [[nodiscard]] u8 cpu() const override { return 0; }
  u8 last_vector = 0;
};

class Rig {
 public:
  static constexpr u8 first_tester_slot = 3, bridge_slot = 1, disk_slot = 6;
  static constexpr u64 hpet_address = 0xFED00000, io_apic_address = 0xFEC00000, ram_bytes = 0x10000;

  Rig() : ram_(ram_bytes, 0) {
    require(memory_.map_ram(PhysicalAddress(0), ram_bytes, ram_.data(), MemoryBus::Kind::Ram).has_value());
    bus_.attach(receiver_);
    io_apic_ = std::make_unique<IoApic>(context("ioapic0"), IoApic::Wiring{IoApic::Version::V20, 0xFF0000}, bus_);
    IsaBridge::IsaDrivers isa{};
    for (const u8 irq : {u8{0}, u8{5}, u8{8}, u8{10}}) {
      InterruptLine& line = this->line(irq);
      line.connect(*io_apic_, Pin(irq));
      isa[irq] = line.add_driver(SourceId(0));
    }
    bridge_ = std::make_unique<IsaBridge>(context("isa-bridge"), IsaBridge::Strapping{IsaBridge::Model::Ich9}, isa);
    require(pci_.attach({bridge_slot, 0}, bridge_->config(), bridge_.get()).has_value());
    Hpet::Wiring wiring{.irq0 = isa[0], .irq8 = isa[8], .messages = &port_};
    for (u8 pirq = 0; pirq < 8; ++pirq) {
      InterruptLine& line = this->line(static_cast<u8>(16 + pirq));
      line.connect(*bridge_, Pin(pirq));
      line.connect(*io_apic_, Pin(static_cast<u8>(16 + pirq)));
      wiring.routes[16 + pirq] = line.add_driver(SourceId(1));
      if (pirq >= 2) continue;
      testers_.push_back(std::make_unique<InterruptTester>(context("tester" + std::to_string(pirq)),
                                                           line.add_driver(SourceId(2)), port_));
      InterruptTester& tester = *testers_.back();
      require(pci_.attach({static_cast<u8>(first_tester_slot + pirq), 0}, tester.config(), &tester).has_value());
      pci_.add_window(tester.config(), InterruptTester::registers_bar, tester, InterruptTester::registers);
      pci_.add_window(tester.config(), InterruptTester::messages_bar, tester, InterruptTester::messages);
    }
    hpet_ = std::make_unique<Hpet>(context("hpet"), wiring);
    constexpr std::size_t disk_bytes = 20 * DiskImage::sector_bytes;
    const DiskImage disk(std::make_shared<const DiskImage::Bytes>(disk_bytes, u8{0x5A}));
    ide_ = std::make_unique<Ide>(context("ide"), Ide::Model::Piix3,
                                 std::array{line(14).add_driver(SourceId(3)), line(15).add_driver(SourceId(3))},
                                 memory_, Ide::Images{disk, disk, disk});
    require(pci_.attach({disk_slot, 0}, ide_->config(), ide_.get()).has_value());
    pci_.add_window(ide_->config(), Ide::bus_master_bar, *ide_, Region(static_cast<u8>(Ide::Window::BusMaster)));
    devices_ = {io_apic_.get(), bridge_.get(), testers_[0].get(), testers_[1].get(), hpet_.get(), ide_.get()};
    require(memory_.map_device(PhysicalAddress(hpet_address), Hpet::window_bytes, *hpet_, Hpet::registers).has_value());
    require(memory_.map_device(PhysicalAddress(io_apic_address), IoApic::window_bytes, *io_apic_, IoApic::registers)
                .has_value());
  }

  void step(InputBytes& bytes) {
    const u64 head = bytes.take(1);
    const AccessSize size(static_cast<u8>(1u << (head >> 6)));
    const u64 which = head >> 4 & 1;
    switch (head & 15) {
      case 0:
      case 1: {
        const auto slot = static_cast<u8>(bytes.take(1) % 8);
        const auto offset = static_cast<u8>(bytes.take(1));
        const auto value = static_cast<u32>(bytes.take(4));
        pci_.write(0, {slot, 0}, offset, AccessSize(size.value > 4 ? u8{4} : size.value), value);
        (void)pci_.read(0, {slot, 0}, offset, AccessSize(4));
        break;
      }
      case 2:  // a function as a driver leaves it: windows, bus mastering
        configure(which, PciConfig::first_bar_register, static_cast<u32>(0xE0000000 + which * 0x2000));
        configure(which, PciConfig::first_bar_register + 4, static_cast<u32>(0xE0001000 + which * 0x2000));
        configure(which, PciConfig::command_register, PciConfig::memory_space_bit | PciConfig::bus_master_bit);
        break;
      case 3:
        configure(which, PciConfig::first_bar_register + 4 * (bytes.take(1) & 1), static_cast<u32>(bytes.take(4)));
        break;
      case 4:
      case 5:
        memory_.write(PhysicalAddress(0xE0000000 + bytes.take(2) % 0x4000), size, bytes.take(4));
        break;
      case 6:
        (void)memory_.read(PhysicalAddress(0xE0000000 + bytes.take(2) % 0x4000), size);
        break;
      case 7:
        memory_.write(PhysicalAddress(0xE0000000 + which * 0x2000 + InterruptTester::start), AccessSize(4),
                      bytes.take(1));
        break;
      case 8:
        memory_.write(PhysicalAddress(hpet_address + (bytes.take(1) << 3) % Hpet::window_bytes), AccessSize(8),
                      bytes.take(1) << 16 | bytes.take(2));
        break;
      case 9: {
        const u64 timer = hpet_address + Hpet::first_timer + bytes.take(1) % 3 * Hpet::timer_stride;
        memory_.write(PhysicalAddress(hpet_address + Hpet::configuration), AccessSize(8), head >> 6);
        memory_.write(PhysicalAddress(timer), AccessSize(8), bytes.take(2));
        memory_.write(PhysicalAddress(timer + Hpet::timer_comparator), AccessSize(8),
                      hpet_->counter() + bytes.take(1) + 1);
        break;
      }
      case 10:
        memory_.write(PhysicalAddress(io_apic_address), AccessSize(4), 0x10 + bytes.take(1) % 48);
        memory_.write(PhysicalAddress(io_apic_address + IoApic::data_offset), AccessSize(4),
                      bytes.take(4) & 0xFFFEFFFF);
        break;
      case 11:
        bus_.broadcast_eoi(receiver_.last_vector);
        break;
      case 12:
        wait(bytes.take(2));
        break;
      case 13:
        restore();
        break;
      case 14:
        devices_[bytes.take(1) % devices_.size()]->reset();
        break;
      case 15:
        if (which != 0) {
          access_disks(bytes, size);
          break;
        }
        memory_.write(PhysicalAddress(bytes.take(5)), size, bytes.take(4));
        break;
    }
    look();
  }

 private:
  DeviceContext context(const std::string& name) {
    return {clock_, events_, ledger_, DeviceId(next_device_++), ledger_.register_source(name)};
  }
  InterruptLine& line(u8 number) { return lines_.emplace_back(ledger_, "line", number); }
  void configure(u64 tester, u64 offset, u32 value) {
    pci_.write(0, {static_cast<u8>(first_tester_slot + tester), 0}, static_cast<u8>(offset), AccessSize(4), value);
  }

  void access_disks(InputBytes& bytes, AccessSize size) {
    const u64 what = bytes.take(1);
    const Region region(static_cast<u8>(what % 5));
    const u64 offset = (what >> 3) % 8;
    if (what >> 6 == 3) {  // as a driver leaves the function, and a command that goes through
      pci_.write(0, {disk_slot, 0}, PciConfig::command_register, AccessSize(2), 5);
      pci_.write(0, {disk_slot, 0}, Ide::timing_register, AccessSize(4), 0x80008000);
      ide_->write(Region(0), 2, AccessSize(4), bytes.take(1));
      ide_->write(Region(0), 6, AccessSize(2), 0xE0 | bytes.take(1) << 8);
      ide_->write(Region(4), 0, AccessSize(1), bytes.take(1));
    } else if (what >> 6 == 2) {
      (void)ide_->read(region, offset, size);
    } else {
      ide_->write(region, offset, size, bytes.take(size.value));
    }
  }

  void wait(u64 nanoseconds) {
    const Tick until = clock_.now() + nanoseconds;
    // Two testers have an event each ns at most, an HPET three each 10 ns.
    u64 left = nanoseconds * 3 + 16;
    while (events_.next_due() <= until && left-- > 0) {
      if (events_.next_due() > clock_.now()) clock_.advance_to(events_.next_due());
      const Event event = *events_.pop_due(clock_.now());
      devices_[event.device.value]->event(event.kind, event.payload);
    }
    require(events_.next_due() > until);
    clock_.advance_to(until);
  }

  void exchange(Archive& archive) {
    events_.exchange(archive);
    ledger_.exchange(archive);
    bus_.exchange(archive);
    for (InterruptLine& each : lines_) each.exchange(archive);
    for (Device* device : devices_) device->exchange(archive);
  }
  [[nodiscard]] std::vector<bool> windows() const {
    std::vector<bool> mapped;
    for (const auto& tester : testers_) {
      mapped.push_back(pci_.is_mapped(tester->config(), 0));
      mapped.push_back(pci_.is_mapped(tester->config(), 1));
    }
    return mapped;
  }
  void restore() {
    const std::vector<bool> before = windows();
    Archive saver = Archive::saver();
    exchange(saver);
    for (const auto& tester : testers_) tester->config().reset();  // the windows go
    Archive loader = Archive::loader(saver.bytes());
    exchange(loader);
    require(loader.ok() && loader.at_end() && windows() == before);
    Archive again = Archive::saver();
    exchange(again);
    require(again.bytes() == saver.bytes());
  }

  void look() {
    for (const auto& tester : testers_) {
      for (u8 bar = 0; bar < 2; ++bar) {
        if (!pci_.is_mapped(tester->config(), bar)) continue;
        const std::optional<PciConfig::Decoding> decoding = tester->config().decoding(bar);
        require(decoding.has_value() && decoding->base >= ram_bytes);
      }
    }
    for (u8 pin = 0; pin < IoApic::pins; ++pin) {
      const u64 entry = io_apic_->entry(Pin(pin));
      require((entry & IoApic::remote_irr_bit) == 0 || (entry & IoApic::level_bit) != 0);
    }
  }

  Clock clock_;
  EventQueue events_;
  Ledger ledger_{clock_};
  ApicBus bus_{ledger_};
  MemoryBus memory_;
  PortBus ports_;
  PciBus pci_{memory_, ports_};
  BusMessagePort port_{bus_, memory_, ledger_};
  Receiver receiver_;
  std::vector<u8> ram_;
  std::deque<InterruptLine> lines_;
  std::unique_ptr<IoApic> io_apic_;
  std::unique_ptr<IsaBridge> bridge_;
  std::vector<std::unique_ptr<InterruptTester>> testers_;
  std::unique_ptr<Hpet> hpet_;
  std::unique_ptr<Ide> ide_;
  std::vector<Device*> devices_;
  u16 next_device_ = 0;
};

}  // namespace
}  // namespace vitrine

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  vitrine::InputBytes bytes({data, size});
  vitrine::Rig rig;
  for (unsigned steps = 0; !bytes.empty() && steps < 1000; ++steps) rig.step(bytes);
  return 0;
}
