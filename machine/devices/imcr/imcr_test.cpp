#include "machine/devices/imcr/imcr.hpp"

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr AccessSize byte(1);

struct ImcrBench {
  TestBench bench;
  LineDriver processor = bench.output("intr", InterruptLine::no_number);
  LineDriver lint0 = bench.output("lint0", InterruptLine::no_number);
  Imcr& imcr = bench.add<Imcr>("imcr", processor, lint0);
  InterruptLine& intr = bench.lines.emplace_back(bench.ledger, "pic-int", InterruptLine::no_number);
  LineDriver pic = intr.add_driver(SourceId{});
  ImcrBench() { intr.connect(imcr, Imcr::intr_pin); }
  void out(u64 offset, u8 value) { imcr.write(Imcr::registers, offset, byte, value); }
};

TEST(Imcr, leads_intr_to_the_processor_after_reset_and_to_lint0_when_bit_0_is_set) {
  ImcrBench board;
  board.pic.carry(Level::High, RequestId(7));
  EXPECT_EQ(board.processor.level(), Level::High);
  EXPECT_EQ(board.lint0.level(), Level::Low);
  board.out(0, Imcr::imcr_register);
  board.out(1, 1);
  EXPECT_EQ(board.processor.level(), Level::Low);
  EXPECT_EQ(board.lint0.level(), Level::High);
  EXPECT_EQ(board.bench.listener.changes.back().request, RequestId(7));
  board.imcr.reset();
  EXPECT_EQ(board.processor.level(), Level::High);
  EXPECT_EQ(board.lint0.level(), Level::Low);
}

TEST(Imcr, another_request_on_the_asserted_wire_goes_on_to_the_receiver) {
  ImcrBench board;
  board.pic.carry(Level::High, RequestId(7));
  board.pic.carry(Level::High, RequestId(8));
  EXPECT_EQ(board.bench.listener.changes.back().request, RequestId(8));
}

TEST(Imcr, only_register_70h_is_there) {
  ImcrBench board;
  board.out(0, 0x71);
  board.out(1, 1);
  EXPECT_EQ(board.imcr.read(Imcr::registers, 1, byte), 0xFFu);
  board.out(0, Imcr::imcr_register);
  EXPECT_EQ(board.imcr.read(Imcr::registers, 1, byte), 0u);
  board.out(1, 0xFF);
  EXPECT_EQ(board.imcr.read(Imcr::registers, 1, byte), 1u);
}

TEST(Imcr, a_switch_is_a_record_of_the_instruction_that_did_it) {
  ImcrBench board;
  board.bench.ledger.context.address = 0x77;
  board.out(0, Imcr::imcr_register);
  board.out(1, 1);
  board.out(1, 1);
  const std::vector<Record> programmed = board.bench.records(RecordKind::ControllerProgrammed);
  ASSERT_EQ(programmed.size(), 1u);
  EXPECT_EQ(programmed[0].detail, static_cast<u8>(ControllerRegister::Imcr));
  EXPECT_EQ(programmed[0].extra, 1u);
  EXPECT_EQ(programmed[0].address, 0x77u);
}

DeviceUnderTest imcr() {
  return {.make = [](TestBench& bench) -> Device& {
            auto& chip = bench.add<Imcr>("imcr", bench.output("intr", InterruptLine::no_number),
                                         bench.output("lint0", InterruptLine::no_number));
            bench.input(chip, Imcr::intr_pin, "pic-int", 0);
            bench.actions.emplace_back([&chip] { chip.write(Imcr::registers, 0, byte, Imcr::imcr_register); });
            return chip;
          },
          .regions = {{Imcr::registers, Imcr::port_count}}};
}
VITRINE_COMMON_DEVICE_SUITE(Imcr, imcr());

}  // namespace
}  // namespace vitrine
