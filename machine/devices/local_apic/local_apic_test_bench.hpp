// The bench on which local APICs are tested: a few of them on one bus, with CPUs that only write down.
#pragma once

#include <deque>
#include <string>

#include "machine/devices/device_suite.hpp"
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

/// What hangs on the pins of one local APIC: the CPU, which writes down, and the 8259s, which answer with 0x08.
struct ApicSurroundings final : Device, ProcessorPins, InterruptAcknowledger {
  explicit ApicSurroundings(DeviceContext) {}
  [[nodiscard]] std::string_view name() const override { return "around"; }
  void reset() override {}
  void exchange(Archive& archive) override { archive(acknowledged, instructions); }

  void nmi(RequestId request) override { note("nmi", request); }
  void init(RequestId request) override { note("init", request); }
  void start_up(u8 vector, RequestId request) override { note("sipi" + std::to_string(vector), request); }
  [[nodiscard]] u64 retired() const override { return instructions; }
  Acknowledged acknowledge() override {
    ++acknowledged;
    return {.vector = Vector(0x08), .request = RequestId(acknowledged), .spurious = false};
  }

  void note(const std::string& what, RequestId request) {
    said += (said.empty() ? "" : " ") + what;
    last = request;
  }
  std::string said;
  RequestId last{};
  u64 acknowledged = 0;
  u64 instructions = 0;
};

/// The bus, as a device so that it is saved with the bench.
struct ApicBusHolder final : Device {
  explicit ApicBusHolder(DeviceContext context) : bus(context.ledger) {}
  [[nodiscard]] std::string_view name() const override { return "bus"; }
  void reset() override {}
  void exchange(Archive& archive) override { bus.exchange(archive); }
  ApicBus bus;
};

struct HeardEois final : BusListener {
  void eoi_broadcast(u8 vector) override { heard.push_back(vector); }
  void receivers_changed() override { ++changes; }
  std::vector<u8> heard;
  unsigned changes = 0;
};

/// `count` CPUs; APIC ids are the CPUs' numbers unless `ids` says otherwise.
struct ApicBench {
  struct Processor {
    ApicSurroundings* around = nullptr;
    LocalApic* apic = nullptr;
    InterruptLine* wire = nullptr;  // its INTR
    std::array<LineDriver, 3> pins;
  };
  explicit ApicBench(unsigned count = 1, DieTemperature::Cooling cooling = {},
                     LocalApic::Modes modes = LocalApic::Modes::XapicAndX2apic) {
    for (unsigned i = 0; i < count; ++i) {
      Processor& processor = processors.emplace_back();
      const std::string suffix = std::to_string(i);
      processor.around = &bench.add<ApicSurroundings>("around" + suffix);
      const LineDriver output = bench.output("intr" + suffix, InterruptLine::no_number);
      processor.wire = &bench.lines.back();
      processor.apic = &bench.add<LocalApic>(
          "lapic" + suffix,
          LocalApic::Identity{.cpu = static_cast<u8>(i),
                              .initial_id = i,
                              .start = i == 0 ? LocalApic::Start::Bootstrap : LocalApic::Start::Application,
                              .modes = modes},
          holder.bus, output, *processor.around, processor.around, cooling);
      for (u8 pin = 0; pin < 3; ++pin) {
        processor.pins[pin] = bench.input(*processor.apic, Pin(pin), "pin", InterruptLine::no_number);
      }
      holder.bus.attach(*processor.apic);
    }
    holder.bus.attach(eois);
  }

  LocalApic& apic(unsigned i = 0) { return *processors[i].apic; }
  ApicSurroundings& around(unsigned i = 0) { return *processors[i].around; }
  void write(u32 offset, u32 value, unsigned i = 0) { apic(i).write_register(offset, 4, value); }
  u32 read(u32 offset, unsigned i = 0) { return static_cast<u32>(apic(i).read_register(offset, 4)); }
  LocalInterrupts::MsrResult write_msr(u32 number, u64 value, unsigned i = 0) {
    return apic(i).write_msr(number, value);
  }
  /// The MSR's value; ~0 if it is refused.
  u64 read_msr(u32 number, unsigned i = 0) {
    u64 value = 0;
    return apic(i).read_msr(number, value) == LocalInterrupts::MsrResult::Done ? value : ~u64{0};
  }
  bool wanted(unsigned i = 0) { return processors[i].wire->level() == Level::High; }
  /// The vector that the CPU gets now; -1 if INTR is low.
  int take(unsigned i = 0) { return wanted(i) ? apic(i).acknowledge().vector.value : -1; }
  void eoi(unsigned i = 0) { write(apic::offset::eoi, 0, i); }
  /// Enabled by software, spurious vector FFh.
  void enable() {
    for (unsigned i = 0; i < processors.size(); ++i) write(apic::offset::spurious_vector, 0x1FF, i);
  }
  void enable_x2apic(unsigned i = 0) {
    ASSERT_EQ(write_msr(apic::msr::apic_base, read_msr(apic::msr::apic_base, i) | apic::base_x2apic, i),
              LocalInterrupts::MsrResult::Done);
  }
  unsigned send(InterruptMessage message) {
    message.request = bench.ledger.next_request();
    return holder.bus.send(message, SourceId(0), static_cast<u8>(ApicPin::Message));
  }
  void interrupt(u8 vector, unsigned i = 0) { send({.destination = i, .vector = vector}); }
  /// The vector's bit in TMR.
  bool level(u8 vector, unsigned i = 0) {
    const u32 offset = apic::offset::trigger_mode + (vector >> 5) * 0x10u;
    return (apic(i).peek(LocalApic::registers, offset, AccessSize(4)) >> (vector & 31) & 1) != 0;
  }
  void advance(u64 nanoseconds) { bench.advance(nanoseconds); }

  TestBench bench;
  ApicBusHolder& holder = bench.add<ApicBusHolder>("bus");
  HeardEois eois;
  std::deque<Processor> processors;
};

}  // namespace vitrine
