#include "machine/boards/apic_complex.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/assert.hpp"
#include "machine/boot/acpi_tables.hpp"

namespace vitrine {

ApicComplex::ApicComplex(const BoardTraits& board, Ledger& ledger, MemoryBus& memory, const CpuGroup& cpus,
                         LocalApic::Modes modes, DieTemperature::Cooling cooling, InterruptAcknowledger& external,
                         Places& places)
    : ledger_(ledger),
      bus_(ledger),
      messages_(bus_, memory, ledger),
      lint0_(ledger, "lint0", InterruptLine::no_number),
      past_the_apics_(ledger, "intr-by-imcr", InterruptLine::no_number) {
  for (Cpu* cpu : cpus.cpus) {
    const std::string number = std::to_string(cpu->number);
    const DeviceContext context = places.next("lapic" + number);
    InterruptLine& intr = cpu_intr_.emplace_back(ledger, "intr" + number, InterruptLine::no_number);
    local_.push_back(std::make_unique<LocalApic>(
        context,
        LocalApic::Identity{.cpu = cpu->number,
                            .initial_id = cpu->number,
                            .start = cpu->number == 0 ? LocalApic::Start::Bootstrap : LocalApic::Start::Application,
                            .modes = modes},
        bus_, intr.add_driver(context.source), *cpu, &external, cooling));
    intr.connect(*cpu, Pin(Cpu::intr_pin));
    cpu->connect_apic(*local_.back());
    bus_.attach(static_cast<ApicBusAgent&>(*local_.back()));
    places.put(context, *local_.back());
  }
  for (const std::unique_ptr<LocalApic>& apic : local_) lint0_.connect(*apic, Pin(LocalApic::lint0));
  past_the_apics_.connect(*local_.front(), Pin(LocalApic::intr));

  const DeviceContext io_apic_place = places.next("ioapic0");
  io_apic_ = std::make_unique<IoApic>(
      io_apic_place,
      IoApic::Wiring{.version = board.io_apic_version == 0x11 ? IoApic::Version::V11 : IoApic::Version::V20,
                     .active_low = io_apic_active_low_pins},
      bus_);
  places.put(io_apic_place, *io_apic_);
  if (!board.has_imcr) return;
  const DeviceContext imcr_place = places.next("imcr");
  imcr_ = std::make_unique<Imcr>(imcr_place, past_the_apics_.add_driver(imcr_place.source),
                                 lint0_.add_driver(imcr_place.source));
  places.put(imcr_place, *imcr_);
}

void ApicComplex::add_hpet(Places& places, MemoryBus& memory, IsaLines& isa, InterruptLine& pit, InterruptLine& clock,
                           PciComplex& pci) {
  const DeviceContext place = places.next("hpet");
  Hpet::Wiring wiring{
      .irq0 = isa.driver_of_irq(0, place.source), .irq8 = isa.driver_of_irq(8, place.source), .messages = &messages_};
  for (u8 pin = first_hpet_pin; pin < io_apic_pins; ++pin) {
    const auto pirq = static_cast<u8>(pin - first_pirq_pin);
    if (pirq < pci.pirqs()) {
      wiring.routes[pin] = pci.pirq(pirq, place.source);
      continue;
    }
    InterruptLine& line = hpet_lines_.emplace_back(ledger_, "hpet" + std::to_string(pin), pin);
    line.connect(*io_apic_, Pin(pin));
    wiring.routes[pin] = line.add_driver(place.source);
  }
  hpet_ = std::make_unique<Hpet>(place, wiring);
  places.put(place, *hpet_);
  pit.connect(*hpet_, Hpet::pit_pin);
  clock.connect(*hpet_, Hpet::rtc_pin);
  const bool mapped =
      memory.map_device(PhysicalAddress(hpet_address), Hpet::window_bytes, *hpet_, Hpet::registers).has_value();
  VITRINE_ASSERT(mapped);
}

void ApicComplex::connect_8259s(InterruptLine& output) {
  output.connect(*io_apic_, Pin(io_apic_external_pin));
  if (imcr_ != nullptr) {
    output.connect(*imcr_, Imcr::intr_pin);
  } else {
    for (const std::unique_ptr<LocalApic>& apic : local_) output.connect(*apic, Pin(LocalApic::lint0));
  }
}

void ApicComplex::connect_nmi(InterruptLine& wire) {
  for (const std::unique_ptr<LocalApic>& apic : local_) wire.connect(*apic, Pin(LocalApic::lint1));
}

bool ApicComplex::could_wake(const Cpu& cpu, bool pic_can_ask, MessageModes messages) const {
  const LocalApic& apic = *local_[cpu.number];
  const bool takes_messages = apic.globally_enabled();
  messages.add(io_apic_->message_modes());
  // Past IF.
  if (takes_messages && (messages.has(MessageMode::Nmi) || messages.has(MessageMode::Init))) return true;
  if (!cpu.interruptible()) return apic.can_ever_wake(false);
  // Past the priorities.
  const bool is_past_apic = imcr_ != nullptr && !imcr_->is_through_apic() && cpu.number == 0;
  if (cpu.state.intr || (is_past_apic && pic_can_ask)) return true;
  if (takes_messages && apic.software_enabled() && messages.has(MessageMode::ExtInt)) return true;
  if (!apic.can_ever_wake(true)) return false;
  if (takes_messages && !messages.empty()) return true;
  // Only inputs drive LINT1, and who injects one asks again.
  static constexpr std::array own = {ApicPin::Timer, ApicPin::Thermal};
  if (std::ranges::any_of(own, [&apic](ApicPin source) { return !apic.masked(source); })) return true;
  return pic_can_ask && (!apic.globally_enabled() || !apic.masked(ApicPin::Lint0));
}

void ApicComplex::exchange(Archive& archive) {
  bus_.exchange(archive);
  for (InterruptLine& line : cpu_intr_) line.exchange(archive);
  lint0_.exchange(archive);
  past_the_apics_.exchange(archive);
  for (InterruptLine& line : hpet_lines_) line.exchange(archive);
}

}  // namespace vitrine
