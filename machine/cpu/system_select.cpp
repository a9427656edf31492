// Which function carries out which system instruction.
#include "machine/cpu/decode.hpp"
#include "machine/cpu/instructions_system.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

constexpr Selection none{};

/// Done in straight line: the next instruction of the block follows.
constexpr Selection plain(Handler handler) { return {.handler = handler}; }
/// Never goes on to the next instruction of its block.
constexpr Selection last(Handler handler) { return {.handler = handler, .ends_block = true}; }

bool is_class(const Decoded& decoded, unsigned operand, ZydisRegisterClass wanted) {
  return decoded.reg(operand) && ZydisRegisterGetClass(decoded.operands[operand].reg.value) == wanted;
}

/// The `SelectorIn` instance for an operand. A template's name can't stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define VITRINE_BY_PLACE(function, operand) \
  (decoded.memory(operand) ? handle<function<SelectorIn::Memory>> : handle<function<SelectorIn::Register>>)
// NOLINTEND(bugprone-macro-parentheses)

Selection select_move(const Decoded& decoded) {
  if (is_class(decoded, 0, ZYDIS_REGCLASS_SEGMENT)) {
    if (decoded.operands[0].reg.value == ZYDIS_REGISTER_CS) return last(handle<undefined>);
    return plain(decoded.memory(1) ? handle<move_to_segment_memory> : handle<move_to_segment_register>);
  }
  if (is_class(decoded, 1, ZYDIS_REGCLASS_SEGMENT)) {
    return plain(decoded.memory(0) ? handle<move_from_segment_memory> : handle<move_from_segment_register>);
  }
  if (is_class(decoded, 0, ZYDIS_REGCLASS_CONTROL)) return last(handle<write_control>);
  if (is_class(decoded, 1, ZYDIS_REGCLASS_CONTROL)) return plain(handle<read_control>);
  if (is_class(decoded, 0, ZYDIS_REGCLASS_DEBUG)) return last(handle<write_debug>);
  if (is_class(decoded, 1, ZYDIS_REGCLASS_DEBUG)) return plain(handle<read_debug>);
  return none;
}

Selection select_far_pointer(Operation& operation, SegmentIndex index) {
  operation.extra = index;
  return plain(handle<load_far_pointer>);
}

/// JMP, CALL and RET that change CS. A direct pointer goes into the immediate: the selector above the offset.
Selection select_far(const Decoded& decoded, Operation& operation, Handler direct, Handler memory) {
  if (decoded.instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR) return none;
  if (decoded.operands[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
    operation.immediate =
        static_cast<u32>(decoded.operands[0].ptr.offset) | static_cast<u64>(decoded.operands[0].ptr.segment) << 32;
    return last(direct);
  }
  return last(memory);
}

Selection select_port(const Decoded& decoded, bool in) {
  const unsigned data = in ? 0 : 1;
  const bool immediate = decoded.immediate(in ? 1 : 0);
  return last(by_size(decoded.size(data), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 8) {
      return nullptr;
    } else if (in) {
      return immediate ? handle<port_in<T, PortFrom::Immediate>> : handle<port_in<T, PortFrom::Dx>>;
    } else {
      return immediate ? handle<port_out<T, PortFrom::Immediate>> : handle<port_out<T, PortFrom::Dx>>;
    }
  }));
}

Selection select_interrupt(Operation& operation, Handler handler, u8 marker) {
  operation.extra = marker;
  return last(handler);
}

}  // namespace

Selection select_system(const Decoded& decoded, Operation& operation) {
  switch (decoded.mnemonic()) {
    // Flags.
    case ZYDIS_MNEMONIC_CLI:
      return plain(handle<clear_interrupt_flag>);
    case ZYDIS_MNEMONIC_STI:
      return plain(handle<set_interrupt_flag>);
    case ZYDIS_MNEMONIC_PUSHF:
      return plain(handle<push_flags<u16>>);
    case ZYDIS_MNEMONIC_PUSHFD:
      return plain(handle<push_flags<u32>>);
    case ZYDIS_MNEMONIC_PUSHFQ:
      return plain(handle<push_flags<u64>>);
    case ZYDIS_MNEMONIC_POPF:
      return plain(handle<pop_flags<u16>>);
    case ZYDIS_MNEMONIC_POPFD:
      return plain(handle<pop_flags<u32>>);
    case ZYDIS_MNEMONIC_POPFQ:
      return plain(handle<pop_flags<u64>>);
    case ZYDIS_MNEMONIC_PAUSE:
      return last(handle<pause>);
    case ZYDIS_MNEMONIC_HLT:
      return last(handle<halt>);
    case ZYDIS_MNEMONIC_STAC:
      return plain(handle<set_user_page_access>);
    case ZYDIS_MNEMONIC_CLAC:
      return plain(handle<clear_user_page_access>);

    // Segments.
    case ZYDIS_MNEMONIC_MOV:
      return select_move(decoded);
    case ZYDIS_MNEMONIC_PUSH:
      return is_class(decoded, 0, ZYDIS_REGCLASS_SEGMENT) ? plain(handle<push_segment>) : none;
    case ZYDIS_MNEMONIC_POP:
      return is_class(decoded, 0, ZYDIS_REGCLASS_SEGMENT) ? plain(handle<pop_segment>) : none;
    case ZYDIS_MNEMONIC_LDS:
      return select_far_pointer(operation, ds);
    case ZYDIS_MNEMONIC_LES:
      return select_far_pointer(operation, es);
    case ZYDIS_MNEMONIC_LFS:
      return select_far_pointer(operation, fs);
    case ZYDIS_MNEMONIC_LGS:
      return select_far_pointer(operation, gs);
    case ZYDIS_MNEMONIC_LSS:
      return select_far_pointer(operation, ss);
    case ZYDIS_MNEMONIC_LAR:
      return plain(VITRINE_BY_PLACE(load_access_rights, 1));
    case ZYDIS_MNEMONIC_LSL:
      return plain(VITRINE_BY_PLACE(load_segment_limit, 1));
    case ZYDIS_MNEMONIC_VERR:
      return plain(VITRINE_BY_PLACE(verify_read, 0));
    case ZYDIS_MNEMONIC_VERW:
      return plain(VITRINE_BY_PLACE(verify_write, 0));
    case ZYDIS_MNEMONIC_ARPL:
      return plain(VITRINE_BY_PLACE(adjust_privilege, 0));

    // Far transfers.
    case ZYDIS_MNEMONIC_JMP:
      return select_far(decoded, operation, handle<far_jump_direct>, handle<far_jump_memory>);
    case ZYDIS_MNEMONIC_CALL:
      return select_far(decoded, operation, handle<far_call_direct>, handle<far_call_memory>);
    case ZYDIS_MNEMONIC_RET:
      if (decoded.instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR) return none;
      if (decoded.instruction.operand_count_visible == 0) operation.immediate = 0;
      return last(handle<far_return>);
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
      return last(handle<interrupt_return>);

    // Tables.
    case ZYDIS_MNEMONIC_LGDT:
      return plain(handle<load_gdt>);
    case ZYDIS_MNEMONIC_LIDT:
      return plain(handle<load_idt>);
    case ZYDIS_MNEMONIC_SGDT:
      return plain(handle<store_gdt>);
    case ZYDIS_MNEMONIC_SIDT:
      return plain(handle<store_idt>);
    case ZYDIS_MNEMONIC_LLDT:
      return plain(VITRINE_BY_PLACE(load_local_table, 0));
    case ZYDIS_MNEMONIC_LTR:
      return plain(VITRINE_BY_PLACE(load_task_register, 0));
    case ZYDIS_MNEMONIC_SLDT:
      return plain(VITRINE_BY_PLACE(store_local_table, 0));
    case ZYDIS_MNEMONIC_STR:
      return plain(VITRINE_BY_PLACE(store_task_register, 0));
    case ZYDIS_MNEMONIC_SMSW:
      return plain(VITRINE_BY_PLACE(store_machine_status, 0));
    case ZYDIS_MNEMONIC_LMSW:
      return last(VITRINE_BY_PLACE(load_machine_status, 0));

    // Control, caches, translations.
    case ZYDIS_MNEMONIC_CLTS:
      return plain(handle<clear_task_switched>);
    case ZYDIS_MNEMONIC_INVLPG:
      return last(handle<invalidate_page>);
    case ZYDIS_MNEMONIC_INVD:
    case ZYDIS_MNEMONIC_WBINVD:
      return plain(handle<flush_caches>);
    case ZYDIS_MNEMONIC_CLFLUSH:
      return plain(handle<flush_line>);
    case ZYDIS_MNEMONIC_XGETBV:
      return plain(handle<get_extended_control>);
    case ZYDIS_MNEMONIC_XSETBV:
      return plain(handle<set_extended_control>);

    // Model-specific registers, time, identity, random numbers.
    case ZYDIS_MNEMONIC_RDMSR:
      return plain(handle<read_msr>);
    case ZYDIS_MNEMONIC_WRMSR:
      return last(handle<write_msr>);
    case ZYDIS_MNEMONIC_RDTSC:
      return plain(handle<read_time_stamp>);
    case ZYDIS_MNEMONIC_RDTSCP:
      return plain(handle<read_time_stamp_and_processor>);
    case ZYDIS_MNEMONIC_RDPMC:
      return plain(handle<read_performance_counter>);
    case ZYDIS_MNEMONIC_CPUID:
      return plain(handle<cpu_identification>);
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED:
      return plain(by_size(decoded.size(0), [](auto zero) -> Handler {
        using T = decltype(zero);
        if constexpr (sizeof(T) == 1) {
          return nullptr;
        } else {
          return handle<random_number<T>>;
        }
      }));

    // System calls.
    case ZYDIS_MNEMONIC_SYSENTER:
      return last(handle<sysenter>);
    case ZYDIS_MNEMONIC_SYSEXIT:
      return last(handle<sysexit>);
    case ZYDIS_MNEMONIC_SYSCALL:
      return last(handle<syscall>);
    case ZYDIS_MNEMONIC_SYSRET:
      return last(handle<sysret>);
    case ZYDIS_MNEMONIC_SWAPGS:
      return plain(handle<swap_gs>);
    case ZYDIS_MNEMONIC_RDFSBASE:
      return plain(handle<read_base<BaseOf::Fs>>);
    case ZYDIS_MNEMONIC_RDGSBASE:
      return plain(handle<read_base<BaseOf::Gs>>);
    case ZYDIS_MNEMONIC_WRFSBASE:
      return plain(handle<write_base<BaseOf::Fs>>);
    case ZYDIS_MNEMONIC_WRGSBASE:
      return plain(handle<write_base<BaseOf::Gs>>);

    // Software interrupts.
    case ZYDIS_MNEMONIC_INT:
      return select_interrupt(operation, handle<interrupt>, int_n_marker);
    case ZYDIS_MNEMONIC_INT3:
      return select_interrupt(operation, handle<interrupt_breakpoint>, 0);
    case ZYDIS_MNEMONIC_INT1:
      return select_interrupt(operation, handle<interrupt_debug>, int1_marker);
    case ZYDIS_MNEMONIC_INTO:
      operation.extra = 0;
      return plain(handle<interrupt_overflow>);
    case ZYDIS_MNEMONIC_BOUND:
      return plain(decoded.size(0) == 2 ? handle<check_bounds<u16>> : handle<check_bounds<u32>>);
    // Absent or undefined on purpose: MONITOR and MWAIT are not in CPUID, RSM needs system management mode.
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT:
    case ZYDIS_MNEMONIC_RSM:
      return last(handle<undefined>);

    // Ports.
    case ZYDIS_MNEMONIC_IN:
      return select_port(decoded, true);
    case ZYDIS_MNEMONIC_OUT:
      return select_port(decoded, false);
    case ZYDIS_MNEMONIC_INSB:
      return last(handle<port_in_string<u8>>);
    case ZYDIS_MNEMONIC_INSW:
      return last(handle<port_in_string<u16>>);
    case ZYDIS_MNEMONIC_INSD:
      return last(handle<port_in_string<u32>>);
    case ZYDIS_MNEMONIC_OUTSB:
      return last(handle<port_out_string<u8>>);
    case ZYDIS_MNEMONIC_OUTSW:
      return last(handle<port_out_string<u16>>);
    case ZYDIS_MNEMONIC_OUTSD:
      return last(handle<port_out_string<u32>>);
    default:
      return none;
  }
}

#undef VITRINE_BY_PLACE

}  // namespace vitrine
