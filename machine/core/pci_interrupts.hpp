// How one PCI function interrupts: through its INTx# pin, by MSI or by MSI-X, as the guest has set it up.
//
// Source: PCI Local Bus Specification 3.0, 6.2.2 to 6.2.4 (pin, interrupt disable, interrupt status) and 6.8 (MSI and
// MSI-X). A chip that can interrupt owns one of these beside its PciConfig, tells it of every configuration write, and
// gives the guest its table and pending bits in a window of its own.
//
// A message that can't be sent waits: masked vectors have their pending bit set, and go when they are unmasked. While
// neither MSI nor MSI-X is enabled there is no message, and one that the chip asks for is dropped.
// unverified: the specification does not say what happens to a message while bus mastering is off; here it waits too.
#pragma once

#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/message_port.hpp"
#include "machine/core/pci.hpp"

namespace vitrine {

class PciInterrupts {
 public:
  struct Options {
    u8 pin = 1;                                ///< 1..4: INTA#..INTD#
    u8 msi_messages = 0;                       ///< 1, 2, 4, 8, 16 or 32, all maskable, 64-bit address; 0: no MSI
    u8 msix_entries = 0;                       ///< 1..128; 0: no MSI-X
    u8 msix_bar = 0;                           ///< the BAR of table and pending bits
    u32 msix_table = 0, msix_pending = 0x800;  ///< their offsets in it, multiples of 8
  };
  /// Adds the capabilities to `config`. `messages` may be null if there are none.
  PciInterrupts(const DeviceContext& context, PciConfig& config, LineDriver pin, MessagePort* messages,
                const Options& options);

  enum class Way : u8 { Pin = 0, Msi = 1, MsiX = 2 };
  /// What the guest has enabled. Both: MSI-X (unverified: forbidden by 6.8).
  [[nodiscard]] Way way() const;
  /// As what messages could be delivered, of those that nothing holds back.
  [[nodiscard]] MessageModes message_modes() const;

  /// The chip wants its pin asserted, or not any more. It drives the line unless messages are enabled or the command
  /// register disables it. `cause`: Raised::detail.
  void set_pin(Level level, u8 cause);
  /// The chip sends message `number`: of MSI, the low bits that the guest has granted; of MSI-X, the table entry,
  /// modulo their number.
  void send(u8 number, u8 cause);

  /// Does message `number`, of the way that is enabled, wait for its mask or the bus?
  [[nodiscard]] bool waits(u8 number) const;

  /// After each write to the function's configuration registers (PciFunction::config_written).
  void config_written();
  /// MSI-X table: 16 bytes an entry (6.8.2.6). Writes are aligned, of 4 or 8 bytes; others do nothing.
  [[nodiscard]] u64 table(u64 offset, AccessSize size) const;
  void write_table(u64 offset, AccessSize size, u64 value);
  /// MSI-X pending bits (6.8.2.10).
  [[nodiscard]] u64 pending(u64 offset, AccessSize size) const;

  /// After the PciConfig was reset.
  void reset();
  void exchange(Archive& archive);

 private:
  struct Entry {
    u64 address = 0;
    u32 data = 0;
    bool masked = false;
    Setting masking{};
    RequestId waiting{};  // the pending bit
    Obstacle told = Obstacle::None;
    Tick told_since{};
    void exchange(Archive& archive) { archive(address, data, masked, masking, waiting, told, told_since); }
  };
  struct State {
    bool wanted = false;  // the pin
    u8 cause = 0;
    u16 command = 0;
    u16 msi_control = 0, msix_control = 0;
    Setting bus_master{}, pin_disable{}, msi_set{}, msix_set{};
    Withholding told{};
  };
  struct Obstruction {
    Obstacle obstacle = Obstacle::None;
    Setting setting{};
  };

  void define_msi();
  void define_msix();
  [[nodiscard]] bool msi_enabled() const;
  [[nodiscard]] bool msix_enabled() const;
  [[nodiscard]] u8 granted_messages() const;
  [[nodiscard]] std::size_t slot_of(u8 number) const;
  [[nodiscard]] Obstruction obstruction(Way way, const Entry& entry) const;
  void read_msi_registers();
  void note_control(u16& shadow, u8 capability, Setting& setting);
  void entry_changed(u8 number, const Entry& entry);
  void deliver(Way way, std::vector<Entry>& entries);
  void report(Entry& entry, u8 number, const Obstruction& found);
  void update();
  void record(Record record) const;
  [[nodiscard]] Setting here() const { return {context_.ledger.context.address, context_.clock.now()}; }

  DeviceContext context_;
  PciConfig* config_;
  LineDriver pin_;
  LineRecords pin_records_;
  MessagePort* messages_;
  Options options_;
  u8 msi_ = 0, msix_ = 0;  // offsets of the capabilities; 0: none
  State state_;
  std::vector<Entry> msi_entries_;   // what the registers say, by message
  std::vector<Entry> msix_entries_;  // the table
};

}  // namespace vitrine
