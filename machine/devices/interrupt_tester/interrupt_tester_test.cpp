// The tester's registers, and through it how a PCI function interrupts: pin, MSI, MSI-X (PCI 3.0, 6.2 and 6.8).
#include "machine/devices/interrupt_tester/interrupt_tester.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr AccessSize word(2), dword(4);
constexpr u8 pirq_a = 16;
constexpr u16 master = PciConfig::bus_master_bit;

struct SentMessages final : MessagePort {
  struct Sent {
    u64 address;
    u32 data;
    RequestId request;
  };
  void send(u64 address, u32 data, RequestId request, SourceId, u8) override {
    sent.push_back({address, data, request});
  }
  /// The data of those since the last call.
  std::vector<u32> take() {
    std::vector<u32> data;
    for (const Sent& each : sent) data.push_back(each.data);
    sent.clear();
    return data;
  }
  std::vector<Sent> sent;
};

struct Bench {
  TestBench bench;
  SentMessages port;
  LineDriver pin = bench.output("pirqA", pirq_a);
  InterruptTester& tester = bench.add<InterruptTester>("tester", pin, port);

  void set(u64 offset, u32 value) { tester.write(InterruptTester::registers, offset, dword, value); }
  u32 get(u64 offset) { return static_cast<u32>(tester.read(InterruptTester::registers, offset, dword)); }
  void config(unsigned offset, AccessSize size, u32 value) {
    tester.config().write(static_cast<u8>(offset), size, value);
    tester.config_written(static_cast<u8>(offset), size);
  }
  u32 config(unsigned offset, AccessSize size) { return tester.config().read(static_cast<u8>(offset), size); }
  void entry(u32 number, u32 address, u32 data, u32 control) {
    const u32 values[] = {address, 0, data, control};
    for (u32 i = 0; i < 4; ++i) tester.write(InterruptTester::messages, number * 16 + i * 4, dword, values[i]);
  }
  u64 pending_bits() { return tester.read(InterruptTester::messages, InterruptTester::pending_offset, AccessSize(8)); }
  u8 capability(u8 id) {
    auto at = static_cast<u8>(config(PciConfig::capabilities_register, AccessSize(1)));
    while (at != 0 && config(at, AccessSize(1)) != id) at = static_cast<u8>(config(at + 1u, AccessSize(1)));
    return at;
  }
  u8 msi = capability(0x05), msix = capability(0x11);
  /// `granted`: log2 of the number of messages.
  void enable_msi(u32 granted = 0) {
    config(PciConfig::command_register, word, master);
    config(msi + 4u, dword, 0xFEE00000);
    config(msi + 12u, word, 0x40);
    config(msi + 2u, word, 1 | granted << 4);
  }
  void enable_msix() {
    config(PciConfig::command_register, word, master);
    config(msix + 2u, word, 0x8000);
  }
  void raise(u32 vector = 0) {
    set(InterruptTester::vector, vector);
    set(InterruptTester::start, 1);
  }
  [[nodiscard]] bool asserted() const { return pin.level() == Level::High; }
  u32 status() { return config(PciConfig::status_register, word) & PciConfig::interrupt_status_bit; }
  std::vector<u8> obstacles() {
    std::vector<u8> found;
    for (const Record& record : bench.records(RecordKind::Blocked)) found.push_back(record.detail);
    bench.forget_records();
    return found;
  }
};
using Data = std::vector<u32>;

TEST(InterruptTesterPin, is_a_level_until_the_guest_clears_it) {
  Bench bench;
  EXPECT_EQ(bench.get(InterruptTester::id), InterruptTester::id_value);
  bench.raise();
  EXPECT_TRUE(bench.asserted());
  EXPECT_NE(bench.status(), 0u);
  bench.set(InterruptTester::status, 2);
  EXPECT_TRUE(bench.asserted());
  bench.set(InterruptTester::status, 1);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.status(), 0u);
  EXPECT_EQ(bench.get(InterruptTester::cleared), 1u);
}

TEST(InterruptTesterPin, interrupt_disable_holds_the_line_down_but_status_tells) {
  Bench bench;
  bench.bench.ledger.context.address = 0x99;
  bench.config(PciConfig::command_register, word, PciConfig::interrupt_disable_bit);
  bench.bench.ledger.context.address = 0x11;
  bench.raise();
  EXPECT_FALSE(bench.asserted());
  EXPECT_NE(bench.status(), 0u);
  const std::vector<Record> withheld = bench.bench.records(RecordKind::Withheld);
  ASSERT_EQ(withheld.size(), 1u);
  EXPECT_EQ(withheld[0].address, 0x99u);
  EXPECT_EQ(withheld[0].pin, pirq_a);
  bench.config(PciConfig::command_register, word, 0);
  EXPECT_TRUE(bench.asserted());
}

TEST(InterruptTester, a_storm_raises_its_number_with_its_period_after_its_delay) {
  Bench bench;
  bench.set(InterruptTester::delay, 1000);
  bench.set(InterruptTester::period, 100);
  bench.set(InterruptTester::start, 5);
  bench.bench.advance(999);
  EXPECT_EQ(bench.get(InterruptTester::raised), 0u);
  bench.bench.advance(101);
  EXPECT_EQ(bench.get(InterruptTester::raised), 2u);
  EXPECT_EQ(bench.get(InterruptTester::merged), 1u);
  EXPECT_EQ(bench.get(InterruptTester::start), 3u);
  bench.bench.advance(10'000);
  EXPECT_EQ(bench.get(InterruptTester::raised), 5u);
  EXPECT_EQ(bench.get(InterruptTester::time_low), 1400u);
  EXPECT_EQ(bench.bench.events.next_due(), never);
}

TEST(InterruptTester, a_storm_into_an_asserted_pin_is_counted_without_events) {
  Bench bench;
  bench.set(InterruptTester::period, 10);
  bench.set(InterruptTester::start, 0xFFFFFFFF);
  EXPECT_TRUE(bench.asserted());
  EXPECT_EQ(bench.bench.events.next_due(), never);
  bench.bench.advance(105);
  EXPECT_EQ(bench.get(InterruptTester::raised), 11u);
  EXPECT_EQ(bench.get(InterruptTester::merged), 10u);
  EXPECT_EQ(bench.get(InterruptTester::start), 0xFFFFFFFF - 11);
  EXPECT_EQ(bench.get(InterruptTester::time_low), 100u);
  bench.set(InterruptTester::status, 1);
  EXPECT_FALSE(bench.asserted());
  bench.bench.advance(4);
  EXPECT_FALSE(bench.asserted());
  bench.bench.advance(1);
  EXPECT_TRUE(bench.asserted()) << "at 110, as without the rest";
  EXPECT_EQ(bench.get(InterruptTester::raised), 12u);
  EXPECT_EQ(bench.get(InterruptTester::merged), 10u);
}

TEST(InterruptTester, a_storm_of_a_message_that_waits_is_counted_without_events) {
  Bench bench;
  bench.enable_msix();
  bench.entry(0, 0xFEE00000, 0x50, 1);
  bench.set(InterruptTester::period, 10);
  bench.set(InterruptTester::start, 5);
  EXPECT_EQ(bench.bench.events.next_due(), never);
  bench.bench.advance(25);
  EXPECT_EQ(bench.get(InterruptTester::raised), 3u);
  EXPECT_EQ(bench.port.take(), Data());
  bench.entry(0, 0xFEE00000, 0x50, 0);
  EXPECT_EQ(bench.port.take(), Data{0x50});
  bench.bench.advance(100);
  EXPECT_EQ(bench.port.take(), (Data{0x50, 0x50})) << "at 30 and 40";
  EXPECT_EQ(bench.get(InterruptTester::raised), 5u);
}

TEST(InterruptTester, a_storm_is_stopped_by_starting_none) {
  Bench bench;
  bench.set(InterruptTester::period, 100);
  bench.set(InterruptTester::start, 0xFFFFFFFF);
  bench.bench.advance(1000);
  bench.set(InterruptTester::start, 0);
  bench.bench.advance(1000);
  EXPECT_EQ(bench.get(InterruptTester::raised), 11u);
}

TEST(PciMsi, capability_is_64_bit_maskable_and_of_eight_messages) {
  Bench bench;
  EXPECT_EQ(bench.config(bench.msi + 2u, word), 0x0186u);
  bench.config(bench.msi + 4u, dword, 0xFFFFFFFF);
  EXPECT_EQ(bench.config(bench.msi + 4u, dword), 0xFFFFFFFCu);
  bench.config(bench.msi + 16u, dword, 0xFFFFFFFF);
  EXPECT_EQ(bench.config(bench.msi + 16u, dword), 0xFFu);
}

TEST(PciMsi, replaces_the_pin_while_enabled) {
  Bench bench;
  bench.enable_msi();
  EXPECT_EQ(bench.get(InterruptTester::way), 1u);
  bench.raise();
  EXPECT_FALSE(bench.asserted());
  ASSERT_EQ(bench.port.sent.size(), 1u);
  EXPECT_EQ(bench.port.sent[0].address, 0xFEE00000u);
  EXPECT_EQ(bench.port.take(), Data{0x40});
  const std::vector<Record> raised = bench.bench.records(RecordKind::Raised);
  ASSERT_EQ(raised.size(), 1u);
  EXPECT_EQ(raised[0].pin, static_cast<u8>(ApicPin::Message));
}

TEST(PciMsi, a_message_replaces_as_many_low_bits_of_the_data_as_were_granted) {
  struct Row {
    u32 granted, number, data;
  };
  constexpr Row table[] = {{0, 3, 0x40}, {1, 3, 0x41}, {2, 3, 0x43}, {3, 7, 0x47}, {3, 9, 0x41}, {5, 7, 0x47}};
  for (const Row& row : table) {
    Bench bench;
    bench.enable_msi(row.granted);
    bench.raise(row.number);
    EXPECT_EQ(bench.port.take(), Data{row.data}) << row.granted << " " << row.number;
  }
}

TEST(PciMsi, a_masked_vector_is_pending_and_goes_when_unmasked) {
  Bench bench;
  bench.enable_msi(3);
  bench.config(bench.msi + 16u, dword, 1 << 2);
  bench.raise(2);
  bench.raise(2);
  bench.raise(3);
  EXPECT_EQ(bench.port.take(), Data{0x43});
  EXPECT_EQ(bench.config(bench.msi + 20u, dword), 4u);
  EXPECT_EQ(bench.bench.records(RecordKind::Merged).size(), 1u);
  EXPECT_EQ(bench.obstacles(), std::vector<u8>{static_cast<u8>(Obstacle::EntryMasked)});
  bench.config(bench.msi + 16u, dword, 0);
  EXPECT_EQ(bench.port.take(), Data{0x42});
  EXPECT_EQ(bench.config(bench.msi + 20u, dword), 0u);
}

TEST(PciMsi, without_bus_mastering_nothing_is_written) {
  Bench bench;
  bench.enable_msi();
  bench.config(PciConfig::command_register, word, 0);
  bench.raise();
  EXPECT_TRUE(bench.port.sent.empty());
  EXPECT_EQ(bench.obstacles(), std::vector<u8>{static_cast<u8>(Obstacle::BusMasterOff)});
  bench.config(PciConfig::command_register, word, master);
  EXPECT_EQ(bench.port.take(), Data{0x40});
}

TEST(PciMsiX, entries_are_masked_after_reset_and_hold_address_data_and_mask) {
  Bench bench;
  EXPECT_EQ(bench.config(bench.msix + 2u, word), 0x000Fu);
  EXPECT_EQ(bench.config(bench.msix + 4u, dword), 0x002u);
  EXPECT_EQ(bench.config(bench.msix + 8u, dword), 0x802u);
  EXPECT_EQ(bench.tester.read(InterruptTester::messages, 12, dword), 1u);
  bench.tester.write(InterruptTester::messages, 0x20, AccessSize(8), 0x1'FEE02003);
  bench.tester.write(InterruptTester::messages, 0x28, AccessSize(8), 0xFFFFFFFE'12345678);
  EXPECT_EQ(bench.tester.read(InterruptTester::messages, 0x20, AccessSize(8)), 0x1'FEE02000u);
  EXPECT_EQ(bench.tester.read(InterruptTester::messages, 0x28, AccessSize(8)), 0x12345678u);
  bench.tester.write(InterruptTester::messages, 0x20, AccessSize(2), 0);
  EXPECT_EQ(bench.tester.read(InterruptTester::messages, 0x20, dword), 0xFEE02000u);
}

TEST(PciMsiX, each_entry_has_an_address_of_its_own) {
  Bench bench;
  bench.enable_msix();
  bench.entry(0, 0xFEE00000, 0x50, 0);
  bench.entry(15, 0xFEE01000, 0x5F, 0);
  bench.raise(15);
  ASSERT_EQ(bench.port.sent.size(), 1u);
  EXPECT_EQ(bench.port.sent[0].address, 0xFEE01000u);
  EXPECT_EQ(bench.port.take(), Data{0x5F});
  bench.raise(16);
  EXPECT_EQ(bench.port.take(), Data{0x50}) << "modulo their number";
}

TEST(PciMsiX, what_is_masked_is_pending_and_keeps_its_request) {
  Bench bench;
  bench.enable_msix();
  bench.entry(3, 0xFEE00000, 0x53, 1);
  bench.raise(3);
  EXPECT_EQ(bench.pending_bits(), 8u);
  const u64 id = bench.bench.records(RecordKind::Raised).at(0).id;
  bench.config(bench.msix + 2u, word, 0xC000);
  bench.entry(3, 0xFEE00000, 0x53, 0);
  EXPECT_TRUE(bench.port.sent.empty()) << "the function mask is set";
  bench.config(bench.msix + 2u, word, 0x8000);
  ASSERT_EQ(bench.port.sent.size(), 1u);
  EXPECT_EQ(bench.port.sent[0].request, RequestId(id));
  EXPECT_EQ(bench.pending_bits(), 0u);
  EXPECT_EQ(bench.obstacles(),
            (std::vector<u8>{static_cast<u8>(Obstacle::EntryMasked), static_cast<u8>(Obstacle::FunctionMasked)}));
}

TEST(PciMsiX, goes_before_msi_and_pin) {
  Bench bench;
  bench.raise();
  EXPECT_TRUE(bench.asserted());
  bench.enable_msi();
  bench.enable_msix();
  bench.entry(0, 0xFEE00000, 0x50, 0);
  EXPECT_FALSE(bench.asserted());
  EXPECT_EQ(bench.get(InterruptTester::way), 2u);
  bench.raise();
  EXPECT_EQ(bench.port.take(), Data{0x50});
}

TEST(PciMsiX, each_change_of_control_and_entry_is_a_record) {
  Bench bench;
  bench.enable_msix();
  bench.tester.write(InterruptTester::messages, 0x20, dword, 0xFEE01000);
  const std::vector<Record> programmed = bench.bench.records(RecordKind::ControllerProgrammed);
  ASSERT_EQ(programmed.size(), 2u);
  EXPECT_EQ(programmed[0].detail, static_cast<u8>(ControllerRegister::MessageControl));
  EXPECT_EQ(programmed[0].extra, 0x800Fu);
  EXPECT_EQ(programmed[1].detail, static_cast<u8>(ControllerRegister::MessageEntry));
  EXPECT_EQ(programmed[1].pin, 2);
  EXPECT_EQ(programmed[1].extra, 0xFEE01000u);
  EXPECT_EQ(programmed[1].other, u64{1} << 32) << "masked";
}

DeviceUnderTest interrupt_tester() {
  return {.make = [port = std::make_shared<SentMessages>()](TestBench& bench) -> Device& {
            auto& tester = bench.add<InterruptTester>("tester", bench.output("pirqA", pirq_a), *port);
            const auto config = [&tester](u8 offset, AccessSize size, u32 value) {
              tester.config().write(offset, size, value);
              tester.config_written(offset, size);
            };
            for (const u32 value : {0u, 4u, 0x404u}) {
              bench.actions.emplace_back([config, value] { config(PciConfig::command_register, word, value); });
            }
            for (const u32 value : {0u, 0x31u})
              bench.actions.emplace_back([config, value] { config(0x42, word, value); });
            for (const u32 value : {0u, 5u})
              bench.actions.emplace_back([config, value] { config(0x50, dword, value); });
            for (const u32 value : {0u, 0x8000u, 0xC000u}) {
              bench.actions.emplace_back([config, value] { config(0x5A, word, value); });
            }
            bench.actions.emplace_back([&tester] {
              tester.write(InterruptTester::registers, InterruptTester::period, dword, 50);
              tester.write(InterruptTester::registers, InterruptTester::start, dword, 3);
            });
            return tester;
          },
          .regions = {{InterruptTester::registers, 0x30}, {InterruptTester::messages, 0x810}},
          .accesses = 40'000};
}
VITRINE_COMMON_DEVICE_SUITE(InterruptTester, interrupt_tester());

}  // namespace
}  // namespace vitrine
