#include "machine/devices/dma_page/dma_page.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

TEST(DmaPage, registers_read_back_what_was_written) {
  TestBench bench;
  auto& page = bench.add<DmaPage>("dma-page");
  page.write(Region(0), 6, AccessSize(1), 0x1F);
  EXPECT_EQ(page.read(Region(0), 6, AccessSize(1)), 0x1Fu);
  EXPECT_EQ(page.read(Region(0), 5, AccessSize(1)), 0x00u);
}

DeviceUnderTest dma_page() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<DmaPage>("dma-page"); },
          .regions = {{Region(0), DmaPage::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(DmaPage, dma_page());

}  // namespace
}  // namespace vitrine
