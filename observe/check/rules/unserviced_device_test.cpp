#include "observe/check/rules/unserviced_device.hpp"

#include "observe/check/rules/flow_bench.hpp"

namespace vitrine {
namespace {

constexpr u8 line = 4, vector = 0x24;
constexpr u64 ms = 1'000'000;

struct Unserviced : FlowBench {
  Unserviced() { read_trace(UnservicedDeviceRule::maker()); }
  void handle(u64 id) {
    deliver(id, vector, 0x2000);
    end(id, line);
    leave(id, vector);
  }
  void attend(u64 id) { add({.id = id, .kind = RecordKind::Attended, .pin = line, .source = com1}); }
  void withhold(WithheldCause cause) {
    add({.kind = RecordKind::Withheld, .pin = line, .detail = static_cast<u8>(cause), .source = com1});
  }
};

TEST_F(Unserviced, the_same_request_again_and_again_is_a_warning) {
  raise_line(5, line);
  for (int i = 0; i < 4; ++i) handle(5);
  EXPECT_THAT(found(), ElementsAre("warning unserviced-device"));
  EXPECT_EQ(result.findings[0].address, 0x2000u);
}

TEST_F(Unserviced, a_thousand_times_is_an_error) {
  raise_line(5, line);
  for (int i = 0; i < 1002; ++i) handle(5);
  EXPECT_THAT(found(), ElementsAre("error unserviced-device"));
}

TEST_F(Unserviced, a_handler_that_asks_the_device_is_not_blamed_for_a_level) {
  raise_line(5, line);
  for (int i = 0; i < 10; ++i) {
    deliver(5, vector, 0x2000);
    if (i == 0) attend(5);
    end(5, line);
    leave(5, vector);
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, a_driver_that_masks_the_line_serves_it_later) {
  raise_line(5, line);
  for (int i = 0; i < 10; ++i) {
    handle(5);
    set_mask(pic0, 0xFF);
    set_mask(pic0, 0xEF);
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, data_that_is_not_read_keeps_an_edge_away) {
  raise_line(5, line);
  handle(5);
  withhold(WithheldCause::BufferNotRead);
  time += 100 * ms;
  EXPECT_THAT(found(), ElementsAre("error unserviced-device"));
  EXPECT_EQ(result.findings[0].line, line);
}

TEST_F(Unserviced, patience_is_a_tenth_of_a_second) {
  raise_line(5, line);
  handle(5);
  withhold(WithheldCause::BufferNotRead);
  time += 90 * ms;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, data_that_is_read_in_time_makes_the_next_edge) {
  raise_line(5, line);
  handle(5);
  withhold(WithheldCause::BufferNotRead);
  attend(5);
  add({.id = 5, .kind = RecordKind::Lowered, .pin = line, .source = com1});
  raise_line(6, line);
  time += 200 * ms;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, a_handler_that_comes_late_has_its_time_from_its_return) {
  raise_line(5, line);
  withhold(WithheldCause::BufferNotRead);
  time += 200 * ms;
  handle(5);
  time += 90 * ms;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, a_byte_of_the_mouse_that_keeps_the_keyboard_waiting_is_the_mouses) {
  raise_line(5, 1);
  deliver(5, 0x21, 0x1000);
  leave(5, 0x21);
  add({.id = 5, .kind = RecordKind::Lowered, .pin = 1, .source = com1});
  raise_line(6, 12);
  deliver(6, 0x2C, 0x3000);
  leave(6, 0x2C);
  add({.kind = RecordKind::Withheld,
       .pin = 1,
       .detail = static_cast<u8>(WithheldCause::BufferNotRead),
       .source = com1});
  time += 100 * ms;
  EXPECT_THAT(found(), ElementsAre("error unserviced-device"));
  EXPECT_EQ(result.findings[0].line, 12);
}

TEST_F(Unserviced, a_device_that_is_polled_never_had_a_handler) {
  raise_line(5, line);
  withhold(WithheldCause::BufferNotRead);
  time += 200 * ms;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, a_device_whose_buffer_is_read_at_last_is_not_waited_for) {
  raise_line(5, line);
  handle(5);
  withhold(WithheldCause::BufferNotRead);
  add({.other = static_cast<u64>(WithheldCause::BufferNotRead),
       .kind = RecordKind::Withheld,
       .pin = line,
       .detail = static_cast<u8>(WithheldCause::None),
       .source = com1});
  time += 200 * ms;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Unserviced, a_device_whose_interrupt_was_turned_off_is_not_waited_for) {
  raise_line(5, line);
  handle(5);
  withhold(WithheldCause::BufferNotRead);
  withhold(WithheldCause::InterruptEnableOff);
  time += 200 * ms;
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
