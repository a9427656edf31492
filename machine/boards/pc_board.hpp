// The PC's motherboard: which chips there are, at which addresses, on which wires. Nothing else is decided here.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "machine/boards/apic_complex.hpp"
#include "machine/boards/board_wiring.hpp"
#include "machine/boards/isa_wiring.hpp"
#include "machine/boards/pci_complex.hpp"
#include "machine/boards/places.hpp"
#include "machine/core/bus.hpp"
#include "machine/core/outside.hpp"
#include "machine/cpu/cpu.hpp"
#include "machine/devices/acpi_pm/acpi_pm.hpp"
#include "machine/devices/annotation/annotation.hpp"
#include "machine/devices/debug_ports/debug_ports.hpp"
#include "machine/devices/dma8237/dma8237.hpp"
#include "machine/devices/dma_page/dma_page.hpp"
#include "machine/devices/fpu_error/fpu_error.hpp"
#include "machine/devices/fw_cfg/fw_cfg.hpp"
#include "machine/devices/i8042/i8042.hpp"
#include "machine/devices/ide/ide.hpp"
#include "machine/devices/interrupt_tester/interrupt_tester.hpp"
#include "machine/devices/mc146818/mc146818.hpp"
#include "machine/devices/parallel/parallel.hpp"
#include "machine/devices/pc_testdev/pc_testdev.hpp"
#include "machine/devices/pic8259/pic8259.hpp"
#include "machine/devices/pit8254/pit8254.hpp"
#include "machine/devices/port92/port92.hpp"
#include "machine/devices/system_control/system_control_b.hpp"
#include "machine/devices/uart16550/uart16550.hpp"
#include "machine/devices/vga_text/vga_text.hpp"

namespace vitrine {

/// The chips that every board has, in the order of their DeviceIds. Behind them come the other CPUs, the PCI side, the
/// APICs, as far as the board has them.
enum class Chip : u8 {
  Cpu,
  Pic0,
  Pic1,
  Pit,
  SystemControl,
  Rtc,
  KeyboardController,
  Com1,
  Com2,
  Com3,
  Com4,
  Lpt1,
  Lpt2,
  FpuError,
  Port92,
  DebugPorts,
  Dma0,
  Dma1,
  DmaPage,
  Vga,
  AcpiPm,
  Annotation,
};
inline constexpr std::array<std::string_view, 22> chip_names = {
    "cpu0",     "pic0", "pic1",    "pit",       "system_control_b", "rtc",    "i8042",       "com1", "com2",
    "com3",     "com4", "lpt1",    "lpt2",      "fpu-error",        "port92", "debug-ports", "dma0", "dma1",
    "dma-page", "vga",  "acpi-pm", "annotation"};

class PcBoard {
 public:
  static constexpr Port pm_base{0x600};
  static constexpr AcpiPm::TimerWidth pm_timer_width = AcpiPm::TimerWidth::Bits24;

  /// What the board is put into, and what is strapped onto it.
  struct Surroundings {
    Clock& clock;
    EventQueue& events;
    Ledger& ledger;
    PortBus& ports;
    MemoryBus& memory;
    Outputs& outputs;
    MachineControl& control;
    BoardKind kind;
    u64 seed;
    unsigned cpus;  ///< 1..64
    bool x2apic;    ///< the local APICs have that mode
    u64 rtc_unix_seconds;
    const Ide::Images& disks;
    u64 memory_bytes;
    u64 serial_crystal_hz;
    DieTemperature::Cooling cooling;
  };
  explicit PcBoard(const Surroundings& surroundings);

  [[nodiscard]] BoardKind kind() const { return surroundings_.kind; }
  [[nodiscard]] Device& device(DeviceId id) { return places_.at(id); }
  [[nodiscard]] u16 device_count() const { return places_.count(); }
  [[nodiscard]] const IsaLines& isa_lines() const { return isa_; }
  [[nodiscard]] Cpu& processor(unsigned number) { return *cpu_group_.cpus[number]; }
  [[nodiscard]] const Cpu& processor(unsigned number) const { return *cpu_group_.cpus[number]; }
  [[nodiscard]] unsigned processors() const { return static_cast<unsigned>(cpu_group_.cpus.size()); }
  /// Could anything that is on its way end the HLT of this CPU? Only masks and switches count, not what is due.
  [[nodiscard]] bool could_wake(const Cpu& processor) const;

  /// The reset line: all chips, and what is between them.
  void reset();

  /// Gives an input to the device that it is for.
  void take_input(const Input& input);
  [[nodiscard]] bool serial_wants_input(u8 port) const;
  [[nodiscard]] bool keyboard_wants_input() const;

  /// All wires and chips.
  void exchange(Archive& archive);

 private:
  [[nodiscard]] const DeviceContext& context_of(Chip chip) const { return chips_[static_cast<std::size_t>(chip)]; }
  [[nodiscard]] SourceId source_of(Chip chip) const { return context_of(chip).source; }
  /// A driver for `chip` on the ISA line of `source`.
  LineDriver drive(IsaSource source, Chip chip);
  void place_chips();
  void map_ports();
  void add_other_cpus();
  void add_pci();
  void add_apics();
  void add_interrupt_tester();
  void add_disks();
  void add_what_test_suites_expect();
  [[nodiscard]] MessageModes message_modes() const;
  void connect_wires();

  Surroundings surroundings_;
  Places places_;
  std::vector<DeviceContext> chips_;
  IsaLines isa_;
  InterruptLine intr_, secondary_int_, ferr_, ignne_, nmi_, nmi_mask_;
  InterruptLine pit_output_, clock_output_;  // of a board with an HPET, which stands between them and IRQ 0 and 8
  CpuGroup cpu_group_;

 public:
  Pic8259 pic0, pic1;
  Cpu cpu;
  Pit8254 pit;
  SystemControlB system_control;
  Mc146818 rtc;
  I8042 keyboard_controller;
  Uart16550 com1, com2, com3, com4;
  ParallelPort lpt1, lpt2;
  FpuError fpu_error;
  Port92 port92;
  DebugPorts debug_ports;
  Dma8237 dma0, dma1;
  DmaPage dma_page;
  VgaText vga;
  AcpiPm acpi_pm;
  Annotation annotation;
  std::unique_ptr<PciComplex> pci;                    ///< null: a board without
  std::unique_ptr<ApicComplex> apics;                 ///< null: a board without
  std::unique_ptr<InterruptTester> interrupt_tester;  ///< null: a board without PCI
  std::unique_ptr<FwCfg> fw_cfg;
  std::unique_ptr<Ide> ide;
  std::unique_ptr<PcTestdev> pc_testdev;  ///< null: a board without APICs

 private:
  std::vector<std::unique_ptr<Cpu>> other_cpus_;
};

}  // namespace vitrine
