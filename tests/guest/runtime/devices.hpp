// The devices below 4 GiB (APICs, PCI functions): in 64-bit images they are outside the runtime's map.
#pragma once

#include "tests/guest/runtime/guest.hpp"

/// Maps the GiB below 4 GiB, not cached (SDM vol. 3A, 4.5: pages of 2 MiB). Nothing to do in 32-bit images.
inline void map_devices() {
#if GUEST_64
  alignas(4096) static u64 directory[512];
  for (word page = 0; page < 512; ++page) directory[page] = (word{3} << 30 | page << 21) | 0x9B;
  auto* const top = reinterpret_cast<u64*>(cr3() & ~word{0xFFF});
  auto* const pointers = reinterpret_cast<u64*>(top[0] & ~word{0xFFF});
  pointers[3] = reinterpret_cast<word>(directory) | 3;
  set_cr3(cr3());
#endif
}
