// The functions of the system instructions, by file. select_system() (system_select.cpp) picks among them.
#pragma once

#include "machine/cpu/access.hpp"

namespace vitrine {

// segment.cpp
Outcome move_to_segment_register(Cpu& cpu, const Operation& operation);
Outcome move_to_segment_memory(Cpu& cpu, const Operation& operation);
Outcome move_from_segment_register(Cpu& cpu, const Operation& operation);
Outcome move_from_segment_memory(Cpu& cpu, const Operation& operation);
Outcome push_segment(Cpu& cpu, const Operation& operation);
Outcome pop_segment(Cpu& cpu, const Operation& operation);
Outcome load_far_pointer(Cpu& cpu, const Operation& operation);

// system_verify.cpp. Where a selector operand is.
enum class SelectorIn : u8 { Register, Memory };
template <SelectorIn S>
Outcome load_access_rights(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome load_segment_limit(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome verify_read(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome verify_write(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome adjust_privilege(Cpu& cpu, const Operation& operation);

// transfer.cpp, return.cpp
Outcome far_jump_direct(Cpu& cpu, const Operation& operation);
Outcome far_jump_memory(Cpu& cpu, const Operation& operation);
Outcome far_call_direct(Cpu& cpu, const Operation& operation);
Outcome far_call_memory(Cpu& cpu, const Operation& operation);
Outcome far_return(Cpu& cpu, const Operation& operation);
Outcome interrupt_return(Cpu& cpu, const Operation& operation);

// system_flags.cpp
Outcome clear_interrupt_flag(Cpu& cpu, const Operation& operation);
Outcome set_interrupt_flag(Cpu& cpu, const Operation& operation);
template <class T>
Outcome push_flags(Cpu& cpu, const Operation& operation);
template <class T>
Outcome pop_flags(Cpu& cpu, const Operation& operation);
/// Gives the turn to the other CPUs of the machine, if there are any.
Outcome pause(Cpu& cpu, const Operation& operation);
Outcome halt(Cpu& cpu, const Operation& operation);
Outcome set_user_page_access(Cpu& cpu, const Operation& operation);    // STAC
Outcome clear_user_page_access(Cpu& cpu, const Operation& operation);  // CLAC

// system_tables.cpp
Outcome load_gdt(Cpu& cpu, const Operation& operation);
Outcome load_idt(Cpu& cpu, const Operation& operation);
Outcome store_gdt(Cpu& cpu, const Operation& operation);
Outcome store_idt(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome load_local_table(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome load_task_register(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome store_local_table(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome store_task_register(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome store_machine_status(Cpu& cpu, const Operation& operation);
template <SelectorIn S>
Outcome load_machine_status(Cpu& cpu, const Operation& operation);

// system_control.cpp
Outcome read_control(Cpu& cpu, const Operation& operation);
Outcome write_control(Cpu& cpu, const Operation& operation);
Outcome read_debug(Cpu& cpu, const Operation& operation);
Outcome write_debug(Cpu& cpu, const Operation& operation);
Outcome clear_task_switched(Cpu& cpu, const Operation& operation);
Outcome invalidate_page(Cpu& cpu, const Operation& operation);
Outcome flush_caches(Cpu& cpu, const Operation& operation);  // INVD, WBINVD
Outcome flush_line(Cpu& cpu, const Operation& operation);
Outcome get_extended_control(Cpu& cpu, const Operation& operation);
Outcome set_extended_control(Cpu& cpu, const Operation& operation);
/// CR0 := value with all of the manual's checks and consequences. False: the fault is set.
[[nodiscard]] bool set_cr0(Cpu& cpu, u64 value);

// system_msr.cpp, cpuid.cpp
Outcome read_msr(Cpu& cpu, const Operation& operation);
Outcome write_msr(Cpu& cpu, const Operation& operation);
Outcome read_time_stamp(Cpu& cpu, const Operation& operation);
Outcome read_time_stamp_and_processor(Cpu& cpu, const Operation& operation);
Outcome read_performance_counter(Cpu& cpu, const Operation& operation);
Outcome cpu_identification(Cpu& cpu, const Operation& operation);
template <class T>
Outcome random_number(Cpu& cpu, const Operation& operation);

// system_call.cpp
Outcome sysenter(Cpu& cpu, const Operation& operation);
Outcome sysexit(Cpu& cpu, const Operation& operation);
Outcome syscall(Cpu& cpu, const Operation& operation);
Outcome sysret(Cpu& cpu, const Operation& operation);
Outcome swap_gs(Cpu& cpu, const Operation& operation);
enum class BaseOf : u8 { Fs = fs, Gs = gs };
template <BaseOf B>
Outcome read_base(Cpu& cpu, const Operation& operation);
template <BaseOf B>
Outcome write_base(Cpu& cpu, const Operation& operation);

// system_interrupt.cpp
Outcome interrupt(Cpu& cpu, const Operation& operation);             // INT n
Outcome interrupt_breakpoint(Cpu& cpu, const Operation& operation);  // INT3
Outcome interrupt_debug(Cpu& cpu, const Operation& operation);       // INT1
Outcome interrupt_overflow(Cpu& cpu, const Operation& operation);    // INTO
template <class T>
Outcome check_bounds(Cpu& cpu, const Operation& operation);  // BOUND
Outcome undefined(Cpu& cpu, const Operation& operation);

// system_io.cpp
enum class PortFrom : u8 { Immediate, Dx };
template <class T, PortFrom P>
Outcome port_in(Cpu& cpu, const Operation& operation);
template <class T, PortFrom P>
Outcome port_out(Cpu& cpu, const Operation& operation);
template <class T>
Outcome port_in_string(Cpu& cpu, const Operation& operation);
template <class T>
Outcome port_out_string(Cpu& cpu, const Operation& operation);

/// Reads a selector operand: operand `S` is `number` or the memory operand.
template <SelectorIn S>
VITRINE_INLINE bool read_selector(Cpu& cpu, const Operation& operation, RegisterByte number, u16& selector) {
  if constexpr (S == SelectorIn::Memory) return read_memory<Address::General>(cpu, operation, selector);
  selector = read_register<u16>(cpu, number);
  return true;
}

/// Privilege 0 or #GP(0).
VITRINE_INLINE bool privileged(Cpu& cpu) {
  if (cpu.cpl == 0) [[likely]]
    return true;
  cpu.raise(vector::general_protection, 0, FailedCheck::Privileged);
  return false;
}

}  // namespace vitrine
