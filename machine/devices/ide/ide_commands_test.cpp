// Commands of disks that move no data, resets, and the interrupt line (ATA/ATAPI-6).
#include "machine/devices/ide/ide_test_bench.hpp"

namespace vitrine {
namespace {

using enum ata::Command;
using Window = Ide::Window;

TEST(IdeCommands, are_aborted_when_unknown_or_not_possible) {
  struct Row {
    u8 command, features, count;
    const char* what;
  };
  constexpr Row table[] = {
      {0x00, 0, 0, "NOP"},
      {0xA1, 0, 0, "IDENTIFY PACKET DEVICE: it is none"},
      {0xFF, 0, 0, "unknown"},
      {static_cast<u8>(ReadMultiple), 0, 1, "READ MULTIPLE before SET MULTIPLE"},
      {static_cast<u8>(SetMultiple), 0, 32, "more than IDENTIFY has said"},
      {static_cast<u8>(SetMultiple), 0, 3, "not a power of two"},
      {static_cast<u8>(SetFeatures), 0x77, 0, "no such feature"},
      {static_cast<u8>(SetFeatures), ata::feature::set_transfer_mode, 0x46, "no such mode"},
  };
  for (const Row& row : table) {
    IdeBench bench;
    bench.out(ata::reg::features, row.features);
    bench.out(ata::reg::count, row.count);
    EXPECT_EQ(bench.run(static_cast<ata::Command>(row.command)), IdeBench::failed) << row.what;
    EXPECT_EQ(bench.error(), ata::error::aborted) << row.what;
  }
}

TEST(IdeCommands, power_modes_are_told_and_standby_costs_the_time_to_spin_up) {
  IdeBench bench;
  const auto mode = [&] {
    EXPECT_EQ(bench.run(CheckPowerMode), IdeBench::idle);
    return bench.in(ata::reg::count);
  };
  EXPECT_EQ(mode(), 0xFFu);
  bench.run(IdleImmediate);
  EXPECT_EQ(mode(), 0x80u);
  bench.run(StandbyImmediate);
  EXPECT_EQ(mode(), 0x00u);
  bench.address(0, 1);
  bench.command(ReadSectors);
  EXPECT_EQ(bench.wait(1000 * IdeBench::ms), AtaDrive::spin_up + IdeChannel::command_time + IdeChannel::sector_time);
}

TEST(IdeCommands, a_sleeping_disk_hears_nothing_but_a_reset) {
  IdeBench bench;
  bench.run(Sleep);
  bench.command(IdentifyDevice);
  bench.bench.advance(20 * IdeBench::ms);
  EXPECT_FALSE(bench.asserted());
  bench.control(ata::control::reset);
  bench.control(0);
  bench.bench.advance(IdeChannel::reset_time);
  EXPECT_EQ(bench.run(IdentifyDevice), IdeBench::wants_data);
}

TEST(IdeCommands, flush_and_verify_end_well_and_verify_knows_the_end_of_the_disk) {
  IdeBench bench;
  EXPECT_EQ(bench.run(FlushCache), IdeBench::idle);
  EXPECT_EQ(bench.run(FlushCacheExt), IdeBench::idle);
  bench.address(290, 10);
  EXPECT_EQ(bench.run(ReadVerify), IdeBench::idle);
  bench.address(290, 11);
  EXPECT_EQ(bench.run(ReadVerify), IdeBench::failed);
  EXPECT_EQ(bench.error(), ata::error::id_not_found);
}

TEST(IdeReset, software_reset_makes_both_busy_then_shows_the_signature_and_keeps_settings) {
  IdeBench bench(Ide::Model::Piix3, 300, 100);
  bench.out(ata::reg::count, 8);
  bench.run(SetMultiple);
  bench.address(0, 4);
  bench.command(ReadSectors);
  bench.control(ata::control::reset);
  EXPECT_EQ(bench.alternate(), ata::status::busy);
  bench.bench.advance(20 * IdeBench::ms);
  EXPECT_EQ(bench.alternate(), ata::status::busy) << "as long as the bit is set";
  bench.control(0);
  bench.bench.advance(IdeChannel::reset_time);
  EXPECT_EQ(bench.status(), IdeBench::idle);
  EXPECT_EQ(bench.error(), 1);
  EXPECT_FALSE(bench.asserted());
  bench.run(IdentifyDevice);
  EXPECT_EQ(bench.take(512)[2 * 59], 8);
}

// 8.46: 66h and CCh. Both drives hear the reset; each goes by its own setting.
TEST(IdeReset, software_reset_takes_settings_back_when_set_features_has_asked_for_it) {
  using namespace ata::feature;
  struct Row {
    std::vector<u8> asked;
    bool kept;
  };
  for (const Row& row :
       {Row{{}, true}, Row{{defaults_after_reset}, false}, Row{{defaults_after_reset, keep_after_reset}, true}}) {
    IdeBench bench(Ide::Model::Piix3, 2000);
    const auto set = [&](u8 feature, u8 count) {
      bench.out(ata::reg::features, feature);
      bench.out(ata::reg::count, count);
      EXPECT_EQ(bench.run(SetFeatures), IdeBench::idle);
    };
    const auto words = [&] {
      bench.run(IdentifyDevice);
      return bench.take(512);
    };
    const std::vector<u8> before = words();
    for (const u8 feature : row.asked) set(feature, 0);
    set(set_transfer_mode, 0x42);
    set(disable_write_cache, 0);
    set(disable_look_ahead, 0);
    bench.out(ata::reg::count, 8);
    EXPECT_EQ(bench.run(SetMultiple), IdeBench::idle);
    bench.out(ata::reg::device, 0xE3);
    bench.out(ata::reg::count, 17);
    EXPECT_EQ(bench.run(InitializeDeviceParameters), IdeBench::idle);
    const std::vector<u8> changed = words();
    EXPECT_NE(changed, before);
    bench.command(ExecuteDeviceDiagnostic);
    bench.wait();
    EXPECT_EQ(words(), changed) << "diagnostics are no reset";
    bench.control(ata::control::reset);
    bench.control(0);
    bench.bench.advance(IdeChannel::reset_time);
    EXPECT_EQ(words(), row.kept ? changed : before);
  }
}

TEST(IdeReset, diagnostics_run_on_both_whichever_is_selected_and_device_0_reports) {
  IdeBench bench(Ide::Model::Piix3, 300, 100);
  bench.out(ata::reg::device, 0xB0);
  bench.command(ExecuteDeviceDiagnostic);
  EXPECT_EQ(bench.wait(), IdeChannel::diagnostic_time);
  EXPECT_EQ(bench.in(ata::reg::device), 0xA0u);
  EXPECT_EQ(bench.error(), 1);
  EXPECT_EQ(bench.status(), IdeBench::idle);
}

TEST(IdeInterrupt, belongs_to_the_drive_that_is_selected) {
  IdeBench bench(Ide::Model::Piix3, 300, 100);
  bench.address(3, 1, ata::device::second);
  bench.command(ReadSectors);
  bench.wait();
  EXPECT_EQ(bench.status(), IdeBench::wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 0x83));
  bench.command(FlushCache);
  bench.wait();
  EXPECT_TRUE(bench.asserted());
  bench.out(ata::reg::device, 0xA0);
  EXPECT_FALSE(bench.asserted());
  bench.out(ata::reg::device, 0xB0);
  EXPECT_TRUE(bench.asserted());
}

TEST(IdeInterrupt, is_held_down_by_nien_and_the_ledger_names_who_set_it) {
  IdeBench bench;
  bench.bench.ledger.context.address = 0x4321;
  bench.control(ata::control::no_interrupt);
  bench.bench.ledger.context.address = 0;
  bench.command(IdentifyDevice);
  bench.bench.advance(IdeBench::ms);
  EXPECT_FALSE(bench.asserted());
  const std::vector<Record> withheld = bench.bench.records(RecordKind::Withheld);
  ASSERT_EQ(withheld.size(), 1u);
  EXPECT_EQ(withheld[0].pin, 14);
  EXPECT_EQ(withheld[0].address, 0x4321u);
  bench.control(0);
  EXPECT_TRUE(bench.asserted());
}

TEST(IdeInterrupt, of_the_secondary_channel_is_irq_15) {
  IdeBench bench;
  TestBench own;
  MemoryBus memory;
  const LineDriver first = own.output("irq14", 14), second = own.output("irq15", 15);
  Ide& ide = own.add<Ide>("ide", Ide::Model::Isa, std::array{first, second}, memory,
                          Ide::Images{DiskImage{}, DiskImage{}, numbered_disk(8), DiskImage{}});
  ide.write(Region(static_cast<u8>(Window::Secondary)), ata::reg::command, AccessSize(1),
            static_cast<u8>(IdentifyDevice));
  own.advance(IdeBench::ms);
  EXPECT_EQ(first.level(), Level::Low);
  EXPECT_EQ(second.level(), Level::High);
}

TEST(IdeBusy, writes_to_the_command_block_do_nothing_while_a_command_runs) {
  IdeBench bench;
  bench.address(9, 1);
  bench.command(ReadSectors);
  bench.out(ata::reg::lba_low, 44);
  bench.command(FlushCache);
  bench.wait();
  EXPECT_EQ(bench.status(), IdeBench::wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 9));
}

}  // namespace
}  // namespace vitrine
