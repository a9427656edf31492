// Machine-check architecture: one bank that knows what the world outside reports (SDM vol. 3B ch. 15).
//
// Nothing in this CPU breaks by itself: errors are injected (InputKind::MachineCheck). A corrected one is counted, and
// raises LVT CMCI when the count reaches the threshold (§15.5); an uncorrected one is #MC. There is no
// IA32_MCG_CTL, and what is in IA32_MC0_MISC is the guest's.
#pragma once

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

struct MachineCheck {
  enum class Severity : u8 { Corrected, Uncorrected };
  struct Error {
    Severity severity = Severity::Corrected;
    u16 code = 0;     ///< MCA error code (§15.9)
    u64 address = 0;  ///< physical; 0: the error has none
  };
  enum class Answer : u8 { NotMine, Done, Refused };
  [[nodiscard]] Answer read(u32 number, u64& value) const;
  [[nodiscard]] Answer write(u32 number, u64 value);
  /// The bank takes note. True: LVT CMCI is to be raised.
  bool log(const Error& error);
  /// Is an uncorrected error #MC? IA32_MC0_CTL can keep it from that.
  [[nodiscard]] bool signals() const;
  /// #MC begins. False: one was in progress, so the CPU shuts down (§15.3.1.2).
  bool enter();
  void exchange(Archive& archive);

 private:
  u64 status_ = 0;     // IA32_MCG_STATUS
  u64 control_ = 0;    // IA32_MC0_CTL
  u64 error_ = 0;      // IA32_MC0_STATUS
  u64 address_ = 0;    // IA32_MC0_ADDR
  u64 misc_ = 0;       // IA32_MC0_MISC
  u64 corrected_ = 0;  // IA32_MC0_CTL2: threshold and CMCI_EN
};

}  // namespace vitrine
