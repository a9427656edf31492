// Words that the rules of the controllers share.
#pragma once

#include <string>

#include "machine/core/delivered_mode.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

/// "IRQ 1 (keyboard)": the line and what raised this request; without the device if that is not known.
[[nodiscard]] std::string request_words(const RuleContext& context, int line, u64 id);
/// "first 8259".
[[nodiscard]] std::string_view chip_words(u8 chip);
/// "1.198204 s": a moment, to the microsecond.
[[nodiscard]] std::string at_words(u64 time);
/// The line on which a request came to an 8259; -1 if it came to none.
[[nodiscard]] int line_of(const RuleContext& context, u64 id);

[[nodiscard]] bool is_8259(const RuleContext& context, u16 source);
/// The InService record of the local APIC that waits for this request's EOI; null: none does.
[[nodiscard]] const Record* served_by_apic(const RuleContext& context, const Life& life);

/// The frame of the innermost handler that runs, also of a spurious interrupt's (id 0); null: none runs.
[[nodiscard]] const LiveFrame* running_frame(const RuleContext& context, u8 cpu);

/// Rules do not judge real mode and what interrupts virtual-8086 code: firmware, DOS and their emulators are there.
[[nodiscard]] inline bool is_kernel_delivery(const Record& delivered) {
  return (delivered.extra >> delivered_in_real_mode & 3) == 0;
}

}  // namespace vitrine
