#include "machine/boards/isa_wiring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace vitrine {
namespace {

/// A controller that only notes what its pins see.
struct Pins final : Device {
  struct Change {
    Pin pin{};
    Level level{};
    bool operator==(const Change&) const = default;
  };
  [[nodiscard]] std::string_view name() const override { return "pins"; }
  void reset() override {}
  void exchange(Archive&) override {}
  void line_changed(Pin pin, Level level, RequestId) override { changes.push_back({pin, level}); }
  std::vector<Change> changes;
};

struct Board {
  Clock clock;
  Ledger ledger{clock};
  IsaLines lines{ledger};
  Pins first, second;
  Board() { lines.connect(first, second); }
};

TEST(IsaWiring, every_source_drives_the_pin_of_its_row_and_no_other) {
  for (const IsaWire& wire : isa_wires) {
    for (const IsaSource source : wire.sources) {
      if (source == IsaSource::Nothing) continue;
      Board board;
      const LineDriver driver = board.lines.driver(source, SourceId(0));
      driver.set(Level::High);
      driver.set(Level::Low);
      const std::vector<Pins::Change> expected = {{Pin(wire.pin), Level::High}, {Pin(wire.pin), Level::Low}};
      const bool first = wire.controller == IsaController::First;
      EXPECT_EQ(first ? board.first.changes : board.second.changes, expected) << wire.device;
      EXPECT_TRUE((first ? board.second.changes : board.first.changes).empty()) << wire.device;
    }
  }
}

TEST(IsaWiring, vectors_count_through_both_controllers) {
  for (const IsaWire& wire : isa_wires) EXPECT_EQ(wire.vector.value, wire.irq()) << wire.device;
}

TEST(IsaWiring, no_pin_and_no_source_appears_twice) {
  std::vector<u8> irqs;
  std::vector<IsaSource> sources;
  for (const IsaWire& wire : isa_wires) {
    EXPECT_EQ(std::ranges::count(irqs, wire.irq()), 0) << wire.device;
    irqs.push_back(wire.irq());
    for (const IsaSource source : wire.sources) {
      if (source == IsaSource::Nothing) continue;
      EXPECT_EQ(std::ranges::count(sources, source), 0) << wire.device;
      sources.push_back(source);
    }
  }
  EXPECT_EQ(std::ranges::count(irqs, isa_cascade_pin.value), 0) << "the cascade's pin is not free";
}

TEST(IsaWiring, two_serial_ports_share_a_line_as_an_or) {
  Board board;
  const LineDriver com1 = board.lines.driver(IsaSource::Serial1, SourceId(0));
  const LineDriver com3 = board.lines.driver(IsaSource::Serial3, SourceId(1));
  com1.set(Level::High);
  com3.set(Level::High);
  com1.set(Level::Low);
  EXPECT_EQ(board.first.changes.size(), 1u);
  com3.set(Level::Low);
  EXPECT_EQ(board.first.changes.size(), 2u);
}

}  // namespace
}  // namespace vitrine
