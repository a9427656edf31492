#include "observe/check/rules/pic_tracker.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

constexpr u16 pic0 = 0, pic1 = 1;

/// Both chips open, and these lines in service or asking.
struct Pics {
  PicTracker tracker{TraceHeader{.sources = {"pic0", "pic1"}}};
  Pics() {
    tracker.consume({.kind = RecordKind::MaskChanged, .pin = 0, .source = pic0});
    tracker.consume({.kind = RecordKind::MaskChanged, .pin = 8, .source = pic1});
  }
  Pics& requests(u8 line) { return add(RecordKind::Latched, line); }
  Pics& serves(u8 line) { return add(RecordKind::InService, line); }
  Pics& mode(ControllerRegister which, u64 value) {
    tracker.consume({.extra = value,
                     .kind = RecordKind::ControllerProgrammed,
                     .pin = 0,
                     .detail = static_cast<u8>(which),
                     .source = pic0});
    return *this;
  }
  Pics& add(RecordKind kind, u8 line) {
    tracker.consume({.id = u64{100} + line, .kind = kind, .pin = line, .source = line < 8 ? pic0 : pic1});
    return *this;
  }
  [[nodiscard]] bool holds(u8 served, u8 asking) const {
    const u8 chip = served < 8 ? PicTracker::first : PicTracker::second;
    return tracker.holds_back({chip, static_cast<u8>(served & 7)}, asking);
  }
};

TEST(PicTracker, a_bit_in_service_holds_back_its_own_and_lower_priorities) {
  const Pics pics = Pics().serves(3).requests(1).requests(3).requests(4);
  EXPECT_FALSE(pics.holds(3, 1));
  EXPECT_TRUE(pics.holds(3, 3));
  EXPECT_TRUE(pics.holds(3, 4));
}

TEST(PicTracker, a_higher_request_does_not_hide_what_waits) {
  EXPECT_TRUE(Pics().serves(3).requests(0).requests(4).holds(3, 4));
}

TEST(PicTracker, the_second_chip_is_as_high_as_pin_two_of_the_first) {
  const Pics pics = Pics().serves(1).serves(3).requests(12);
  EXPECT_TRUE(pics.holds(1, 12));
  EXPECT_FALSE(pics.holds(3, 12));
}

TEST(PicTracker, the_cascade_in_service_holds_back_the_second_chip_unless_fully_nested) {
  Pics pics = Pics().serves(2).requests(8);
  EXPECT_TRUE(pics.holds(2, 8));
  pics.mode(ControllerRegister::SpecialFullyNested, 1);
  EXPECT_FALSE(pics.holds(2, 8));
}

TEST(PicTracker, rotation_moves_the_order) {
  Pics pics = Pics().serves(3).requests(4);
  pics.mode(ControllerRegister::Rotation, 3);
  EXPECT_FALSE(pics.holds(3, 4));
}

TEST(PicTracker, special_mask_mode_takes_a_masked_bit_out_of_the_way) {
  Pics pics = Pics().serves(3).requests(4);
  pics.tracker.consume({.extra = 1 << 3, .kind = RecordKind::MaskChanged, .pin = 0, .source = pic0});
  EXPECT_TRUE(pics.holds(3, 4));
  pics.mode(ControllerRegister::SpecialMask, 1);
  EXPECT_FALSE(pics.holds(3, 4));
}

TEST(PicTracker, the_output_is_high_for_the_highest_that_nothing_holds_back) {
  Pics pics = Pics().requests(12).requests(4);
  EXPECT_EQ(pics.tracker.winner(PicTracker::first), 2);
  EXPECT_EQ(pics.tracker.winner(PicTracker::second), 4);
  pics.serves(1);
  EXPECT_EQ(pics.tracker.winner(PicTracker::first), std::nullopt);
}

}  // namespace
}  // namespace vitrine
