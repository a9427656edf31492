// What a device tells the ledger of the switches that decide about its interrupt: when one changed, and when one keeps
// its line low although it has cause.
#pragma once

#include <array>

#include "base/bits.hpp"
#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

/// When something was set, and by which instruction (linear address; 0: it is so since power-on or reset).
struct Setting {
  u64 by = 0;
  Tick since{};
  bool operator==(const Setting&) const = default;
  void exchange(Archive& archive) { archive(by, since); }
};

/// The last change of each bit of a register.
template <unsigned Bits>
struct BitSettings {
  std::array<Setting, Bits> bits{};

  void note(u64 before, u64 after, const Setting& setting) {
    for (unsigned i = 0; i < Bits; ++i) {
      if (bit(before, i) != bit(after, i)) bits[i] = setting;
    }
  }
  [[nodiscard]] const Setting& of(unsigned position) const { return bits[position]; }
  void exchange(Archive& archive) { archive(bits); }
};

/// What the last Withheld record said, so that it is not said again while nothing changes.
struct Withholding {
  WithheldCause cause = WithheldCause::None;
  Setting setting{};
  bool operator==(const Withholding&) const = default;
  void exchange(Archive& archive) {
    archive(cause, setting);
    if (cause > WithheldCause::NotProgrammed) archive.refuse(Archive::Error::BadValue);
  }
};

/// Makes a device's records about one of its lines.
class LineRecords {
 public:
  LineRecords(const DeviceContext& context, LineDriver line)
      : clock_(context.clock), ledger_(context.ledger), source_(context.source), pin_(line.number()) {}

  /// The instruction that runs now, and now.
  [[nodiscard]] Setting here() const { return {ledger_.context.address, clock_.now()}; }
  /// DeviceProgrammed, if the value has changed.
  void programmed(DeviceRegister which, u64 before, u64 after, u64 by) const;
  /// Withheld, unless `told` says it already. `device_cause`: what Raised::detail would be.
  void withheld(Withholding& told, const Withholding& now, u8 device_cause) const;
  /// The end of that, if `told` says anything: Withheld with detail None, and in `other` the WithheldCause that is
  /// over. `device_cause`: as above, or 0: whichever it was. Raised ends it as well. Causes that come and go by
  /// themselves for a guest that polls (a free transmitter, the RTC's flags) have no such record.
  void not_withheld(Withholding& told, u8 device_cause) const;

 private:
  const Clock& clock_;
  Ledger& ledger_;
  SourceId source_;
  u8 pin_;
};

}  // namespace vitrine
