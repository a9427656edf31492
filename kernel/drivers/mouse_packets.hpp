// The PS/2 mouse's packets of three bytes (IBM PS/2 Technical Reference, "mouse data report"). Pure.
#pragma once

#include <array>
#include <optional>

#include "kernel/core/types.hpp"

namespace pulse {

using MousePacket = std::array<u8, 3>;

class MousePackets {
 public:
  /// The packet that this byte completes. A byte that can't begin one (its bit 3 is clear) is dropped, so that a lost
  /// byte spoils one packet only.
  [[nodiscard]] std::optional<MousePacket> feed(u8 byte) {
    constexpr u8 always = 0x08;
    if (count_ == 0 && (byte & always) == 0) return std::nullopt;
    packet_[count_++] = byte;
    if (count_ < packet_.size()) return std::nullopt;
    count_ = 0;
    return packet_;
  }

 private:
  MousePacket packet_{};
  std::size_t count_ = 0;
};

}  // namespace pulse
