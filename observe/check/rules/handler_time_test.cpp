#include "observe/check/rules/handler_time.hpp"

#include "observe/check/rules/flow_bench.hpp"

namespace vitrine {
namespace {

constexpr u8 vector = 0x24, other_vector = 0x25;
constexpr u64 us = 1000;

struct HandlerTime : FlowBench {
  HandlerTime() { read_trace(HandlerTimeRules::maker()); }
  void boot() { add({.kind = RecordKind::Halted, .detail = 1}); }
};

TEST_F(HandlerTime, a_long_handler_is_a_warning) {
  boot();
  deliver(5, vector, 0x2000);
  time += 30 * us;
  end(5, 4);
  leave(5, vector);
  EXPECT_THAT(found(), ElementsAre("warning handler-too-long"));
  EXPECT_EQ(result.findings[0].address, 0x2000u);
}

TEST_F(HandlerTime, without_an_end_of_interrupt_the_return_counts) {
  boot();
  deliver(5, vector, 0x2000);
  time += 30 * us;
  leave(5, vector);
  EXPECT_THAT(found(), ElementsAre("warning handler-too-long"));
}

TEST_F(HandlerTime, work_after_the_end_of_interrupt_is_free) {
  boot();
  deliver(5, vector, 0x2000);
  time += 10 * us;
  end(5, 4);
  time += 300 * us;
  leave(5, vector);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerTime, handlers_on_top_do_not_count) {
  boot();
  deliver(5, vector, 0x2000);
  for (u64 id = 10; id < 13; ++id) {
    deliver(id, other_vector, 0x3000);
    time += 20 * us;
    end(id, 5);
    leave(id, other_vector);
  }
  end(5, 4);
  leave(5, vector);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerTime, while_it_boots_a_guest_may_take_its_time) {
  deliver(5, vector, 0x2000);
  time += 300 * us;
  end(5, 4);
  leave(5, vector);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerTime, another_threads_time_is_not_the_handlers) {
  boot();
  deliver(5, vector, 0x2000);
  add({.other = 2, .kind = RecordKind::ThreadRuns});
  time += 300 * us;
  end(5, 4);
  leave(5, vector);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerTime, exceptions_may_take_long) {
  boot();
  add({.id = 5,
       .address = 0x2000,
       .kind = RecordKind::Delivered,
       .vector = 14,
       .detail = static_cast<u8>(DeliveryKind::Fault)});
  time += 300 * us;
  add({.id = 5, .kind = RecordKind::Returned, .vector = 14});
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerTime, a_hundred_interrupts_with_nothing_between_are_no_progress) {
  for (u64 id = 1; id < 110; ++id) {
    deliver(id, vector, 0x2000, 0x700);
    end(id, 4);
    leave(id, vector);
  }
  EXPECT_THAT(found(), ElementsAre("error no-progress"));
}

TEST_F(HandlerTime, one_instruction_between_is_progress) {
  for (u64 id = 1; id < 300; ++id) {
    deliver(id, vector, 0x2000, 0x700);
    end(id, 4);
    leave(id, vector);
    ++time;
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(HandlerTime, a_level_that_stays_high_is_another_rules) {
  for (int i = 0; i < 300; ++i) {
    deliver(1, vector, 0x2000, 0x700);
    end(1, 4);
    leave(1, vector);
  }
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
