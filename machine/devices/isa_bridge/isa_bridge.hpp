// The PCI-to-ISA bridge with its PCI interrupt router: function 00:01.0 of a PIIX3-like southbridge, or the LPC bridge
// 00:1F.0 of an ICH9-like one.
//
// Manuals: Intel 82371SB PIIX3 data sheet (290550), 2.2; Intel I/O Controller Hub 9 (ICH9) data sheet (316972), 13.1.
//
// Interrupts: none of its own. The route registers (PIIX3: 60h-63h for PIRQA-D; ICH9: 68h-6Bh for PIRQE-H as well) say
// which ISA line each PCI interrupt line drives; 80h, the value after reset, is none. While a routed PIRQ line is
// asserted, the ISA line is high, in whatever sense the 8259's ELCR takes it: the router sets no ELCR bit, firmware or
// the guest must make the ISA line level-triggered. The request keeps its id. An I/O APIC has the PIRQ lines on pins of
// its own, by the board's wires, whatever is routed here.
//
// Wiring: line_changed(Pin(n), ...) for PIRQ n (A is 0); one LineDriver for each ISA line that it may drive (3-7, 9-12,
// 14, 15). Attach config() to the PciBus with the bridge itself as the listener.
//
// Not modelled: DMA aliasing, recovery timers, APIC base, serial interrupts, ICH9's GPIO and RCBA: the registers read
// back what was written. PMBASE (ICH9) reads as the board has set it and does not move. The reset control register
// (port CF9h) is in pci_host, because it lies between the bytes of CF8h.
#pragma once

#include <array>

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/pci.hpp"

namespace vitrine {

class IsaBridge final : public Device, public PciFunction {
 public:
  enum class Model : u8 { Piix3, Ich9 };
  struct Strapping {
    Model model = Model::Piix3;
    Port pm_base{0x600};  ///< ICH9: PMBASE
  };
  static constexpr u8 isa_lines = 16;
  /// The board's number of PIRQ A, for the ledger.
  static constexpr u8 first_pirq_line = 16;
  using IsaDrivers = std::array<LineDriver, isa_lines>;

  IsaBridge(DeviceContext context, const Strapping& strapping, const IsaDrivers& isa);
  /// A PIIX3 that routes nowhere.
  explicit IsaBridge(DeviceContext context) : IsaBridge(context, Strapping{}, IsaDrivers{}) {}

  [[nodiscard]] std::string_view name() const override { return "isa-bridge"; }
  void reset() override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void config_written(u8 offset, AccessSize size) override;
  void exchange(Archive& archive) override;

  /// How many PIRQ lines there are: 4 or 8.
  [[nodiscard]] u8 pirqs() const { return strapping_.model == Model::Ich9 ? 8 : 4; }
  /// The configuration register of PIRQ `pirq`.
  [[nodiscard]] static constexpr u8 route_register(u8 pirq) {
    return static_cast<u8>(pirq < 4 ? 0x60 + pirq : 0x64 + pirq);
  }
  static constexpr u8 no_line = 0xFF;
  /// The ISA line that PIRQ `pirq` drives, or no_line.
  [[nodiscard]] u8 route(u8 pirq) const;

  /// The configuration registers, for the board to attach to the bus.
  PciConfig& config() { return config_; }

 private:
  static constexpr u8 most_pirqs = 8;
  struct Pirq {
    bool asserted = false;
    RequestId request{};
    u8 route = not_routed;  // the register, as the ledger last said it
    Setting routed{};
    u8 drives = no_line;  // the ISA line on which its request is
    RequestId told{};     // a Blocked record was made for this request...
    Tick told_since{};    // ... and the route that was set then
    void exchange(Archive& archive) { archive(asserted, request, route, routed, drives, told, told_since); }
  };
  static constexpr u8 not_routed = 0x80;

  void define_piix3();
  void define_ich9();
  void join(u8 pirq, u8 line);
  void leave(u8 pirq);
  void report_unrouted(u8 pirq);
  void update();

  DeviceContext context_;
  Strapping strapping_;
  IsaDrivers isa_;
  PciConfig config_;
  std::array<Pirq, most_pirqs> pirqs_{};
};

}  // namespace vitrine
