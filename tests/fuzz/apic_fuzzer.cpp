// Any sequence of register and MSR accesses, messages, pin changes and passing time against four local APICs and an I/O
// APIC on one bus. Nothing may crash or hang, and what the registers show must fit together after each step.
//
// The input is a list of steps: an action with the CPU's number, then what the action takes.

#include <array>
#include <cstdlib>
#include <deque>
#include <memory>

#include "base/bits.hpp"
#include "machine/devices/io_apic/io_apic.hpp"
#include "machine/devices/local_apic/local_apic.hpp"
#include "tests/fuzz/input_bytes.hpp"

namespace vitrine {
namespace {

constexpr unsigned cpus = 4;
constexpr std::array<u32, 16> known_registers = {0x020, 0x080, 0x0B0, 0x0D0, 0x0E0, 0x0F0, 0x280, 0x300,
                                                 0x310, 0x320, 0x350, 0x360, 0x370, 0x380, 0x3E0, 0x330};
constexpr std::array<u32, 8> known_msrs = {0x1B, 0x6E0, 0x19B, 0x19C, 0x19A, 0x1A2, 0x80B, 0x83F};

void require(bool condition) {
  if (!condition) std::abort();
}

/// A CPU: takes INIT as one does, counts what it executes.
struct Processor final : Device, ProcessorPins, InterruptAcknowledger {
  [[nodiscard]] std::string_view name() const override { return "cpu"; }
  void reset() override {}
  void exchange(Archive& archive) override { archive(wanted, executed); }
  void line_changed(Pin, Level level, RequestId request) override {
    wanted = level == Level::High;
    require(!wanted || request != RequestId{});
  }
  void nmi(RequestId request) override { require(request != RequestId{}); }
  void init(RequestId) override { apic->init(); }
  void start_up(u8, RequestId) override {}
  [[nodiscard]] u64 retired() const override { return executed; }
  Acknowledged acknowledge() override { return {.vector = Vector(0x20), .request = RequestId(1), .spurious = false}; }

  LocalApic* apic = nullptr;
  bool wanted = false;
  u64 executed = 0;
};

class Rig {
 public:
  Rig() {
    for (u16 i = 0; i < cpus; ++i) {
      Processor& cpu = processors_.emplace_back();
      InterruptLine& wire = wires_.emplace_back(ledger_, "intr", InterruptLine::no_number);
      wire.connect(cpu, Pin(0));
      apics_.push_back(std::make_unique<LocalApic>(
          context("lapic" + std::to_string(i)),
          LocalApic::Identity{.cpu = static_cast<u8>(i), .initial_id = i, .start = LocalApic::Start::Application}, bus_,
          wire.add_driver(SourceId(0)), cpu, &cpu));
      cpu.apic = apics_.back().get();
      bus_.attach(static_cast<ApicBusAgent&>(*apics_.back()));
    }
    io_apic_ = std::make_unique<IoApic>(context("ioapic0"), IoApic::Wiring{}, bus_);
  }

  void step(InputBytes& bytes) {
    const u64 head = bytes.take(1);
    LocalApic& apic = *apics_[head >> 6];
    Processor& cpu = processors_[head >> 6];
    switch (head & 15) {
      case 0:
        (void)apic.read_register(static_cast<u32>(bytes.take(2) & 0xFFF), static_cast<u8>(1u << bytes.take(1) % 4));
        break;
      case 1:
      case 2:
      case 3:
        apic.write_register(known_registers[bytes.take(1) % 16], 4, bytes.take(4));
        break;
      case 4:
        apic.write_register(static_cast<u32>(bytes.take(2) & 0xFFF), static_cast<u8>(1u << bytes.take(1) % 4),
                            bytes.take(8));
        break;
      case 5: {
        u64 value = 0;
        (void)apic.read_msr(0x800 + static_cast<u32>(bytes.take(1)), value);
        (void)apic.read_msr(known_msrs[bytes.take(1) % 8], value);
        break;
      }
      case 6:
        (void)apic.write_msr(0x800 + static_cast<u32>(bytes.take(1)), bytes.take(8));
        break;
      case 7: {
        const u32 number = known_msrs[bytes.take(1) % 8];
        (void)apic.write_msr(number, number == 0x1B ? 0xFEE00000 | bytes.take(2) : bytes.take(4));
        break;
      }
      case 8:
        apic.write_register(0xF0, 4, 0x1FF);
        break;
      case 9: {
        const u64 address = 0xFEE00000 | bytes.take(2) << 4;
        bus_.send(message_of_msi(address, static_cast<u32>(bytes.take(2)), ledger_.next_request()), SourceId(0),
                  static_cast<u8>(ApicPin::Message));
        break;
      }
      case 10:
        if (cpu.wanted) (void)apic.acknowledge();
        break;
      case 11:
        apic.line_changed(Pin(bytes.take(1) % 3), bytes.take(1) % 2 == 0 ? Level::Low : Level::High,
                          ledger_.next_request());
        break;
      case 12:
        io_apic_->write(IoApic::registers, IoApic::select_offset, AccessSize(4), bytes.take(1));
        io_apic_->write(IoApic::registers, IoApic::data_offset, AccessSize(4), bytes.take(4));
        break;
      case 13:
        io_apic_->line_changed(Pin(bytes.take(1) % IoApic::pins), bytes.take(1) % 2 == 0 ? Level::Low : Level::High,
                               ledger_.next_request());
        break;
      case 14:
        cpu.executed += bytes.take(3);
        wait(bytes.take(3));
        break;
      case 15:
        if (head & 16) {
          apic.tsc_offset_changed(bytes.take(8));
        } else {
          restore(apic);
        }
        break;
    }
    for (unsigned i = 0; i < cpus; ++i) look(*apics_[i], processors_[i]);
  }

 private:
  DeviceContext context(const std::string& name) {
    return {clock_, events_, ledger_, DeviceId(next_device_++), ledger_.register_source(name)};
  }

  void wait(u64 nanoseconds) {
    const Tick until = clock_.now() + nanoseconds;
    // The shortest period is 1 ns, and only while nothing waits has each an event.
    unsigned left = 20'000;
    while (events_.next_due() <= until && left-- > 0) {
      if (events_.next_due() > clock_.now()) clock_.advance_to(events_.next_due());
      const Event event = *events_.pop_due(clock_.now());
      apics_[event.device.value]->event(event.kind, event.payload);
    }
    require(left > 0);
    clock_.advance_to(until);
  }

  static void look(const LocalApic& apic, const Processor& cpu) {
    const std::optional<u8> winner = apic.winner();
    require(!winner || !apic.globally_enabled() || cpu.wanted);
    require((apic.requests().part(0) & 0xFFFF) == 0 && (apic.in_service().part(0) & 0xFFFF) == 0);
    require(!apic.x2apic_mode() || apic.globally_enabled());
    require(!apic.selects(0xFEE00000) || !apic.x2apic_mode());
    if (const std::optional<u8> serving = apic.in_service().highest()) {
      require(apic.processor_priority() >= (*serving & 0xF0));
    }
    for (const ApicPin source : {ApicPin::Timer, ApicPin::Thermal, ApicPin::Lint0, ApicPin::Error}) {
      require(apic.software_enabled() || bit(apic.local_vector(source), 16));
    }
  }

  static void restore(LocalApic& apic) {
    Archive saver = Archive::saver();
    apic.exchange(saver);
    Archive loader = Archive::loader(saver.bytes());
    apic.exchange(loader);
    require(loader.ok() && loader.at_end());
    Archive again = Archive::saver();
    apic.exchange(again);
    require(again.bytes() == saver.bytes());
  }

  Clock clock_;
  EventQueue events_;
  Ledger ledger_{clock_};
  ApicBus bus_{ledger_};
  std::deque<Processor> processors_;
  std::deque<InterruptLine> wires_;
  std::vector<std::unique_ptr<LocalApic>> apics_;
  std::unique_ptr<IoApic> io_apic_;
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
