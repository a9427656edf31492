#include "machine/core/message_port.hpp"

#include <array>

namespace vitrine {

void BusMessagePort::send(u64 address, u32 data, RequestId request, SourceId source, u8 pin) {
  if (is_msi_address(address)) {
    apics_->send(message_of_msi(address, data, request), source, pin);
    return;
  }
  const std::array<u8, 4> bytes = {static_cast<u8>(data), static_cast<u8>(data >> 8), static_cast<u8>(data >> 16),
                                   static_cast<u8>(data >> 24)};
  if (memory_->write_block(PhysicalAddress(address), bytes)) return;
  ledger_->append({.id = request.value,
                   .since = address,
                   .extra = data,
                   .kind = RecordKind::MessageLost,
                   .pin = pin,
                   .detail = static_cast<u8>(MessageLoss::NoAddress),
                   .source = source.value});
}

}  // namespace vitrine
