// The interrupt mode configuration register: a switch between the 8259s and the CPU of early multiprocessor boards.
//
// Manual: Intel MultiProcessor Specification 1.4 (242016), 3.6.2.1. The register has number 70h and is reached through
// port 22h (which register) and port 23h (its value).
//
// Interrupts: none of its own. It leads the 8259's INTR output: with bit 0 clear, the value after reset, straight to
// the CPU's INTR pin (PIC mode); with bit 0 set to LINT0 of the local APIC (virtual wire and symmetric I/O mode). The
// wire to the I/O APIC's pin 0 does not go through it. The request keeps its id.
//
// Wiring: line_changed(intr_pin, ...) from the 8259's INT output; two LineDrivers, on the CPU's INTR pin and on LINT0.
// Not modelled: the same switch for NMI; port 22h's other registers (they read all ones).
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

class Imcr final : public Device {
 public:
  static constexpr Region registers{0};
  static constexpr Port first_port{0x22};
  static constexpr u32 port_count = 2;
  static constexpr Pin intr_pin{0};
  static constexpr u8 imcr_register = 0x70;
  static constexpr u8 through_apic = 0x01;

  Imcr(DeviceContext context, LineDriver processor, LineDriver lint0);

  [[nodiscard]] std::string_view name() const override { return "imcr"; }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void exchange(Archive& archive) override;

  [[nodiscard]] bool is_through_apic() const { return (state_.mode & through_apic) != 0; }

 private:
  struct State {
    u8 select = 0;
    u8 mode = 0;  // IMCR
    bool intr = false;
    RequestId request{};
  };
  void write_byte(u64 offset, u8 value);
  void update();

  DeviceContext context_;
  LineDriver processor_;
  LineDriver lint0_;
  State state_;
};

}  // namespace vitrine
