#include "machine/devices/isa_bridge/isa_bridge.hpp"

namespace vitrine {

IsaBridge::IsaBridge(DeviceContext)
    : config_({.vendor = 0x8086, .device = 0x7000, .revision = 0x00, .class_code = 0x060100, .multifunction = true}) {
  // 82371SB, 2.2.3 and 2.2.4: always bus master with I/O and memory space on; medium DEVSEL#.
  config_.define(0x04, AccessSize(2), 0x0007, 0x0008);
  config_.define(0x06, AccessSize(2), 0x0200, 0);
  config_.define(0x4C, AccessSize(1), 0x4D, 0xFF);      // 2.2.10: ISA I/O recovery timer
  config_.define(0x4E, AccessSize(2), 0x0003, 0xFFFF);  // 2.2.11: X-bus chip select
  for (u8 pirq = 0; pirq < 4; ++pirq) {
    config_.define(static_cast<u8>(0x60 + pirq), AccessSize(1), 0x80, 0x8F);  // 2.2.13: bit 7 set: not routed
  }
  config_.define(0x69, AccessSize(1), 0x02, 0xFE);      // 2.2.14: top of memory
  config_.define(0x6A, AccessSize(2), 0x0000, 0x7F05);  // 2.2.15: miscellaneous status
}

void IsaBridge::exchange(Archive& archive) {
  archive.section(name(), 1);
  archive(config_);
}

}  // namespace vitrine
