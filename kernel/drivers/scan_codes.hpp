// From the keyboard's scan codes (set 1, which the 8042 makes of set 2) to what a terminal is given. Pure.
#pragma once

#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

class ScanCodes {
 public:
  /// What the key types, with the codes of Linux's console for keys that are no characters (console_codes(4),
  /// keymaps(5)); empty for most codes: releases, shift keys, the first bytes of longer codes. Valid until the next
  /// call.
  [[nodiscard]] std::string_view feed(u8 code);

 private:
  [[nodiscard]] std::string_view character(u8 key);
  bool extended_ = false;  // after E0
  u8 skip_ = 0;            // of Pause, E1 1D 45
  bool left_shift_ = false, right_shift_ = false, control_ = false, alternate_ = false, capitals_ = false;
  char typed_[2] = {};
};

}  // namespace pulse
