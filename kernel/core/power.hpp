// The end that was asked for.
#pragma once

namespace pulse {

/// Switches the machine off by ACPI; where that does nothing, halts.
[[noreturn]] void power_off();

}  // namespace pulse
