// The suite itself: a small chip that keeps every rule passes it.
#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

/// One register; writing it raises the line and lowers it again as many nanoseconds later.
class OneShot final : public Device {
 public:
  OneShot(DeviceContext context, LineDriver line) : context_(context), line_(line) {}
  [[nodiscard]] std::string_view name() const override { return "one_shot"; }
  void reset() override {
    end_ = Tick{};
    context_.events.cancel(context_.id, 0);
    update();
  }
  u64 read(Region, u64, AccessSize) override { return remaining(); }
  [[nodiscard]] u64 peek(Region, u64, AccessSize) const override { return remaining(); }
  void write(Region, u64, AccessSize, u64 value) override {
    end_ = context_.clock.now() + (value & 0xFF);
    context_.events.reschedule(end_, context_.id, 0);
    update();
  }
  void event(u16, u64) override { update(); }
  void exchange(Archive& archive) override {
    archive.section("one_shot", 1);
    archive(end_);
  }

 private:
  [[nodiscard]] u64 remaining() const {
    return end_ > context_.clock.now() ? (end_.value - context_.clock.now().value) & 0xFF : 0;
  }
  void update() { line_.set(end_ > context_.clock.now() ? Level::High : Level::Low); }

  DeviceContext context_;
  LineDriver line_;
  Tick end_{};
};

DeviceUnderTest one_shot() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<OneShot>("one_shot", bench.output("irq5", 5)); },
          .regions = {{Region(0), 1}}};
}

TEST(TestBench, dispatches_each_event_at_the_moment_when_it_is_due) {
  TestBench bench;
  auto& device = bench.add<OneShot>("one_shot", bench.output("irq5", 5));
  device.write(Region(0), 0, AccessSize(1), 7);
  bench.advance(100);
  ASSERT_EQ(bench.listener.changes.size(), 2u);
  EXPECT_EQ(bench.listener.changes[0], (RecordingListener::Change{Tick(0), Pin(5), Level::High, RequestId(1)}));
  EXPECT_EQ(bench.listener.changes[1].time, Tick(7));
  EXPECT_EQ(bench.records(RecordKind::Raised).size(), 1u);
}

VITRINE_COMMON_DEVICE_SUITE(OneShot, one_shot());

}  // namespace
}  // namespace vitrine
