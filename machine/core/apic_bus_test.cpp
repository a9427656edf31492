// Messages between APICs: who gets them, what the ledger says.
#include <gtest/gtest.h>

#include <deque>
#include <ostream>

#include "machine/core/interrupt_message.hpp"

namespace vitrine {
namespace {

struct Kept final : LedgerSink {
  void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
  std::vector<Record> records;
};

struct Agent final : ApicBusAgent {
  explicit Agent(u8 number) : number(number) {}
  [[nodiscard]] bool addressed_by(const InterruptMessage& message) const override {
    return message.broadcast() ||
           (message.logical ? (message.destination & 1u << number) != 0 : message.destination == number);
  }
  [[nodiscard]] u8 arbitration_priority() const override { return priority; }
  [[nodiscard]] bool focus(u8 vector) const override { return vector == focused; }
  [[nodiscard]] bool takes(const InterruptMessage&) const override { return on; }
  void accept(const InterruptMessage& message) override { got.push_back(message); }
  [[nodiscard]] u8 cpu() const override { return number; }

  u8 number;
  u8 priority = 0;
  u8 focused = 0;
  bool on = true;
  std::vector<InterruptMessage> got;
};

struct Listener final : BusListener {
  void eoi_broadcast(u8 vector) override { heard.push_back(vector); }
  void receivers_changed() override {}
  std::vector<u8> heard;
};

class ApicBusTest : public testing::Test {
 protected:
  ApicBusTest() {
    ledger.attach(sink);
    for (Agent& agent : agents) bus.attach(agent);
  }
  /// Which CPUs got something since the last call, e.g. "013".
  std::string takers() {
    std::string text;
    for (Agent& agent : agents) {
      for (std::size_t i = 0; i < agent.got.size(); ++i) text += static_cast<char>('0' + agent.number);
      agent.got.clear();
    }
    return text;
  }
  unsigned send(const InterruptMessage& message, ApicBus::Shorthand shorthand = ApicBus::Shorthand::None,
                u8 sender = ApicBus::no_cpu) {
    return bus.send(message, SourceId(7), 3, shorthand, sender);
  }
  std::vector<Record> records() {
    ledger.flush();
    return std::exchange(sink.records, {});
  }

  Clock clock;
  Ledger ledger{clock};
  Kept sink;
  ApicBus bus{ledger};
  std::deque<Agent> agents{Agent(0), Agent(1), Agent(2), Agent(3)};
};

TEST_F(ApicBusTest, fixed_reaches_every_addressed_agent) {
  EXPECT_EQ(send({.destination = 2, .vector = 0x40, .request = RequestId(1)}), 1u);
  EXPECT_EQ(takers(), "2");
  EXPECT_EQ(send({.destination = 0b1011, .vector = 0x40, .logical = true, .request = RequestId(1)}), 3u);
  EXPECT_EQ(takers(), "013");
  EXPECT_EQ(send({.destination = 0xFF, .vector = 0x40, .request = RequestId(1)}), 4u);
  EXPECT_EQ(takers(), "0123");
}

TEST_F(ApicBusTest, shorthand_counts_instead_of_the_destination) {
  const InterruptMessage message{.destination = 3, .vector = 0x40, .request = RequestId(1)};
  EXPECT_EQ(send(message, ApicBus::Shorthand::Self, 1), 1u);
  EXPECT_EQ(takers(), "1");
  EXPECT_EQ(send(message, ApicBus::Shorthand::AllIncludingSelf, 1), 4u);
  EXPECT_EQ(takers(), "0123");
  EXPECT_EQ(send(message, ApicBus::Shorthand::AllExcludingSelf, 1), 3u);
  EXPECT_EQ(takers(), "023");
}

TEST_F(ApicBusTest, second_receiver_gets_a_request_of_its_own) {
  const RequestId sent = ledger.next_request();
  send({.destination = 0b0110, .vector = 0x51, .logical = true, .request = sent});
  EXPECT_EQ(agents[1].got.at(0).request, sent);
  const RequestId copied = agents[2].got.at(0).request;
  EXPECT_NE(copied, sent);
  const std::vector<Record> told = records();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].kind, RecordKind::MessageSent);
  EXPECT_EQ(told[0].id, sent.value);
  EXPECT_EQ(told[0].source, 7u);
  EXPECT_EQ(told[0].pin, 3u);
  EXPECT_EQ(told[0].vector, 0x51u);
  EXPECT_EQ(told[0].extra, 0b0110u | message_extra::logical | u64{2} << message_extra::receivers);
  EXPECT_EQ(told[1].kind, RecordKind::Copied);
  EXPECT_EQ(told[1].id, copied.value);
  EXPECT_EQ(told[1].other, sent.value);
  EXPECT_EQ(told[1].cpu, 2u);
}

TEST_F(ApicBusTest, lowest_priority_rotates_among_equals) {
  const InterruptMessage message{
      .destination = 0b1101, .vector = 0x40, .mode = MessageMode::LowestPriority, .logical = true, .request = {}};
  std::string winners;
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(send(message), 1u);
    winners += takers();
  }
  EXPECT_EQ(winners, "023023");
}

TEST_F(ApicBusTest, lowest_priority_goes_to_the_lowest_then_to_the_focus) {
  const InterruptMessage message{
      .destination = 0b1111, .vector = 0x40, .mode = MessageMode::LowestPriority, .logical = true, .request = {}};
  for (Agent& agent : agents) agent.priority = 0x50;
  agents[2].priority = 0x4F;
  send(message);
  EXPECT_EQ(takers(), "2");
  agents[2].on = false;  // off: it takes no part
  agents[3].priority = 0x4F;
  send(message);
  EXPECT_EQ(takers(), "3");
  agents[1].focused = 0x40;
  send(message);
  EXPECT_EQ(takers(), "1");
}

TEST_F(ApicBusTest, winner_is_kept_over_save_and_restore) {
  const InterruptMessage message{
      .destination = 0b0011, .vector = 0x40, .mode = MessageMode::LowestPriority, .logical = true, .request = {}};
  send(message);
  EXPECT_EQ(takers(), "0");
  Archive saver = Archive::saver();
  bus.exchange(saver);
  send(message);
  EXPECT_EQ(takers(), "1");
  Archive loader = Archive::loader(saver.bytes());
  bus.exchange(loader);
  send(message);
  EXPECT_EQ(takers(), "1");
}

TEST_F(ApicBusTest, loss_is_told_with_its_cause) {
  struct Row {
    InterruptMessage message;
    bool on;
    MessageLoss expected;
  };
  const Row rows[] = {
      {{.destination = 9, .vector = 0x40, .request = RequestId(1)}, true, MessageLoss::NoReceiver},
      {{.destination = 1, .vector = 0x40, .request = RequestId(1)}, false, MessageLoss::ReceiverDisabled},
      {{.destination = 9, .mode = MessageMode::LowestPriority, .request = RequestId(1)}, true, MessageLoss::NoReceiver},
      {{.destination = 1, .mode = MessageMode::LowestPriority, .request = RequestId(1)},
       false,
       MessageLoss::ReceiverDisabled},
      {{.destination = 1, .mode = MessageMode::Reserved, .request = RequestId(1)}, true, MessageLoss::ReservedMode},
      {{.destination = 1, .mode = MessageMode::Smi, .request = RequestId(1)}, true, MessageLoss::Unsupported},
  };
  for (const Row& row : rows) {
    agents[1].on = row.on;
    EXPECT_EQ(send(row.message), 0u);
    EXPECT_EQ(takers(), "");
    const std::vector<Record> told = records();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0].kind, RecordKind::MessageSent);
    EXPECT_EQ(told[1].kind, RecordKind::MessageLost);
    EXPECT_EQ(told[1].detail, static_cast<u8>(row.expected));
    EXPECT_EQ(told[1].extra, told[0].extra);
  }
}

TEST_F(ApicBusTest, eoi_broadcast_reaches_every_listener) {
  Listener first;
  Listener second;
  bus.attach(first);
  bus.attach(second);
  bus.broadcast_eoi(0x61);
  EXPECT_EQ(first.heard, std::vector<u8>{0x61});
  EXPECT_EQ(second.heard, std::vector<u8>{0x61});
}

// SDM vol. 3A §10.11: address and data of an MSI.
TEST(MessageOfMsi, address_and_data_are_decoded) {
  struct Row {
    u64 address;
    u32 data;
    u32 destination;
    u8 vector;
    MessageMode mode;
    bool logical, level, asserted;
  };
  constexpr Row rows[] = {
      {0xFEE00000, 0x0031, 0, 0x31, MessageMode::Fixed, false, false, true},
      {0xFEE03000, 0x4031, 3, 0x31, MessageMode::Fixed, false, false, true},
      {0xFEEFF004, 0x0131, 0xFF, 0x31, MessageMode::LowestPriority, true, false, true},
      {0xFEE0300C, 0x0031, 3, 0x31, MessageMode::LowestPriority, true, false, true},  // redirection hint
      {0xFEE0300C, 0x0431, 3, 0x31, MessageMode::Nmi, true, false, true},
      {0xFEE01000, 0xC099, 1, 0x99, MessageMode::Fixed, false, true, true},
      {0xFEE01000, 0x8099, 1, 0x99, MessageMode::Fixed, false, true, false},
      {0xFEE01000, 0x0500, 1, 0x00, MessageMode::Init, false, false, true},
      {0xFEE01000, 0x0600, 1, 0x00, MessageMode::Reserved, false, false, true},
      {0xFEE01000, 0x0700, 1, 0x00, MessageMode::ExtInt, false, false, true},
      {0xFEE01000, 0xFFFF0031, 1, 0x31, MessageMode::Fixed, false, false, true},
  };
  for (const Row& row : rows) {
    const InterruptMessage message = message_of_msi(row.address, row.data, RequestId(5));
    EXPECT_EQ(message.destination, row.destination) << std::hex << row.address << ' ' << row.data;
    EXPECT_EQ(message.vector, row.vector) << std::hex << row.address << ' ' << row.data;
    EXPECT_EQ(message.mode, row.mode) << std::hex << row.address << ' ' << row.data;
    EXPECT_EQ(message.logical, row.logical) << std::hex << row.address << ' ' << row.data;
    EXPECT_EQ(message.level, row.level) << std::hex << row.address << ' ' << row.data;
    EXPECT_EQ(message.asserted, row.asserted) << std::hex << row.address << ' ' << row.data;
    EXPECT_FALSE(message.wide);
    EXPECT_EQ(message.request, RequestId(5));
  }
  EXPECT_TRUE(is_msi_address(0xFEE00000) && is_msi_address(0xFEEFFFFC));
  EXPECT_FALSE(is_msi_address(0xFEF00000) || is_msi_address(0x1FEE00000) || is_msi_address(0xFEDFFFFC));
}

}  // namespace
}  // namespace vitrine
