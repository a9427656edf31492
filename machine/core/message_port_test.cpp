// What a device's message becomes, by its address.
#include "machine/core/message_port.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

struct Kept final : LedgerSink {
  void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
  std::vector<Record> records;
};
struct Agent final : ApicBusAgent {
  [[nodiscard]] bool addressed_by(const InterruptMessage&) const override { return true; }
  [[nodiscard]] u8 arbitration_priority() const override { return 0; }
  [[nodiscard]] bool focus(u8) const override { return false; }
  [[nodiscard]] bool takes(const InterruptMessage&) const override { return true; }
  void accept(const InterruptMessage& message) override { got.push_back(message); }
  [[nodiscard]] u8 cpu() const override { return 0; }
  std::vector<InterruptMessage> got;
};

struct Port : testing::Test {
  Clock clock;
  Ledger ledger{clock};
  ApicBus apics{ledger};
  Agent agent;
  MemoryBus memory;
  BusMessagePort port{apics, memory, ledger};
  std::vector<u8> ram = std::vector<u8>(0x1000, 0);
  Kept kept;

  Port() {
    ledger.attach(kept);
    apics.attach(agent);
    EXPECT_TRUE(memory.map_ram(PhysicalAddress(0), ram.size(), ram.data(), MemoryBus::Kind::Ram).has_value());
  }
  void send(u64 address, u32 data) {
    port.send(address, data, RequestId(9), SourceId(3), static_cast<u8>(ApicPin::Message));
    ledger.flush();
  }
};

TEST_F(Port, an_address_of_msis_becomes_a_message_that_says_where_it_was_written) {
  send(0xFEE01000, 0x4041);
  ASSERT_EQ(agent.got.size(), 1u);
  EXPECT_EQ(agent.got[0].vector, 0x41);
  EXPECT_EQ(agent.got[0].destination, 1u);
  EXPECT_EQ(agent.got[0].request, RequestId(9));
  ASSERT_EQ(kept.records.size(), 1u);
  EXPECT_EQ(kept.records[0].kind, RecordKind::MessageSent);
  EXPECT_EQ(kept.records[0].since, 0xFEE01000u);
  EXPECT_EQ(kept.records[0].source, 3);
}

TEST_F(Port, ram_is_written_little_endian) {
  send(0x100, 0x11223344);
  EXPECT_EQ(ram[0x100], 0x44);
  EXPECT_EQ(ram[0x103], 0x11);
  EXPECT_TRUE(agent.got.empty() && kept.records.empty());
}

TEST_F(Port, any_other_address_loses_the_message) {
  for (const u64 address : {u64{0xFFE}, u64{0xFEC00000}, u64{0x1'FEE0'0000}, ~u64{3}, ~u64{0}}) {
    kept.records.clear();
    send(address, 0x41);
    EXPECT_TRUE(agent.got.empty());
    ASSERT_EQ(kept.records.size(), 1u) << std::hex << address;
    EXPECT_EQ(kept.records[0].kind, RecordKind::MessageLost);
    EXPECT_EQ(kept.records[0].detail, static_cast<u8>(MessageLoss::NoAddress));
    EXPECT_EQ(kept.records[0].since, address);
  }
}

}  // namespace
}  // namespace vitrine
