// The two doors between the machine and the world: bytes and requests going out, inputs coming in.
#pragma once

#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

/// Where a byte leaves the machine.
enum class Channel : u8 { Com1, Com2, Com3, Com4, Parallel1, Parallel2, DebugConsole, PostCode };

/// Why the guest (or its hardware) wants the run to end.
enum class ExitKind : u8 {
  None,
  PowerOff,   ///< ACPI S5
  GuestExit,  ///< a write to the debug-exit port (0xF4); the value is the written one
  Reset,      ///< the reset line was pulled (8042, port 0x92, 0xCF9): the machine restarts or the run ends
};

/// What the machine sends out. Implemented by the host side, called on the machine's thread.
class Outputs {
 public:
  virtual ~Outputs() = default;
  virtual void byte_out(Channel channel, u8 byte) = 0;
};

/// What a device may ask of its machine. Implemented by Machine; takes effect at the next instruction boundary.
class MachineControl {
 public:
  virtual ~MachineControl() = default;
  virtual void request_exit(ExitKind kind, u32 value) = 0;
  /// The A20 gate: false forces address line 20 to 0.
  virtual void set_a20(bool enabled) = 0;
  [[nodiscard]] virtual bool a20() const = 0;
};

/// What comes in. Plain data, stamped by Machine::inject with virtual time and kept in the journal.
enum class InputKind : u8 {
  SerialByte = 1,   ///< port: 0..3 for COM1..4; value: the byte
  SerialBreak = 2,  ///< port
  KeyScan = 3,  ///< value: one scan code set 2 byte sequence, least significant byte first (0xE0 prefix and 0xF0 break
                ///< included)
  MouseMotion = 4,  ///< value: dx (i16, low), dy (i16), wheel (i8), buttons (u8, bits 0 left, 1 right, 2 middle)
  PowerButton = 5,
  Stop = 6,          ///< the host asks for the end of the run
  MachineCheck = 7,  ///< port: the CPU's number; value: MCA error code (SDM vol. 3B §15.9) in bits 15:0, and
                     ///< uncorrected_error
  Nmi = 8,           ///< value: 1 an adapter pulls IOCHK#, 2 SERR#, 3 the NMI button is pressed
};

/// In the value of InputKind::MachineCheck: the error could not be corrected.
inline constexpr u64 uncorrected_error = u64{1} << 16;

struct Input {
  Tick time{};  ///< filled in by Machine::inject
  InputKind kind{};
  u8 port = 0;
  u64 value = 0;

  void exchange(Archive& archive) { archive(time, kind, port, value); }
};

}  // namespace vitrine
