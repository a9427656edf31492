#include "machine/devices/fw_cfg/fw_cfg.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

const FwCfg::Setup setup{
    .memory_bytes = 0x1'2345'6000, .cpus = 4, .files = {{"etc/a", {1, 2}}, {"opt/vitrine/answer", {42}}}};

std::string item(FwCfg& device, u16 number, unsigned bytes) {
  device.write(FwCfg::registers, FwCfg::select_offset, AccessSize(2), number);
  std::string text;
  for (unsigned i = 0; i < bytes; ++i) {
    text += static_cast<char>(device.read(FwCfg::registers, FwCfg::data_offset, AccessSize(1)));
  }
  return text;
}
using std::string_literals::operator""s;

TEST(FwCfg, items_tell_what_the_machine_has_and_end_in_zeroes) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup);
  EXPECT_EQ(item(device, FwCfg::signature, 6), "QEMU\0\0"s);
  EXPECT_EQ(item(device, FwCfg::revision, 4), "\x01\0\0\0"s);
  EXPECT_EQ(item(device, FwCfg::memory_size, 8), "\0\x60\x45\x23\x01\0\0\0"s);
  EXPECT_EQ(item(device, FwCfg::cpu_count, 2), "\4\0"s);
  EXPECT_EQ(item(device, FwCfg::most_cpus, 2), "\4\0"s);
  EXPECT_EQ(item(device, 0x11, 8), std::string(8, '\0')) << "an item that is not there";
}

TEST(FwCfg, selecting_again_starts_at_the_first_byte) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup);
  EXPECT_EQ(item(device, FwCfg::signature, 2), "QE");
  EXPECT_EQ(item(device, FwCfg::signature, 4), "QEMU");
}

TEST(FwCfg, the_directory_names_files_with_size_and_number) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup);
  const std::string directory = item(device, FwCfg::file_directory, 4 + 2 * 64);
  EXPECT_EQ(directory.substr(0, 4), "\0\0\0\2"s);
  EXPECT_EQ(directory.substr(4, 8 + 6), "\0\0\0\2\0\x20\0\0etc/a\0"s);
  EXPECT_EQ(directory.substr(68, 8 + 19), "\0\0\0\1\0\x21\0\0opt/vitrine/answer\0"s);
  EXPECT_EQ(item(device, 0x21, 1), "\x2A");
}

TEST(FwCfg, only_a_word_selects) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup);
  device.write(FwCfg::registers, FwCfg::select_offset, AccessSize(1), FwCfg::cpu_count);
  EXPECT_EQ(device.read(FwCfg::registers, FwCfg::data_offset, AccessSize(1)), u64{'Q'});
}

DeviceUnderTest fw_cfg() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<FwCfg>("fw-cfg", setup); },
          .regions = {{FwCfg::registers, FwCfg::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(FwCfg, fw_cfg());

}  // namespace
}  // namespace vitrine
