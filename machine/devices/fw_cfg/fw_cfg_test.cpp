#include "machine/devices/fw_cfg/fw_cfg.hpp"

#include <array>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

const FwCfg::Setup setup{
    .memory_bytes = 0x1'2345'6000, .cpus = 4, .files = {{"etc/a", {1, 2}}, {"opt/vitrine/answer", {42}}}};

/// 64 KiB of RAM from 0 on, for DMA.
struct Ram {
  Ram() { EXPECT_TRUE(bus.map_ram(PhysicalAddress(0), bytes.size(), bytes.data(), MemoryBus::Kind::Ram)); }
  alignas(4096) std::array<u8, 0x10000> bytes{};
  MemoryBus bus;
};
Ram& ram() {
  static Ram here;
  return here;
}

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
  auto& device = bench.add<FwCfg>("fw-cfg", setup, ram().bus);
  EXPECT_EQ(item(device, FwCfg::signature, 6), "QEMU\0\0"s);
  EXPECT_EQ(item(device, FwCfg::revision, 4), "\x03\0\0\0"s);
  EXPECT_EQ(item(device, FwCfg::memory_size, 8), "\0\x60\x45\x23\x01\0\0\0"s);
  EXPECT_EQ(item(device, FwCfg::cpu_count, 2), "\4\0"s);
  EXPECT_EQ(item(device, FwCfg::most_cpus, 2), "\4\0"s);
  EXPECT_EQ(item(device, 0x11, 8), std::string(8, '\0')) << "an item that is not there";
}

TEST(FwCfg, selecting_again_starts_at_the_first_byte) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup, ram().bus);
  EXPECT_EQ(item(device, FwCfg::signature, 2), "QE");
  EXPECT_EQ(item(device, FwCfg::signature, 4), "QEMU");
}

TEST(FwCfg, the_directory_names_files_with_size_and_number) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup, ram().bus);
  const std::string directory = item(device, FwCfg::file_directory, 4 + 2 * 64);
  EXPECT_EQ(directory.substr(0, 4), "\0\0\0\2"s);
  EXPECT_EQ(directory.substr(4, 8 + 6), "\0\0\0\2\0\x20\0\0etc/a\0"s);
  EXPECT_EQ(directory.substr(68, 8 + 19), "\0\0\0\1\0\x21\0\0opt/vitrine/answer\0"s);
  EXPECT_EQ(item(device, 0x21, 1), "\x2A");
}

TEST(FwCfg, only_a_word_selects) {
  TestBench bench;
  auto& device = bench.add<FwCfg>("fw-cfg", setup, ram().bus);
  device.write(FwCfg::registers, FwCfg::select_offset, AccessSize(1), FwCfg::cpu_count);
  EXPECT_EQ(device.read(FwCfg::registers, FwCfg::data_offset, AccessSize(1)), u64{'Q'});
}

struct FwCfgDma : testing::Test {
  static constexpr u32 access = 0x100, target = 0x200;
  /// Puts an access into memory and starts it; what control is then.
  u32 start(u32 control, u32 length, u64 address = target) {
    put(access, control, 4);
    put(access + 4, length, 4);
    put(access + 8, address, 8);
    device.write(FwCfg::registers, 4, AccessSize(4), 0);
    device.write(FwCfg::registers, 8, AccessSize(4), __builtin_bswap32(access));
    u32 answer = 0;
    for (u32 i = 0; i < 4; ++i) answer = answer << 8 | ram().bytes[access + i];
    return answer;
  }
  static void put(u32 at, u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) ram().bytes[at + i] = static_cast<u8>(value >> 8 * (size - 1 - i));
  }
  static std::string text(unsigned bytes) {
    return {ram().bytes.begin() + target, ram().bytes.begin() + target + bytes};
  }
  static constexpr u32 read = 2, skip = 4, select = 8, write = 16;
  TestBench bench;
  FwCfg& device = bench.add<FwCfg>("fw-cfg", setup, ram().bus);
};

TEST_F(FwCfgDma, its_register_reads_as_its_name) {
  EXPECT_EQ(device.peek(FwCfg::registers, 4, AccessSize(4)), 0x554D4551u);
  EXPECT_EQ(device.peek(FwCfg::registers, 8, AccessSize(4)), 0x47464320u);
}

TEST_F(FwCfgDma, selects_and_reads_into_memory_with_zeroes_behind_the_end) {
  ram().bytes.fill(0xEE);
  EXPECT_EQ(start(select | read | u32{FwCfg::signature} << 16, 6), 0u);
  EXPECT_EQ(text(7), "QEMU\0\0\xEE"s);
}

TEST_F(FwCfgDma, goes_on_where_the_last_read_or_skip_ended) {
  EXPECT_EQ(start(select | skip | u32{FwCfg::signature} << 16, 1), 0u);
  EXPECT_EQ(start(read, 2), 0u);
  EXPECT_EQ(text(2), "EM");
  EXPECT_EQ(device.read(FwCfg::registers, FwCfg::data_offset, AccessSize(1)), u64{'U'});
}

TEST_F(FwCfgDma, refuses_writing_what_is_not_ram_and_what_is_too_long) {
  EXPECT_EQ(start(select | write | u32{FwCfg::signature} << 16, 1), 1u);
  EXPECT_EQ(start(read, 4, 0x10000), 1u);
  EXPECT_EQ(start(read, 4, 0xFFFE), 1u) << "it ends outside";
  EXPECT_EQ(start(read, FwCfg::most_dma_bytes + 1), 1u);
}

DeviceUnderTest fw_cfg() {
  return {.make = [](TestBench& bench) -> Device& { return bench.add<FwCfg>("fw-cfg", setup, ram().bus); },
          .regions = {{FwCfg::registers, FwCfg::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(FwCfg, fw_cfg());

}  // namespace
}  // namespace vitrine
