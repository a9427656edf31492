// A PCI function that interrupts on command: for guests that test interrupts, and for benches.
//
// Made for Vitrine; no hardware has it. PCI id 1234h:7E57h, class FF0000h, one function, INTA#, MSI with up to 8
// messages (64-bit address, per-vector masking) and MSI-X with 16 entries.
//
// BAR 0, memory, 4 KiB: registers, by aligned accesses of 4 bytes (other writes do nothing).
//   00h Id         RO  54495456h ("VTIT")
//   04h Way        RO  how an interrupt would go now: 0 INTA#, 1 MSI, 2 MSI-X
//   08h Vector     RW  message number for MSI and MSI-X
//   0Ch Delay      RW  ns from Start to the first interrupt; 0: at once, before the next instruction
//   10h Period     RW  ns from one interrupt to the next; 0 counts as 1
//   14h Start      RW  write n: raise n interrupts (1: a single one); 0 stops. Reads how many are still to come
//   18h Status     R1C bit 0: INTA# is asserted, and stays so until a one is written here
//   1Ch Raised     RW  how many have been raised
//   20h Merged     RW  of these, how many found INTA# asserted already
//   24h Cleared    RW  how often INTA# was cleared through Status
//   28h TimeLow    RO  when the last one was raised, in ns since power-on
//   2Ch TimeHigh   RO
// BAR 2, memory, 4 KiB: the MSI-X table at 000h, the pending bits at 800h.
//
// How its interrupt behaves: each one that falls due goes the way that is enabled then. INTA# is a level. While it is
// asserted, or the message waits to be unmasked, those that fall due are counted and that is all: no events, no
// records. Wiring: a LineDriver on the line of its slot's INTA#, a MessagePort; attach config() to the PciBus with
// itself as the listener, and both windows with add_window.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/message_port.hpp"
#include "machine/core/pci.hpp"
#include "machine/core/pci_interrupts.hpp"

namespace vitrine {

class InterruptTester final : public Device, public PciFunction {
 public:
  static constexpr Region registers{0}, messages{1};
  static constexpr u8 registers_bar = 0, messages_bar = 2;
  static constexpr u32 window_bytes = 0x1000;
  static constexpr u16 vendor = 0x1234, device = 0x7E57;
  static constexpr u32 id_value = 0x54495456;
  static constexpr u8 msi_messages = 8, msix_entries = 16;
  static constexpr u32 pending_offset = 0x800;
  enum Register : u16 {
    id = 0x00,
    way = 0x04,
    vector = 0x08,
    delay = 0x0C,
    period = 0x10,
    start = 0x14,
    status = 0x18,
    raised = 0x1C,
    merged = 0x20,
    cleared = 0x24,
    time_low = 0x28,
    time_high = 0x2C,
  };
  /// Raised::detail.
  enum class Cause : u8 { Command = 1 };

  InterruptTester(DeviceContext context, LineDriver pin, MessagePort& port);

  [[nodiscard]] std::string_view name() const override;
  void accessed(u64 where) override { pin_.attended(where); }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void config_written(u8 offset, AccessSize size) override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

  PciConfig& config() { return config_; }
  [[nodiscard]] MessageModes message_modes() const { return interrupts_.message_modes(); }

 private:
  enum EventKind : u16 { due };
  /// Why further interrupts would change nothing.
  enum class Rest : u8 { None, Pin, Message };
  struct State {
    u32 vector = 0, delay = 0, period = 0, remaining = 0;
    bool asserted = false;
    u32 raised = 0, merged = 0, cleared = 0;
    Tick last{};
    Tick next = never;  // when the next one falls due
    Rest rest = Rest::None;
  };
  [[nodiscard]] u32 register_at(u64 offset) const;
  void write_register(u64 offset, u32 value);
  [[nodiscard]] State current() const;
  [[nodiscard]] Rest rest() const;
  void begin(u32 count);
  void raise();
  void arrange();
  void update();

  DeviceContext context_;
  LineDriver pin_;
  PciConfig config_;
  PciInterrupts interrupts_;
  State state_;
};

}  // namespace vitrine
