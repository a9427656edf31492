// The local APIC's registers: where they are, which bits they have (SDM vol. 3A, table 10-1 and the figures of ch. 10).
#pragma once

#include "base/types.hpp"

namespace vitrine::apic {

/// Offsets in the xAPIC's page; as an x2APIC MSR: 800h + offset / 16 (table 10-6).
namespace offset {
inline constexpr u32 id = 0x020, version = 0x030, task_priority = 0x080, arbitration_priority = 0x090,
                     processor_priority = 0x0A0, eoi = 0x0B0, remote_read = 0x0C0, logical_destination = 0x0D0,
                     destination_format = 0x0E0, spurious_vector = 0x0F0, in_service = 0x100, trigger_mode = 0x180,
                     requests = 0x200, error_status = 0x280, lvt_cmci = 0x2F0, command_low = 0x300,
                     command_high = 0x310, lvt_timer = 0x320, lvt_thermal = 0x330, lvt_performance = 0x340,
                     lvt_lint0 = 0x350, lvt_lint1 = 0x360, lvt_error = 0x370, initial_count = 0x380,
                     current_count = 0x390, divide = 0x3E0, self_ipi = 0x3F0;
}  // namespace offset

namespace msr {
inline constexpr u32 apic_base = 0x1B, clock_modulation = 0x19A, thermal_interrupt = 0x19B, thermal_status = 0x19C,
                     temperature_target = 0x1A2, tsc_deadline = 0x6E0, x2apic_first = 0x800, x2apic_last = 0x8FF;
}  // namespace msr

/// Version 14h (all of 10h to 15h are the same to software), seven LVT entries, EOI broadcasts can be suppressed
/// (figure 10-7).
inline constexpr u32 version = 1u << 24 | 6u << 16 | 0x14;

/// IA32_APIC_BASE (figures 10-5 and 10-26).
inline constexpr u64 base_bsp = 1u << 8, base_x2apic = 1u << 10, base_enabled = 1u << 11;
inline constexpr u64 default_address = 0xFEE00000;

/// Spurious-interrupt vector register (figure 10-23).
inline constexpr u32 spurious_enabled = 1u << 8, spurious_no_focus = 1u << 9, spurious_no_broadcast = 1u << 12,
                     spurious_writable = 0x13FF, spurious_at_reset = 0xFF;

/// An LVT entry (figure 10-8).
inline constexpr unsigned lvt_polarity = 13, lvt_remote_irr = 14, lvt_level = 15, lvt_mask = 16;
inline constexpr u32 lvt_masked = 1u << lvt_mask;

/// Interrupt command register (figures 10-12 and 10-28): what can be written of its low half. unverified: the bit that
/// is the delivery status in xAPIC mode is reserved in x2APIC mode, and refused there.
inline constexpr u32 command_writable = 0x000CCFFF;
inline constexpr unsigned command_logical = 11, command_assert = 14, command_level = 15;

/// Error status register (figure 10-9).
inline constexpr u32 error_send_vector = 1u << 5, error_receive_vector = 1u << 6, error_register = 1u << 7;

inline constexpr u32 divide_writable = 0xB;
inline constexpr u32 flat_model = 0xF;  ///< DFR, bits 31:28
inline constexpr u8 first_legal_vector = 16;

inline constexpr u8 priority_class(u8 value) { return value >> 4; }

}  // namespace vitrine::apic
