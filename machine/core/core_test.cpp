#include <gtest/gtest.h>

#include "machine/core/bus.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {
namespace {

struct Listener : Device {
  std::string_view name() const override { return "listener"; }
  void reset() override {}
  void exchange(Archive&) override {}
  void line_changed(Pin, Level level, RequestId request) override {
    levels.push_back(level);
    requests.push_back(request);
  }
  std::vector<Level> levels;
  std::vector<RequestId> requests;
};

TEST(InterruptLine, is_the_or_of_its_drivers_and_tells_only_changes) {
  Clock clock;
  Ledger ledger(clock);
  InterruptLine line(ledger, "irq4", 4);
  Listener listener;
  line.connect(listener, Pin(4));
  const LineDriver a = line.add_driver(SourceId(0));
  const LineDriver b = line.add_driver(SourceId(1));
  a.set(Level::High);
  b.set(Level::High);
  a.set(Level::Low);
  b.set(Level::Low);
  EXPECT_EQ(listener.levels, (std::vector{Level::High, Level::Low}));
  EXPECT_EQ(listener.requests[0], RequestId(1));
}

TEST(InterruptLine, tells_a_new_listener_that_it_is_high) {
  Clock clock;
  Ledger ledger(clock);
  InterruptLine line(ledger, "irq4", 4);
  line.add_driver(SourceId(0)).set(Level::High);
  Listener listener;
  line.connect(listener, Pin(4));
  EXPECT_EQ(listener.levels, (std::vector{Level::High}));
  EXPECT_EQ(listener.requests[0], line.request());
}

TEST(InterruptLine, a_request_that_a_router_carries_is_raised_and_lowered_where_it_began) {
  Clock clock;
  Ledger ledger(clock);
  struct Kept final : LedgerSink {
    void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
    std::vector<Record> records;
  } kept;
  ledger.attach(kept);
  InterruptLine line(ledger, "irq10", 10);
  Listener listener;
  line.connect(listener, Pin(10));
  const LineDriver router = line.add_driver(SourceId(0));
  const LineDriver device = line.add_driver(SourceId(1));
  router.carry(Level::High, RequestId(77));
  EXPECT_EQ(listener.requests.back(), RequestId(77));
  device.set(Level::High);
  router.carry(Level::Low, RequestId{});
  device.set(Level::Low);
  ledger.flush();
  ASSERT_EQ(kept.records.size(), 2u);
  EXPECT_EQ(kept.records[0].kind, RecordKind::Raised);
  EXPECT_EQ(kept.records[0].source, 1);
  EXPECT_EQ(kept.records[1].kind, RecordKind::Merged);
  EXPECT_EQ(kept.records[1].other, 77u);
}

TEST(InterruptLine, a_wire_of_one_driver_tells_each_new_request_once) {
  Clock clock;
  Ledger ledger(clock);
  InterruptLine wire(ledger, "intr0", InterruptLine::no_number);
  Listener listener;
  wire.connect(listener, Pin(0));
  const LineDriver output = wire.add_driver(SourceId(0));
  output.carry(Level::Low, RequestId{});
  EXPECT_TRUE(listener.levels.empty());
  output.carry(Level::High, RequestId(5));
  output.carry(Level::High, RequestId(5));
  output.carry(Level::High, RequestId(6));
  output.carry(Level::Low, RequestId(6));
  output.carry(Level::Low, RequestId{});
  EXPECT_EQ(listener.levels, (std::vector{Level::High, Level::High, Level::Low}));
  EXPECT_EQ(listener.requests, (std::vector{RequestId(5), RequestId(6), RequestId{}}));
  EXPECT_EQ(wire.level(), Level::Low);
}

TEST(Ledger, readers_get_all_records_in_order_and_the_last_one_may_keep_the_buffer) {
  struct Keeper final : LedgerSink {
    std::vector<u64> ids;
    RecordBuffer kept;
    void consume(std::span<const Record> records) override {
      for (const Record& record : records) ids.push_back(record.id);
    }
    void take(RecordBuffer& buffer) override {
      consume(buffer.records());
      kept = RecordBuffer::with_room();
      kept.swap(buffer);
    }
  } first, last;
  Clock clock;
  Ledger ledger(clock);
  ledger.append({.id = 99});
  ledger.attach(first);
  ledger.attach(last);
  constexpr u64 count = 2 * RecordBuffer::capacity + 3;
  for (u64 id = 1; id <= count; ++id) ledger.append({.id = id});
  EXPECT_EQ(last.ids.size(), 2 * RecordBuffer::capacity);
  EXPECT_TRUE(last.kept.full());
  ledger.flush();
  ledger.flush();
  ASSERT_EQ(first.ids.size(), count) << "not what came before somebody observed";
  for (u64 id = 1; id <= count; ++id) ASSERT_EQ(first.ids[id - 1], id);
  EXPECT_EQ(last.ids, first.ids);
  EXPECT_TRUE(first.kept.full()) << "it never had one";
}

TEST(EventQueue, orders_by_due_then_by_sequence) {
  EventQueue queue;
  queue.schedule(Tick(20), DeviceId(1), 1);
  queue.schedule(Tick(10), DeviceId(2), 2);
  queue.schedule(Tick(10), DeviceId(3), 3);
  EXPECT_EQ(queue.next_due(), Tick(10));
  EXPECT_EQ(queue.pop_due(Tick(30))->kind, 2);
  EXPECT_EQ(queue.pop_due(Tick(30))->kind, 3);
  EXPECT_FALSE(queue.pop_due(Tick(15)).has_value());
}

TEST(PortBus, refuses_overlap_and_splits_wide_accesses) {
  PortBus bus;
  Listener device;
  ASSERT_TRUE(bus.map(Port(0x20), 2, device, Region(0)).has_value());
  EXPECT_EQ(bus.map(Port(0x21), 1, device, Region(0)).error(), MapError::Overlap);
  EXPECT_EQ(bus.read(Port(0x1F), AccessSize(4)), 0xFFFFFFFFu);
}

}  // namespace
}  // namespace vitrine
