// Configuration space of PCI bus 0 by ports CF8h and CFCh (PCI 2.2, 3.2.2.3).
#pragma once

#include "tests/guest/runtime/guest.hpp"

inline u32 in32(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline u32 pci_address(u32 device, u32 function, u32 offset) {
  return 0x80000000 | device << 11 | function << 8 | (offset & 0xFC);
}
inline u32 pci_read(u32 device, u32 function, u32 offset) {
  out32(0xCF8, pci_address(device, function, offset));
  return in32(0xCFC);
}
inline void pci_write(u32 device, u32 function, u32 offset, u32 value) {
  out32(0xCF8, pci_address(device, function, offset));
  out32(0xCFC, value);
}
inline u8 pci_read8(u32 device, u32 function, u32 offset) {
  return static_cast<u8>(pci_read(device, function, offset) >> 8 * (offset & 3));
}
inline void pci_write8(u32 device, u32 function, u32 offset, u8 value) {
  const u32 shift = 8 * (offset & 3);
  pci_write(device, function, offset,
            (pci_read(device, function, offset) & ~(u32{0xFF} << shift)) | u32{value} << shift);
}
