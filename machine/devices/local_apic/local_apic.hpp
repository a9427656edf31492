// A local APIC: one CPU's interrupt controller, xAPIC and x2APIC.
//
// Manual: Intel SDM vol. 3A chapter 10 ("§" here and in the sources); thermal monitor: vol. 3B §14.8.
//
// How its interrupt behaves: a message (from an I/O APIC, an MSI, another CPU) or a local source sets the vector's IRR
// bit; with the bit set already the request merges. INTR to the CPU is high while the highest IRR bit's class is above
// the processor priority: the higher one of TPR and of the highest ISR bit. The acknowledge moves the bit from IRR to
// ISR; EOI clears the highest ISR bit and, for a level interrupt, tells the I/O APICs. NMI, INIT and SIPI go to the CPU
// past all of this, ExtINT asks the 8259s for the vector. A request for which the CPU acknowledges too late (it was
// taken back, or TPR has risen) is answered with the spurious vector.
//
// Software-disabled (SVR bit 8, also after reset): LVT entries are masked, only NMI, INIT and SIPI get through.
// Globally disabled (IA32_APIC_BASE bit 11): LINT0 is the CPU's INTR, LINT1 its NMI; registers keep their values, which
// §10.4.3 allows, but the timer stops; the id is the initial one again after enabling. The timer counts a bus clock of
// 1 GHz (CPUID leaf 15h: the crystal) divided by DCR, in exact nanoseconds of virtual time; TSC-deadline mode compares
// with the same clock plus the offset that the guest has given its TSC.
//
// Thermal: the core's temperature (die_temperature.hpp) reads in IA32_THERM_STATUS in degrees below TjMax. While an
// enable bit of IA32_THERM_INTERRUPT is set it is compared each 2^20 ns, and a crossing raises LVT thermal; with none
// set, the log bits know of what was seen at reads. TjMax is 100, critical 105 degrees.
//
// Delivery is immediate: the delivery-status bits always read 0. The CPU raises LVT CMCI and LVT performance counter
// (machine/cpu: performance.hpp, machine_check.hpp). Not modelled: SMI (there is no SMM), clock modulation's and the
// thermal monitor's effect on speed (the duty cycle reads back), the package thermal registers (CPUID leaf 6 does not
// show them), arbitration on the 3-wire bus.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/interrupt_message.hpp"
#include "machine/core/local_interrupts.hpp"
#include "machine/devices/local_apic/die_temperature.hpp"
#include "machine/devices/local_apic/vector_set.hpp"

namespace vitrine {

class LocalApic final : public Device, public LocalInterrupts, public ApicBusAgent {
 public:
  static constexpr Region registers{0};  ///< 4096 bytes: the xAPIC's page, for debuggers and tests
  enum InputPin : u8 {
    lint0 = 0,  ///< the 8259s' INT
    lint1 = 1,  ///< the NMI wire
    intr = 2,   ///< the 8259s' INT with the IMCR in PIC mode: straight to the CPU, past the APIC
  };
  enum class Start : u8 { Bootstrap, Application };
  enum class Modes : u8 { XapicAndX2apic, XapicOnly };
  struct Identity {
    u8 cpu = 0;          ///< number of its CPU
    u32 initial_id = 0;  ///< APIC id; its low 8 bits are the xAPIC's
    Start start = Start::Bootstrap;
    Modes modes = Modes::XapicAndX2apic;
  };

  /// `interrupt_output`: the CPU's INTR. `external`: the 8259s, for ExtINT; null: there are none.
  LocalApic(DeviceContext context, Identity identity, ApicBus& bus, LineDriver interrupt_output, ProcessorPins& cpu,
            InterruptAcknowledger* external, DieTemperature::Cooling cooling = {});

  // Device
  [[nodiscard]] std::string_view name() const override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

  // LocalInterrupts
  Acknowledged acknowledge() override;
  u64 read_register(u32 offset, u8 size) override;
  [[nodiscard]] bool reads_quietly(u32 offset) const override { return has_register(offset & 0xFF0); }
  void write_register(u32 offset, u8 size, u64 value) override;
  [[nodiscard]] MsrResult read_msr(u32 number, u64& value) override;
  [[nodiscard]] MsrResult write_msr(u32 number, u64 value) override;
  [[nodiscard]] u8 task_priority_class() const override;
  void set_task_priority_class(u8 value) override;
  [[nodiscard]] u32 initial_id() const override { return identity_.initial_id; }
  [[nodiscard]] bool globally_enabled() const override;
  [[nodiscard]] bool has_x2apic() const override { return identity_.modes == Modes::XapicAndX2apic; }
  void tsc_offset_changed(u64 offset) override;
  void init() override;
  [[nodiscard]] bool can_ever_wake(bool interruptible) const override;
  void raise_local(Source source) override;

  // ApicBusAgent
  [[nodiscard]] bool addressed_by(const InterruptMessage& message) const override;
  [[nodiscard]] u8 arbitration_priority() const override;
  [[nodiscard]] bool focus(u8 vector) const override;
  [[nodiscard]] bool takes(const InterruptMessage& message) const override;
  void accept(const InterruptMessage& message) override;
  [[nodiscard]] u8 cpu() const override { return identity_.cpu; }

  // Questions. They change nothing.
  [[nodiscard]] bool x2apic_mode() const;
  [[nodiscard]] bool software_enabled() const;
  [[nodiscard]] u32 id() const;
  [[nodiscard]] u8 processor_priority() const;                                     // PPR
  [[nodiscard]] const VectorSet& requests() const { return state_.requests; }      // IRR
  [[nodiscard]] const VectorSet& in_service() const { return state_.in_service; }  // ISR
  /// The vector that INTR is high for.
  [[nodiscard]] std::optional<u8> winner() const;
  /// The LVT entry of a local source.
  [[nodiscard]] u32 local_vector(ApicPin source) const { return state_.lvt[index_of(source)]; }
  [[nodiscard]] bool masked(ApicPin source) const;

 private:
  enum EventKind : u16 { timer_expires, temperature_sampled };
  enum class TimerMode : u8 { OneShot = 0, Periodic = 1, Deadline = 2, Reserved = 3 };
  static constexpr u8 no_pin = 0xFF;  // in records: it came by a message
  static constexpr std::size_t sources = 7;

  /// The ledger's side of a vector.
  struct VectorState {
    RequestId pending{};  // of the IRR bit
    Tick pending_since{};
    RequestId serving{};  // of the ISR bit
    Tick in_service_since{};
    u64 in_service_by = 0;  // the instruction before which it was acknowledged
    u8 pending_pin = no_pin;
    u8 serving_pin = no_pin;
    void exchange(Archive& archive);
  };
  /// An input pin.
  struct Input {
    bool high = false;
    bool active = false;  // LINT: high or low, as its polarity bit says
    RequestId request{};
    bool told = false;      // that the entry's mask is in the way of `request`
    bool was_open = false;  // the entry has been unmasked since reset
    void exchange(Archive& archive) { archive(high, active, request, told, was_open); }
  };
  struct Timer {
    u32 initial_count = 0;
    u32 divide = 0;        // DCR
    Tick expires = never;  // never: it does not count
    u64 deadline = 0;      // IA32_TSC_DEADLINE
    bool resting = false;  // its further periods would change nothing, so they have no events
    bool told = false;     // that the entry's mask is in the way
    void exchange(Archive& archive) { archive(initial_count, divide, expires, deadline, resting, told); }
  };
  struct Thermal {
    u64 enables = 0;        // IA32_THERM_INTERRUPT
    u32 status = 0;         // IA32_THERM_STATUS without the readout
    u32 modulation = 0;     // IA32_CLOCK_MODULATION
    bool sampling = false;  // an event will come
    void exchange(Archive& archive) { archive(enables, status, modulation, sampling); }
  };
  struct State {
    u64 base = 0;  // IA32_APIC_BASE
    u8 xapic_id = 0;
    u8 task_priority = 0;
    u32 logical_destination = 0;       // LDR of the xAPIC
    u32 destination_format = ~u32{0};  // DFR
    u32 spurious_vector = 0;           // SVR
    VectorSet requests;                // IRR
    VectorSet in_service;              // ISR
    VectorSet level;                   // TMR
    u32 error_status = 0;              // ESR as it reads
    u32 errors = 0;                    // what the next write shows in it
    u64 command = 0;                   // ICR
    std::array<u32, sources> lvt{};    // by index_of()
    Timer timer;
    u64 tsc_offset = 0;
    std::array<Input, 3> inputs;
    RequestId external{};  // ExtINT by a message or a local edge waits; 0: none
    Thermal thermal;
    // For the ledger.
    Setting task_priority_set{};
    Setting spurious_vector_set{};
    Setting base_set{};
    std::array<Setting, sources> lvt_set{};
    VectorSet told_task_priority, told_in_service, told_higher;  // since their IRR bits were set
    std::array<VectorState, 256> vectors{};
    void exchange(Archive& archive);
  };

  static constexpr std::size_t index_of(ApicPin source) {
    return (static_cast<std::size_t>(source) - static_cast<std::size_t>(ApicPin::Timer)) % sources;
  }
  [[nodiscard]] u32& lvt(ApicPin source) { return state_.lvt[index_of(source)]; }
  [[nodiscard]] Tick now() const { return context_.clock.now(); }
  [[nodiscard]] Setting here() const { return {context_.ledger.context.address, now()}; }
  void start(u8 first_id);

  // Vectors.
  [[nodiscard]] u8 in_service_class() const;
  void latch(u8 vector, RequestId request, u8 pin, bool level);
  Acknowledged enter_service(u8 vector);
  Acknowledged spurious();
  void end_of_interrupt();
  void set_task_priority(u8 value);
  void log_error(u32 error);
  void update() { drive(globally_enabled() ? winner() : std::nullopt); }
  void drive(std::optional<u8> vector);

  // Local sources.
  [[nodiscard]] MessageMode mode_of(ApicPin source) const;
  void raise(ApicPin source);
  void deliver(ApicPin source, RequestId request);
  void write_local_vector(ApicPin source, u32 value);
  void mask_all();
  void sense(InputPin pin);
  [[nodiscard]] RequestId own_request(RequestId of_wire);
  [[nodiscard]] const Input* external_input() const;

  // Registers.
  [[nodiscard]] bool has_register(u32 offset) const;
  [[nodiscard]] u64 peek_register(u32 offset, u8 size) const;
  [[nodiscard]] u32 register_value(u32 offset) const;
  void set_register(u32 offset, u32 value);
  [[nodiscard]] MsrResult read_x2apic(u32 number, u64& value) const;
  [[nodiscard]] MsrResult write_x2apic(u32 number, u64 value);
  [[nodiscard]] MsrResult write_base(u64 value);
  void base_changed();
  void write_spurious_vector(u32 value);
  void send_command(u32 low, u32 destination);
  void send_self(u8 vector);
  void lose_own(u8 vector);

  // The timer.
  [[nodiscard]] TimerMode timer_mode() const;
  [[nodiscard]] u64 divider() const;
  [[nodiscard]] u64 period() const { return state_.timer.initial_count * divider(); }
  [[nodiscard]] u32 current_count() const;
  void write_initial_count(u32 value);
  void write_divide(u32 value);
  void write_deadline(u64 value);
  void arm_deadline();
  void timer_due();
  void follow_periods();
  void stop_timer();
  void schedule_timer();

  // Thermal.
  [[nodiscard]] MsrResult read_thermal(u32 number, u64& value);
  [[nodiscard]] MsrResult write_thermal(u32 number, u64 value);
  [[nodiscard]] u32 thermal_conditions() const;
  void sample_temperature();
  void watch_temperature();

  // The ledger.
  void record(Record&& record) const {
    record.source = context_.source.value;
    context_.ledger.append_for(identity_.cpu, record);
  }
  void programmed(ControllerRegister which, u64 before, u64 after, u8 pin = 0) const;
  void tell_blocked(u8 vector);
  void tell_all_blocked();
  void tell_entry_masked(ApicPin source, RequestId request);
  void withdraw_all();
  void withdraw_external();

  DeviceContext context_;
  Identity identity_;
  ApicBus& bus_;
  LineDriver interrupt_output_;
  ProcessorPins& pins_;
  InterruptAcknowledger* external_;
  DieTemperature temperature_;
  State state_;
};

}  // namespace vitrine
