// What each command of ATA/ATAPI-6 (T13 1410D, chapter 8) is: which protocol it follows, how wide its address is.
#pragma once

#include "abi/ata.hpp"

namespace vitrine {

struct CommandForm {
  enum class Protocol : u8 { Unknown, NoData, Verify, Identify, PioIn, PioOut, DmaIn, DmaOut, Diagnostic };
  Protocol protocol = Protocol::Unknown;
  bool extended = false;  ///< 48-bit addresses
  bool multiple = false;  ///< as many sectors to a block as SET MULTIPLE has said
};

[[nodiscard]] constexpr CommandForm form_of(u8 command) {
  using enum ata::Command;
  using Protocol = CommandForm::Protocol;
  switch (static_cast<ata::Command>(command)) {
    case ReadSectors:
    case ReadSectorsNoRetry:
      return {Protocol::PioIn};
    case ReadSectorsExt:
      return {Protocol::PioIn, true};
    case ReadMultiple:
      return {Protocol::PioIn, false, true};
    case ReadMultipleExt:
      return {Protocol::PioIn, true, true};
    case WriteSectors:
    case WriteSectorsNoRetry:
      return {Protocol::PioOut};
    case WriteSectorsExt:
      return {Protocol::PioOut, true};
    case WriteMultiple:
      return {Protocol::PioOut, false, true};
    case WriteMultipleExt:
      return {Protocol::PioOut, true, true};
    case ReadDma:
    case ReadDmaNoRetry:
      return {Protocol::DmaIn};
    case ReadDmaExt:
      return {Protocol::DmaIn, true};
    case WriteDma:
    case WriteDmaNoRetry:
      return {Protocol::DmaOut};
    case WriteDmaExt:
      return {Protocol::DmaOut, true};
    case ReadVerify:
    case ReadVerifyNoRetry:
    case Seek:
      return {Protocol::Verify};
    case ReadVerifyExt:
      return {Protocol::Verify, true};
    case IdentifyDevice:
      return {Protocol::Identify};
    case ExecuteDeviceDiagnostic:
      return {Protocol::Diagnostic};
    case InitializeDeviceParameters:
    case SetMultiple:
    case StandbyImmediate:
    case IdleImmediate:
    case Standby:
    case Idle:
    case CheckPowerMode:
    case Sleep:
    case FlushCache:
    case FlushCacheExt:
    case SetFeatures:
      return {Protocol::NoData};
  }
  return {};
}

}  // namespace vitrine
