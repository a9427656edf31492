#include "machine/devices/debug_ports/debug_ports.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr Region post_code{static_cast<u8>(DebugPorts::Window::PostCode)};
constexpr Region console{static_cast<u8>(DebugPorts::Window::Console)};
constexpr Region exit_port{static_cast<u8>(DebugPorts::Window::Exit)};

TEST(DebugPorts, console_sends_bytes_out_and_reads_its_own_number) {
  TestBench bench;
  auto& ports = bench.add<DebugPorts>("debug-ports", bench.outputs, bench.control);
  ports.write(console, 0, AccessSize(1), 'A');
  EXPECT_EQ(bench.outputs.bytes, (std::vector{std::pair(Channel::DebugConsole, u8{'A'})}));
  EXPECT_EQ(ports.read(console, 0, AccessSize(1)), 0xE9u);
}

TEST(DebugPorts, a_write_to_the_exit_port_ends_the_run_with_its_value_and_a_record) {
  TestBench bench;
  auto& ports = bench.add<DebugPorts>("debug-ports", bench.outputs, bench.control);
  ports.write(exit_port, 0, AccessSize(4), 0x12345);
  ASSERT_EQ(bench.control.exits.size(), 1u);
  EXPECT_EQ(bench.control.exits[0], std::pair(ExitKind::GuestExit, u32{0x12345}));
  ASSERT_EQ(bench.records(RecordKind::GuestExit).size(), 1u);
  EXPECT_EQ(bench.records(RecordKind::GuestExit)[0].extra, 0x12345u);
}

TEST(DebugPorts, post_codes_go_out_and_read_back) {
  TestBench bench;
  auto& ports = bench.add<DebugPorts>("debug-ports", bench.outputs, bench.control);
  ports.write(post_code, 0, AccessSize(1), 0x55);
  EXPECT_EQ(bench.outputs.bytes, (std::vector{std::pair(Channel::PostCode, u8{0x55})}));
  EXPECT_EQ(ports.read(post_code, 0, AccessSize(1)), 0x55u);
}

DeviceUnderTest debug_ports() {
  return {.make = [](TestBench& bench) -> Device& {
            return bench.add<DebugPorts>("debug-ports", bench.outputs, bench.control);
          },
          .regions = {{post_code, 1}, {console, 1}, {exit_port, DebugPorts::exit_port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(DebugPorts, debug_ports());

}  // namespace
}  // namespace vitrine
