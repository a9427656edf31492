// Bits of RecordKind::Delivered::extra (ledger.hpp), above the error code and its bit 32.
#pragma once

namespace vitrine {

/// The vector went through the interrupt table of real mode, which has no gates.
inline constexpr unsigned delivered_in_real_mode = 33;
/// Virtual-8086 code was interrupted.
inline constexpr unsigned delivered_from_virtual_8086 = 34;

}  // namespace vitrine
