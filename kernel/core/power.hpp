// The end that was asked for.
#pragma once

namespace pulse {

/// Switches the machine off by ACPI; where that does nothing, halts.
[[noreturn]] void power_off();
/// Pulls the CPU's reset pin.
[[noreturn]] void restart_machine();

}  // namespace pulse
