#include "observe/check/rules/gate_rules.hpp"

#include "observe/check/rules/flow_bench.hpp"

namespace vitrine {
namespace {

constexpr u64 early_handler = 0x30000;

/// Records of deliveries that fail.
struct FailedDeliveries : FlowBench {
  FailedDeliveries() { read_trace(GateRules::maker()); }
  void acknowledge(u64 id, u8 number) { add({.id = id, .kind = RecordKind::Acknowledged, .vector = number}); }
  void refuse(u64 id, u8 number, FailedCheck check, u8 privilege = 0) {
    add({.id = id,
         .address = 0x700,
         .kind = RecordKind::DeliveryFailed,
         .vector = number,
         .detail = static_cast<u8>(check),
         .privilege = privilege});
  }
  void raise_exception(u64 id, u8 number, u64 address = 0x700, u64 fault_address = 0) {
    add({.id = id, .address = address, .other = fault_address, .kind = RecordKind::Exception, .vector = number});
  }
};

TEST_F(FailedDeliveries, a_whole_chain_to_the_shutdown_is_one_error) {
  acknowledge(5, 0x24);
  refuse(5, 0x24, FailedCheck::GateNotPresent);
  raise_exception(6, 11);
  refuse(6, 11, FailedCheck::GateNotPresent);
  raise_exception(7, 8);
  refuse(7, 8, FailedCheck::GateNotPresent);
  add({.address = 0x700, .kind = RecordKind::TripleFault});
  EXPECT_THAT(found(), ElementsAre("error bad-idt"));
  EXPECT_EQ(result.findings[0].vector, 0x24);
  EXPECT_EQ(result.findings[0].evidence.size(), 3u);
}

TEST_F(FailedDeliveries, an_empty_table_and_an_exception_is_a_reset_on_purpose) {
  for (const u8 number : {u8{3}, u8{13}, u8{8}}) refuse(number, number, FailedCheck::VectorPastLimit);
  add({.address = 0x700, .kind = RecordKind::TripleFault});
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FailedDeliveries, a_device_that_meets_an_empty_table_is_an_error) {
  acknowledge(5, 0x24);
  for (const u8 number : {u8{0x24}, u8{13}, u8{8}}) refuse(5, number, FailedCheck::VectorPastLimit);
  add({.address = 0x700, .kind = RecordKind::TripleFault});
  EXPECT_THAT(found(), ElementsAre("error bad-idt"));
}

TEST_F(FailedDeliveries, int_n_of_user_code_is_a_note_at_most) {
  refuse(5, 0x80, FailedCheck::DplTooLow, 3);
  raise_exception(6, 13);
  deliver(6, 13, 0x2000);
  EXPECT_THAT(found(), ElementsAre("note bad-idt"));
}

TEST_F(FailedDeliveries, a_stack_that_can_not_be_pushed_to_is_not_the_idts_fault) {
  acknowledge(5, 0x24);
  refuse(5, 0x24, FailedCheck::StackNotMapped);
  raise_exception(6, 14);
  deliver(6, 14, 0x2000);
  acknowledge(7, 0x25);
  refuse(7, 0x25, FailedCheck::NonCanonical);
  raise_exception(8, 12);
  deliver(8, 12, 0x2000);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FailedDeliveries, a_gate_to_a_page_that_is_not_there_is_an_error) {
  deliver(5, 0x24, 0xDEAD000);
  raise_exception(6, 14, 0xDEAD000, 0xDEAD000);
  EXPECT_THAT(found(), ElementsAre("error bad-idt"));
}

/// The first delivery of a vector; enabled-too-early needs a live run.
struct FirstDelivery : FlowBench {
  FirstDelivery() {
    protected_mode();
    watch(GateRules::maker());
  }
  void fault(u64 fault_address) {
    add({.id = 6, .address = 0x20010, .other = fault_address, .kind = RecordKind::Exception, .vector = 14});
  }
};

TEST_F(FirstDelivery, that_dies_of_a_null_pointer_came_too_early) {
  deliver(5, 0x24, 0x20000);
  fault(0x18);
  EXPECT_THAT(found(), ElementsAre("error enabled-too-early"));
}

TEST_F(FirstDelivery, whose_fault_is_handled_is_fine) {
  deliver(5, 0x24, 0x20000);
  fault(0x18);
  leave(6, 14);
  leave(5, 0x24);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FirstDelivery, whose_fault_is_another_one_is_no_matter_of_ours) {
  deliver(5, 0x24, 0x20000);
  fault(0x12345678);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FirstDelivery, that_faults_after_its_end_of_interrupt_had_begun_well) {
  deliver(5, 0x24, 0x20000);
  end(5, 4);
  fault(0x18);
  EXPECT_THAT(found(), IsEmpty());
}

/// A table in memory, lines that open, IF that changes.
struct Gates : FlowBench {
  static constexpr u8 line = 4, line_vector = first_irq + line;
  Gates() {
    protected_mode();
    for (unsigned each = 0; each < 256; ++each) set_gate(each);
    watch(GateRules::maker());
    sanitizer->table_loaded(*cpu, ProbedTable::Idt, 0x600);
    remap();
    look();
  }
  void open() {
    set_mask(pic0, static_cast<u8>(~(1u << line)));
    look();
  }
  void set_flag(bool on) {
    cpu->state.set_flags(on ? flag::interrupt : 0);
    cpu->state_changed();
  }
  /// STI, NOP, CLI, HLT.
  void let_interrupts_in() {
    put(program, {0xFB, 0x90, 0xFA, 0xF4});
    cpu->state.halted = false;
    cpu->state.rip = program;
    run();
  }
  void share_all_gates() {
    for (unsigned each = 32; each < 256; ++each) {
      store(idt + each * 8, gate(code0, static_cast<u32>(early_handler), 0x8E));
    }
  }
};

TEST_F(Gates, that_are_good_are_not_spoken_of) {
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Gates, of_unused_vectors_may_be_absent) {
  for (unsigned each = 32; each < 256; ++each) set_gate(each, each == line_vector ? 0x8E : 0x0E);
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Gates, that_an_open_line_needs_must_be_there_when_interrupts_come_on) {
  set_gate(line_vector, 0x0E);
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), ElementsAre("warning bad-idt"));
  EXPECT_EQ(result.findings[0].line, line);
}

TEST_F(Gates, past_the_limit_are_absent) {
  cpu->state.idtr.limit = 33 * 8 - 1;
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), ElementsAre("warning bad-idt"));
}

TEST_F(Gates, through_a_data_segment_are_bad) {
  set_gate(line_vector, 0x8E, data0);
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), ElementsAre("warning bad-idt"));
}

TEST_F(Gates, set_before_interrupts_come_on_are_in_time) {
  set_gate(line_vector, 0x0E);
  open();
  set_gate(line_vector);
  let_interrupts_in();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Gates, of_trap_type_get_a_note) {
  set_gate(line_vector, 0x8F);
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), ElementsAre("note bad-idt"));
}

TEST_F(Gates, of_a_limit_that_is_the_size_get_a_warning) {
  cpu->state.idtr.limit = 256 * 8;
  let_interrupts_in();
  EXPECT_THAT(found(), ElementsAre("warning bad-idt"));
}

TEST_F(Gates, below_32_are_another_rules) {
  set_gate(8 + line, 0x0E);
  program_controller(pic0, ControllerRegister::VectorBase, 8);
  open();
  let_interrupts_in();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Gates, the_delivery_itself_replaces_what_was_foreseen) {
  set_gate(line_vector, 0x0E);
  open();
  put(program, {0xFB, 0x90, 0x90, 0xF4});
  interrupt(line_vector);
  ledger.append({.id = request, .kind = RecordKind::Acknowledged, .vector = line_vector});
  run();
  EXPECT_THAT(found(), ElementsAre("error bad-idt"));
}

TEST_F(Gates, absent_when_the_line_opens_with_interrupts_on_come_too_late) {
  set_gate(line_vector, 0x0E);
  set_flag(true);
  open();
  EXPECT_THAT(found(), ElementsAre("warning enabled-too-early"));
  EXPECT_EQ(result.findings[0].address, 0x500u);
}

TEST_F(Gates, of_all_unused_vectors_are_no_handler_of_ones_own) {
  share_all_gates();
  set_flag(true);
  open();
  set_gate(line_vector);
  deliver(7, line_vector, handler(line_vector));
  EXPECT_THAT(found(), ElementsAre("warning enabled-too-early"));
}

TEST_F(Gates, a_default_handler_that_ends_the_interrupt_is_good_enough) {
  share_all_gates();
  set_flag(true);
  open();
  deliver(7, line_vector, early_handler);
  end(7, line);
  leave(7, line_vector);
  deliver(8, line_vector, handler(line_vector));
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Gates, one_common_handler_of_the_controllers_vectors_is_no_default) {
  for (unsigned each = first_irq; each < first_irq + 16; ++each) {
    store(idt + each * 8, gate(code0, static_cast<u32>(early_handler), 0x8E));
  }
  set_flag(true);
  open();
  set_gate(line_vector);
  deliver(7, line_vector, handler(line_vector));
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Gates, a_stub_for_each_vector_is_no_default) {
  set_flag(true);
  open();
  deliver(7, line_vector, handler(line_vector));
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
