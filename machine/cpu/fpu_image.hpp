// How instructions move floating-point state as a whole: as an image that goes to memory, or comes from it, at once.
#pragma once

#include <cstring>

#include "machine/cpu/floating.hpp"

namespace vitrine::fpu_image {

template <class T>
void put(u8* image, unsigned offset, T value) {
  std::memcpy(image + offset, &value, sizeof value);
}
template <class T>
T get(const u8* image, unsigned offset) {
  T value;
  std::memcpy(&value, image + offset, sizeof value);
  return value;
}

// Whole images. Both pages are checked before a byte moves.
inline bool write_image(Cpu& cpu, const Operation& operation, u64 linear, const u8* image, unsigned size) {
  if (u8* host = cpu.host_pointer(linear, size, Access::Write); host != nullptr) {
    std::memcpy(host, image, size);
    return true;
  }
  return cpu.write_slow(&operation, linear, image, size);
}
inline bool read_image(Cpu& cpu, const Operation& operation, u64 linear, u8* image, unsigned size) {
  if (const u8* host = cpu.host_pointer(linear, size, Access::Read); host != nullptr) {
    std::memcpy(image, host, size);
    return true;
  }
  return cpu.read_slow(&operation, linear, image, size);
}
inline bool image_address(Cpu& cpu, const Operation& operation, unsigned size, Access access, u64& linear) {
  return operand_address<Address::General>(cpu, operation, size, access, linear);
}

/// Both units can be had; SSE's own controls don't matter here.
inline bool available(Cpu& cpu) {
  if ((cpu.state.cr0 & (cr0_bit::em | cr0_bit::ts)) == 0) return true;
  cpu.raise(vector::device_not_available, FailedCheck::None);
  return false;
}

}  // namespace vitrine::fpu_image

namespace vitrine {

/// FSAVE, FLDENV, FLDCW and their like, EMMS: the second half of select_fpu_state().
Selection select_x87_environment(const Decoded& decoded, Operation& operation);

}  // namespace vitrine
