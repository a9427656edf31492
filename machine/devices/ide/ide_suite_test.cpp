// The IDE controller in the common suite of devices, and its archives.
#include "machine/devices/ide/ide_test_bench.hpp"

namespace vitrine {
namespace {

using enum ata::Command;
namespace bm = ata::bus_master;
constexpr u8 reading = bm::to_memory, writing = 0;

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
