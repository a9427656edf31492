#include "machine/devices/port92/port92.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

TEST(Port92, bit_1_is_the_a20_gate) {
  TestBench bench;
  auto& port = bench.add<Port92>("port92", bench.control);
  EXPECT_EQ(port.read(Region(0), 0, AccessSize(1)), 2u);
  port.write(Region(0), 0, AccessSize(1), 0);
  EXPECT_FALSE(bench.control.a20_enabled);
  EXPECT_EQ(port.read(Region(0), 0, AccessSize(1)), 0u);
  bench.control.a20_enabled = true;  // someone else, the keyboard controller, opens the gate
  EXPECT_EQ(port.read(Region(0), 0, AccessSize(1)), 2u);
}

TEST(Port92, bit_0_resets_when_it_rises) {
  TestBench bench;
  auto& port = bench.add<Port92>("port92", bench.control);
  port.write(Region(0), 0, AccessSize(1), 3);
  port.write(Region(0), 0, AccessSize(1), 3);
  EXPECT_EQ(bench.control.exits.size(), 1u);
  port.write(Region(0), 0, AccessSize(1), 2);
  port.write(Region(0), 0, AccessSize(1), 3);
  EXPECT_EQ(bench.control.exits.size(), 2u);
}

DeviceUnderTest port92() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<Port92>("port92", bench.control); },
          .regions = {{Region(0), Port92::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(Port92, port92());

}  // namespace
}  // namespace vitrine
