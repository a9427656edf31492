#include "machine/devices/isa_bridge/isa_bridge.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

TEST(IsaBridge, is_a_multifunction_piix3) {
  TestBench bench;
  auto& bridge = bench.add<IsaBridge>("isa-bridge");
  EXPECT_EQ(bridge.config().read(0x00, AccessSize(4)), 0x70008086u);
  EXPECT_EQ(bridge.config().read(0x08, AccessSize(4)), 0x06010000u);
  EXPECT_EQ(bridge.config().read(0x0E, AccessSize(1)), 0x80u);
}

TEST(IsaBridge, pirq_routes_are_off_at_power_on_and_store_what_is_written) {
  TestBench bench;
  auto& bridge = bench.add<IsaBridge>("isa-bridge");
  EXPECT_EQ(bridge.config().read(0x60, AccessSize(4)), 0x80808080u);
  bridge.config().write(0x61, AccessSize(1), 0x7A);
  EXPECT_EQ(bridge.config().read(0x61, AccessSize(1)), 0x0Au) << "bits 4 to 6 are reserved";
  bridge.reset();
  EXPECT_EQ(bridge.config().read(0x61, AccessSize(1)), 0x80u);
}

/// A bridge with all its PIRQ lines and the ISA lines 5, 10 and 13.
struct Routing {
  TestBench bench;
  IsaBridge::IsaDrivers isa{};
  IsaBridge& bridge;
  std::array<LineDriver, 8> pirq{};

  static IsaBridge::IsaDrivers outputs(TestBench& bench) {
    IsaBridge::IsaDrivers drivers{};
    for (const u8 irq : {u8{5}, u8{10}, u8{13}}) drivers[irq] = bench.output("irq", irq);
    return drivers;
  }
  explicit Routing(IsaBridge::Model model = IsaBridge::Model::Piix3)
      : isa(outputs(bench)), bridge(bench.add<IsaBridge>("isa-bridge", IsaBridge::Strapping{.model = model}, isa)) {
    for (u8 i = 0; i < bridge.pirqs(); ++i) {
      pirq[i] = bench.input(bridge, Pin(i), "pirq", static_cast<u8>(IsaBridge::first_pirq_line + i));
    }
  }
  static void write(IsaBridge& bridge, u8 offset, u8 value) {
    bridge.config().write(offset, AccessSize(1), value);
    bridge.config_written(offset, AccessSize(1));
  }
  void route(u8 offset, u8 value) { write(bridge, offset, value); }
  [[nodiscard]] bool high(u8 irq) const { return isa[irq].level() == Level::High; }
};

TEST(PirqRouting, a_routed_line_carries_the_request_under_its_id) {
  Routing board;
  board.route(0x61, 10);
  board.pirq[1].set(Level::High);
  ASSERT_EQ(board.bench.listener.changes.size(), 1u);
  EXPECT_EQ(board.bench.listener.changes[0], (RecordingListener::Change{Tick(0), Pin(10), Level::High, RequestId(1)}));
  board.pirq[1].set(Level::Low);
  EXPECT_FALSE(board.high(10));
  const std::vector<Record> raised = board.bench.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 1u) << "raised once, on the PIRQ line";
  EXPECT_EQ(raised[0].pin, 17);
  EXPECT_EQ(board.bench.records(RecordKind::Lowered).size(), 1u);
}

TEST(PirqRouting, each_model_has_its_registers_and_the_reserved_lines_are_none) {
  struct Row {
    IsaBridge::Model model;
    u8 pirq, offset, value, line;
  };
  constexpr u8 none = IsaBridge::no_line;
  constexpr auto piix3 = IsaBridge::Model::Piix3, ich9 = IsaBridge::Model::Ich9;
  constexpr Row table[] = {
      {piix3, 0, 0x60, 0x05, 5},    {piix3, 3, 0x63, 0x0A, 10},   {piix3, 0, 0x60, 0x85, none},
      {piix3, 0, 0x60, 0x00, none}, {piix3, 0, 0x60, 0x01, none}, {piix3, 0, 0x60, 0x02, none},
      {piix3, 0, 0x60, 0x08, none}, {piix3, 0, 0x60, 0x0D, none}, {piix3, 0, 0x60, 0x0F, 15},
      {ich9, 3, 0x63, 0x0B, 11},    {ich9, 4, 0x68, 0x05, 5},     {ich9, 7, 0x6B, 0x0E, 14},
  };
  for (const Row& row : table) {
    Routing board(row.model);
    board.route(row.offset, row.value);
    EXPECT_EQ(board.bridge.route(row.pirq), row.line) << int{row.offset} << " = " << int{row.value};
  }
}

TEST(PirqRouting, two_lines_share_an_isa_line_until_both_are_low) {
  Routing board;
  board.route(0x60, 5);
  board.route(0x62, 5);
  board.pirq[0].set(Level::High);
  board.pirq[2].set(Level::High);
  board.pirq[0].set(Level::Low);
  EXPECT_TRUE(board.high(5));
  board.pirq[2].set(Level::Low);
  EXPECT_FALSE(board.high(5));
  const std::vector<Record> merged = board.bench.records(RecordKind::Merged);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].id, 2u);
  EXPECT_EQ(merged[0].other, 1u);
  EXPECT_EQ(merged[0].pin, 5);
}

TEST(PirqRouting, a_new_route_moves_an_asserted_line) {
  Routing board;
  board.route(0x60, 5);
  board.pirq[0].set(Level::High);
  board.route(0x60, 10);
  EXPECT_FALSE(board.high(5));
  EXPECT_TRUE(board.high(10));
  board.bridge.reset();
  EXPECT_FALSE(board.high(10));
}

TEST(PirqRouting, an_unrouted_request_says_who_cut_the_route) {
  Routing board;
  board.bench.advance(50);
  board.bench.ledger.context.address = 0x4321;
  board.route(0x60, 0x80 | 5);
  board.pirq[0].set(Level::High);
  board.pirq[0].set(Level::High);
  const std::vector<Record> blocked = board.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::NotConnected));
  EXPECT_EQ(blocked[0].id, 1u);
  EXPECT_EQ(blocked[0].pin, 16);
  EXPECT_EQ(blocked[0].address, 0x4321u);
  EXPECT_EQ(blocked[0].since, 50u);
  const std::vector<Record> programmed = board.bench.records(RecordKind::ControllerProgrammed);
  ASSERT_EQ(programmed.size(), 1u);
  EXPECT_EQ(programmed[0].other, 0x80u);
  EXPECT_EQ(programmed[0].extra, 0x85u);
}

TEST(IsaBridge, as_ich9_it_is_the_lpc_bridge_with_its_power_management_base) {
  TestBench bench;
  auto& bridge =
      bench.add<IsaBridge>("isa-bridge", IsaBridge::Strapping{.model = IsaBridge::Model::Ich9, .pm_base = Port(0x600)},
                           IsaBridge::IsaDrivers{});
  EXPECT_EQ(bridge.config().read(0x00, AccessSize(4)), 0x29188086u);
  EXPECT_EQ(bridge.config().read(0x40, AccessSize(4)), 0x601u);
  EXPECT_EQ(bridge.config().read(0x68, AccessSize(4)), 0x80808080u);
}

DeviceUnderTest isa_bridge() {
  return {.make = [](TestBench& bench) -> Device& {
    auto& bridge = bench.add<IsaBridge>("isa-bridge", IsaBridge::Strapping{.model = IsaBridge::Model::Ich9},
                                        Routing::outputs(bench));
    for (u8 i = 0; i < bridge.pirqs(); ++i) bench.input(bridge, Pin(i), "pirq", static_cast<u8>(16 + i));
    for (const u8 value : {u8{5}, u8{10}, u8{13}, u8{0x85}}) {
      for (const u8 offset : {u8{0x60}, u8{0x61}, u8{0x68}}) {
        bench.actions.emplace_back([&bridge, offset, value] { Routing::write(bridge, offset, value); });
      }
    }
    return bridge;
  }};
}
VITRINE_COMMON_DEVICE_SUITE(IsaBridge, isa_bridge());

}  // namespace
}  // namespace vitrine
