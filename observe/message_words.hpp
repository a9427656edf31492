// Words for messages between APICs, for what sends them, and for the registers that decide about them.
#pragma once

#include <string>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/interrupt_message.hpp"
#include "machine/core/ledger.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// What a request comes on: "IRQ 4", "PIRQ A", "local timer", "LINT0", "MSI", "IPI".
[[nodiscard]] std::string pin_name(u8 pin);
/// The same on this machine's board: on one with four PIRQs, the lines above them are the HPET's alone.
[[nodiscard]] std::string pin_name(u8 pin, const TraceHeader& header);
/// What a device or local APIC does when it raises `pin`: "raises IRQ 4", "raises its timer interrupt".
[[nodiscard]] std::string raise_clause(u8 pin, const TraceHeader& header);
/// What it does not do when something is in the way: "raise IRQ 4", "send an MSI".
[[nodiscard]] std::string raise_infinitive(u8 pin, const TraceHeader& header);

/// "fixed", "lowest-priority", "nmi", "start-up": one word with hyphens.
[[nodiscard]] std::string_view mode_name(MessageMode mode);
/// A MessageSent or MessageLost record: "vector 0x24 to APIC id 1", "INIT to all others",
/// "start-up for 0x9a000 to APIC id 1", "vector 0x31 to the least busy of logical 0x0f".
[[nodiscard]] std::string message_text(const Record& record);
/// Where it went: "APIC id 1", "all other CPUs", "logical id 0x0f".
[[nodiscard]] std::string destination_text(const Record& record);
/// Why a message was of no effect: "no-receiver".
[[nodiscard]] std::string_view loss_name(MessageLoss loss);
/// The same as a clause: "no local APIC has that id".
[[nodiscard]] std::string_view loss_clause(MessageLoss loss);

/// The value of a ControllerProgrammed record's register in words: "vector 0x24 to APIC id 1, edge, active high, open".
/// Empty if the number says it all.
[[nodiscard]] std::string register_words(ControllerRegister which, u8 pin, u64 value);

}  // namespace vitrine
