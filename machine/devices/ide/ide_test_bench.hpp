// A bench with an IDE controller, RAM and disks, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "abi/ata.hpp"
#include "machine/core/bus.hpp"
#include "machine/devices/device_suite.hpp"
#include "machine/devices/ide/ide.hpp"

namespace vitrine {

/// Sector n of a disk is full of the byte n + first.
inline DiskImage numbered_disk(u64 sectors, u8 first = 0) {
  auto bytes = std::make_shared<DiskImage::Bytes>(sectors * DiskImage::sector_bytes);
  for (std::size_t i = 0; i < bytes->size(); ++i) (*bytes)[i] = static_cast<u8>(i / DiskImage::sector_bytes + first);
  return DiskImage(std::move(bytes));
}

struct IdeBench {
  static constexpr u64 ram_bytes = 0x40000, ms = 1'000'000;
  static constexpr u32 table = 0x1000, buffer = 0x10000;
  /// Of the status register.
  static constexpr u8 idle = ata::status::ready | ata::status::seek_complete, failed = idle | ata::status::error,
                      wants_data = idle | ata::status::data_request;
  using Window = Ide::Window;

  TestBench bench;
  std::vector<u8> ram = std::vector<u8>(ram_bytes);
  MemoryBus memory;
  LineDriver irq14 = bench.output("irq14", 14), irq15 = bench.output("irq15", 15);
  Ide& ide;

  explicit IdeBench(Ide::Model model = Ide::Model::Piix3, u64 sectors = 300, u64 second = 0)
      : ide(bench.add<Ide>(
            "ide", model, std::array{irq14, irq15}, memory,
            Ide::Images{numbered_disk(sectors), second != 0 ? numbered_disk(second, 0x80) : DiskImage{}})) {
    EXPECT_TRUE(memory.map_ram(PhysicalAddress(0), ram_bytes, ram.data(), MemoryBus::Kind::Ram).has_value());
    if (model == Ide::Model::Isa) return;
    config(PciConfig::command_register, PciConfig::io_space_bit | PciConfig::bus_master_bit);
    config(Ide::timing_register, Ide::decode_enable_bit);
    config(Ide::timing_register + 2, Ide::decode_enable_bit);
  }

  void config(unsigned offset, u32 value) {
    ide.config().write(static_cast<u8>(offset), AccessSize(2), value);
    ide.config_written(static_cast<u8>(offset), AccessSize(2));
  }
  static Region region(Window window) { return Region(static_cast<u8>(window)); }
  void out(u64 offset, u32 value, u8 size = 1, Window window = Window::Primary) {
    ide.write(region(window), offset, AccessSize(size), value);
  }
  u32 in(u64 offset, u8 size = 1, Window window = Window::Primary) {
    return static_cast<u32>(ide.read(region(window), offset, AccessSize(size)));
  }
  u8 alternate() { return static_cast<u8>(in(0, 1, Window::PrimaryControl)); }
  void control(u8 value) { out(0, value, 1, Window::PrimaryControl); }
  u8 status() { return static_cast<u8>(in(ata::reg::status)); }
  u8 error() { return static_cast<u8>(in(ata::reg::error)); }
  [[nodiscard]] bool asserted() const { return irq14.level() == Level::High; }

  void address(u32 sector, u8 count, u8 device = 0) {
    out(ata::reg::device, 0xE0u | device | (sector >> 24 & 15));
    out(ata::reg::count, count);
    out(ata::reg::lba_low, sector & 0xFF);
    out(ata::reg::lba_mid, sector >> 8 & 0xFF);
    out(ata::reg::lba_high, sector >> 16 & 0xFF);
  }
  void address48(u64 sector, u16 count) {
    out(ata::reg::device, 0xE0);
    for (const unsigned half : {1u, 0u}) {
      out(ata::reg::count, static_cast<u32>(count >> 8 * half & 0xFF));
      for (unsigned byte = 0; byte < 3; ++byte) {
        out(ata::reg::lba_low + byte, static_cast<u32>(sector >> (24 * half + 8 * byte) & 0xFF));
      }
    }
  }
  void command(ata::Command which) { out(ata::reg::command, static_cast<u8>(which)); }
  /// Until the interrupt, at most `most` ns; the time that it took.
  u64 wait(u64 most = 20 * ms) {
    const Tick begin = bench.clock.now();
    while (!asserted() && bench.events.next_due() <= begin + most) bench.advance_to(bench.events.next_due());
    return bench.clock.now().value - begin.value;
  }
  /// A command without data, or one that fails: waits, and gives the status.
  u8 run(ata::Command which) {
    command(which);
    wait();
    return status();
  }
  std::vector<u8> take(std::size_t bytes) {
    std::vector<u8> got;
    for (std::size_t i = 0; i < bytes; i += 2) {
      const u32 word = in(ata::reg::data, 2);
      got.push_back(static_cast<u8>(word));
      got.push_back(static_cast<u8>(word >> 8));
    }
    return got;
  }
  void put(std::span<const u8> bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 2) out(ata::reg::data, u32{bytes[i]} | u32{bytes[i + 1]} << 8, 2);
  }
  std::vector<u8> on_disk(u64 sector, std::size_t bytes, unsigned disk = 0) {
    std::vector<u8> content(bytes);
    ide.disk(disk).read(sector, content);
    return content;
  }

  // DMA.
  void descriptor(u32 number, u32 base, u32 bytes, bool last) {
    memory.write(PhysicalAddress(table + 8 * number), AccessSize(4), base);
    memory.write(PhysicalAddress(table + 8 * number + 4), AccessSize(4),
                 (bytes & 0xFFFF) | (last ? ata::bus_master::end_of_table : 0));
  }
  void master(u64 offset, u32 value, u8 size = 1) { out(offset, value, size, Window::BusMaster); }
  u8 master_status() { return static_cast<u8>(in(ata::bus_master::status, 1, Window::BusMaster)); }
  void start(u8 direction, u32 from = table) {
    master(ata::bus_master::table, from, 4);
    master(ata::bus_master::command, direction);
    master(ata::bus_master::command, direction | ata::bus_master::start);
  }
  /// The command, then the engine; until the interrupt, or until nothing goes on.
  void dma(ata::Command which, u32 sector, u8 count, u32 from = table) {
    address(sector, count);
    command(which);
    start(which == ata::Command::ReadDma ? ata::bus_master::to_memory : u8{0}, from);
    wait(1000 * ms);
  }
};

}  // namespace vitrine
