#include "machine/core/device_records.hpp"

#include <utility>

namespace vitrine {

void LineRecords::programmed(DeviceRegister which, u64 before, u64 after, u64 by) const {
  if (before == after) return;
  ledger_.append({.address = by,
                  .other = before,
                  .extra = after,
                  .kind = RecordKind::DeviceProgrammed,
                  .pin = pin_,
                  .detail = static_cast<u8>(which),
                  .source = source_.value});
}

void LineRecords::withheld(Withholding& told, const Withholding& now, u8 device_cause) const {
  if (told == now) return;
  told = now;
  ledger_.append({.address = now.setting.by,
                  .since = now.setting.since.value,
                  .extra = device_cause,
                  .kind = RecordKind::Withheld,
                  .pin = pin_,
                  .detail = static_cast<u8>(now.cause),
                  .source = source_.value});
}

void LineRecords::not_withheld(Withholding& told, u8 device_cause) const {
  const WithheldCause before = std::exchange(told, Withholding{}).cause;
  if (before == WithheldCause::None) return;
  ledger_.append({.other = static_cast<u64>(before),
                  .extra = device_cause,
                  .kind = RecordKind::Withheld,
                  .pin = pin_,
                  .detail = static_cast<u8>(WithheldCause::None),
                  .source = source_.value});
}

}  // namespace vitrine
