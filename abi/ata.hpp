// Numbers of ATA disks and of bus-master IDE: registers, commands, bits.
//
// AT Attachment with Packet Interface 6 (ATA/ATAPI-6, T13 1410D), chapters 7 and 8; Programming Interface for Bus
// Master IDE Controller 1.0 (BMIDE); Intel 82371SB PIIX3 (290550), 2.7.
#pragma once

#include "base/types.hpp"

namespace vitrine::ata {

// Command block, by offset (7.2): what is read, what is written.
namespace reg {
inline constexpr u8 data = 0, error = 1, features = 1, count = 2, lba_low = 3, lba_mid = 4, lba_high = 5, device = 6,
                    status = 7, command = 7;
}

// Status (7.15), error (7.10), device (7.7), device control (7.8).
namespace status {
inline constexpr u8 busy = 0x80, ready = 0x40, fault = 0x20, seek_complete = 0x10, data_request = 0x08, error = 0x01;
}
namespace error {
inline constexpr u8 interface_crc = 0x80, uncorrectable = 0x40, id_not_found = 0x10, aborted = 0x04;
}
namespace device {
inline constexpr u8 lba = 0x40, second = 0x10, obsolete = 0xA0;
}
namespace control {
inline constexpr u8 high_order = 0x80, reset = 0x04, no_interrupt = 0x02;
}

// Chapter 8.
enum class Command : u8 {
  ReadSectors = 0x20,
  ReadSectorsNoRetry = 0x21,
  ReadSectorsExt = 0x24,
  ReadDmaExt = 0x25,
  ReadMultipleExt = 0x29,
  WriteSectors = 0x30,
  WriteSectorsNoRetry = 0x31,
  WriteSectorsExt = 0x34,
  WriteDmaExt = 0x35,
  WriteMultipleExt = 0x39,
  ReadVerify = 0x40,
  ReadVerifyNoRetry = 0x41,
  ReadVerifyExt = 0x42,
  Seek = 0x70,
  ExecuteDeviceDiagnostic = 0x90,
  InitializeDeviceParameters = 0x91,
  ReadMultiple = 0xC4,
  WriteMultiple = 0xC5,
  SetMultiple = 0xC6,
  ReadDma = 0xC8,
  ReadDmaNoRetry = 0xC9,
  WriteDma = 0xCA,
  WriteDmaNoRetry = 0xCB,
  StandbyImmediate = 0xE0,
  IdleImmediate = 0xE1,
  Standby = 0xE2,
  Idle = 0xE3,
  CheckPowerMode = 0xE5,
  Sleep = 0xE6,
  FlushCache = 0xE7,
  FlushCacheExt = 0xEA,
  IdentifyDevice = 0xEC,
  SetFeatures = 0xEF,
};

// SET FEATURES (8.46): what the features register says, and for a transfer mode the count register.
namespace feature {
inline constexpr u8 enable_write_cache = 0x02, set_transfer_mode = 0x03, disable_look_ahead = 0x55,
                    keep_after_reset = 0x66, disable_write_cache = 0x82, enable_look_ahead = 0xAA,
                    defaults_after_reset = 0xCC;
}

// Bus-master registers of a channel, by offset (BMIDE, 2).
namespace bus_master {
inline constexpr u8 command = 0, status = 2, table = 4;
inline constexpr u8 start = 0x01, to_memory = 0x08;                                 // command
inline constexpr u8 active = 0x01, error = 0x02, interrupt = 0x04, simplex = 0x80;  // status
inline constexpr u8 drive_capable = 0x60;
inline constexpr u32 end_of_table = 0x80000000;  // second word of a descriptor
}  // namespace bus_master

}  // namespace vitrine::ata
