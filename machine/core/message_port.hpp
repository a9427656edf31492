// Where a device's memory writes go that are meant as interrupt messages: MSI, MSI-X, HPET's FSB delivery.
//
// Manual: PCI Local Bus Specification 3.0, 6.8; Intel SDM vol. 3A §10.11.
#pragma once

#include "machine/core/bus.hpp"
#include "machine/core/interrupt_message.hpp"

namespace vitrine {

class MessagePort {
 public:
  virtual ~MessagePort() = default;
  /// Writes the 32 bits of `data` at `address`. `request` (never 0), `source` and `pin` (ApicPin::Message) are for the
  /// ledger.
  virtual void send(u64 address, u32 data, RequestId request, SourceId source, u8 pin) = 0;
};

/// The port of a machine with local APICs: FEEx_xxxxh becomes an InterruptMessage, RAM is written, and anything else is
/// dropped with MessageLost: a device reaches no other device by a message.
class BusMessagePort final : public MessagePort {
 public:
  BusMessagePort(ApicBus& apics, MemoryBus& memory, Ledger& ledger)
      : apics_(&apics), memory_(&memory), ledger_(&ledger) {}
  void send(u64 address, u32 data, RequestId request, SourceId source, u8 pin) override;

 private:
  ApicBus* apics_;
  MemoryBus* memory_;
  Ledger* ledger_;
};

}  // namespace vitrine
