// What is known of the devices of a PC when nothing has been recorded of them: their lines, and how their interrupts
// are switched on.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/why/interrupt_state.hpp"

namespace vitrine {

/// A device on one of its lines.
struct DeviceKnowledge {
  std::string_view source;
  u8 line = 0;
  u8 enable_register = 0;          ///< DeviceRegister that has its interrupt-enable bits; 0: none
  u8 enable_bits = 0;              ///< of it, those that let this line rise
  std::string_view when_it_comes;  ///< "a key goes down or up"
  std::string_view how_to_enable;  ///< an advice
  std::string_view how_to_serve;   ///< what its handler must do so that the line can rise again
};
[[nodiscard]] std::span<const DeviceKnowledge> known_devices();
[[nodiscard]] const DeviceKnowledge* knowledge_of(std::string_view source, u8 line);

/// False for what devices keep to themselves all the time in healthy guests: a UART that is used by polling, a clock
/// that nobody asked for interrupts.
[[nodiscard]] bool is_worth_telling(std::string_view source, const Record& withheld);

/// "its interrupt-enable register (IER)".
[[nodiscard]] std::string_view register_title(DeviceRegister which);
/// What the value says, e.g. "0x00: nothing enabled"; empty if the number says it all.
[[nodiscard]] std::string register_value(DeviceRegister which, u64 value);

}  // namespace vitrine
