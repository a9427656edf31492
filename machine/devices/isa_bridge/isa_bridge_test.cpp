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

DeviceUnderTest isa_bridge() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<IsaBridge>("isa-bridge"); }};
}
VITRINE_COMMON_DEVICE_SUITE(IsaBridge, isa_bridge());

}  // namespace
}  // namespace vitrine
