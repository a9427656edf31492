#include "kernel/core/interrupts.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {
namespace {

struct FakeController final : InterruptController {
  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] u8 vector_of(u8 line) const override { return static_cast<u8>(0x40 + line); }
  void mask(u8 line) override { masked |= 1u << line; }
  void unmask(u8 line) override { masked &= ~(1u << line); }
  void end(u8 line) override { ended.push_back(line); }
  [[nodiscard]] bool is_level(u8 line) const override { return line >= 16; }
  bool is_spurious(u8) override { return spurious; }
  u32 masked = ~0u;
  std::vector<u8> ended;
  bool spurious = false;
};

struct FakeHandler : InterruptHandler {
  explicit FakeHandler(HandlerResult answer_with) : answer(answer_with) {
    function = [](InterruptHandler& self, Frame&) {
      auto& fake = static_cast<FakeHandler&>(self);
      ++fake.calls;
      return fake.answer;
    };
  }
  HandlerResult answer;
  int calls = 0;
};

struct InterruptManagerTest : testing::Test {
  InterruptManagerTest() { manager.attach(controller); }
  FakeController controller;
  InterruptManager manager;
  Frame frame{};
};

TEST_F(InterruptManagerTest, lines_have_the_vectors_that_the_controller_says) {
  EXPECT_EQ(manager.line_of(0x40), 0);
  EXPECT_EQ(manager.line_of(0x40 + InterruptManager::lines - 1), InterruptManager::lines - 1);
  EXPECT_EQ(manager.line_of(0x3F), InterruptManager::no_line);
  EXPECT_EQ(manager.line_of(0x40 + InterruptManager::lines), InterruptManager::no_line);
}

TEST_F(InterruptManagerTest, an_edge_can_be_ended_before_its_handlers_run_a_level_can_not) {
  FakeHandler handler(HandlerResult::Reschedule);
  manager.add(5, handler);
  EXPECT_TRUE(manager.end_early(5));
  EXPECT_EQ(controller.ended, std::vector<u8>{5});
  EXPECT_EQ(handler.calls, 0);
  EXPECT_TRUE(manager.serve(5));
  EXPECT_EQ(handler.calls, 1);
  EXPECT_EQ(controller.ended.size(), 1u);
  EXPECT_FALSE(manager.end_early(16));
  EXPECT_EQ(controller.ended.size(), 1u);
}

TEST_F(InterruptManagerTest, all_handlers_of_a_shared_line_are_asked_and_the_line_is_ended_once) {
  FakeHandler first(HandlerResult::Handled), second(HandlerResult::Reschedule);
  manager.add(5, first);
  manager.add(5, second);
  EXPECT_EQ(controller.masked & 1u << 5, 0u);
  EXPECT_TRUE(manager.dispatch(5, frame));
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(controller.ended, std::vector<u8>{5});
  EXPECT_EQ(manager.counts(5).delivered, 1u);
}

TEST_F(InterruptManagerTest, the_last_handler_to_go_masks_the_line) {
  FakeHandler first(HandlerResult::Handled), second(HandlerResult::Handled);
  manager.add(4, first);
  manager.add(4, second);
  manager.remove(4, first);
  EXPECT_EQ(controller.masked & 1u << 4, 0u);
  manager.remove(4, second);
  EXPECT_NE(controller.masked & 1u << 4, 0u);
}

TEST_F(InterruptManagerTest, a_spurious_interrupt_is_counted_and_neither_handled_nor_ended) {
  FakeHandler handler(HandlerResult::Handled);
  manager.add(7, handler);
  controller.spurious = true;
  EXPECT_FALSE(manager.dispatch(7, frame));
  EXPECT_EQ(handler.calls, 0);
  EXPECT_TRUE(controller.ended.empty());
  EXPECT_EQ(manager.counts(7).spurious, 1u);
}

TEST_F(InterruptManagerTest, a_line_that_nobody_claims_is_masked_after_a_window) {
  FakeHandler handler(HandlerResult::NotMine);
  manager.add(11, handler);
  for (u32 i = 0; i < InterruptManager::storm_window; ++i) (void)manager.dispatch(11, frame);
  EXPECT_TRUE(manager.counts(11).stopped);
  EXPECT_NE(controller.masked & 1u << 11, 0u);
}

TEST_F(InterruptManagerTest, a_line_that_is_claimed_now_and_then_goes_on) {
  FakeHandler handler(HandlerResult::NotMine);
  manager.add(11, handler);
  for (u32 i = 0; i < 2 * InterruptManager::storm_window; ++i) {
    handler.answer = i % 100 == 0 ? HandlerResult::Handled : HandlerResult::NotMine;
    (void)manager.dispatch(11, frame);
  }
  EXPECT_FALSE(manager.counts(11).stopped);
  EXPECT_EQ(controller.masked & 1u << 11, 0u);
}

}  // namespace
}  // namespace pulse
