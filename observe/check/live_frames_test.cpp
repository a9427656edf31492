#include "observe/check/live_frames.hpp"

#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

struct LiveFramesTest : SystemBench {
  struct Nothing {};
  LiveFramesTest() { protected_mode(); }

  auto& push(u64 address, u64 rip) {
    store<u32>(address, static_cast<u32>(rip));
    store<u32>(address + 4, code0);
    store<u32>(address + 8, 2);
    return frames.push(*cpu, {.frame = address, .slot_size = 4, .slots = 3});
  }
  LiveFrames<Nothing> frames;
};

TEST_F(LiveFramesTest, a_frame_is_matched_by_its_address) {
  push(0x7000, 0x11000);
  push(0x6000, 0x12000);
  const auto* found = frames.match(*cpu, {.frame = 0x7000, .operand_size = 4});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->pushed.ip(), 0x11000u);
}

TEST_F(LiveFramesTest, a_moved_frame_is_matched_by_its_words) {
  push(0x7000, 0x11000);
  std::memcpy(ram.get() + 0x5000, ram.get() + 0x7000, 12);
  const auto* found = frames.match(*cpu, {.frame = 0x5000, .operand_size = 4});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->delivery.frame, 0x7000u);
  EXPECT_EQ(frames.match(*cpu, {.frame = 0x5004, .operand_size = 4}), nullptr);
}

TEST_F(LiveFramesTest, a_return_through_an_older_frame_marks_the_newer_ones) {
  const auto older = push(0x7000, 0x11000);
  push(0x6000, 0x12000);
  EXPECT_FALSE(frames.other_ran(*frames.find(0x6000)));
  frames.leave(older);
  EXPECT_TRUE(frames.other_ran(*frames.find(0x6000)));
}

TEST_F(LiveFramesTest, a_return_through_a_nested_frame_marks_nobody) {
  push(0x7000, 0x11000);
  const auto nested = push(0x6000, 0x12000);
  frames.leave(nested);
  EXPECT_FALSE(frames.other_ran(*frames.find(0x7000)));
}

TEST_F(LiveFramesTest, leaving_the_kernel_otherwise_marks_all_that_are_there) {
  push(0x7000, 0x11000);
  frames.left_otherwise();
  push(0x6000, 0x12000);
  EXPECT_TRUE(frames.other_ran(*frames.find(0x7000)));
  EXPECT_FALSE(frames.other_ran(*frames.find(0x6000)));
}

TEST_F(LiveFramesTest, frames_near_both_ends_of_the_address_space_are_found_and_nothing_else) {
  push(0x10, 0x11000);
  EXPECT_NE(frames.newest_near(0x8, 64), nullptr);
  EXPECT_EQ(frames.newest_near(0x100, 64), nullptr);
  EXPECT_EQ(frames.newest_near(~u64{0} - 8, 64), nullptr);
}

TEST_F(LiveFramesTest, the_oldest_gives_way_when_there_are_too_many) {
  for (u64 i = 0; i <= LiveFrames<Nothing>::most; ++i) push(0x3000 + i * 0x20, 0x11000 + i);
  EXPECT_EQ(frames.find(0x3000), nullptr);
  EXPECT_NE(frames.find(0x3020), nullptr);
}

}  // namespace
}  // namespace vitrine
