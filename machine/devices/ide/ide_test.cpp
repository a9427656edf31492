// The IDE controller and its disks, through ports and pins: registers, and data by PIO (ATA/ATAPI-6).
#include "machine/devices/ide/ide.hpp"

#include "machine/devices/ide/ide_test_bench.hpp"

namespace vitrine {
namespace {

using enum ata::Command;
using Window = Ide::Window;

TEST(IdeRegisters, a_new_disk_shows_the_signature_of_a_disk) {
  IdeBench bench;
  EXPECT_EQ(bench.status(), IdeBench::idle);
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
  EXPECT_EQ(isa.status(), IdeBench::idle);
}

TEST(IdeIdentify, tells_geometry_size_and_that_its_bytes_add_up_to_0) {
  IdeBench bench(Ide::Model::Piix3, 16 * 63 * 4 + 5);
  bench.command(IdentifyDevice);
  EXPECT_EQ(bench.alternate(), ata::status::busy);
  EXPECT_EQ(bench.wait(), IdeChannel::command_time);
  EXPECT_EQ(bench.status(), IdeBench::wants_data);
  const std::vector<u8> bytes = bench.take(512);
  EXPECT_EQ(bench.status(), IdeBench::idle);
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
  EXPECT_EQ(bench.run(SetFeatures), IdeBench::idle);
  bench.out(ata::reg::features, ata::feature::disable_write_cache);
  EXPECT_EQ(bench.run(SetFeatures), IdeBench::idle);
  bench.out(ata::reg::count, 8);
  EXPECT_EQ(bench.run(SetMultiple), IdeBench::idle);
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
  EXPECT_EQ(bench.alternate(), IdeBench::wants_data);
  EXPECT_TRUE(bench.asserted()) << "the alternate status leaves the interrupt";
  EXPECT_EQ(bench.status(), IdeBench::wants_data);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 5));
  EXPECT_EQ(bench.status(), IdeBench::idle);
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
      ASSERT_EQ(bench.status(), IdeBench::wants_data);
      while (bench.alternate() == IdeBench::wants_data) {
        for (const u8 byte : bench.take(2)) got.push_back(byte);
      }
    }
    EXPECT_EQ(blocks, row.blocks);
    EXPECT_EQ(got, bench.on_disk(10, 7 * 512));
    EXPECT_EQ(bench.alternate(), IdeBench::idle);
  }
}

TEST(IdeRead, forty_eight_bits_reach_behind_the_low_ones) {
  IdeBench bench;
  bench.address48(u64{1} << 32 | 7, 1);
  EXPECT_EQ(bench.run(ReadSectorsExt), IdeBench::failed) << "sector 7 is there, this one is not";
  EXPECT_EQ(bench.error(), ata::error::id_not_found);
  bench.address48(7, 1);
  EXPECT_EQ(bench.run(ReadSectorsExt), IdeBench::wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 7));
}

TEST(IdeRead, cylinder_head_and_sector_name_the_same_sectors) {
  IdeBench bench;
  bench.out(ata::reg::device, 0xA3);  // head 3
  bench.out(ata::reg::count, 1);
  bench.out(ata::reg::lba_low, 12);
  EXPECT_EQ(bench.run(ReadSectors), IdeBench::wants_data);
  EXPECT_EQ(bench.take(512), std::vector<u8>(512, 3 * 63 + 11));
  bench.out(ata::reg::lba_low, 0);
  EXPECT_EQ(bench.run(ReadSectors), IdeBench::failed) << "sectors of a track count from 1";
}

TEST(IdeRead, that_runs_over_the_end_gives_what_is_there_and_names_the_first_that_is_not) {
  IdeBench bench;
  bench.address(298, 5);
  bench.command(ReadSectors);
  for (unsigned i = 0; i < 2; ++i) {
    bench.wait();
    EXPECT_EQ(bench.status(), IdeBench::wants_data);
    EXPECT_EQ(bench.take(512), std::vector<u8>(512, static_cast<u8>(298 + i)));
  }
  bench.wait();
  EXPECT_EQ(bench.status(), IdeBench::failed);
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
  EXPECT_EQ(bench.alternate(), IdeBench::wants_data);
  bench.put(std::vector<u8>(512, 0xAA));
  EXPECT_EQ(bench.alternate(), ata::status::busy);
  EXPECT_EQ(bench.on_disk(20, 512)[0], 20) << "not before its time";
  EXPECT_EQ(bench.wait(), IdeChannel::sector_time + AtaDrive::nearest_seek + AtaDrive::farthest_seek * 20 / 300);
  EXPECT_EQ(bench.status(), IdeBench::wants_data);
  bench.put(std::vector<u8>(512, 0xBB));
  bench.wait();
  EXPECT_EQ(bench.status(), IdeBench::idle);
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
        EXPECT_EQ(bench.status(), IdeBench::wants_data);
      }
      bench.out(ata::reg::data, 0x01010101u * (at / 512 + 1), width);
    }
    bench.wait();
    EXPECT_EQ(bench.status(), IdeBench::idle);
    for (u64 i = 0; i < 6; ++i) {
      EXPECT_EQ(bench.on_disk(100 + i, 512), std::vector<u8>(512, static_cast<u8>(i + 1)));
    }
  }
}

}  // namespace
}  // namespace vitrine
