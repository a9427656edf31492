// lost-message: what a device, an I/O APIC or a local APIC's own entry sends, and no local APIC takes.
#pragma once

#include <map>

#include "observe/apic_picture.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class LostMessage final : public Rule {
 public:
  explicit LostMessage(const RuleContext& context) : Rule(context), apics_(context.header) {}
  static RuleMaker maker();

  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::ControllerProgrammed, RecordKind::MaskChanged, RecordKind::CpuStarted,
                           RecordKind::CpuReset, RecordKind::MessageLost);
  }
  void consume(const Record& record) override;

 private:
  void lost(const Record& record);
  /// The instruction that made `sent` what it is; 0: none of the guest's.
  [[nodiscard]] u64 programmer_of(const Record& sent) const;

  ApicPicture apics_;
  std::map<u16, u64> message_entries_;  ///< by device: who wrote its MSI's address or data last
};

}  // namespace vitrine
