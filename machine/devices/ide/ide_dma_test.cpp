// DMA by the bus master (BMIDE 1.0; PIIX3, 2.7), hostile tables among it; and the common suite of devices.
#include "machine/devices/ide/ide_test_bench.hpp"

namespace vitrine {
namespace {

using enum ata::Command;
namespace bm = ata::bus_master;
constexpr u8 idle = ata::status::ready | ata::status::seek_complete;
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
  EXPECT_EQ(bench.status(), idle);
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
  EXPECT_EQ(bench.status(), idle);
  EXPECT_EQ(bench.on_disk(50, 1024),
            std::vector<u8>(bench.ram.begin() + IdeBench::buffer, bench.ram.begin() + IdeBench::buffer + 1024));
  EXPECT_EQ(bench.on_disk(52, 512)[0], 52);
}

TEST(IdeDma, a_region_of_0_bytes_is_one_of_64_kib) {
  IdeBench bench(Ide::Model::Piix3, 300);
  bench.descriptor(0, IdeBench::buffer, 0, true);
  bench.address(0, 128);
  bench.command(ReadDma);
  bench.start(reading);
  bench.wait();
  EXPECT_EQ(bench.master_status() & (bm::active | bm::interrupt), bm::interrupt);
  EXPECT_EQ(bench.ram[IdeBench::buffer + 0xFFFF], 127);
}

TEST(IdeDma, longer_regions_than_the_transfer_leave_the_engine_active) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 4096, true);
  bench.address(0, 1);
  bench.command(ReadDma);
  bench.start(reading);
  bench.wait();
  EXPECT_EQ(bench.master_status() & (bm::active | bm::interrupt), bm::active | bm::interrupt);
}

TEST(IdeDma, a_table_that_ends_too_early_leaves_the_disk_waiting_without_an_interrupt) {
  IdeBench bench;
  bench.descriptor(0, IdeBench::buffer, 600, true);
  bench.address(0, 2);
  bench.command(ReadDma);
  bench.start(reading);
  bench.wait(1000 * IdeBench::ms);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.master_status(), 0);
  EXPECT_EQ(bench.status(), ata::status::busy);
  EXPECT_EQ(bench.bench.events.next_due(), never);
  // Another table goes on where this one ended.
  bench.descriptor(0, IdeBench::buffer + 600, 424, true);
  bench.master(bm::command, 0);
  bench.start(reading);
  bench.wait();
  EXPECT_EQ(bench.status(), idle);
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
      // A good one at both places of tables where there is memory.
      for (const u64 at : {bench.edge - 4, bench.edge - 0x800}) {
        bench.memory.write(PhysicalAddress(at), AccessSize(4), IdeBench::buffer);
        bench.memory.write(PhysicalAddress(at + 4), AccessSize(4), 512 | bm::end_of_table);
      }
      const std::vector<u8> high = bench.high;
      bench.address(40, 1);
      bench.command(reads ? ReadDma : WriteDma);
      bench.master(bm::table, row.table, 4);
      bench.master(bm::command, (reads ? reading : writing) | bm::start);
      bench.wait(1000 * IdeBench::ms);
      EXPECT_EQ(bench.master_status(), bm::error) << row.what;
      EXPECT_FALSE(bench.asserted()) << row.what;
      EXPECT_EQ(bench.on_disk(40, 512), before) << row.what;
      EXPECT_EQ(bench.ram[IdeBench::buffer], 0) << row.what;
      EXPECT_EQ(bench.high, high) << row.what;
      bench.control(ata::control::reset);
      bench.control(0);
      bench.bench.advance(IdeChannel::reset_time);
      EXPECT_EQ(bench.status(), idle) << row.what;
    }
  }
}

TEST(IdeDma, a_region_that_ends_at_4_gib_does_not_go_on_at_address_0) {
  for (const bool reads : {true, false}) {
    BenchAround4Gib bench;
    bench.ram[0] = 0x33;
    bench.descriptor(0, static_cast<u32>(bench.edge - 512), 1024, true);
    bench.address(40, 2);
    bench.command(reads ? ReadDma : WriteDma);
    bench.start(reads ? reading : writing);
    bench.wait(1000 * IdeBench::ms);
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
  bench.address(40, 2);
  bench.command(ReadDma);
  bench.master(bm::table, static_cast<u32>(last), 4);
  bench.master(bm::command, reading | bm::start);
  bench.wait(1000 * IdeBench::ms);
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
    bench.address(40, 1);
    bench.command(reads ? ReadDma : WriteDma);
    bench.master(bm::table, rom_at + 0x800, 4);
    bench.master(bm::command, (reads ? reading : writing) | bm::start);
    bench.wait(1000 * IdeBench::ms);
    EXPECT_EQ(bench.master_status(), reads ? bm::error : bm::interrupt);
    EXPECT_EQ(bench.on_disk(40, 512)[0], reads ? 40 : 0x77);
    EXPECT_EQ(rom[0], 0x77);
  }
}

TEST(IdeDma, needs_bus_mastering_and_goes_on_when_it_is_switched_on) {
  IdeBench bench;
  bench.config(PciConfig::command_register, PciConfig::io_space_bit);
  bench.descriptor(0, IdeBench::buffer, 512, true);
  bench.address(9, 1);
  bench.command(ReadDma);
  bench.start(reading);
  bench.wait(1000 * IdeBench::ms);
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
  bench.address(299, 2);
  bench.command(ReadDma);
  bench.start(reading);
  bench.wait();
  EXPECT_EQ(bench.status(), idle | ata::status::error);
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

// --- the disk's content
// -----------------------------------------------------------------------------------------------

TEST(DiskImage, the_original_is_untouched_and_shared) {
  const auto original = std::make_shared<const DiskImage::Bytes>(DiskImage::Bytes(10 * 512 + 100, 0x55));
  DiskImage one(original), two(original);
  EXPECT_EQ(one.sectors(), 10u);
  const std::vector<u8> data(3 * 512, 0x11);
  one.write(7, data);
  EXPECT_TRUE(one.changed());
  EXPECT_FALSE(two.changed());
  EXPECT_EQ(*original, DiskImage::Bytes(10 * 512 + 100, 0x55));
  std::vector<u8> got(10 * 512);
  one.read(0, got);
  EXPECT_EQ(got[7 * 512 - 1], 0x55);
  EXPECT_EQ(got[7 * 512], 0x11);
  EXPECT_EQ(got.back(), 0x11);
}

TEST(DiskImage, an_archive_is_refused_by_a_machine_with_another_disk) {
  DiskImage one = numbered_disk(20), same = numbered_disk(20), other = numbered_disk(20, 1),
            shorter = numbered_disk(19);
  one.write(3, std::vector<u8>(512, 0xEE));
  Archive saver = Archive::saver();
  one.exchange(saver);
  for (DiskImage* image : {&same, &other, &shorter}) {
    Archive loader = Archive::loader(saver.bytes());
    image->exchange(loader);
    EXPECT_EQ(loader.ok(), image == &same);
  }
  std::vector<u8> got(512);
  same.read(3, got);
  EXPECT_EQ(got[0], 0xEE);
}

// One data word before the head moves, where a wrong drive or sector would be divided by or sought.
TEST(IdeArchive, whatever_is_not_refused_can_be_used_and_saved_again) {
  constexpr u64 sectors = 20;
  IdeBench begun(Ide::Model::Isa, sectors);
  begun.address(5, 1);
  begun.command(WriteSectors);
  begun.bench.advance_to(begun.bench.clock.now() + IdeBench::ms);
  begun.put(std::vector<u8>(510, 0x11));
  Archive saver = Archive::saver();
  begun.ide.exchange(saver);
  unsigned accepted = 0;
  for (std::size_t place = 0; place < saver.bytes().size(); ++place) {
    for (const int value : {0, 1, 2, 0x80, 0xFF}) {
      std::vector<u8> changed(saver.bytes().begin(), saver.bytes().end());
      changed[place] = static_cast<u8>(value);
      IdeBench bench(Ide::Model::Isa, sectors);
      Archive loader = Archive::loader(changed);
      bench.ide.exchange(loader);
      if (!loader.ok()) continue;
      ++accepted;
      bench.put(std::vector<u8>(2, 0x22));
      bench.wait();
      Archive again = Archive::saver();
      bench.ide.exchange(again);
      IdeBench other(Ide::Model::Isa, sectors);
      Archive reader = Archive::loader(again.bytes());
      other.ide.exchange(reader);
      EXPECT_TRUE(reader.ok()) << "byte " << place << " was " << value;
    }
  }
  EXPECT_GT(accepted, 0u);
}

// --- the common suite
// -------------------------------------------------------------------------------------------------

/// RAM that a bench's devices master. Its content is no part of the bench, so each bench has new one.
struct Ram final : Device {
  explicit Ram(const DeviceContext&) {
    [[maybe_unused]] const bool mapped =
        bus.map_ram(PhysicalAddress(0), bytes.size(), bytes.data(), MemoryBus::Kind::Ram).has_value();
  }
  [[nodiscard]] std::string_view name() const override { return "ram"; }
  void reset() override {}
  void exchange(Archive& archive) override { archive.raw(bytes.data(), bytes.size()); }
  std::vector<u8> bytes = std::vector<u8>(0x4000);
  MemoryBus bus;
};

Ide& make(TestBench& bench, Ide::Model model, Ide::Images images) {
  Ram& ram = bench.add<Ram>("ram");
  for (u32 i = 0; i < 16; ++i) {
    ram.bus.write(PhysicalAddress(8 * i), AccessSize(4), 0x1000 + 0x230 * i);
    ram.bus.write(PhysicalAddress(8 * i + 4), AccessSize(4), 0x230 | (i == 15 ? bm::end_of_table : 0));
  }
  const std::array pins = {bench.output("irq14", 14), bench.output("irq15", 15)};
  Ide& ide = bench.add<Ide>("ide", model, pins, ram.bus, images);
  const auto write = [&ide](Ide::Window window, u64 offset, u32 value) {
    ide.write(Region(static_cast<u8>(window)), offset, AccessSize(1), value);
  };
  const auto configure = [&ide](unsigned offset, u32 value) {
    ide.config().write(static_cast<u8>(offset), AccessSize(2), value);
    ide.config_written(static_cast<u8>(offset), AccessSize(2));
  };
  // Random bytes seldom make a command that goes through: these do.
  for (const ata::Command command : {ReadSectors, WriteMultiple, ReadDma, WriteDmaExt, IdentifyDevice, FlushCache}) {
    bench.actions.emplace_back([=] {
      configure(PciConfig::command_register, 5);
      configure(Ide::timing_register, Ide::decode_enable_bit);
      configure(Ide::timing_register + 2, Ide::decode_enable_bit);
      for (const Ide::Window window : {Ide::Window::Primary, Ide::Window::Secondary}) {
        write(window, ata::reg::device, 0xE0);
        write(window, ata::reg::count, 4);
        write(window, ata::reg::lba_mid, 0);
        write(window, ata::reg::lba_high, 0);
        write(window, ata::reg::command, static_cast<u8>(command));
      }
    });
  }
  for (const u8 direction : {reading, writing}) {
    bench.actions.emplace_back([=] {
      for (const u64 channel : {u64{0}, u64{8}}) {
        for (u64 byte = 0; byte < 4; ++byte) write(Ide::Window::BusMaster, channel + bm::table + byte, 0);
        write(Ide::Window::BusMaster, channel + bm::command, direction);
        write(Ide::Window::BusMaster, channel + bm::command, direction | bm::start);
      }
    });
  }
  bench.actions.emplace_back([=] { write(Ide::Window::PrimaryControl, 0, 0); });
  bench.actions.emplace_back([&ide] {
    for (int i = 0; i < 300; ++i) (void)ide.read(Region(0), 0, AccessSize(2));
  });
  bench.actions.emplace_back([&ide] {
    for (int i = 0; i < 300; ++i) ide.write(Region(1), 0, AccessSize(4), 0x5A5A5A5A);
  });
  return ide;
}

std::vector<DeviceUnderTest::Window> windows() {
  return {{Region(0), 8}, {Region(1), 8}, {Region(2), 1}, {Region(3), 1}, {Region(4), 16}};
}

DeviceUnderTest with_disks() {
  return {.make = [](TestBench& bench) -> Device& {
            return make(bench, Ide::Model::Piix3, {numbered_disk(40), numbered_disk(9), numbered_disk(17), {}});
          },
          .regions = windows(),
          .reset_keeps_some_state = true,  // what is on the disks
          .accesses = 20'000};
}
VITRINE_COMMON_DEVICE_SUITE(IdeWithDisks, with_disks());

DeviceUnderTest without_disks() {
  return {.make = [](TestBench& bench) -> Device& { return make(bench, Ide::Model::Ich7, {}); },
          .regions = windows(),
          .accesses = 20'000};
}
VITRINE_COMMON_DEVICE_SUITE(IdeWithoutDisks, without_disks());

TEST(IdeWithDisksCommonSuite, reset_equals_new_but_for_what_is_on_the_disks) {
  TestBench used;
  auto& ide = static_cast<Ide&>(with_disks().make(used));
  for (u64 seed = 1; seed <= 20; ++seed) {
    device_suite::traffic(used, ide, with_disks(), seed, 500);
    ide.reset();
    for (unsigned disk = 0; disk < Ide::disks; ++disk) ide.disk(disk).revert();
    TestBench fresh;
    fresh.clock.advance_to(used.clock.now());
    Device& other = with_disks().make(fresh);
    ASSERT_EQ(device_suite::save(ide), device_suite::save(other)) << "seed " << seed;
    ASSERT_EQ(used.events.next_due(), never);
    for (const InterruptLine& line : used.lines) ASSERT_EQ(line.level(), Level::Low);
  }
}

}  // namespace
}  // namespace vitrine
