// DMA by the bus master (BMIDE 1.0; PIIX3, 2.7), hostile tables among it.
#include "machine/devices/ide/ide_test_bench.hpp"

namespace vitrine {
namespace {

using enum ata::Command;
namespace bm = ata::bus_master;
constexpr u8 reading = bm::to_memory, writing = 0;

TEST(IdeDma, a_read_scatters_over_the_regions_of_the_table) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 700, false);
  bench.descriptor(1, IdeBench::buffer + 0x5000, 836, true);
  bench.address(40, 3);
  bench.command(ReadDma);
  bench.start(reading);
  EXPECT_EQ(bench.master_status() & bm::active, bm::active);
  bench.wait();
  EXPECT_EQ(bench.master_status() & (bm::active | bm::interrupt | bm::error), bm::interrupt);
  EXPECT_EQ(bench.status(), IdeBench::idle);
  std::vector<u8> got(bench.ram.begin() + IdeBench::buffer, bench.ram.begin() + IdeBench::buffer + 700);
  got.insert(got.end(), bench.ram.begin() + IdeBench::buffer + 0x5000, bench.ram.begin() + IdeBench::buffer + 0x5344);
  EXPECT_EQ(got, bench.on_disk(40, 3 * 512));
  EXPECT_EQ(bench.ram[IdeBench::buffer + 700], 0);
  bench.master(bm::command, 0);
  bench.master(bm::status, bm::interrupt);
  EXPECT_EQ(bench.master_status(), 0);
  EXPECT_EQ(bench.bench.records(RecordKind::Raised).size(), 1u);
}

TEST(IdeDma, a_write_gathers_and_the_engine_may_start_before_the_command) {
  IdeBench bench;
  for (u32 i = 0; i < 1024; ++i) bench.ram[IdeBench::buffer + i] = static_cast<u8>(i * 7);
  bench.descriptor(0, IdeBench::buffer, 512, false);
  bench.descriptor(1, IdeBench::buffer + 512, 512, true);
  bench.start(writing);
  bench.address48(50, 2);
  bench.command(WriteDmaExt);
  bench.wait();
  EXPECT_EQ(bench.status(), IdeBench::idle);
  EXPECT_EQ(bench.on_disk(50, 1024),
            std::vector<u8>(bench.ram.begin() + IdeBench::buffer, bench.ram.begin() + IdeBench::buffer + 1024));
  EXPECT_EQ(bench.on_disk(52, 512)[0], 52);
}

TEST(IdeDma, a_region_of_0_bytes_is_one_of_64_kib) {
  IdeBench bench(Ide::Model::Piix3, 300);
  bench.descriptor(0, IdeBench::buffer, 0, true);
  bench.dma(ReadDma, 0, 128);
  EXPECT_EQ(bench.master_status() & (bm::active | bm::interrupt), bm::interrupt);
  EXPECT_EQ(bench.ram[IdeBench::buffer + 0xFFFF], 127);
}

TEST(IdeDma, longer_regions_than_the_transfer_leave_the_engine_active) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 4096, true);
  bench.dma(ReadDma, 0, 1);
  EXPECT_EQ(bench.master_status() & (bm::active | bm::interrupt), bm::active | bm::interrupt);
}

TEST(IdeDma, a_table_that_ends_too_early_leaves_the_disk_waiting_without_an_interrupt) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 600, true);
  bench.dma(ReadDma, 0, 2);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.master_status(), 0);
  EXPECT_EQ(bench.status(), ata::status::busy);
  EXPECT_EQ(bench.bench.events.next_due(), never);
  // Another table goes on where this one ended.
  bench.descriptor(0, IdeBench::buffer + 600, 424, true);
  bench.master(bm::command, 0);
  bench.start(reading);
  bench.wait();
  EXPECT_EQ(bench.status(), IdeBench::idle);
  EXPECT_EQ(bench.ram[IdeBench::buffer + 1023], 1);
}

/// RAM on both sides of the end of 32-bit addresses.
struct BenchAround4Gib : IdeBench {
  static constexpr u64 edge = u64{1} << 32;
  std::vector<u8> high = std::vector<u8>(2 * MemoryBus::page_size, 0x77);
  BenchAround4Gib() {
    EXPECT_TRUE(
        memory.map_ram(PhysicalAddress(edge - MemoryBus::page_size), high.size(), high.data(), MemoryBus::Kind::Ram)
            .has_value());
  }
};

TEST(IdeDma, what_is_not_ram_below_4_gib_stops_the_engine_with_an_error) {
  struct Row {
    u32 table, base;
    const char* what;
  };
  constexpr Row rows[] = {
      {IdeBench::table, 0xFEC00000, "a device"},
      {IdeBench::table, 0x3FF00, "over the end of RAM"},
      {IdeBench::table, 0xFFFFFFFE, "over the end of addresses"},
      {0xE0000000, IdeBench::buffer, "the table"},
      {0xFFFFFFFC, IdeBench::buffer, "the table, over the end of addresses"},
  };
  for (const Row& row : rows) {
    for (const bool reads : {true, false}) {
      BenchAround4Gib bench;
      const std::vector<u8> before = bench.on_disk(40, 512);
      bench.descriptor(0, row.base, 512, true);
      // A good one, where a table over the end of addresses would have it.
      bench.memory.write(PhysicalAddress(bench.edge - 4), AccessSize(4), IdeBench::buffer);
      bench.memory.write(PhysicalAddress(bench.edge), AccessSize(4), 512 | bm::end_of_table);
      const std::vector<u8> high = bench.high;
      bench.dma(reads ? ReadDma : WriteDma, 40, 1, row.table);
      EXPECT_EQ(bench.master_status(), bm::error) << row.what;
      EXPECT_FALSE(bench.asserted()) << row.what;
      EXPECT_EQ(bench.on_disk(40, 512), before) << row.what;
      EXPECT_EQ(bench.ram[IdeBench::buffer], 0) << row.what;
      EXPECT_EQ(bench.high, high) << row.what;
      bench.control(ata::control::reset);
      bench.control(0);
      bench.bench.advance(IdeChannel::reset_time);
      EXPECT_EQ(bench.status(), IdeBench::idle) << row.what;
    }
  }
}

TEST(IdeDma, a_region_that_ends_at_4_gib_does_not_go_on_at_address_0) {
  for (const bool reads : {true, false}) {
    BenchAround4Gib bench;
    bench.ram[0] = 0x33;
    bench.descriptor(0, static_cast<u32>(bench.edge - 512), 1024, true);
    bench.dma(reads ? ReadDma : WriteDma, 40, 2);
    EXPECT_EQ(bench.master_status(), bm::error);
    EXPECT_EQ(bench.ram[0], 0x33);
    EXPECT_EQ(bench.high[MemoryBus::page_size - 512], reads ? 40 : 0x77) << "what fits is moved";
    EXPECT_EQ(bench.on_disk(40, 512)[0], reads ? 40 : 0x77);
    EXPECT_EQ(bench.on_disk(41, 512)[0], 41);
  }
}

TEST(IdeDma, a_table_that_ends_at_4_gib_does_not_go_on_at_address_0) {
  BenchAround4Gib bench;
  const u64 last = bench.edge - 8;
  bench.memory.write(PhysicalAddress(last), AccessSize(4), IdeBench::buffer);
  bench.memory.write(PhysicalAddress(last + 4), AccessSize(4), 512);
  for (const u64 behind : {u64{0}, bench.edge}) {
    bench.memory.write(PhysicalAddress(behind), AccessSize(4), IdeBench::buffer + 512);
    bench.memory.write(PhysicalAddress(behind + 4), AccessSize(4), 512 | bm::end_of_table);
  }
  bench.dma(ReadDma, 40, 2, static_cast<u32>(last));
  EXPECT_EQ(bench.master_status(), bm::error);
  EXPECT_EQ(bench.ram[IdeBench::buffer], 40);
  EXPECT_EQ(bench.ram[IdeBench::buffer + 512], 0);
}

TEST(IdeDma, rom_can_be_written_to_the_disk_and_holds_a_table_but_is_no_place_to_read_into) {
  constexpr u32 rom_at = 0xF0000;
  for (const bool reads : {true, false}) {
    IdeBench bench;
    std::vector<u8> rom(MemoryBus::page_size, 0x77);
    const std::array<u8, 8> descriptor = {0, 0, 0x0F, 0, 0, 2, 0, 0x80};  // 512 bytes of the ROM itself
    std::ranges::copy(descriptor, rom.begin() + 0x800);
    EXPECT_TRUE(bench.memory.map_ram(PhysicalAddress(rom_at), rom.size(), rom.data(), MemoryBus::Kind::Rom));
    bench.dma(reads ? ReadDma : WriteDma, 40, 1, rom_at + 0x800);
    EXPECT_EQ(bench.master_status(), reads ? bm::error : bm::interrupt);
    EXPECT_EQ(bench.on_disk(40, 512)[0], reads ? 40 : 0x77);
    EXPECT_EQ(rom[0], 0x77);
  }
}

TEST(IdeDma, needs_bus_mastering_and_goes_on_when_it_is_switched_on) {
  IdeBench bench;
  bench.config(PciConfig::command_register, PciConfig::io_space_bit);
  bench.descriptor(0, IdeBench::buffer, 512, true);
  bench.dma(ReadDma, 9, 1);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.ram[IdeBench::buffer], 0);
  bench.config(PciConfig::command_register, PciConfig::io_space_bit | PciConfig::bus_master_bit);
  bench.wait();
  EXPECT_EQ(bench.ram[IdeBench::buffer], 9);
}

TEST(IdeDma, the_wrong_direction_and_a_stopped_engine_move_nothing) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 1024, true);
  bench.address(9, 2);
  bench.command(ReadDma);
  bench.start(writing);
  bench.wait(1000 * IdeBench::ms);
  EXPECT_EQ(bench.ram[IdeBench::buffer], 0);
  bench.master(bm::command, 0);
  bench.start(reading);
  bench.bench.advance(IdeChannel::sector_time);
  EXPECT_EQ(bench.ram[IdeBench::buffer], 9);
  bench.master(bm::command, 0);
  bench.wait(1000 * IdeBench::ms);
  EXPECT_EQ(bench.ram[IdeBench::buffer + 512], 0);
  EXPECT_EQ(bench.alternate(), ata::status::busy);
}

TEST(IdeDma, over_the_end_of_the_disk_ends_with_an_error_of_the_disk) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 4096, true);
  bench.dma(ReadDma, 299, 2);
  EXPECT_EQ(bench.status(), IdeBench::idle | ata::status::error);
  EXPECT_EQ(bench.error(), ata::error::id_not_found);
  EXPECT_EQ(bench.ram[IdeBench::buffer], static_cast<u8>(299));
}

TEST(IdeDma, without_pci_there_is_no_engine) {
  IdeBench bench(Ide::Model::Isa);
  bench.address(0, 1);
  bench.command(ReadDma);
  bench.wait(1000 * IdeBench::ms);
  EXPECT_EQ(bench.alternate(), ata::status::busy);
}

}  // namespace
}  // namespace vitrine
