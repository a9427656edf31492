// Runs one instruction on the host's own CPU: the oracle of the differential tests.
//
// The instruction stands at a fixed address, its data in a fixed region, so that the same bytes and the same register
// values mean the same to the guest. Faults come back as the vector that the CPU raised.
#pragma once

#include <optional>
#include <span>

#include "base/types.hpp"

namespace vitrine::differential {

inline constexpr u64 code_address = 0x1000'0000;
inline constexpr u64 instruction_address = code_address + 0x1000;  ///< the instruction under test
inline constexpr u64 data_address = 0x2000'0000;
inline constexpr u64 data_size = 0x4000;

/// What user-mode instructions see. `fx` is an FXSAVE64 image.
struct Registers {
  u64 gpr[16]{};
  u64 flags = 0x202;
  alignas(64) u8 fx[512]{};
};

/// One per process: it owns the fixed addresses and the signal handlers.
class NativeCpu {
 public:
  NativeCpu();
  ~NativeCpu();
  NativeCpu(const NativeCpu&) = delete;
  NativeCpu& operator=(const NativeCpu&) = delete;

  /// The region at data_address.
  [[nodiscard]] u8* data();
  void set_instruction(std::span<const u8> bytes);
  /// Runs it from `registers`, and leaves the result there. Returns the vector if it faulted.
  std::optional<u8> run(Registers& registers);
};

}  // namespace vitrine::differential
