// The common device suite (style.md, Tests): what every chip must pass, and the bench on which chips are tested.
//
// Included by *_test.cpp files only. In a chip's test:
//
//   DeviceUnderTest uart() {
//     return {.make = [](TestBench& bench) -> Device& {
//               return bench.add<Uart16550>("com1", bench.output("irq4", 4), bench.outputs);
//             },
//             .regions = {{Region(0), 8}}};
//   }
//   VITRINE_COMMON_DEVICE_SUITE(Uart16550, uart());
//
// `make` builds the chip, and whatever it needs, on an empty bench whose clock may be at any time. It is called
// several times, each time for a new bench, and must build the same thing in the same order.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/clock.hpp"
#include "machine/core/device.hpp"
#include "machine/core/event_queue.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/ledger.hpp"
#include "machine/core/outside.hpp"

namespace vitrine {

/// Keeps the ledger's records.
struct RecordingSink final : LedgerSink {
  void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
  std::vector<Record> records;
};

/// Stands at the other end of a chip's output lines, and writes down each change.
struct RecordingListener final : Device {
  struct Change {
    Tick time{};
    Pin pin{};
    Level level{};
    RequestId request{};
    bool operator==(const Change&) const = default;
  };
  [[nodiscard]] std::string_view name() const override { return "listener"; }
  void reset() override {}
  void exchange(Archive&) override {}
  void line_changed(Pin pin, Level level, RequestId request) override {
    changes.push_back({clock->now(), pin, level, request});
  }
  const Clock* clock = nullptr;
  std::vector<Change> changes;
};

/// Keeps what the machine sends out.
struct RecordingOutputs final : Outputs {
  void byte_out(Channel channel, u8 byte) override { bytes.emplace_back(channel, byte); }
  std::vector<std::pair<Channel, u8>> bytes;
};

/// Keeps what a device asks of its machine.
struct RecordingControl final : MachineControl {
  void request_exit(ExitKind kind, u32 value) override { exits.emplace_back(kind, value); }
  void set_a20(bool enabled) override { a20_enabled = enabled; }
  [[nodiscard]] bool a20() const override { return a20_enabled; }
  std::vector<std::pair<ExitKind, u32>> exits;
  bool a20_enabled = true;
};

/// A machine without a CPU: virtual time, a ledger with a reader, wires, and the devices that a test adds.
struct TestBench {
  Clock clock;
  EventQueue events;
  Ledger ledger{clock};
  RecordingSink sink;
  RecordingListener listener;
  RecordingOutputs outputs;
  RecordingControl control;
  std::deque<InterruptLine> lines;
  std::vector<LineDriver> inputs;              ///< what random traffic toggles: see input()
  std::vector<std::function<void()>> actions;  ///< what random traffic also does (an acknowledge, a key): see make
  std::vector<std::unique_ptr<Device>> owned;
  std::vector<Device*> devices;  ///< by DeviceId

  TestBench() {
    listener.clock = &clock;
    ledger.attach(sink);
  }
  TestBench(const TestBench&) = delete;
  TestBench& operator=(const TestBench&) = delete;

  /// Builds a T from a context of its own and `arguments`; the bench owns it and hands it its events.
  template <class T, class... Arguments>
  T& add(std::string_view name, Arguments&&... arguments) {
    const DeviceContext context{clock, events, ledger, DeviceId(static_cast<u16>(devices.size())),
                                ledger.register_source(name)};
    devices.push_back(nullptr);
    auto device = std::make_unique<T>(context, std::forward<Arguments>(arguments)...);
    T& result = *device;
    devices[context.id.value] = &result;
    owned.push_back(std::move(device));
    return result;
  }

  /// A new wire that ends at the recording listener, with the pin number `number`; the result drives it.
  LineDriver output(std::string_view name, u8 number) {
    InterruptLine& line = lines.emplace_back(ledger, name, number);
    line.connect(listener, Pin(number));
    return line.add_driver(SourceId{});
  }
  /// A new wire into `device`'s pin. The test drives it; so does random traffic.
  LineDriver input(Device& device, Pin pin, std::string_view name, u8 number) {
    InterruptLine& line = lines.emplace_back(ledger, name, number);
    line.connect(device, pin);
    inputs.push_back(line.add_driver(SourceId{}));
    return inputs.back();
  }

  /// Lets `nanoseconds` pass; each event is dispatched at the moment when it is due.
  void advance(u64 nanoseconds) { advance_to(clock.now() + nanoseconds); }
  void advance_to(Tick time) {
    while (events.next_due() <= time) {
      if (events.next_due() > clock.now()) clock.advance_to(events.next_due());
      const Event event = *events.pop_due(clock.now());
      devices[event.device.value]->event(event.kind, event.payload);
    }
    clock.advance_to(time);
  }

  /// The ledger's records so far.
  const std::vector<Record>& records() {
    ledger.flush();
    return sink.records;
  }
  /// The records of one kind, in order.
  std::vector<Record> records(RecordKind kind) {
    std::vector<Record> found;
    for (const Record& record : records()) {
      if (record.kind == kind) found.push_back(record);
    }
    return found;
  }
  void forget_records() {
    ledger.flush();
    sink.records.clear();
    listener.changes.clear();
    outputs.bytes.clear();
    control.exits.clear();
  }

  /// Everything but the clock. The bench that loads must be built by the same `make`.
  void exchange(Archive& archive) {
    events.exchange(archive);
    ledger.exchange(archive);
    archive(control.a20_enabled);
    for (InterruptLine& line : lines) line.exchange(archive);
    for (Device* device : devices) device->exchange(archive);
  }
  std::vector<u8> save() {
    Archive archive = Archive::saver();
    exchange(archive);
    return archive.bytes();
  }
};

struct DeviceUnderTest {
  struct Window {
    Region region{};
    u64 bytes = 0;
  };
  std::function<Device&(TestBench&)> make;
  std::vector<Window> regions;
  std::function<void(const Device&)> invariant = nullptr;  ///< EXPECTs what must hold after every access
  bool reset_keeps_some_state = false;                     ///< battery-backed: a reset chip need not equal a new one
  bool peek_equals_read = true;                            ///< false if a read's own effects change what it returns
  u32 accesses = 100'000;
};

namespace device_suite {

/// Fixed-seed pseudo-random numbers (SplitMix64).
class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 next() {
    u64 z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  u64 below(u64 limit) { return next() % limit; }

 private:
  u64 state_;
};

inline std::vector<u8> save(Device& device) {
  Archive archive = Archive::saver();
  device.exchange(archive);
  return archive.bytes();
}

inline std::vector<u8> save(EventQueue& events) {
  Archive archive = Archive::saver();
  events.exchange(archive);
  return archive.bytes();
}

/// Random reads, writes, input levels, actions and time; the result is a digest of all that could be seen outside.
inline u64 traffic(TestBench& bench, Device& device, const DeviceUnderTest& subject, u64 seed, u32 accesses) {
  static constexpr std::array sizes = {AccessSize(1), AccessSize(1), AccessSize(1), AccessSize(1),
                                       AccessSize(2), AccessSize(4), AccessSize(8)};
  Random random(seed);
  u64 digest = 0xCBF29CE484222325u;
  const auto mix = [&digest](u64 value) { digest = (digest ^ value) * 0x100000001B3u; };
  for (u32 i = 0; i < accesses; ++i) {
    bench.ledger.context.address = 0x1000 + i;
    if (!subject.regions.empty()) {
      const DeviceUnderTest::Window& window = subject.regions[random.below(subject.regions.size())];
      const u64 offset = random.below(window.bytes);
      const AccessSize size = sizes[random.below(sizes.size())];
      if (random.below(2) == 0) {
        mix(device.read(window.region, offset, size));
      } else {
        // Small and all-zero values are more often commands that mean something than random ones are.
        const u64 value = random.below(4) == 0 ? random.below(16) : random.next();
        device.write(window.region, offset, size, size.value == 8 ? value : value & ((u64{1} << size.value * 8) - 1));
      }
    }
    if (!bench.inputs.empty() && random.below(2) == 0) {
      const LineDriver& input = bench.inputs[random.below(bench.inputs.size())];
      switch (random.below(4)) {
        case 0:
          input.set(Level::Low);
          break;
        case 1:
          input.end_pulse();
          break;
        default:
          input.set(Level::High);
          break;
      }
    }
    if (!bench.actions.empty() && random.below(4) == 0) bench.actions[random.below(bench.actions.size())]();
    const u64 pause = random.below(4096);
    bench.advance(random.below(pause == 0 ? 20'000'000 : pause < 64 ? 100'000 : 100));
    if (subject.invariant) subject.invariant(device);
    if (i % 1024 == 1023 || i + 1 == accesses) {
      for (const RecordingListener::Change& change : bench.listener.changes) {
        mix(change.time.value);
        mix(change.pin.value * 2u + (change.level == Level::High ? 1 : 0));
        mix(change.request.value);
      }
      for (const Record& record : bench.records()) {
        mix(static_cast<u64>(record.kind) << 32 | record.pin << 16 | record.vector << 8 | record.detail);
        mix(record.id);
        mix(record.other);
        mix(record.since);
        mix(record.address);
        mix(record.extra);
      }
      for (const auto& [channel, byte] : bench.outputs.bytes) mix(static_cast<u64>(channel) << 8 | byte);
      bench.forget_records();
      if (testing::Test::HasFailure()) return digest;
    }
  }
  return digest;
}

inline void reset_equals_new(const DeviceUnderTest& subject) {
  if (subject.reset_keeps_some_state) GTEST_SKIP() << "this chip keeps state over RESET";
  TestBench used;
  Device& device = subject.make(used);
  for (u64 seed = 1; seed <= 20; ++seed) {
    traffic(used, device, subject, seed, 500);
    for (const LineDriver& input : used.inputs) input.set(Level::Low);
    device.reset();
    TestBench fresh;
    fresh.clock.advance_to(used.clock.now());
    Device& other = subject.make(fresh);
    ASSERT_EQ(save(device), save(other)) << "after traffic with seed " << seed;
    ASSERT_EQ(used.events.next_due(), fresh.events.next_due()) << "events after reset, seed " << seed;
    for (std::size_t i = 0; i < used.lines.size(); ++i) {
      ASSERT_EQ(used.lines[i].level(), fresh.lines[i].level()) << used.lines[i].name() << " after reset";
    }
  }
}

inline void save_restore_save_gives_the_same_bytes(const DeviceUnderTest& subject) {
  TestBench first;
  Device& device = subject.make(first);
  for (u64 seed = 1; seed <= 20; ++seed) {
    traffic(first, device, subject, seed, 500);
    const std::vector<u8> saved = first.save();
    TestBench second;
    Device& other = subject.make(second);
    second.clock.advance_to(first.clock.now());
    Archive loader = Archive::loader(saved);
    second.exchange(loader);
    ASSERT_TRUE(loader.ok() && loader.at_end()) << "seed " << seed;
    ASSERT_EQ(second.save(), saved) << "seed " << seed;
    // The restored machine goes on as the one that was saved does.
    second.forget_records();
    const u64 theirs = traffic(second, other, subject, seed + 1000, 300);
    ASSERT_EQ(traffic(first, device, subject, seed + 1000, 300), theirs) << "goes on differently, seed " << seed;
    ASSERT_EQ(second.save(), first.save()) << "seed " << seed;
  }
}

inline void peek_changes_nothing(const DeviceUnderTest& subject) {
  TestBench bench;
  Device& device = subject.make(bench);
  for (u64 seed = 1; seed <= 100; ++seed) {
    traffic(bench, device, subject, seed, 100);
    const std::vector<u8> before = bench.save();
    for (const DeviceUnderTest::Window& window : subject.regions) {
      for (u64 offset = 0; offset < window.bytes && offset < 0x400; ++offset) {
        for (unsigned size = 1; size <= 8; size *= 2) {
          (void)device.peek(window.region, offset, AccessSize(static_cast<u8>(size)));
        }
      }
    }
    ASSERT_EQ(bench.save(), before) << "seed " << seed;
    ASSERT_TRUE(bench.records().empty() && bench.listener.changes.empty()) << "seed " << seed;
    if (!subject.peek_equals_read || subject.regions.empty()) continue;
    Random random(seed);
    const DeviceUnderTest::Window& window = subject.regions[random.below(subject.regions.size())];
    const u64 offset = random.below(window.bytes);
    const u64 peeked = device.peek(window.region, offset, AccessSize(1));
    ASSERT_EQ(device.read(window.region, offset, AccessSize(1)), peeked)
        << "region " << int{window.region.value} << " offset " << offset << " seed " << seed;
    bench.forget_records();
  }
}

inline void restore_makes_no_edge(const DeviceUnderTest& subject) {
  for (u64 seed = 1; seed <= 20; ++seed) {
    TestBench first;
    Device& device = subject.make(first);
    traffic(first, device, subject, seed, 500);
    const std::vector<u8> saved = save(device);
    TestBench second;
    Device& other = subject.make(second);
    second.advance_to(first.clock.now());
    traffic(second, other, subject, seed + 1000, 50);
    second.forget_records();
    const std::vector<u8> events = save(second.events);
    Archive loader = Archive::loader(saved);
    other.exchange(loader);
    ASSERT_TRUE(loader.ok());
    EXPECT_TRUE(second.records().empty()) << "a record, seed " << seed;
    EXPECT_TRUE(second.listener.changes.empty()) << "a line change, seed " << seed;
    EXPECT_TRUE(second.outputs.bytes.empty()) << "a byte out, seed " << seed;
    EXPECT_EQ(save(second.events), events) << "an event, seed " << seed;
  }
}

inline void random_traffic_never_breaks_an_invariant(const DeviceUnderTest& subject) {
  TestBench bench;
  Device& device = subject.make(bench);
  for (u64 seed = 1; seed <= 10 && !testing::Test::HasFailure(); ++seed) {
    traffic(bench, device, subject, seed, subject.accesses / 10);
    const std::vector<u8> saved = save(device);
    Archive loader = Archive::loader(saved);
    device.exchange(loader);
    ASSERT_TRUE(loader.ok() && loader.at_end()) << "seed " << seed;
    ASSERT_EQ(save(device), saved) << "seed " << seed;
  }
}

inline void a_truncated_archive_is_refused(const DeviceUnderTest& subject) {
  TestBench first;
  Device& device = subject.make(first);
  traffic(first, device, subject, 1, 1000);
  const std::vector<u8> saved = save(device);
  const std::size_t step = saved.size() < 2000 ? 1 : saved.size() / 1000;
  for (std::size_t length = 0; length < saved.size(); length += step) {
    TestBench second;
    Device& other = subject.make(second);
    Archive loader = Archive::loader(std::span(saved).first(length));
    other.exchange(loader);
    ASSERT_FALSE(loader.ok()) << "length " << length;
  }
}

/// Random changes to a saved state: either exchange refuses them, or the device can live with them.
inline void a_corrupt_archive_is_refused_or_harmless(const DeviceUnderTest& subject) {
  TestBench first;
  Device& device = subject.make(first);
  traffic(first, device, subject, 1, 1000);
  const std::vector<u8> saved = save(device);
  for (u64 seed = 1; seed <= 300 && !testing::Test::HasFailure(); ++seed) {
    Random random(seed);
    std::vector<u8> corrupt = saved;
    for (u64 changes = 1 + random.below(4); changes > 0; --changes) {
      corrupt[random.below(corrupt.size())] = static_cast<u8>(random.next());
    }
    TestBench second;
    Device& other = subject.make(second);
    second.advance_to(first.clock.now());
    Archive loader = Archive::loader(corrupt);
    other.exchange(loader);
    if (loader.ok()) traffic(second, other, subject, seed, 100);
  }
}

}  // namespace device_suite
}  // namespace vitrine

/// The suite's tests for one chip: `name` is the chip's type, `subject` makes its DeviceUnderTest. A macro, because
/// each chip must get tests of its own names from one text.
#define VITRINE_COMMON_DEVICE_SUITE(name, subject)                                                            \
  TEST(name##CommonSuite, reset_equals_new) { ::vitrine::device_suite::reset_equals_new(subject); }           \
  TEST(name##CommonSuite, save_restore_save_gives_the_same_bytes) {                                           \
    ::vitrine::device_suite::save_restore_save_gives_the_same_bytes(subject);                                 \
  }                                                                                                           \
  TEST(name##CommonSuite, peek_changes_nothing) { ::vitrine::device_suite::peek_changes_nothing(subject); }   \
  TEST(name##CommonSuite, restore_makes_no_edge) { ::vitrine::device_suite::restore_makes_no_edge(subject); } \
  TEST(name##CommonSuite, random_traffic_never_breaks_an_invariant) {                                         \
    ::vitrine::device_suite::random_traffic_never_breaks_an_invariant(subject);                               \
  }                                                                                                           \
  TEST(name##CommonSuite, a_truncated_archive_is_refused) {                                                   \
    ::vitrine::device_suite::a_truncated_archive_is_refused(subject);                                         \
  }                                                                                                           \
  TEST(name##CommonSuite, a_corrupt_archive_is_refused_or_harmless) {                                         \
    ::vitrine::device_suite::a_corrupt_archive_is_refused_or_harmless(subject);                               \
  }                                                                                                           \
  static_assert(true, "takes the semicolon")
