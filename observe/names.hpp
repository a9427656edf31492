// Words for numbers: how observe/ speaks of vectors, checks, obstacles, times and counts.
#pragma once

#include <string>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "machine/cpu/fault_chain.hpp"

namespace vitrine {

/// "page fault" for 14; "vector 0x30" from 32 on.
[[nodiscard]] std::string vector_name(u8 vector);
/// "#PF" for 14; empty where the manual has none.
[[nodiscard]] std::string_view vector_mnemonic(u8 vector);
/// The kind of a record in one lower-case word with hyphens, as in the JSON output.
[[nodiscard]] std::string_view kind_name(RecordKind kind);
/// An obstacle in one word with hyphens, as in the JSON output.
[[nodiscard]] std::string_view obstacle_name(Obstacle obstacle);
/// An obstacle as a clause: "its mask bit is set".
[[nodiscard]] std::string_view obstacle_clause(Obstacle obstacle);
/// Why an acknowledge found nothing, as a clause: "its input fell before the acknowledge".
[[nodiscard]] std::string_view spurious_clause(SpuriousCause cause);
/// A failed check as a clause: "the gate is not present".
[[nodiscard]] std::string_view check_clause(FailedCheck check);
/// A failed check in one word with hyphens.
[[nodiscard]] std::string_view check_name(FailedCheck check);
/// How a vector got to the CPU, in one word with hyphens.
[[nodiscard]] std::string_view delivery_name(DeliveryKind kind);

/// "1,234,567".
[[nodiscard]] std::string count_text(u64 count);
/// "812 ns", "1.234 ms", "12.30 s": four digits.
[[nodiscard]] std::string duration_text(u64 nanoseconds);
/// A moment: seconds since power-on with nine digits, "1.234567890".
[[nodiscard]] std::string moment_text(u64 nanoseconds);
/// "1 request", "2 requests": `noun` gets an s unless there is one.
[[nodiscard]] std::string counted(u64 count, std::string_view noun);

}  // namespace vitrine
