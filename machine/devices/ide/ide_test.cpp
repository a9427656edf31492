// The IDE controller and its disks, through ports and pins: registers, PIO commands, resets (ATA/ATAPI-6).
#include "machine/devices/ide/ide.hpp"

#include "machine/devices/ide/ide_test_bench.hpp"

namespace vitrine {
namespace {

using enum ata::Command;
using Window = Ide::Window;
constexpr u8 idle = ata::status::ready | ata::status::seek_complete;
constexpr u8 failed = idle | ata::status::error;
constexpr u8 wants_data = idle | ata::status::data_request;

TEST(IdeRegisters, a_new_disk_shows_the_signature_of_a_disk) {
  IdeBench bench;
  EXPECT_EQ(bench.status(), idle);
  EXPECT_EQ(bench.error(), 1);
  EXPECT_EQ(bench.in(ata::reg::count), 1u);
  EXPECT_EQ(bench.in(ata::reg::lba_low), 1u);
  EXPECT_EQ(bench.in(ata::reg::lba_mid), 0u);
  EXPECT_EQ(bench.in(ata::reg::lba_high), 0u);
}

TEST(IdeRegisters, are_two_bytes_deep_and_the_high_order_bit_shows_the_older_one) {
  IdeBench bench;
  bench.out(ata::reg::count, 0x12);
  bench.out(ata::reg::count, 0x34);
  EXPECT_EQ(bench.in(ata::reg::count), 0x34u);
  bench.control(ata::control::high_order);
  EXPECT_EQ(bench.in(ata::reg::count), 0x12u);
  bench.out(ata::reg::features, 0);
  EXPECT_EQ(bench.in(ata::reg::count), 0x34u) << "a write to the command block takes the bit away";
}

TEST(IdeRegisters, device_0_answers_for_a_device_1_that_is_not_there_with_status_0) {
  IdeBench bench;
  bench.out(ata::reg::device, 0xB0);
  EXPECT_EQ(bench.status(), 0);
  EXPECT_EQ(bench.alternate(), 0);
  EXPECT_EQ(bench.in(ata::reg::count), 1u);
  bench.command(IdentifyDevice);
  bench.bench.advance(20 * IdeBench::ms);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.status(), 0);
}

TEST(IdeRegisters, an_empty_cable_reads_with_data_line_7_pulled_down) {
  IdeBench bench;
  EXPECT_EQ(bench.in(ata::reg::status, 1, Window::Secondary), 0x7Fu);
  EXPECT_EQ(bench.in(0, 1, Window::SecondaryControl), 0x7Fu);
  bench.out(ata::reg::command, static_cast<u8>(IdentifyDevice), 1, Window::Secondary);
  EXPECT_EQ(bench.bench.events.next_due(), never);
}

TEST(IdeRegisters, the_ports_answer_only_while_the_function_decodes_them) {
  struct Row {
    unsigned offset;
    u32 value;
    const char* what;
  };
  constexpr Row table[] = {{PciConfig::command_register, 0, "I/O space off"}, {Ide::timing_register, 0, "IDETIM"}};
  for (const Row& row : table) {
    IdeBench bench;
    bench.config(row.offset, row.value);
    EXPECT_EQ(bench.in(ata::reg::status), 0xFFu) << row.what;
    bench.command(IdentifyDevice);
    EXPECT_EQ(bench.bench.events.next_due(), never) << row.what;
  }
  IdeBench isa(Ide::Model::Isa);
  EXPECT_EQ(isa.status(), idle);
}

TEST(IdeIdentify, tells_geometry_size_and_that_its_bytes_add_up_to_0) {
  IdeBench bench(Ide::Model::Piix3, 16 * 63 * 4 + 5);
  bench.command(IdentifyDevice);
  EXPECT_EQ(bench.alternate(), ata::status::busy);
  EXPECT_EQ(bench.wait(), IdeChannel::command_time);
  EXPECT_EQ(bench.status(), wants_data);
  const std::vector<u8> bytes = bench.take(512);
  EXPECT_EQ(bench.status(), idle);
  const auto word = [&](std::size_t number) { return u32{bytes[2 * number]} | u32{bytes[2 * number + 1]} << 8; };
  EXPECT_EQ(word(0), 0x0040u);
  EXPECT_EQ(word(1), 4u);
  EXPECT_EQ(word(3), 16u);
  EXPECT_EQ(word(6), 63u);
  EXPECT_EQ(word(27), u32{'V'} << 8 | u32{'I'});
  EXPECT_EQ(word(60) | word(61) << 16, 16u * 63 * 4 + 5);
  EXPECT_EQ(word(100), 16u * 63 * 4 + 5);
  EXPECT_NE(word(83) & 0x0400, 0u) << "48-bit addresses";
  u8 sum = 0;
  for (const u8 byte : bytes) sum = static_cast<u8>(sum + byte);
  EXPECT_EQ(sum, 0);
}

TEST(IdeIdentify, shows_what_set_features_and_set_multiple_have_set) {
  IdeBench bench;
  bench.out(ata::reg::features, ata::feature::set_transfer_mode);
  bench.out(ata::reg::count, 0x45);
  EXPECT_EQ(bench.run(SetFeatures), idle);
  bench.out(ata::reg::features, ata::feature::disable_write_cache);
  EXPECT_EQ(bench.run(SetFeatures), idle);
  bench.out(ata::reg::count, 8);
  EXPECT_EQ(bench.run(SetMultiple), idle);
  bench.run(IdentifyDevice);
  const std::vector<u8> bytes = bench.take(512);
  EXPECT_EQ(bytes[2 * 88 + 1], 0x20);
  EXPECT_EQ(bytes[2 * 85] & 0x20, 0);
  EXPECT_EQ(bytes[2 * 59], 8);
  EXPECT_EQ(bytes[2 * 59 + 1], 1);
}

TEST(IdeRead, one_sector_comes_with_one_interrupt_that_reading_the_status_ends) {
  IdeBench bench;
  bench.address(5, 1);
  bench.command(ReadSectors);
  EXPECT_GT(bench.wait(), IdeChannel::command_time + IdeChannel::sector_time);
  EXPECT_EQ(bench.alternate(), wants_data);
  EXPECT_TRUE(bench.asserted()) << "the alternate status leaves the interrupt";
  EXPECT_EQ(bench.status(), wants_data);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 5));
  EXPECT_EQ(bench.status(), idle);
  bench.bench.advance(20 * IdeBench::ms);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.bench.records(RecordKind::Raised).size(), 1u);
}

TEST(IdeRead, each_block_has_its_interrupt_and_multiple_makes_blocks_longer) {
  struct Row {
    u8 multiple;
    ata::Command command;
    unsigned blocks;
  };
  constexpr Row table[] = {{0, ReadSectors, 7}, {4, ReadSectors, 7}, {4, ReadMultiple, 2}, {16, ReadMultiple, 1}};
  for (const Row& row : table) {
    IdeBench bench;
    if (row.multiple != 0) {
      bench.out(ata::reg::count, row.multiple);
      bench.run(SetMultiple);
    }
    bench.bench.forget_records();
    bench.address(10, 7);
    bench.command(row.command);
    std::vector<u8> got;
    unsigned blocks = 0;
    for (; got.size() < 7 * 512; ++blocks) {
      bench.wait();
      ASSERT_EQ(bench.status(), wants_data);
      while (bench.alternate() == wants_data) {
        for (const u8 byte : bench.take(2)) got.push_back(byte);
      }
    }
    EXPECT_EQ(blocks, row.blocks);
    EXPECT_EQ(got, bench.on_disk(10, 7 * 512));
    EXPECT_EQ(bench.alternate(), idle);
  }
}

TEST(IdeRead, forty_eight_bits_reach_behind_the_low_ones) {
  IdeBench bench;
  bench.address48(u64{1} << 32 | 7, 1);
  EXPECT_EQ(bench.run(ReadSectorsExt), failed) << "sector 7 is there, this one is not";
  EXPECT_EQ(bench.error(), ata::error::id_not_found);
  bench.address48(7, 1);
  EXPECT_EQ(bench.run(ReadSectorsExt), wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 7));
}

TEST(IdeRead, cylinder_head_and_sector_name_the_same_sectors) {
  IdeBench bench;
  bench.out(ata::reg::device, 0xA3);  // head 3
  bench.out(ata::reg::count, 1);
  bench.out(ata::reg::lba_low, 12);
  EXPECT_EQ(bench.run(ReadSectors), wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 3 * 63 + 11));
  bench.out(ata::reg::lba_low, 0);
  EXPECT_EQ(bench.run(ReadSectors), failed) << "sectors of a track count from 1";
}

TEST(IdeRead, that_runs_over_the_end_gives_what_is_there_and_names_the_first_that_is_not) {
  IdeBench bench;
  bench.address(298, 5);
  bench.command(ReadSectors);
  for (unsigned i = 0; i < 2; ++i) {
    bench.wait();
    EXPECT_EQ(bench.status(), wants_data);
    EXPECT_EQ(bench.take(512), std::vector<u8>(512, static_cast<u8>(298 + i)));
  }
  bench.wait();
  EXPECT_EQ(bench.status(), failed);
  EXPECT_EQ(bench.error(), ata::error::id_not_found);
  EXPECT_EQ(bench.in(ata::reg::lba_low) | bench.in(ata::reg::lba_mid) << 8, 300u);
}

TEST(IdeRead, in_order_is_faster_than_far_away) {
  IdeBench bench;
  const auto time_of = [&](u32 sector) {
    bench.address(sector, 1);
    bench.command(ReadSectors);
    const u64 time = bench.wait();
    bench.status();
    bench.take(512);
    return time;
  };
  constexpr u64 least = IdeChannel::command_time + IdeChannel::sector_time;
  EXPECT_EQ(time_of(0), least);
  EXPECT_EQ(time_of(1), least);
  EXPECT_EQ(time_of(299), least + AtaDrive::nearest_seek + AtaDrive::farthest_seek * 297 / 300);
}

TEST(IdeWrite, the_first_block_comes_without_an_interrupt_and_the_last_ends_with_one) {
  IdeBench bench;
  bench.address(20, 2);
  bench.command(WriteSectors);
  EXPECT_EQ(bench.wait(), IdeChannel::command_time);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.alternate(), wants_data);
  bench.put(std::vector<u8>(512, 0xAA));
  EXPECT_EQ(bench.alternate(), ata::status::busy);
  EXPECT_EQ(bench.on_disk(20, 512)[0], 20) << "not before its time";
  EXPECT_EQ(bench.wait(), IdeChannel::sector_time + AtaDrive::nearest_seek + AtaDrive::farthest_seek * 20 / 300);
  EXPECT_EQ(bench.status(), wants_data);
  bench.put(std::vector<u8>(512, 0xBB));
  bench.wait();
  EXPECT_EQ(bench.status(), idle);
  EXPECT_EQ(bench.on_disk(19, 512), std::vector<u8>(512, 19));
  EXPECT_EQ(bench.on_disk(20, 512), std::vector<u8>(512, 0xAA));
  EXPECT_EQ(bench.on_disk(21, 512), std::vector<u8>(512, 0xBB));
  EXPECT_EQ(bench.on_disk(22, 512), std::vector<u8>(512, 22));
  EXPECT_EQ(bench.bench.records(RecordKind::Raised).size(), 2u);
}

TEST(IdeWrite, multiple_with_a_rest_writes_all_by_words_of_two_or_four_bytes) {
  for (const u8 width : {u8{2}, u8{4}}) {
    IdeBench bench;
    bench.out(ata::reg::count, 4);
    bench.run(SetMultiple);
    bench.address48(100, 6);
    bench.command(WriteMultipleExt);
    bench.bench.advance(IdeBench::ms);
    for (u32 at = 0; at < 6 * 512; at += width) {
      if (at == 4 * 512) {
        bench.wait();
        EXPECT_EQ(bench.status(), wants_data);
      }
      bench.out(ata::reg::data, 0x01010101u * (at / 512 + 1), width);
    }
    bench.wait();
    EXPECT_EQ(bench.status(), idle);
    for (u64 i = 0; i < 6; ++i) {
      EXPECT_EQ(bench.on_disk(100 + i, 512), std::vector<u8>(512, static_cast<u8>(i + 1)));
    }
  }
}

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
    EXPECT_EQ(bench.run(static_cast<ata::Command>(row.command)), failed) << row.what;
    EXPECT_EQ(bench.error(), ata::error::aborted) << row.what;
  }
}

TEST(IdeCommands, power_modes_are_told_and_standby_costs_the_time_to_spin_up) {
  IdeBench bench;
  const auto mode = [&] {
    EXPECT_EQ(bench.run(CheckPowerMode), idle);
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
  EXPECT_EQ(bench.run(IdentifyDevice), wants_data);
}

TEST(IdeCommands, flush_and_verify_end_well_and_verify_knows_the_end_of_the_disk) {
  IdeBench bench;
  EXPECT_EQ(bench.run(FlushCache), idle);
  EXPECT_EQ(bench.run(FlushCacheExt), idle);
  bench.address(290, 10);
  EXPECT_EQ(bench.run(ReadVerify), idle);
  bench.address(290, 11);
  EXPECT_EQ(bench.run(ReadVerify), failed);
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
  EXPECT_EQ(bench.status(), idle);
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
      EXPECT_EQ(bench.run(SetFeatures), idle);
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
    EXPECT_EQ(bench.run(SetMultiple), idle);
    bench.out(ata::reg::device, 0xE3);
    bench.out(ata::reg::count, 17);
    EXPECT_EQ(bench.run(InitializeDeviceParameters), idle);
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
  EXPECT_EQ(bench.status(), idle);
}

TEST(IdeInterrupt, belongs_to_the_drive_that_is_selected) {
  IdeBench bench(Ide::Model::Piix3, 300, 100);
  bench.address(3, 1, ata::device::second);
  bench.command(ReadSectors);
  bench.wait();
  EXPECT_EQ(bench.status(), wants_data);
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
  EXPECT_EQ(bench.status(), wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 9));
}

}  // namespace
}  // namespace vitrine
