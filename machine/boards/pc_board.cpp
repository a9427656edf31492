#include "machine/boards/pc_board.hpp"

#include <algorithm>
#include <string>

#include "base/assert.hpp"
#include "base/bits.hpp"
#include "machine/boards/physical_memory.hpp"
#include "machine/boot/acpi_tables.hpp"

namespace vitrine {

namespace {
std::vector<DeviceContext> places_of_chips(Places& places) {
  std::vector<DeviceContext> contexts;
  for (const std::string_view name : chip_names) contexts.push_back(places.next(name));
  return contexts;
}
}  // namespace

LineDriver PcBoard::drive(IsaSource source, Chip chip) {
  if (traits_of(kind()).has_apics) {
    if (source == IsaSource::Timer) return pit_output_.add_driver(source_of(chip));
    if (source == IsaSource::Rtc) return clock_output_.add_driver(source_of(chip));
  }
  return isa_.driver(source, source_of(chip));
}

PcBoard::PcBoard(const Surroundings& surroundings)
    : surroundings_(surroundings),
      places_(surroundings.clock, surroundings.events, surroundings.ledger),
      chips_(places_of_chips(places_)),
      isa_(surroundings.ledger),
      intr_(surroundings.ledger, "intr", InterruptLine::no_number),
      secondary_int_(surroundings.ledger, "pic1-int", InterruptLine::no_number),
      ferr_(surroundings.ledger, "ferr", InterruptLine::no_number),
      ignne_(surroundings.ledger, "ignne", InterruptLine::no_number),
      nmi_(surroundings.ledger, "nmi", InterruptLine::no_number),
      nmi_mask_(surroundings.ledger, "nmi-mask", InterruptLine::no_number),
      pit_output_(surroundings.ledger, "pit-output", isa_wire_of(IsaSource::Timer)->irq()),
      clock_output_(surroundings.ledger, "clock-output", isa_wire_of(IsaSource::Rtc)->irq()),
      cpu_group_(surroundings.cpus),
      pic0(context_of(Chip::Pic0), pc_primary_pic, intr_.add_driver(source_of(Chip::Pic0))),
      pic1(context_of(Chip::Pic1), pc_secondary_pic, secondary_int_.add_driver(source_of(Chip::Pic1))),
      cpu(context_of(Chip::Cpu), surroundings.memory, surroundings.ports, &pic0, surroundings.seed, &cpu_group_),
      pit(context_of(Chip::Pit), drive(IsaSource::Timer, Chip::Pit)),
      system_control(context_of(Chip::SystemControl), pit.pins(2), nmi_.add_driver(source_of(Chip::SystemControl))),
      rtc(context_of(Chip::Rtc), drive(IsaSource::Rtc, Chip::Rtc), nmi_mask_.add_driver(source_of(Chip::Rtc)),
          {.unix_seconds = surroundings.rtc_unix_seconds,
           .memory_below_4g = std::min(surroundings.memory_bytes, PhysicalMemory::pci_hole_start),
           .memory_above_4g =
               surroundings.memory_bytes - std::min(surroundings.memory_bytes, PhysicalMemory::pci_hole_start)}),
      keyboard_controller(context_of(Chip::KeyboardController), drive(IsaSource::Keyboard, Chip::KeyboardController),
                          drive(IsaSource::Mouse, Chip::KeyboardController), surroundings.control),
      com1(context_of(Chip::Com1), "com1", Channel::Com1, drive(IsaSource::Serial1, Chip::Com1), surroundings.outputs,
           surroundings.serial_crystal_hz),
      com2(context_of(Chip::Com2), "com2", Channel::Com2, drive(IsaSource::Serial2, Chip::Com2), surroundings.outputs,
           surroundings.serial_crystal_hz),
      com3(context_of(Chip::Com3), "com3", Channel::Com3, drive(IsaSource::Serial3, Chip::Com3), surroundings.outputs,
           surroundings.serial_crystal_hz),
      com4(context_of(Chip::Com4), "com4", Channel::Com4, drive(IsaSource::Serial4, Chip::Com4), surroundings.outputs,
           surroundings.serial_crystal_hz),
      lpt1(context_of(Chip::Lpt1), "lpt1", Channel::Parallel1, drive(IsaSource::Parallel1, Chip::Lpt1),
           surroundings.outputs),
      lpt2(context_of(Chip::Lpt2), "lpt2", Channel::Parallel2, drive(IsaSource::Parallel2, Chip::Lpt2),
           surroundings.outputs),
      fpu_error(context_of(Chip::FpuError), drive(IsaSource::FpuError, Chip::FpuError),
                ignne_.add_driver(source_of(Chip::FpuError))),
      port92(context_of(Chip::Port92), surroundings.control),
      debug_ports(context_of(Chip::DebugPorts), surroundings.outputs, surroundings.control),
      dma0(context_of(Chip::Dma0), "dma0", Dma8237::Stride::One),
      dma1(context_of(Chip::Dma1), "dma1", Dma8237::Stride::Two),
      dma_page(context_of(Chip::DmaPage)),
      vga(context_of(Chip::Vga)),
      acpi_pm(context_of(Chip::AcpiPm), drive(IsaSource::Acpi, Chip::AcpiPm), surroundings.control,
              {.base = pm_base, .width = pm_timer_width, .soft_off_sleep_type = acpi_power_off_sleep_type}),
      annotation(context_of(Chip::Annotation)) {
  place_chips();
  add_other_cpus();
  connect_wires();
  map_ports();
  if (traits_of(kind()).pirqs != 0) add_pci();
  if (traits_of(kind()).has_apics) add_apics();
  if (pci != nullptr && apics != nullptr) add_interrupt_tester();
  add_what_test_suites_expect();
  add_disks();
}

void PcBoard::place_chips() {
  const std::array<Device*, chip_names.size()> chips = {
      &cpu,      &pic0, &pic1,    &pit,       &system_control, &rtc,    &keyboard_controller, &com1, &com2,
      &com3,     &com4, &lpt1,    &lpt2,      &fpu_error,      &port92, &debug_ports,         &dma0, &dma1,
      &dma_page, &vga,  &acpi_pm, &annotation};
  for (std::size_t i = 0; i < chips.size(); ++i) places_.put(chips_[i], *chips[i]);
}

void PcBoard::add_other_cpus() {
  for (unsigned number = 1; number < cpu_group_.count; ++number) {
    const DeviceContext place = places_.next("cpu" + std::to_string(number));
    other_cpus_.push_back(std::make_unique<Cpu>(place, surroundings_.memory, surroundings_.ports, nullptr,
                                                surroundings_.seed, &cpu_group_));
    places_.put(place, *other_cpus_.back());
  }
}

void PcBoard::add_pci() {
  pci = std::make_unique<PciComplex>(traits_of(kind()),
                                     PciComplex::Surroundings{.ledger = surroundings_.ledger,
                                                              .memory = surroundings_.memory,
                                                              .ports = surroundings_.ports,
                                                              .control = surroundings_.control,
                                                              .isa = isa_,
                                                              .pm_base = pm_base},
                                     places_);
  // 82371AB: power management is a function of its own; ICH9 has it in the LPC bridge.
  if (kind() == BoardKind::Pc) pci->plug({1, 3}, acpi_pm.config());
}

void PcBoard::add_apics() {
  using Modes = LocalApic::Modes;
  const Modes modes = surroundings_.x2apic ? Modes::XapicAndX2apic : Modes::XapicOnly;
  apics = std::make_unique<ApicComplex>(traits_of(kind()), surroundings_.ledger, surroundings_.memory, cpu_group_,
                                        modes, surroundings_.cooling, pic0, places_);
  apics->connect_8259s(intr_);
  apics->connect_nmi(nmi_);
  for (const IsaWire& wire : isa_wires) {
    isa_.connect_irq(wire.irq(), apics->io_apic(), Pin(io_apic_pin_of_irq(wire.irq())));
  }
  pci->connect_io_apic(apics->io_apic());
  apics->add_hpet(places_, surroundings_.memory, isa_, pit_output_, clock_output_, *pci);
  const bool mapped =
      surroundings_.memory
          .map_device(PhysicalAddress(io_apic_address), IoApic::window_bytes, apics->io_apic(), IoApic::registers)
          .has_value();
  VITRINE_ASSERT(mapped);
  if (apics->imcr() != nullptr) {
    const bool imcr_mapped =
        surroundings_.ports.map(Imcr::first_port, Imcr::port_count, *apics->imcr(), Imcr::registers).has_value();
    VITRINE_ASSERT(imcr_mapped);
  }
}

void PcBoard::connect_wires() {
  isa_.connect(pic0, pic1);
  secondary_int_.connect(pic0, isa_cascade_pin);
  pic0.connect_secondary(isa_cascade_pin, pic1);
  if (!traits_of(kind()).has_apics) {
    intr_.connect(cpu, Pin(Cpu::intr_pin));
    nmi_.connect(cpu, Pin(Cpu::nmi_pin));
  }
  nmi_mask_.connect(system_control, SystemControlB::nmi_mask);
  cpu.connect_ferr(ferr_.add_driver(source_of(Chip::Cpu)));
  ferr_.connect(fpu_error, FpuError::ferr_pin);
  ignne_.connect(cpu, Pin(Cpu::ignne_pin));
}

void PcBoard::map_ports() {
  const auto map = [this](Port first, u32 count, Device& device, auto window, u64 base_offset = 0) {
    const Region region(static_cast<u8>(window));
    const bool mapped = surroundings_.ports.map(first, count, device, region, base_offset).has_value();
    VITRINE_ASSERT(mapped);
  };
  // In the order of the ports, as a PC's technical reference lists them.
  map(Port(0x000), 0x10, dma0, Dma8237::Window::Registers);
  map(Port(0x020), 2, pic0, Pic8259::registers.value);
  map(Port(0x040), 4, pit, Pit8254::registers.value);
  map(Port(0x060), 1, keyboard_controller, I8042::Window::Data);
  map(Port(0x061), 1, system_control, SystemControlB::registers.value);
  map(Port(0x064), 1, keyboard_controller, I8042::Window::Command);
  map(Port(0x070), Mc146818::port_count, rtc, 0);
  map(DebugPorts::post_code_port, 1, debug_ports, DebugPorts::Window::PostCode);
  map(DmaPage::first_port, DmaPage::port_count, dma_page, DmaPage::Window::Registers);
  map(Port92::first_port, Port92::port_count, port92, Port92::Window::Control);
  map(Port(0x0A0), 2, pic1, Pic8259::registers.value);
  map(Port(0x0C0), 0x20, dma1, Dma8237::Window::Registers);
  map(Annotation::first_port, Annotation::port_count, annotation, 0);
  map(DebugPorts::console_port, 1, debug_ports, DebugPorts::Window::Console);
  map(FpuError::first_port, FpuError::port_count, fpu_error, FpuError::Window::Clear);
  map(DebugPorts::exit_port, DebugPorts::exit_port_count, debug_ports, DebugPorts::Window::Exit);
  map(Port(0x278), ParallelPort::port_count, lpt2, 0);
  map(Port(0x2E8), Uart16550::port_count, com4, 0);
  map(Port(0x2F8), Uart16550::port_count, com2, 0);
  map(Port(0x378), ParallelPort::port_count, lpt1, 0);
  map(VgaText::first_port, VgaText::port_count, vga, VgaText::Window::Core);
  map(VgaText::first_crtc_port, VgaText::crtc_port_count, vga, VgaText::Window::Crtc);
  map(Port(0x3E8), Uart16550::port_count, com3, 0);
  map(Port(0x3F8), Uart16550::port_count, com1, 0);
  map(Port(0x4D0), 1, pic0, Pic8259::elcr.value);
  map(Port(0x4D1), 1, pic1, Pic8259::elcr.value);
  map(pm_base, AcpiPm::port_count, acpi_pm, AcpiPm::Window::Registers);
}

void PcBoard::add_interrupt_tester() {
  const DeviceContext place = places_.next("interrupt-tester");
  interrupt_tester =
      std::make_unique<InterruptTester>(place, pci->pin(interrupt_tester_slot, 0, place.source), apics->messages());
  places_.put(place, *interrupt_tester);
  PciConfig& config = interrupt_tester->config();
  pci->plug({interrupt_tester_slot, 0}, config, interrupt_tester.get());
  pci->bus().add_window(config, InterruptTester::registers_bar, *interrupt_tester, InterruptTester::registers);
  pci->bus().add_window(config, InterruptTester::messages_bar, *interrupt_tester, InterruptTester::messages);
}

void PcBoard::add_what_test_suites_expect() {
  const auto map = [this](Port first, u32 count, Device& device, Region region) {
    const bool mapped = surroundings_.ports.map(first, count, device, region).has_value();
    VITRINE_ASSERT(mapped);
  };
  const DeviceContext fw_cfg_place = places_.next("fw-cfg");
  fw_cfg = std::make_unique<FwCfg>(
      fw_cfg_place,
      FwCfg::Setup{.memory_bytes = surroundings_.memory_bytes, .cpus = static_cast<u16>(surroundings_.cpus)},
      surroundings_.memory);
  places_.put(fw_cfg_place, *fw_cfg);
  map(FwCfg::first_port, FwCfg::port_count, *fw_cfg, FwCfg::registers);
  if (pci == nullptr || apics == nullptr) return;

  const DeviceContext testdev_place = places_.next("pc-testdev");
  std::array<LineDriver, PcTestdev::lines> lines;
  for (const IsaWire& wire : isa_wires) lines[wire.irq()] = isa_.driver_of_irq(wire.irq(), testdev_place.source);
  for (u8 pin = first_pirq_pin; pin < io_apic_pins; ++pin) {
    const auto pirq = static_cast<u8>(pin - first_pirq_pin);
    lines[pin] = pirq < pci->pirqs() ? pci->pirq(pirq, testdev_place.source)
                                     : apics->own_line(pin).add_driver(testdev_place.source);
  }
  pc_testdev = std::make_unique<PcTestdev>(testdev_place, lines);
  places_.put(testdev_place, *pc_testdev);
  map(PcTestdev::echo_port, PcTestdev::echo_ports, *pc_testdev, PcTestdev::echo);
  map(PcTestdev::lines_port, PcTestdev::lines, *pc_testdev, PcTestdev::lines_region);
  const bool mapped =
      surroundings_.memory.map_device(PcTestdev::memory_start, PcTestdev::memory_bytes, *pc_testdev, PcTestdev::memory)
          .has_value();
  VITRINE_ASSERT(mapped);
}

void PcBoard::add_disks() {
  const DeviceContext place = places_.next("ide");
  const std::array pins = {isa_.driver(IsaSource::Disk1, place.source), isa_.driver(IsaSource::Disk2, place.source)};
  const BoardTraits& board = traits_of(kind());
  ide = std::make_unique<Ide>(place, board.ide, pins, surroundings_.memory, surroundings_.disks);
  places_.put(place, *ide);
  const auto map = [this](Port first, u32 count, Ide::Window window) {
    const bool mapped = surroundings_.ports.map(first, count, *ide, Region(static_cast<u8>(window))).has_value();
    VITRINE_ASSERT(mapped);
  };
  map(Ide::primary_port, Ide::command_ports, Ide::Window::Primary);
  map(Ide::secondary_port, Ide::command_ports, Ide::Window::Secondary);
  map(Ide::primary_control_port, Ide::control_ports, Ide::Window::PrimaryControl);
  map(Ide::secondary_control_port, Ide::control_ports, Ide::Window::SecondaryControl);
  if (pci == nullptr) return;
  pci->plug({board.southbridge.device, ide_function}, ide->config(), ide.get());
  pci->bus().add_window(ide->config(), Ide::bus_master_bar, *ide, Region(static_cast<u8>(Ide::Window::BusMaster)));
}

MessageModes PcBoard::message_modes() const {
  MessageModes modes = apics->hpet().message_modes();
  modes.add(interrupt_tester->message_modes());
  return modes;
}

bool PcBoard::could_wake(const Cpu& processor) const {
  // While all CPUs are halted nobody changes IF or the controllers' masks; only an unmasked pin can end it.
  static constexpr u8 all = 0xFF;
  const u8 cascade = pic1.mask() == all ? mask_of<u8>(isa_cascade_pin.value) : u8{0};
  const bool pic_can_ask = static_cast<u8>(pic0.mask() | cascade) != all;
  if (processor.state.waits_for_startup) return false;
  if (apics != nullptr) return apics->could_wake(processor, pic_can_ask, message_modes());
  return processor.interruptible() && (processor.state.intr || pic_can_ask);
}

void PcBoard::reset() {
  for (u16 id = 0; id < places_.count(); ++id) places_.at(DeviceId(id)).reset();
  if (apics != nullptr) apics->reset();
}

void PcBoard::take_input(const Input& input) {
  const std::array coms = {&com1, &com2, &com3, &com4};
  switch (input.kind) {
    case InputKind::SerialByte:
      if (input.port < coms.size()) coms[input.port]->receive(static_cast<u8>(input.value));
      break;
    case InputKind::SerialBreak:
      if (input.port < coms.size()) coms[input.port]->receive_break();
      break;
    case InputKind::KeyScan:
      keyboard_controller.key(input.value);
      break;
    case InputKind::MouseMotion:
      keyboard_controller.mouse_motion(input.value);
      break;
    case InputKind::PowerButton:
      acpi_pm.press_power_button();
      break;
    case InputKind::Nmi:
      system_control.ask_for_nmi(static_cast<SystemControlB::NmiSource>(input.value));
      break;
    case InputKind::MachineCheck:
      if (input.port >= processors()) break;
      processor(input.port)
          .machine_check({.severity = (input.value & uncorrected_error) != 0 ? MachineCheck::Severity::Uncorrected
                                                                             : MachineCheck::Severity::Corrected,
                          .code = static_cast<u16>(input.value)});
      break;
    case InputKind::Stop:
      break;
  }
}

bool PcBoard::serial_wants_input(u8 port) const {
  const std::array coms = {&com1, &com2, &com3, &com4};
  return port < coms.size() && coms[port]->listening() && coms[port]->can_receive();
}

bool PcBoard::keyboard_wants_input() const {
  // A guest that leaves the keyboard as firmware set it shows its interest only here: it has moved the vectors, and
  // IRQ 1 is open.
  static constexpr Vector as_firmware_left_it{0x09};
  const u8 pin = isa_wire_of(IsaSource::Keyboard)->pin;
  const bool open = pic0.vector_of(Pin(pin)) != as_firmware_left_it && !bit(pic0.mask(), pin);
  return keyboard_controller.listening() || (open && keyboard_controller.ready_for_key());
}

void PcBoard::exchange(Archive& archive) {
  archive.section("lines", 3);
  isa_.exchange(archive);
  for (InterruptLine* line :
       {&intr_, &secondary_int_, &ferr_, &ignne_, &nmi_, &nmi_mask_, &pit_output_, &clock_output_})
    line->exchange(archive);
  if (pci != nullptr) pci->exchange(archive);
  if (apics != nullptr) apics->exchange(archive);
  for (u16 id = 0; id < places_.count(); ++id) places_.at(DeviceId(id)).exchange(archive);
}

}  // namespace vitrine
